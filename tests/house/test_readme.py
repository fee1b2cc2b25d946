"""What the README shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reference.commands.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
MINE = re.search(r"```python\n(import numpy.*?)```", README, re.DOTALL).group(1)


def test_the_example_is_short_and_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(MINE.splitlines()) < 40
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    assert main(["verify", "classifier", "--candidate", str(tmp_path / "mine.py")]) == 0
    assert "only the plain classifier, with dense gradients and SGD" in capsys.readouterr().out


def test_its_mistake_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = 'g["embedding.weight"][ids] += d[:, None]'
    assert wrong in README
    right = 'np.add.at(g["embedding.weight"], ids, d[:, None])'
    (tmp_path / "mine.py").write_text(MINE.replace(right, wrong), encoding="utf-8")
    assert main(["verify", "classifier-dialogue", "--candidate", str(tmp_path / "mine.py")]) == 1
    first = capsys.readouterr().out.split("disagree classifier-dialogue-sgd-dense-f64,")[1].splitlines()[0]
    assert re.search(r"step 1, grads, embedding.weight\[[159], \d\]: expected .*, got ", first)


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or (Path(__file__).parents[2] / link).exists(), link
