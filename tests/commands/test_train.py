"""`twingrad train`: it learns, both twins learn the same, what is written reads back, and it ends cleanly."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import numpy_impl
from reference.commands.cli import main
from reference.commands.learned import neighbours
from reference.data import text

PARAGRAPHS = (
    "the cat and the dog ate the fish",
    "a ship and a boat sail the blue sea",
    "the café’s cat sat; the dog barked",
)
TEXT = "\n\n".join(paragraph for paragraph in PARAGRAPHS for _ in range(16))
FAST = ("--dim", 7, "--epochs", 2, "--batch-size", 16)
WRAPPED = """
from pathlib import Path
from numpy_impl import build as right

def build(case, weights):
    trainer = right(case, weights)
    step, steps = trainer.step, iter(range(1, 10**9))
    def planted():
        number = next(steps)
        step()
        {planted}
    trainer.step = planted
    return trainer
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.fixture
def train(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, source: Path) -> Command:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def run(model: str, *arguments: object) -> tuple[int, str, str]:
        code = main(["train", model, *map(str, ("--text", source, *arguments))])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str], Path]:
    def write(planted: str) -> Path:
        file = tmp_path / "wrapped.py"
        file.write_text(WRAPPED.format(planted=planted))
        return file

    return write


def read_back(file: Path) -> tuple[list[str], np.ndarray]:
    """word2vec's text format, read as its description has it."""
    head, *lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    rows = [line.split(" ") for line in lines]
    assert [int(number) for number in head.split(" ")] == [len(rows), len(rows[0]) - 1]
    return [word for word, *_ in rows], np.array([numbers for _, *numbers in rows], np.float32)


def loss(out: str) -> float:
    return float(re.search(r"mean loss of the last epoch (\S+),", out)[1])


@pytest.mark.parametrize("model", ["skipgram", "cbow", "classifier"])
def test_training_lowers_the_loss(train: Command, model: str) -> None:
    many = 100 if model == "classifier" else 15  # a paragraph is one example for a classifier
    first, later = (loss(train(model, *FAST, "--epochs", epochs)[1]) for epochs in (1, many))
    assert later < 0.8 * first


def test_what_is_printed(train: Command) -> None:
    code, out, err = train("skipgram", *FAST)
    assert (code, err) == (0, "")
    first, *nearest = out.splitlines()
    assert re.fullmatch(r"skipgram, numpy_impl: 15 words, \d+ steps, mean loss .*, [\d,]+ words a second", first)
    assert len(nearest) == 8
    assert all(re.fullmatch(r"[\w’]{2,}: (\S+ -?[01]\.\d\d(, )?){5}", line) for line in nearest)


def test_accuracy_of_the_classifier(train: Command) -> None:
    """Chapters that differ in their words can be told apart."""
    code, out, _ = train("classifier", "--epochs", 30)
    assert code == 0
    assert re.search(
        r"^\d+\.\d% of the training paragraphs are classified right; the longest chapter has \d+\.\d%$", out, re.M
    )


@pytest.mark.parametrize("model", ["skipgram", "cbow", "classifier"])
def test_the_twins_learn_the_same(train: Command, tmp_path: Path, model: str) -> None:
    found = []
    for twin in ("numpy_impl", "torch_impl"):
        file = tmp_path / f"{twin}.txt"
        assert train(model, *FAST, "--dtype", "float64", "--implementation", twin, "--out", file)[0] == 0
        found.append(read_back(file))
    assert found[0][0] == found[1][0]
    assert np.abs(found[0][1]).max() > 0.01
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6, atol=1e-7)


def test_vectors_read_back_to_the_bit(train: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {}
    build = numpy_impl.build

    def keep(case: object, weights: dict) -> object:
        kept["trainer"] = build(case, weights)
        return kept["trainer"]

    monkeypatch.setattr(numpy_impl, "build", keep)
    file = tmp_path / "vectors.txt"
    assert train("skipgram", *FAST, "--out", file)[0] == 0
    words, vectors = read_back(file)
    assert words[0] == "the"
    assert "café’s" in words
    assert vectors.shape == (15, 7)
    np.testing.assert_array_equal(vectors, kept["trainer"].params()["center.weight"])


@pytest.mark.third_party
def test_gensim_loads_the_vectors(train: Command, tmp_path: Path) -> None:
    from gensim.models import KeyedVectors  # noqa: PLC0415

    file = tmp_path / "vectors.txt"
    assert train("cbow", *FAST, "--out", file)[0] == 0
    words, vectors = read_back(file)
    loaded = KeyedVectors.load_word2vec_format(str(file))
    assert loaded.index_to_key == words
    np.testing.assert_array_equal(loaded.vectors, vectors)


@pytest.mark.parametrize("model", ["skipgram", "cbow", "classifier"])
@pytest.mark.parametrize("twin", ["numpy_impl", "torch_impl"])
def test_twins_agree_along_the_way(train: Command, model: str, twin: str) -> None:
    code, out, err = train(model, *FAST, "--implementation", twin, "--verify-every", 5)
    assert (code, err) == (0, "")
    other = {"numpy_impl": "torch_impl", "torch_impl": "numpy_impl"}[twin]
    assert re.search(rf"^compared with {other} every 5 steps: at most \S+ eps off$", out, re.M)


@pytest.mark.parametrize("every", [5, 10**6])
def test_verify_every_stops_at_a_divergence(train: Command, module: Callable, tmp_path: Path, every: int) -> None:
    """Even where there are fewer steps than N: after the last there is a comparison."""
    wrong = module("trainer.weights['center.weight'][3, 2] += 1e-6 * (number == 7)")
    file = tmp_path / "vectors.txt"
    code, out, err = train("skipgram", *FAST, "--implementation", wrong, "--verify-every", every, "--out", file)
    assert (code, out) == (1, "")
    assert not file.exists()
    told = re.fullmatch(r"twingrad: \S+ differs from numpy_impl at step (\d+), (.*); nothing was written\n", err)
    assert (told[1] == "10") == (every == 5)
    assert re.match(r"(loss|grads|params), \S+(\[.*\])?: expected \S+, got \S+ \(\S+ eps off\)", told[2])


def test_a_loss_that_is_not_finite(train: Command, tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    code, _, err = train("classifier", "--lr", "1e30", "--out", file)
    assert code == 1
    assert re.fullmatch(r"twingrad: step \d+: the loss is \w+; a smaller --lr may help; nothing was written\n", err)
    assert not file.exists()


def test_an_implementation_that_fails(train: Command, module: Callable) -> None:
    code, _, err = train("skipgram", "--implementation", module("if number == 3: 1 / 0"))
    assert code == 1
    assert re.search(
        r"wrapped.py: step 3 raised in wrapped.py, line \d+: ZeroDivisionError: division by zero; nothing .*\n$",
        err,
    )


def test_interrupt_saves_what_was_learned(source: Path, module: Callable, tmp_path: Path) -> None:
    began, file = tmp_path / "began", tmp_path / "vectors.txt"
    slow = module(f"number == 5 and Path({str(began)!r}).touch(); import time; time.sleep(0.01)")
    command = ["train", "skipgram", "--text", source, "--epochs", 10**6, "--dim", 3, "--implementation", slow]
    process = subprocess.Popen(
        [sys.executable, "-m", "reference", *map(str, command), "--out", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + 30
        while not began.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    line = r"twingrad: interrupted after step (\d+) of \d+; 15 vectors of 3 numbers written to \S+\n"
    assert int(re.fullmatch(line, err)[1]) >= 5
    words, vectors = read_back(file)
    assert len(words) == 15
    assert np.isfinite(vectors).all()
    assert not [other for other in tmp_path.iterdir() if other.name.startswith("tmp")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["glove"], "invalid choice: 'glove'"),
        (["skipgram", "--epochs", "0"], "argument --epochs: '0' is not a whole number from 1"),
        (["skipgram", "--dim=-3"], "argument --dim: '-3' is not"),
        (["skipgram", "--window", "1.5"], "argument --window: '1.5' is not"),
        (["skipgram", "--negatives", "0"], "argument --negatives"),
        (["skipgram", "--batch-size", "0"], "argument --batch-size"),
        (["classifier", "--batch-size", "49"], "text.txt has 48 examples; no more fit"),
        (["cbow", "--batch-size", "999999999"], "--batch-size 999999999: "),
        (["cbow", "--batch-size", "385"], "text.txt has 384 examples; no more fit"),
        (["skipgram", "--verify-every", "0"], "argument --verify-every"),
        (["skipgram", "--seed=-1"], "argument --seed"),
        (["skipgram", "--lr", "nan"], "argument --lr: 'nan' is not a number above 0"),
        (["skipgram", "--min-count", "1000"], "different words that occur 1000 times"),
        (["skipgram", "--out", "nowhere/vectors.txt"], "--out nowhere/vectors.txt: the folder nowhere does not exist"),
        (["skipgram", "--implementation", "no_such"], "implementation no_such: there is no such module"),
        (["skipgram", "--text", "no-such.txt"], "--text no-such.txt: cannot be read"),
        (["classifier", "--window", "3"], "--window: a classifier has none"),
    ],
)
def test_bad_input(train: Command, arguments: list[str], message: str) -> None:
    code, out, err = train(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"twingrad: .*{re.escape(message)}.*\n", err)


@pytest.mark.parametrize(("size", "steps"), [((), 10), (("--batch-size", 2), 10), (("--batch-size", 1), 20)])
def test_batches_fit_a_tiny_text(train: Command, tmp_path: Path, size: tuple, steps: int) -> None:
    """Two paragraphs are two examples, ten times each."""
    file = tmp_path / "tiny.txt"
    file.write_text("one two\n\nthree four")
    code, out, err = train("classifier", "--text", file, *size)
    assert (code, err) == (0, "")
    assert f" {steps} steps, " in out


def test_a_giant_word_is_cut_in_what_is_printed_alone(train: Command, tmp_path: Path) -> None:
    giant, file, vectors = "x" * 10**5, tmp_path / "giant.txt", tmp_path / "vectors.txt"
    file.write_text("\n\n".join([f"a {giant} b"] * 8 + ["a b c"] * 8))
    code, out, _ = train("skipgram", *FAST, "--text", file, "--out", vectors)
    assert code == 0
    assert "x" * 39 + "…" in out
    assert "x" * 40 not in out
    assert giant in read_back(vectors)[0]


def test_a_word_of_one_character_is_a_neighbour_unless_it_is_ascii() -> None:
    corpus = text.read_string("\n\n".join(["的猫的i的"] * 8 + ["的船的"] * 8), min_count=1)
    listed = [word for word, _ in neighbours(corpus, np.ones((4, 2)), words=3)]
    assert set(listed) == {"猫", "船", "的"}
    assert listed[2] == "的"


def test_a_case_that_is_declined(train: Command, tmp_path: Path) -> None:
    file = tmp_path / "declines.py"
    file.write_text("from reference import Unsupported\ndef build(case, weights):\n    raise Unsupported('no words')\n")
    code, out, err = train("skipgram", "--implementation", file)
    assert (code, out) == (5, "")
    assert re.fullmatch(r"twingrad: \S+declines.py does not support this case: no words\n", err)
