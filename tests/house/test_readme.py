"""What the READMEs show is what there is."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

import pytest

from reference.commands.cli import main
from tests.tools.figures import FIGURES, MARKED, any_function, marked, out_of_order, private
from tests.tools.readmes import FUNCTION, KNOWN, LOST, MINE, ROOT, UNKNOWN, blocks, changed, readmes

TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in readmes()}
README = TEXTS["README.md"]
every_readme = pytest.mark.parametrize("name", TEXTS)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


# --- mine.py ---------------------------------------------------------------------------------------------------------


def test_the_example_is_short_and_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(MINE.splitlines()) < 40
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    assert main(["verify", "classifier", "--candidate", str(tmp_path / "mine.py")]) == 0
    assert "only the plain classifier, with dense gradients and SGD" in capsys.readouterr().out


def test_its_mistake_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(changed(*KNOWN), encoding="utf-8")
    assert main(["verify", "classifier-dialogue", "--candidate", str(tmp_path / "mine.py")]) == 1
    first = capsys.readouterr().out.split("disagree classifier-dialogue-sgd-dense-f64,")[1].splitlines()[0]
    assert re.search(r"step 1, grads, embedding.weight\[[159], \d\]: expected .*, got ", first)


def test_its_mistakes_are_those_of_the_text() -> None:
    assert f"Write `{KNOWN[1]}` for the `np.add.at`" in README
    known_mistakes = TEXTS["reference/mistakes/README.md"]
    assert "divides by `(length + 1)` instead of `length`" in known_mistakes
    assert [line.split(" / ")[1] for line in UNKNOWN] == ["length", "(length + 1)"]


# --- the checks ------------------------------------------------------------------------------------------------------


def test_the_example_of_the_checks_passes() -> None:
    example: dict[str, Any] = {}
    exec(FUNCTION, example)
    example["test_my_gradients"]()


def test_what_is_said_of_its_mistake_is_what_the_text_shows() -> None:
    text = TEXTS["reference/checks/README.md"]
    assert f"Write `{LOST[1]}` for the first `np.add.at`" in text
    assert any_function() in text
    assert "are duplicates lost?" in any_function()


# --- figures ---------------------------------------------------------------------------------------------------------


def test_every_figure_has_its_mark_and_every_mark_its_figure() -> None:
    assert {name: list(out_of_order(text, FIGURES)) for name, text in TEXTS.items()} == {name: [] for name in TEXTS}
    assert set(marked(TEXTS.values())) == FIGURES.keys()


@every_readme
def test_figures_stand_between_marks(name: str) -> None:
    """What looks like a figure: a block of code with the rule of a table or a number with decimals in it."""
    by_hand = MARKED.sub("", TEXTS[name])
    for block in blocks(by_hand, "") + blocks(by_hand, "json"):
        assert not re.search(r"──|\d\.\d", block), block


@every_readme
def test_no_figure_tells_of_the_machine_that_made_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "")  # this one did not make it
    for at in MARKED.finditer(TEXTS[name]):
        assert private(at[1], at[2])
        assert at[2].strip(), f"{at[1]} is empty"


# --- links and commands ----------------------------------------------------------------------------------------------


def test_the_main_one_can_be_read_in_a_sitting() -> None:
    assert len(README.splitlines()) <= 250


@every_readme
def test_every_one_is_linked_from_the_main_one(name: str) -> None:
    assert name == "README.md" or f"]({name})" in README


@pytest.mark.parametrize("name", [*TEXTS, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", without_code((ROOT / name).read_text(encoding="utf-8"))):
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        assert not heading or heading in headings(target), link


def headings(path: Path) -> list[str]:
    """The anchors of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", without_code(path.read_text(encoding="utf-8")), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


@every_readme
def test_targets_of_make_are_there(name: str) -> None:
    targets = re.findall(r"^([\w. -]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    known = {target for line in targets for target in line.split()}
    assert "bench-quick" in known
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", TEXTS[name], re.MULTILINE)) <= known
