"""Train a model on a text: skip-gram or CBOW with negative sampling, or a classifier of paragraphs by chapter.

The NumPy twin trains it, or the implementation that you name.
"""

from __future__ import annotations

import argparse
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Literal

import numpy as np
import threadpoolctl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reference.cases import CBOW, SGD, Case, Classifier, NegativeSampling, SkipGram, Text
from reference.checks.twins import TWINS, twin
from reference.commands.exit_codes import AGREE, DISAGREE, INTERRUPTED, NOTHING
from reference.commands.files import check_writable, complain, write_whole
from reference.commands.learned import accuracy, neighbours, word2vec
from reference.contract import Params
from reference.data import text
from reference.errors import BadInput, Unsupported, raised
from reference.judge.form import as_loss, as_params
from reference.judge.load import load
from reference.judge.run import follow
from reference.judge.runner import Runner, start

LR = {"skipgram": 0.1, "cbow": 0.25, "classifier": 0.5}
"""By model. word2vec's own rates, 0.025 and 0.05, are for texts a thousand times longer than Python's manual."""

EPOCHS = {"skipgram": 5, "cbow": 5, "classifier": 10}

SUBSAMPLE, SUBSAMPLED_FROM = 1e-3, 10_000
"""word2vec's threshold. Shorter texts than this many words are not subsampled, since tiny ones would lose all words."""


class Stopped(Exception):
    """Training cannot go on: the twins differ, the implementation failed, or the loss is no longer finite."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    add, count = parser.add_argument, _whole(1)
    add("model", choices=LR, metavar="{" + ",".join(LR) + "}", help="what to train")
    add("--text", metavar="FILE", default=text.TOPICS, help="a UTF-8 text (default: pydoc_data.topics)")
    add("--implementation", metavar="MODULE|FILE.py", default=TWINS[0], help="who trains (default: %(default)s)")
    add("--out", metavar="FILE", type=Path, help="write the vectors there, in word2vec's text format")
    add("--epochs", metavar="N", type=count, help="how often to go through the text (default: 5, classifier 10)")
    add("--dim", metavar="D", type=count, default=50, help="the length of a vector (default: %(default)s)")
    add("--window", metavar="W", type=count, help="the most context words on each side (default: 5)")
    add("--negatives", metavar="K", type=count, help="negative samples for each pair (default: 5)")
    rates = ", ".join(f"{lr} {model}" for model, lr in LR.items())
    add("--lr", metavar="LR", type=_rate, help=f"learning rate (default: {rates})")
    small = "256, fewer for a vocabulary under 1024, classifier 16"
    add("--batch-size", metavar="B", type=count, help=f"examples in a batch (default: {small})")
    add("--min-count", metavar="N", type=count, help="leave out rarer words (default: 5, or 1 for short texts)")
    add("--seed", metavar="S", type=_whole(0), default=0, help="the seed for everything random (default: %(default)s)")
    add("--dtype", choices=("float32", "float64"), help="(default: float32; float64 with --verify-every)")
    add("--verify-every", metavar="N", type=count, help="compare with the other twin every N steps and at the end")
    parser.set_defaults(run=train)


def _whole(least: int) -> Callable[[str], int]:
    def parse(given: str) -> int:
        if not given.isdecimal() or not least <= int(given) < 2**31:
            raise argparse.ArgumentTypeError(f"{given!r} is not a whole number from {least} to {2**31 - 1}")
        return int(given)

    return parse


def _rate(given: str) -> float:
    try:
        rate = float(given)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"{given!r} is not a number above 0")
    return rate


def train(options: argparse.Namespace) -> int:
    """Train a model on a text: skip-gram or CBOW with negative sampling, or a classifier of paragraphs by chapter."""
    if options.out:
        check_writable(options.out, "--out")
    try:
        return _train(options)
    except Unsupported as unsupported:
        complain(f"{options.implementation} does not support this case: {unsupported}")
        return NOTHING
    except Stopped as stopped:
        complain(f"{stopped}; nothing was written")
        return DISAGREE
    except MemoryError:
        raise BadInput("not enough memory; a smaller --dim, --window or --batch-size is needed") from None


def _train(options: argparse.Namespace) -> int:
    case = case_of(options)
    assert isinstance(case.data, Text)
    corpus, weights = text.read(case.data.source, case.data.min_count), initial(case)
    modules = {options.implementation: load(options.implementation)}
    if options.verify_every:
        other = next(name for name in TWINS if name != options.implementation)
        modules[other] = twin(other)
    with threadpoolctl.threadpool_limits(1), np.errstate(all="ignore"), _interruptible() as interrupted:
        runners = [start(case, name, module, weights) for name, module in modules.items()]
        for runner in runners:
            _check(runner)
        losses = _verified(case, runners, options.verify_every) if runners[1:] else _alone(case, runners[0])
        done, seconds = _walk(case, losses, interrupted)
        params = _params(case, runners[0])
        written = ""
        if options.out:
            write_whole(options.out, word2vec(corpus.words, params[case.model.tables[0]]))
            written = f"{len(corpus.words)} vectors of {options.dim} numbers written to {options.out}"
        if interrupted:
            saved = written or "nothing was written, since there is no --out"
            complain(f"interrupted after step {len(done)} of {case.steps}; {saved}")
            return INTERRUPTED
        last = done[-math.ceil(case.steps / epochs_of(options)) :]
        speed = words_a_step(case) * len(done) / seconds
        print(
            f"{case.family}, {options.implementation}: {len(corpus.words)} words, {case.steps} steps, "
            f"mean loss of the last epoch {fmean(last):.4f}, {speed:,.0f} words a second"
        )
        if runners[1:]:
            print(_agreement(runners, options.verify_every))
        if isinstance(case.model, Classifier):
            told, largest = accuracy(case, params)
            print(f"{told:.1%} of the training paragraphs are classified right; the longest chapter has {largest:.1%}")
        for word, near in neighbours(corpus, params[case.model.tables[0]]):
            print(f"{text.shown(word)}: {', '.join(f'{text.shown(other)} {cosine:.2f}' for other, cosine in near)}")
        if written:
            print(written)
    return AGREE


# --- what is trained -------------------------------------------------------------------------------------------------


def case_of(options: argparse.Namespace) -> Case:
    """The case for the options, with as many steps as there are batches in its epochs.

    Raises:
        BadInput: the text cannot be read or is too short, an option does not fit the model, or a batch is to have more
            examples than the text.
    """
    corpus = text.read(options.text, options.min_count)
    words, lr = len(corpus.words), options.lr or LR[options.model]
    if options.model == "classifier":
        for name in ("window", "negatives"):
            if getattr(options, name) is not None:
                raise BadInput(f"--{name}: a classifier has none; it is for skipgram and cbow")
        source = Text(options.text, options.batch_size or 16, min_count=options.min_count)
        case = Case("train", Classifier(words, options.dim, (32,), corpus.num_chapters), SGD(lr=lr), source)
    else:
        # gradients are summed over a batch, like one update per pair; a large batch would repeat few words too often
        batch_size = options.batch_size or min(256, max(1, words // 4))
        subsample = SUBSAMPLE if corpus.counts.sum() > SUBSAMPLED_FROM else None
        source = Text(
            options.text,
            batch_size,
            window=options.window or 5,
            dynamic_window=True,
            subsample=subsample,
            min_count=options.min_count,
        )
        objective = NegativeSampling(options.negatives or 5, "mask")
        model = (
            SkipGram(words, options.dim, objective, "sum")
            if options.model == "skipgram"
            else CBOW(words, options.dim, "mean", objective, "sum")
        )
        case = Case("train", model, SGD(lr=lr), source, sparse=True, lr_decay_to=lr * 1e-4)
    examples = case.examples
    if options.batch_size and options.batch_size > examples:
        raise BadInput(f"--batch-size {options.batch_size}: {options.text} has {examples} examples; no more fit")
    source = replace(source, batch_size=min(source.batch_size, examples))
    steps = max(1, round(epochs_of(options) * examples / source.batch_size))
    # in float32, rounding alone can put a unit on the other side of ReLU's kink, and then the twins drift apart
    dtype: Literal["float32", "float64"] = options.dtype or ("float64" if options.verify_every else "float32")
    return replace(case, data=source, steps=steps, seed=options.seed, dtype=dtype)


def epochs_of(options: argparse.Namespace) -> int:
    """How often to go through the text."""
    return options.epochs or EPOCHS[options.model]


def initial(case: Case) -> Params:
    """The case's weights with smaller tables: ±1/(2 D) as in word2vec, and 0 to predict; ±0.3 for a classifier.

    With ±1 the initial values would be many times too large, and would outweigh what is learned.
    """
    weights = case.weights()
    if isinstance(case.model, SkipGram | CBOW):
        weights[case.model.given] /= 2 * case.model.embedding_dim
        weights[case.model.output][:] = 0
    else:
        weights["embedding.weight"] *= np.array(0.3, case.dtype)
    return weights


def words_a_step(case: Case) -> float:
    """The number of words of running text per batch."""
    assert isinstance(case.data, Text)
    corpus = text.read(case.data.source, case.data.min_count)
    return sum(map(len, corpus.sentences)) * case.data.batch_size / case.examples


# --- training --------------------------------------------------------------------------------------------------------


def _check(runner: Runner) -> None:
    """Raise Unsupported if the implementation does not support the case, Stopped if something went wrong."""
    if runner.verdict == "unsupported":
        raise Unsupported(runner.reason)
    if runner.verdict == "error":
        raise Stopped(f"{runner.name}: {runner.reason}")
    missing = [what for what in ("step", "params") if not hasattr(runner.trainer, what)]
    if missing:
        raise Unsupported(f"its trainer has no {' and no '.join(f'{what}()' for what in missing)}")


def _alone(case: Case, runner: Runner) -> Iterator[float]:
    """Train; yields the loss of each step."""
    trainer = runner.trainer
    for step, batch in enumerate(case.batches(), start=1):
        try:
            with runner.switches.turned():
                loss = float(as_loss(trainer.loss_and_grads(batch)[0], case.dtype))
                trainer.step()
        except (Exception, SystemExit) as error:
            raise Stopped(f"{runner.name}: step {step} {raised(error)}") from None
        yield loss


def _verified(case: Case, runners: Sequence[Runner], every: int) -> Iterator[float]:
    """Train both; yields the first one's loss of each step. Raises Stopped where they differ."""
    runner, other = runners
    for _ in follow(case, runners, runners, every):
        if runner.divergences:
            raise Stopped(f"{runner.name} differs from {other.name} at {runner.close().first_divergence}")
        for either in runners:
            _check(either)
        yield runner.out["loss"]


def _agreement(runners: Sequence[Runner], every: int) -> str:
    runner, other = runners
    result = runner.close()
    beside = f"compared with {other.name} every {every} steps: at most {result.worst_of():.3g} eps off"
    return f"{beside}; {result.reason}" if result.reason else beside


def _params(case: Case, runner: Runner) -> Params:
    try:
        params = as_params(case, runner.trainer.params())
    except (Exception, SystemExit) as error:
        raise Stopped(f"{runner.name}: params() {raised(error)}") from None
    for name, values in params.items():
        if not np.isfinite(values).all():
            raise Stopped(f"{runner.name}: {name} is no longer finite; a smaller --lr may help")
    return params


def _walk(case: Case, losses: Iterator[float], interrupted: list[bool]) -> tuple[list[float], float]:
    """Go through the steps, with a progress bar on a terminal; returns the losses per example, and the seconds."""
    assert isinstance(case.data, Text)
    divisor = case.data.batch_size if getattr(case.model, "reduction", "mean") == "sum" else 1
    words, done = words_a_step(case), []
    console = Console(stderr=True)
    columns = (
        TextColumn(case.family),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}, {task.fields[speed]:,.0f} words/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=case.steps, loss=math.nan, speed=0.0)
        begin = shown = time.perf_counter()
        for loss in losses:
            done.append(loss / divisor)
            if not math.isfinite(loss):
                raise Stopped(f"step {len(done)}: the loss is {loss}; a smaller --lr may help")
            if interrupted:
                break
            now = time.perf_counter()
            if now - shown > 0.1:
                shown, speed = now, words * len(done) / (now - begin)
                progress.update(task, completed=len(done), loss=fmean(done[-100:]), speed=speed)
        return done, time.perf_counter() - begin


@contextmanager
def _interruptible() -> Iterator[list[bool]]:
    """The first Ctrl-C adds to the list, so that the current step is finished; the second one interrupts."""
    asked: list[bool] = []

    def ask(*_: object) -> None:
        asked.append(True)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
