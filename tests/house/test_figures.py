"""Figures are written between their marks, in one move, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.errors import BadInput
from tests.tools import figures
from tests.tools.figures import Figure, chosen, cut, left, out_of_order, private, refresh

TEXT = """# Title

<!-- figures: one -->
old
<!-- end -->

between

<!-- figures: two -->
<!-- end -->
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "README.md").write_text(TEXT, encoding="utf-8")
    (tmp_path / "tests/README.md").write_text("<!-- figures: three -->\nold\n<!-- end -->\n", encoding="utf-8")
    return tmp_path


def fails() -> str:
    raise BadInput("the command failed")


FIGURES = {"one": Figure(lambda: "1 \\1"), "two": Figure(lambda: "2"), "three": Figure(lambda: "3", "figures-all")}


def test_what_stands_between_the_marks_is_replaced(root: Path) -> None:
    assert list(refresh(root, FIGURES, ["one", "two"])) == [(root / "README.md", ["one", "two"])]
    expected = TEXT.replace("old", "1 \\1").replace("two -->\n", "two -->\n2\n")
    assert (root / "README.md").read_text(encoding="utf-8") == expected
    assert "old" in (root / "tests/README.md").read_text(encoding="utf-8")


def test_written_again_it_is_the_same(root: Path) -> None:
    list(refresh(root, FIGURES, list(FIGURES)))
    before = (root / "README.md").read_bytes()
    list(refresh(root, FIGURES, list(FIGURES)))
    assert (root / "README.md").read_bytes() == before


def test_a_figure_that_fails_leaves_its_file_as_it_was(root: Path) -> None:
    with pytest.raises(BadInput, match="the command failed"):
        list(refresh(root, FIGURES | {"two": Figure(fails)}, ["one", "two"]))
    assert (root / "README.md").read_text(encoding="utf-8") == TEXT


def test_a_figure_without_a_mark(root: Path) -> None:
    with pytest.raises(BadInput, match="no README has a mark for the figure four"):
        list(refresh(root, FIGURES | {"four": Figure(lambda: "4")}, ["one"]))


def test_a_mark_without_a_figure(root: Path) -> None:
    with pytest.raises(BadInput, match=r"README\.md:9: 'two' is no figure; there are one, three"):
        list(refresh(root, {name: FIGURES[name] for name in ("one", "three")}, ["one"]))
    assert (root / "README.md").read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<!-- end -->", (1, "the end of a figure that has not begun")),
        ("\n<!-- figures: one -->\n", (2, "one never ends")),
        (
            "<!-- figures: one -->\n<!-- figures: two -->\n<!-- end -->",
            (2, "two begins before one has ended"),
        ),
        ("<!-- figure: one -->", (1, "a comment that is no mark: <!-- figures: NAME --> or <!-- end -->")),
    ],
)
def test_marks_out_of_order(text: str, what: tuple[int, str]) -> None:
    assert list(out_of_order(text, FIGURES)) == [what]


def test_which_are_chosen(tmp_path: Path) -> None:
    missing = left("never/written.txt", "bench")
    every = FIGURES | {"four": missing}
    assert chosen(every, []) == ["one", "two"]
    assert chosen(every, [], slow=True) == ["one", "two", "three"]
    assert chosen(every, ["three", "four"]) == ["three", "four"]
    with pytest.raises(BadInput, match="'five' is no figure; there are one, two, three, four"):
        chosen(every, ["five"])
    with pytest.raises(BadInput, match=r"build/never/written\.txt: cannot be read .*; `make bench` writes it"):
        missing.make()


def test_a_part_of_what_is_printed() -> None:
    printed = "a title\n\n 1\n\nnext\nlast"
    assert cut(printed, ".* title", "next") == "a title\n\n 1"
    assert cut(printed, "next") == "next\nlast"
    with pytest.raises(BadInput, match="no line was printed that begins with 'other'"):
        cut(printed, "other")
    with pytest.raises(BadInput, match="begins with 'next', and then one that begins with 'title'"):
        cut(printed, "next", "title")


@pytest.mark.parametrize("path", ["/home/me/mine.py", "(/opt/a/b.py)", "see '/x/y'"])
def test_an_absolute_path_is_refused(path: str) -> None:
    with pytest.raises(BadInput, match="which says something of this machine"):
        private("one", path)


def test_the_name_of_the_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures.platform, "node", lambda: "my-box")
    assert private("one", "7.88 / 7.53 on my-boxes, 305/318, https://a.b/c/d") == private(
        "two", "7.88 / 7.53 on my-boxes, 305/318, https://a.b/c/d"
    )
    with pytest.raises(BadInput, match="'my-box'"):
        private("one", "of my-box.")


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(BadInput, match="verify --nothing: exit code 2, not 0"):
        figures.output("verify", "--nothing")


def test_a_bad_name_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert figures.main(["nothing"]) == 2
    assert capsys.readouterr().err.startswith("twingrad: 'nothing' is no figure; there are verify, ")
