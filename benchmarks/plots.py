"""The plots of a run, as SVG."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

from benchmarks.goals import NO_RIVALS, Races

STEPS = ("classifier step", "skip-gram softmax", "negative sampling")


def draw(races: Races, folder: Path) -> list[str]:
    """Draw the plots of the run into the folder; returns the names of the files."""
    plt.rcParams.update(
        {"svg.hashsalt": "twingrad", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    found = []
    for name, plot in (("sizes", sizes), ("vocabulary", vocabulary), ("floor", to_floor), ("words", words)):
        figure = plot(races)
        if figure:
            figure.tight_layout()
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)
            found.append(f"{name}.svg")
    return found


def sizes(races: Races) -> plt.Figure | None:
    """Time against size, with one panel for each hot loop."""
    loops = [loop for loop in dict.fromkeys(loop for loop, _ in races) if sum(of == loop for of, _ in races) > 1]
    loops = [loop for loop in loops if any("numpy" in times for (of, _), times in races.items() if of == loop)]
    if not loops:
        return None
    figure, axes = plt.subplots(-(-len(loops) // 3), 3, figsize=(10, 2.6 * -(-len(loops) // 3)), squeeze=False)
    for ax in axes.flat[len(loops) :]:
        ax.remove()
    for ax, loop in zip(axes.flat, loops, strict=False):
        here = {size: times for (of, size), times in races.items() if of == loop}
        for name in dict.fromkeys(name for times in here.values() for name in times):
            points = [(size, times[name] * 1e6) for size, times in here.items() if name in times]
            style = (
                {"linewidth": 2.2, "color": "black"}
                if name == "numpy"
                else {"linestyle": ":" if name in NO_RIVALS else "-"}
            )
            ax.plot(*zip(*points, strict=True), marker=".", label=name, **style)
        ax.set(title=loop, yscale="log", ylabel="µs")
        ax.legend(fontsize=6, frameon=False)
    return figure


def vocabulary(races: Races) -> plt.Figure | None:
    """Time against the vocabulary."""
    if ("step by vocabulary", "numpy") not in races:
        return None
    figure, ax = plt.subplots(figsize=(5, 3.2))
    for (loop, name), times in races.items():
        if loop == "step by vocabulary":
            rows = [int(at.removeprefix("V = ").replace(",", "")) for at in times]
            ax.plot(rows, [time * 1e3 for time in times.values()], marker="o", label=name)
    ax.set(
        xscale="log",
        ylim=0,
        xlabel="rows of the table",
        ylabel="ms a step",
        title="The same rows, in tables of any size",
    )
    ax.legend(frameon=False)
    return figure


def to_floor(races: Races) -> plt.Figure | None:
    """How many times longer a step takes than its lower bound."""
    found = {key: times for key, times in races.items() if key[0] in STEPS and "floor" in times and key[1] != "XS"}
    if not found:
        return None
    figure, ax = plt.subplots(figsize=(6, 0.5 + 0.45 * len(found)))
    for i, times in enumerate(found.values()):
        rival = min(time for name, time in times.items() if name not in ("numpy", *NO_RIVALS))
        ax.barh(i - 0.2, times["numpy"] / times["floor"], 0.36, color="black", label=None if i else "numpy")
        ax.barh(i + 0.2, rival / times["floor"], 0.36, color="tab:orange", label=None if i else "the fastest PyTorch")
    ax.axvline(1, color="grey", linestyle=":")
    ax.set(yticks=range(len(found)), yticklabels=[" ".join(key) for key in found], xlabel="time over the floor")
    ax.invert_yaxis()
    ax.legend(frameon=False)
    return figure


def words(races: Races) -> plt.Figure | None:
    """Words per second, and the loss."""
    key = next((key for key in races if key[0] == "words a second"), None)
    if not key:
        return None
    speeds, losses = races[key], races["loss of the vectors", key[1]]
    figure, ax = plt.subplots(figsize=(6.5, 0.6 + 0.4 * len(speeds)))
    bars = ax.barh(list(speeds), [speed / 1e3 for speed in speeds.values()], color="tab:blue")
    ax.bar_label(bars, [f"loss {losses[name]:.3f}" for name in speeds], padding=4)
    ax.set(xlabel="thousand words a second", xlim=(0, 1.25e-3 * max(speeds.values())))
    ax.invert_yaxis()
    return figure
