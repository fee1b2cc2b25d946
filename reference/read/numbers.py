"""The numbers inside a model: the arrays of some training steps, without and with a planted mistake.

They come from the NumPy twin while it trains. It is observed, not changed: the pages show what its layers return.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import numpy_impl
from reference.cases import SGD, Batch, Case, Classifier, Dialogue, PairBatch, SkipGram
from reference.contract import Implementation, RowGrad
from reference.data import text
from reference.data.dialogue import DIALOGUE_CORPUS, DIALOGUE_IDS, DIALOGUE_LABELS
from reference.mistakes import MISTAKES

BAGS = Case("numbers", Classifier(10, 5, (10,), 2), SGD(lr=0.5), Dialogue(), steps=12, sparse=True)
WORDS, LETTERS = 12, 800
"""The largest numbers of different words and of letters that the page has room for."""

MISTAKEN = {
    "bags": (
        "duplicates-overwritten",
        "mean-undivided",
        "not-scattered",
        "logits-for-probabilities",
        "sign-turned",
    ),
    "words": ("duplicates-overwritten", "one-context-subtracted", "logits-for-probabilities", "sign-turned"),
}
"""The mistakes that each story offers."""

TWIN = f"{numpy_impl.__name__}."
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Call:
    """One call: the calling function, the first argument, and the returned value."""

    caller: str
    given: Any
    returned: Any


@dataclass(frozen=True)
class Story:
    """A model in training. tables: its tables, by their names on the page. observe: the arrays of one step."""

    case: Case
    batches: Sequence[Batch]
    tables: dict[str, str]
    observe: Callable[[list[Call]], Arrays]


def stories(source: str = text.TOPICS) -> dict[str, Any]:
    """Everything that the page of numbers shows, ready for JSON.

    source: the path of a UTF-8 text. Skip-gram learns from its beginning instead of the dialogue's corpus.

    Raises:
        BadInput: the text cannot be read, or has no two adjacent words.
    """
    passage = DIALOGUE_CORPUS if source == text.TOPICS else beginning(source)
    return {"bags": _bags(), "words": _words(passage) | {"given": source != text.TOPICS}}


def beginning(source: str) -> str:
    """The text up to `WORDS` different words and `LETTERS` letters, without paragraphs of a single word."""
    text.read(source)  # raises BadInput if it is not text
    paragraphs = text.paragraphs(text.decoded(Path(source)))
    whole = "\n\n".join(paragraph.strip() for paragraph in paragraphs if len(text.words(paragraph)) > 1)
    end, seen = 0, set()
    for word in text.WORD.finditer(whole, 0, LETTERS):
        seen.update(text.words(word.group()))
        if len(seen) > WORDS:
            break
        end = word.end()
    return whole[:end]


# --- two stories -----------------------------------------------------------------------------------------------------


def _bags() -> dict[str, Any]:
    """The dialogue's four bags, and the classifier that learns them."""
    batches = list(BAGS.batches())
    ids, labels = DIALOGUE_IDS, DIALOGUE_LABELS
    told = _tell(Story(BAGS, batches, {"table": "embedding.weight"}, _observe_classifier), MISTAKEN["bags"])
    counts = Counter(ids.reshape(-1).tolist())
    for run in told["runs"]:
        for arrays, step in zip(run.pop("arrays"), run["steps"], strict=True):
            parts = arrays["d_pooled"] / ids.shape[1]
            step["sums"] = [_sum(row, ids, parts, arrays["d_table"][row]) for row in sorted(counts) if counts[row] > 1]
    table = [str(row) for row in range(10)]
    return told | {
        "rows": {
            "table": table,
            "d_table": table,
            "looked_up": [f"bag {bag + 1}, id {row}" for bag, some in enumerate(ids) for row in some],
            "": [f"bag {bag + 1}" for bag in range(len(ids))],
        },
        "ids": ids.tolist(),
        "labels": labels.tolist(),
        "counts": [counts[row] for row in range(10)],
    }


def _sum(row: int, ids: np.ndarray, parts: np.ndarray, got: np.ndarray) -> dict[str, Any]:
    """What each bag adds to a row, the sum of these, and what the row received."""
    bags = np.argwhere(ids == row)[:, 0]
    total = parts[bags].sum(axis=0)
    given = [{"from": f"bag {bag + 1}", "values": _short(parts[bag])} for bag in bags]
    same = bool(np.allclose(got, total, rtol=1e-9, atol=0))
    return {"row": str(row), "parts": given, "sum": _short(total), "got": _short(got), "same": same}


def _observe_classifier(calls: list[Call]) -> Arrays:
    forward = [call.returned for call in calls if call.caller == "classifier.Classifier.forward"]
    pooled, hidden, active, _, logits, loss = [returned[0] for returned in forward if _is_layer(returned)]
    back = [call.returned for call in calls if call.caller == "classifier.Classifier.forward.<locals>.backward"]
    d_logits, (d_active, _, _), _, d_hidden, (d_pooled, _, _), _ = back
    return {
        "pooled": pooled,
        "hidden": hidden,
        "active": active,
        "logits": logits,
        "loss": loss,
        "d_logits": d_logits,
        "d_active": d_active,
        "d_hidden": d_hidden,
        "d_pooled": d_pooled,
    }


def _words(passage: str) -> dict[str, Any]:
    """Skip-gram over a passage. Each step has one centre with its neighbours, as in the dialogue."""
    corpus = text.read_string(passage, min_count=1, name="its beginning")
    batches = _centers(corpus)
    model = SkipGram(len(corpus.words), 3, reduction="sum")
    case = replace(BAGS, model=model, optimizer=SGD(lr=0.3), steps=min(2 * len(batches), 30))
    steps = list(islice(cycle(batches), case.steps))
    tables = {"table": "center.weight", "context": "context.weight"}
    told = _tell(Story(case, steps, tables, _observe_skipgram), MISTAKEN["words"])
    for run in told["runs"]:
        del run["arrays"]
    words = list(map(text.shown, corpus.words))
    return told | {
        "rows": {name: words for name in ("table", "context", "d_table", "d_context")},
        "columns": {name: words for name in ("logits", "d_logits")},
        "passage": passage,
        "words": words,
        "counts": corpus.counts.tolist(),
        "pairs": [
            [[words[center], words[context]] for center, context in zip(batch.centers, batch.contexts, strict=True)]
            for batch in steps
        ],
    }


def _centers(corpus: text.Corpus) -> list[PairBatch]:
    """One batch for each word of the corpus: its pairs with its neighbours."""
    found = []
    for sentence in corpus.sentences:
        centers, contexts, positions = corpus.pairs(sentence, 1)
        for position in np.unique(positions):
            here = positions == position
            found.append(PairBatch(centers[here], contexts[here]))
    return found


def _observe_skipgram(calls: list[Call]) -> Arrays:
    def of(caller: str) -> list[Call]:
        return [call for call in calls if call.caller == caller]

    (scored,) = [call for call in of("objectives.softmax") if _is_layer(call.returned)]
    pushed, *_ = of("objectives.softmax.<locals>.backward")
    return {
        "hidden": of("skipgram.SkipGram.forward")[0].returned[0],
        "logits": scored.given,
        "loss": scored.returned[0],
        "d_logits": pushed.returned,
        "d_hidden": of("skipgram.SkipGram.forward.<locals>.backward")[0].returned[0],
    }


def _is_layer(returned: Any) -> bool:
    return isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1])


# --- telling one -----------------------------------------------------------------------------------------------------


def _tell(story: Story, mistaken: Sequence[str]) -> dict[str, Any]:
    """The right run, and those with a mistake each; of these, where they first depart."""
    right = _train(story, numpy_impl)
    runs: list[dict[str, Any]] = [{"name": "right", "sentence": "", "departs": None, "arrays": right}]
    for name, mistake in _mistakes(mistaken).items():
        arrays = _train(story, mistake)
        what = {"name": name, "sentence": mistake.sentence, "wrong": mistake.wrong, "instead": mistake.right}
        runs.append(what | {"departs": departure(right, arrays), "arrays": arrays})
    for run in runs:
        run["steps"] = [{name: _short(array) for name, array in step.items()} for step in run["arrays"]]
    largest = {name: max(float(np.nanmax(np.abs(step[name]))) for step in right) for name in right[0]}
    return {"runs": runs, "scale": {name: float(f"{size:.3g}") for name, size in largest.items()}}


def _mistakes(wanted: Sequence[str]) -> dict[str, Any]:
    return {name: MISTAKES[name] for name in wanted}


def _train(story: Story, implementation: Implementation) -> list[Arrays]:
    """The arrays of every step: the tables before it, the forward and backward arrays, and the tables' gradients."""
    trainer = implementation.build(story.case, story.case.weights())
    seen = []
    for batch in story.batches:
        params = trainer.params()
        arrays = {kind: np.array(params[name]) for kind, name in story.tables.items()}
        (loss, grads), calls = watch(partial(trainer.loss_and_grads, batch))
        arrays |= story.observe(calls) | {"loss": np.array([[loss]])}
        arrays |= {f"d_{kind}": _whole(grads[name]) for kind, name in story.tables.items()}
        seen.append({name: np.array(array, float) for name, array in arrays.items()})
        trainer.step()
    return seen


def _whole(gradient: np.ndarray | RowGrad) -> np.ndarray:
    """A gradient as a whole table, with NaN in rows that have no gradient."""
    if not isinstance(gradient, RowGrad):
        return gradient
    whole = np.full(gradient.shape, np.nan)
    whole[gradient.rows] = gradient.values
    return whole


def watch(run: Callable[[], Any]) -> tuple[Any, list[Call]]:
    """Run it, and record the calls between functions of the twin, in the order in which they return.

    Garbage collection may run unrelated functions in the middle; those are not recorded.
    """
    calls: list[Call] = []

    def module(frame: FrameType) -> str:
        return frame.f_globals.get("__name__", "")

    def note(frame: FrameType, event: str, returned: Any) -> None:
        code = frame.f_code
        comprehension = code.co_name.startswith("<") and code.co_name != "<lambda>"
        if event != "return" or frame.f_back is None or comprehension:
            return
        if module(frame).startswith((TWIN, "reference.mistakes.")) and module(frame.f_back).startswith(TWIN):
            caller = f"{module(frame.f_back).removeprefix(TWIN)}.{frame.f_back.f_code.co_qualname}"
            given = next(iter(frame.f_locals.values()), None)
            calls.append(Call(caller, given[0] if isinstance(given, tuple) and given else given, returned))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        return run(), calls
    finally:
        sys.setprofile(before)


def departure(right: Sequence[Arrays], other: Sequence[Arrays]) -> dict[str, Any] | None:
    """The first array that differs by more than rounding: its step, name, row, column, and both values there."""
    for step, (expected, got) in enumerate(zip(right, other, strict=True), start=1):
        for name, array in expected.items():
            off = np.abs(got[name] - array) > 1e-9 * np.nanmax(np.abs(array))
            off |= np.isnan(got[name]) != np.isnan(array)
            if off.any():
                row, column = (int(i) for i in np.argwhere(off)[0])
                values = {"expected": _short(array[row, column]), "got": _short(got[name][row, column])}
                return {"step": step, "array": name, "row": row, "column": column, **values}
    return None


def _short(array: Any) -> Any:
    """Each number rounded to three digits, as nested lists. None for NaN and infinity."""
    if np.ndim(array):
        return [_short(part) for part in array]
    return float(f"{array:.3g}") if np.isfinite(array) else None
