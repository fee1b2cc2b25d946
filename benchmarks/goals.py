"""The goals of the hot loops, and what they reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.table import Table

from benchmarks.interleave import Times

Races = dict[tuple[str, str], Times]
NO_RIVALS = ("floor", "products")
"""Lower bounds for both sides, not rivals."""

EAGER = ("Embedding, dense", "Embedding, sparse", "EmbeddingBag, sparse")


@dataclass(frozen=True)
class Goal:
    """A goal: what is measured, against what.

    ratios: the ratios by size, from a run's races. sign: whether a ratio should be at least or at most the goal. goals:
    by size; "" is for all other sizes.
    """

    what: str
    against: str
    ratios: Callable[[Races], dict[str, float]]
    sign: str
    goals: dict[str, float]

    def met(self, size: str, ratio: float) -> bool:
        """Whether the goal of a size is reached."""
        goal = self.goals.get(size, self.goals.get("", 0.0))
        return ratio >= goal if self.sign == "≥" else ratio <= goal


def faster(loop: str, *than: str, sizes: str = "XS S M L") -> Callable[[Races], dict[str, float]]:
    """By size, how many times faster NumPy is than the fastest of the named rivals, or of all if none is named."""

    def ratios(races: Races) -> dict[str, float]:
        found = {}
        for (of, size), times in races.items():
            others = [
                time for name, time in times.items() if (name in than if than else name not in ("numpy", *NO_RIVALS))
            ]
            if of == loop and size in sizes.split() and "numpy" in times and others:
                found[size] = min(others) / times["numpy"]
        return found

    return ratios


def slower(loop: str, than: str, sizes: str) -> Callable[[Races], dict[str, float]]:
    """By size, how many times longer NumPy takes than a rival."""
    return lambda races: {size: 1 / ratio for size, ratio in faster(loop, than, sizes=sizes)(races).items()}


def optimizers(races: Races) -> dict[str, float]:
    """How many times faster NumPy is, by optimizer and size."""
    loops = [loop for loop, _ in races if loop.startswith("optimizer ") and loop != "optimizer sgd"]
    return {
        f"{loop.removeprefix('optimizer ')} {size}": ratio
        for loop in dict.fromkeys(loops)
        for size, ratio in faster(loop)(races).items()
    }


def growth(races: Races) -> dict[str, float]:
    """The time of a step with the largest vocabulary, divided by that with the smallest."""
    times = list(races.get(("step by vocabulary", "numpy"), {}).values())
    return {"": times[-1] / times[0]} if times else {}


def new_memory(races: Races) -> dict[str, float]:
    """Megabytes."""
    found = races.get(("new bytes a step", "numpy"), {})
    return {"": max(found.values()) / 1e6} if found else {}


def words(races: Races) -> dict[str, float]:
    """NumPy's best speed with a loss at most 1 % above gensim's, divided by gensim's speed."""
    for (loop, size), speeds in races.items():
        if loop == "words a second" and "gensim, 1 worker" in speeds:
            losses = races["loss of the vectors", size]
            good = [
                speed
                for name, speed in speeds.items()
                if name.startswith("NumPy") and losses[name] <= 1.01 * losses["gensim, 1 worker"]
            ]
            return {"": max(good, default=0.0) / speeds["gensim, 1 worker"]}
    return {}


def check(races: Races) -> dict[str, float]:
    """The time of finite differences, divided by that of exact values."""
    found = [times for (loop, _), times in races.items() if loop == CHECK]
    return {"": found[0]["gradcheck, slow mode"] / found[0]["exact values"]} if found else {}


def threads(races: Races) -> dict[str, float]:
    """The time with one thread, divided by that with two."""
    return {
        size: times["numpy, 1 thread"] / times["numpy, 2 threads"]
        for (loop, size), times in races.items()
        if loop == "classifier step by threads"
    }


BY_SIZE = {"S": 1.5, "": 4.0}
CHECK = "derivatives one by one"

GOALS = (
    Goal("classifier step", "the fastest eager PyTorch", faster("classifier step", *EAGER), "≥", {"XS": 5, "": 1.5}),
    Goal("classifier step", "torch.compile", faster("classifier step, compiled"), "≥", {"": 1.4}),
    Goal("bag backward to rows", "PyTorch sparse, coalesced", faster("bag backward", sizes="S M L"), "≥", BY_SIZE),
    Goal("lookup backward to rows", "the same", faster("lookup backward", sizes="S M L"), "≥", BY_SIZE),
    Goal("bag forward", "EmbeddingBag", slower("bag forward", "EmbeddingBag", "M L"), "≤", {"": 3}),
    Goal("skip-gram softmax", "its three products", slower("skip-gram softmax", "products", "S"), "≤", {"": 1.15}),
    Goal("skip-gram softmax", "PyTorch", faster("skip-gram softmax", "PyTorch"), "≥", {"": 1.2}),
    Goal("negative sampling", "PyTorch sparse", faster("negative sampling"), "≥", {"": 1.5}),
    Goal("words a second, loss within 1 %", "gensim, 1 worker", words, "≥", {"": 2}),
    Goal("row optimizers", "torch.optim, sparse", optimizers, "≥", {"": 2}),
    Goal("step at V = 5,000,000", "itself at 10,000", growth, "≤", {"": 1.2}),
    Goal("new memory a step, MB", "", new_memory, "≤", {"": 4}),
    Goal(CHECK, "gradcheck, slow mode", check, "≥", {"": 20}),
    Goal("classifier step", "the floor", slower("classifier step", "floor", "S M L"), "≤", {"": 2.5}),
    Goal("skip-gram softmax", "the floor", slower("skip-gram softmax", "floor", "S M L"), "≤", {"": 2.5}),
    Goal("negative sampling", "the floor", slower("negative sampling", "floor", "S M L"), "≤", {"": 2.5}),
    Goal("classifier step, 2 threads", "one", threads, "≥", {"": 1}),
)


def table(races: Races) -> Table:
    """Each measured goal, with what was reached. Goals that are not met are marked."""
    shown = Table("what", "against", "goal", "reached", "", box=box.SIMPLE_HEAD)
    for goal in GOALS:
        found = goal.ratios(races)
        if not found:
            continue
        wanted = ", ".join(
            f"{goal.sign} {value:g}{f' at {size}' if size else ''}" for size, value in goal.goals.items()
        )
        reached = ", ".join(
            f"{size} {ratio:.2f}{'' if goal.met(size, ratio) else ' ✗'}".strip() for size, ratio in found.items()
        )
        verdict = "met" if all(goal.met(*pair) for pair in found.items()) else "not met"
        shown.add_row(goal.what, goal.against, wanted, reached, verdict)
    return shown
