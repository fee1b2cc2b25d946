"""`pytest --candidate FILE.py` holds a user's module against both twins, with the verdicts of the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.readmes import MINE

WRONG = MINE.replace('np.add.at(g["embedding.weight"], ids, d[:, None])', 'g["embedding.weight"][ids] += d[:, None]')


@pytest.mark.parametrize(
    ("module", "cases", "code", "says"),
    [
        (MINE, "classifier-dialogue-sgd-dense", 0, ["2 passed"]),
        (
            WRONG,
            "classifier-dialogue-sgd-dense-f64",
            1,
            ["step 1, grads, embedding.weight[", "known as duplicates-overwritten: embedding.weight: equals"],
        ),
        (MINE, "linear-one", 5, ["the candidate covered nothing"]),
    ],
    ids=["right", "wrong", "nothing covered"],
)
def test_a_candidate_inside_pytest(tmp_path: Path, module: str, cases: str, code: int, says: list[str]) -> None:
    (tmp_path / "mine.py").write_text(module, encoding="utf-8")
    # with `=`, as pytest would take a path that stands alone for a place to look for its settings
    command = [sys.executable, "-m", "pytest", f"--candidate={tmp_path / 'mine.py'}", "-k", cases]
    command += ["-p", "no:benchmark", "tests/agreement/test_gradients.py"]
    root = Path(__file__).parents[2]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=100)
    assert all(words in run.stdout for words in says)
    assert run.returncode == code
