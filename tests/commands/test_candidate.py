"""`pytest --candidate FILE.py` holds a user's module against both twins, with the verdicts of the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.readmes import MINE

ROOT = Path(__file__).parents[2]
WRONG = MINE.replace('np.add.at(g["embedding.weight"], ids, d[:, None])', 'g["embedding.weight"][ids] += d[:, None]')


def arguments(folder: Path, module: str, cases: str) -> list[str]:
    """What pytest is started with, to hold the module against these cases."""
    (folder / "mine.py").write_text(module, encoding="utf-8")
    # with `=`, as pytest would take a path that stands alone for a place to look for its settings
    plain = ["-p", "no:benchmark", "-p", "no:cacheprovider", "tests/agreement/test_gradients.py"]
    return [f"--candidate={folder / 'mine.py'}", "-k", cases, *plain]


WARNS = MINE.replace("        g = {", "        np.log(np.zeros(1))\n        g = {")
UPDATES = MINE.replace(".mean(), g\n", ".mean(), None\n")


@pytest.mark.parametrize(
    ("module", "cases", "code", "says"),
    [
        (MINE, "classifier-dialogue-sgd-dense", 0, ["2 passed", "these 2 cases would notice "]),
        (
            WRONG,
            "classifier-dialogue-sgd-dense-f64",
            1,
            ["step 1, grads, embedding.weight[", "known as duplicates-overwritten: embedding.weight: equals"],
        ),
        (WARNS, "classifier-dialogue-sgd-dense", 0, ["2 passed", "RuntimeWarning: divide by zero", "mine.py:"]),
        (UPDATES, "classifier-dialogue-sgd-dense", 5, ["2 skipped"]),
        (MINE, "linear-one", 5, ["the candidate covered nothing"]),
        (MINE, "classifier-one-sgd", 5, ["2 passed", "no case of classifier that agrees would notice mean-"]),
    ],
    ids=["right", "wrong", "a warning", "no gradients", "nothing covered", "too little covered"],
)
def test_a_candidate_inside_pytest(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    module: str,
    cases: str,
    code: int,
    says: list[str],
) -> None:
    """A pytest within this one, which has imported already what it needs."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert pytest.main(arguments(tmp_path, module, cases)) == code
    out = capsys.readouterr().out
    assert all(words in out for words in says)


def test_a_candidate_in_a_process_of_its_own(tmp_path: Path) -> None:
    """What holds in the one within must not come from what the one around it has done."""
    command = [sys.executable, "-m", "pytest", *arguments(tmp_path, WRONG, "classifier-dialogue-sgd-dense-f64")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert "1 failed" in run.stdout
    assert run.returncode == 1
