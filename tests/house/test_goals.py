"""The table of goals says what is met, what is not, and what was not measured."""

from rich.console import Console

from benchmarks import goals

EAGER = {"numpy": 1.0, "Embedding, dense": 9.0, "EmbeddingBag, sparse": 1.4, "floor": 0.1}


def shown(races: goals.Races) -> dict[tuple[str, str], str]:
    """The last two columns, by the first two."""
    table = goals.table(races)
    cells = [list(column.cells) for column in table.columns]
    assert Console(width=200).render_lines(table)
    return {(what, against): f"{reached}: {verdict}" for what, against, _, reached, verdict in zip(*cells, strict=True)}


def test_each_size_has_its_goal() -> None:
    table = shown({("classifier step", "XS"): EAGER | {"EmbeddingBag, sparse": 5.5}, ("classifier step", "S"): EAGER})
    assert table["classifier step", "the fastest eager PyTorch"] == "XS 5.50, S 1.40 ✗: not met"
    assert table["classifier step", "the floor"] == "S 10.00 ✗: not met"


def test_a_goal_that_was_not_measured_is_left_out() -> None:
    measured = shown({("classifier step", "S"): EAGER})
    assert measured.keys() == {("classifier step", "the fastest eager PyTorch"), ("classifier step", "the floor")}


def test_words_count_where_the_loss_is_as_good() -> None:
    """The fastest of those whose loss is at most 1 % above gensim's."""
    speeds = {"NumPy, exact": 10.0, "NumPy, shared negatives": 50.0, "gensim, 1 worker": 20.0}
    for loss, reached in ((2.02, "2.50: met"), (2.03, "0.50 ✗: not met")):
        losses = {"NumPy, exact": 2.0, "NumPy, shared negatives": loss, "gensim, 1 worker": 2.0}
        table = shown({("words a second", "all"): speeds, ("loss of the vectors", "all"): losses})
        assert table["words a second, loss within 1 %", "gensim, 1 worker"] == reached


def test_at_most() -> None:
    times = {"V = 10,000": 1.0, "V = 5,000,000": 1.1}
    table = shown({("step by vocabulary", "numpy"): times, ("new bytes a step", "numpy"): {"V = 10,000": 5e6}})
    assert table["step at V = 5,000,000", "itself at 10,000"] == "1.10: met"
    assert table["new memory a step, MB", ""] == "5.00 ✗: not met"
