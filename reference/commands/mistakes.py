"""Make every known mistake in every small case, and show which cases catch it."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import threadpoolctl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reference.cases import Case
from reference.catalogue import catalogue, matching
from reference.commands.exit_codes import AGREE, DISAGREE
from reference.commands.files import check_writable, write_whole
from reference.commands.progress import tracked
from reference.environment import environment, sentence
from reference.errors import BadInput
from reference.judge.result import Result
from reference.judge.run import hold
from reference.mistakes.blind import make, small
from reference.mistakes.diagnosis import diagnose
from reference.mistakes.explanation import Explanation
from reference.mistakes.known import RIGHT, Known, Mistake, known
from reference.mistakes.planting import together
from reference.mistakes.search import compared, spread

DTYPES = ("float64", "float32")
WIDE = 160
"""A terminal with at least this many columns gets a table with a column for each model."""

TOLD_BY = 12
"""With --diagnose, a diagnosis gets at most this many cases that catch a mistake, and all cases that do not."""

BESIDE = 6
"""Of two mistakes at once, a diagnosis gets at most this many cases that catch both, and as many that catch either."""

SEED = 20261125
"""The default seed of which two mistakes are made at once."""


@dataclass
class Kill:
    """One mistake, and the results of the cases where it is made, by the case's id.

    named: the names that the diagnosis gives it, for each case that the diagnosis gets; None without --diagnose.
    """

    known: Known
    results: dict[str, Result] = field(default_factory=dict)
    named: list[set[str]] | None = None

    @property
    def id(self) -> str:
        """Its name."""
        return self.known.mistake.name

    @property
    def mistake(self) -> Mistake:
        """The implementation."""
        return self.known.mistake

    @property
    def caught_by(self) -> dict[str, Result]:
        """The results of the cases that catch it."""
        return {case: result for case, result in self.results.items() if result.verdict in ("disagree", "error")}

    @property
    def survives(self) -> list[str]:
        """The dtypes where no case catches it."""
        caught = {result.case.dtype for result in self.caught_by.values()}
        return [dtype for dtype in DTYPES if dtype not in caught]

    @property
    def told_outright(self) -> bool:
        """Whether it leaves right numbers, and the verdict itself says what is wrong."""
        return any(result.verdict == "disagree" and not result.divergences for result in self.results.values())

    @property
    def named_rightly(self) -> int:
        """The number of cases where the diagnosis gives it its own name, alone or with others."""
        return sum(self.mistake.name in names for names in self.named or ())

    @property
    def named_wrongly(self) -> list[str]:
        """The names that it gets in cases where it does not get its own name."""
        return sorted({name for names in self.named or () if self.mistake.name not in names for name in names})


@dataclass
class Pair:
    """Two mistakes at once that are made in different functions, and how many results get just the right names.

    right, results: a name is right if without this mistake the result would be another one. wrong: other names.
    """

    one: Kill
    other: Kill
    right: int = 0
    results: int = 0
    wrong: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """Both names."""
        return f"{self.one.id} and {self.other.id}"


def name(kill: Kill) -> None:
    """Diagnose the mistake as if it were a user's implementation, and store the names that it gets."""
    results = kill.results.values()
    caught = spread((result for result in results if result.verdict == "disagree"), TOLD_BY)
    explanations = diagnose(kill.mistake, [*caught, *(result for result in results if result.verdict == "agree")])
    nothing = Explanation()  # a result whose reason says all, as where the input was changed, has none
    kill.named = [{cause.name for cause in explanations.get(result, nothing).causes} for result in caught]


def drawn_pairs(kills: Sequence[Kill], draw: random.Random) -> list[Pair]:
    """Each mistake with another one, drawn among those in other functions that some case catches too."""
    pairs = []
    for kill in kills:
        others = [
            other
            for other in kills
            if not kill.mistake.plants.keys() & other.mistake.plants.keys()
            and kill.caught_by.keys() & other.caught_by.keys()
        ]
        pairs += [Pair(kill, draw.choice(others))] if others else []
    return pairs


def name_both(pair: Pair, draw: random.Random) -> None:
    """Diagnose both at once, as if they were a user's implementation, in some of the cases that catch them."""
    one, other = pair.one, pair.other
    caught = one.caught_by | other.caught_by
    both = sorted(one.caught_by.keys() & other.caught_by.keys())
    either = sorted(caught.keys() - set(both))
    chosen = [*draw.sample(both, min(BESIDE, len(both))), *draw.sample(either, min(BESIDE, len(either)))]
    candidate = together(one.mistake, other.mistake)
    results = [hold(caught[name].case, {"both": candidate}, {"right": RIGHT})["both"] for name in chosen]
    explanations = diagnose(candidate, results)
    for result in results:
        without = compared(result.case, {(one.id,): other.mistake, (other.id,): one.mistake}, candidate)
        expected = {name for (name,), part in without.items() if part.verdict != "agree"}
        found = {cause.name for cause in explanations.get(result, Explanation()).causes}
        pair.results += bool(expected)
        pair.right += bool(expected) and found == expected
        if not expected <= found:  # or no case tells them apart
            pair.wrong |= found - {one.id, other.id}


def where(result: Result) -> dict[str, Any]:
    """The step and stage where a case catches a mistake, and the tensors that are wrong there."""
    first = result.first_divergence
    if first is None:
        return {"step": result.steps, "stage": "error", "tensors": []}
    tensors = sorted({d.tensor for d in result.divergences if d.stage == first.stage})
    return {"step": first.step, "stage": first.stage, "tensors": tensors}


# --- the command -----------------------------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `mistakes`."""
    add = parser.add_argument
    add("pattern", nargs="?", metavar="PATTERN", help="mistakes with this in their name; * and ? are wildcards")
    add("--json", metavar="FILE", type=Path, help="write the whole matrix there")
    add("--diagnose", action="store_true", help="diagnose each as if it were yours, and show the names that it gets")
    add("--seed", type=int, help=f"with --diagnose: which two are made at once (default: {SEED})")
    add("--list", action="store_true", help="print each name with a description, and stop")
    parser.set_defaults(run=show_kills)


def show_kills(options: argparse.Namespace) -> int:
    """Make every known mistake in every small case, and show which cases catch it; exit 1 where one survives."""
    every = {name: Kill(found) for name, found in known().items()}
    chosen = {name: every[name] for name in matching(every, options.pattern)}
    if not chosen:
        raise BadInput(f"no mistake matches {options.pattern!r}; `twingrad mistakes --list` names all {len(every)}")
    if options.seed is not None and not options.diagnose:
        raise BadInput("--seed: is for --diagnose alone")
    if options.list:
        print("\n".join(f"{name}: {kill.mistake.sentence}" for name, kill in chosen.items()))
        return AGREE
    if options.json:
        check_writable(options.json)
    cases = small(catalogue())
    with threadpoolctl.threadpool_limits(1):
        run(cases, chosen)
        pairs: list[Pair] = []
        if options.diagnose:
            for kill in tracked(list(chosen.values())):
                name(kill)
            draw = random.Random(SEED if options.seed is None else options.seed)
            pairs = drawn_pairs([kill for kill in chosen.values() if not kill.told_outright], draw)
            for pair in tracked(pairs):
                name_both(pair, draw)
        env = environment()
    if options.json:
        write_whole(options.json, as_json(chosen.values(), env))
    show(list(chosen.values()), cases, Console(width=None if sys.stdout.isatty() else WIDE), pairs)
    print(sentence(env))
    wrong = any(kill.survives or kill.named_wrongly for kill in chosen.values()) or any(pair.wrong for pair in pairs)
    return DISAGREE if wrong else AGREE


def run(cases: Sequence[Case], kills: Mapping[str, Kill]) -> None:
    """Make every mistake in every case, and store the results."""
    mistakes = {name: kill.mistake for name, kill in kills.items()}
    for case in tracked(cases):
        for name, result in make(case, mistakes).items():
            kills[name].results[case.id] = result


def show(kills: Sequence[Kill], cases: Sequence[Case], console: Console, pairs: Sequence[Pair] = ()) -> None:
    """Print a line for each mistake, then one for each part of an implementation."""
    families = list(dict.fromkeys(case.family for case in cases))
    console.print(_by_mistake(kills, families if console.width >= WIDE else []))
    if len(kills) > 1:
        console.print(_by_subject(kills, families))
    for kill in kills:
        if kill.survives:
            line = f" in {' and '.join(kill.survives)}: no case catches {kill.mistake.sentence}"
            console.print(Text.assemble((f"{kill.mistake.name} survives", "red"), line), soft_wrap=True)
    survivors = sum(bool(kill.survives) for kill in kills)
    counts = Counter(kill.known.kind for kill in kills)
    made = " and ".join(f"{number} {kind}{'s' * (number > 1)}" for kind, number in counts.items())
    outcome = f"{survivors} survive" if survivors else "each is caught in float64 and in float32"
    console.print(Text(f"{made}, {len(cases)} cases: {outcome}"))
    if any(kill.named is not None for kill in kills):
        _show_names(kills, console)
    if pairs:
        _show_pairs(pairs, console)


def _show_pairs(pairs: Sequence[Pair], console: Console) -> None:
    """Print how two mistakes at once are named, with a line for each pair that gets a wrong name."""
    whole = sum(pair.right == pair.results for pair in pairs)
    right, results = sum(pair.right for pair in pairs), sum(pair.results for pair in pairs)
    wrong = [pair for pair in pairs if pair.wrong]
    outcome = f"{len(wrong)} pairs get a wrong name" if wrong else "none gets a wrong name"
    line = (
        f"two at once: {whole} of {len(pairs)} pairs get their names wherever they show, {right} of {results} results"
    )
    console.print(Text(f"{line}; {outcome}"))
    for pair in wrong:
        console.print(Text(f"  {pair.id} in some as {', '.join(sorted(pair.wrong))}", "red"), soft_wrap=True)


def _show_names(kills: Sequence[Kill], console: Console) -> None:
    """Print how the diagnosis names them, with a line for each that does not always get its own name alone."""
    alone = [kill for kill in kills if kill.named and all(names == {kill.mistake.name} for names in kill.named)]
    wrong = sum(bool(kill.named_wrongly) for kill in kills)
    outcome = f"{wrong} of them get a wrong name" if wrong else "none gets a wrong name"
    right = f"{len(alone)} of {len(kills)} always get their own name alone"
    console.print(Text(f"diagnosed in at most {TOLD_BY} cases each: {right}; {outcome}"))
    for kill in kills:
        named = kill.named or []
        if kill in alone:
            continue
        if kill.told_outright:
            console.print(Text(f"  {kill.mistake.name} is told by its verdict"))
            continue
        others = sorted(set().union(*named) - {kill.mistake.name, *kill.named_wrongly})
        parts = [f"is named in {kill.named_rightly} of {len(named)}"]
        parts += [f"in some with {', '.join(others)}"] if others else []
        parts += [f"in others as {', '.join(kill.named_wrongly)}"] if kill.named_wrongly else []
        style = "red" if kill.named_wrongly else ""
        console.print(Text.assemble((f"  {kill.mistake.name}", style), f" {', '.join(parts)}"), soft_wrap=True)


def _by_mistake(kills: Sequence[Kill], families: Sequence[str]) -> Table:
    table = _table("cases that catch each mistake / cases that run its line")
    table.add_column("mistake", no_wrap=True)
    for column in (*families, *DTYPES):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("first seen in", no_wrap=True)
    subject = ""
    for kill in kills:
        if kill.mistake.subject != subject:
            subject = kill.mistake.subject
            table.add_section()
            table.add_row(Text(subject, "bold"))
        run = Counter(key for result in kill.results.values() for key in (result.case.family, result.case.dtype))
        caught = Counter(key for result in kill.caught_by.values() for key in (result.case.family, result.case.dtype))
        cells = [f"{caught[key]}/{run[key]}" if run[key] else "" for key in (*families, *DTYPES)]
        table.add_row(f"  {kill.mistake.name}", *cells, shows_in(kill), style="red" if kill.survives else None)
    return table


def _by_subject(kills: Sequence[Kill], families: Sequence[str]) -> Table:
    table = _table("mistakes caught by the cases of each model")
    table.add_column("made in")
    for column in ("mistakes", *families, "caught in both dtypes"):
        table.add_column(column, justify="right")
    for subject in dict.fromkeys(kill.mistake.subject for kill in kills):
        made = [kill for kill in kills if kill.mistake.subject == subject]
        caught = [{result.case.family for result in kill.caught_by.values()} for kill in made]
        by = [sum(family in found for found in caught) for family in families]
        both = sum(not kill.survives for kill in made)
        table.add_row(subject, *(str(number) if number else "" for number in (len(made), *by, both)))
    return table


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def shows_in(kill: Kill) -> str:
    """The stage and tensor where most cases see the mistake first."""
    seen = Counter(
        f"{place['stage']} {tensor}" if tensor != place["stage"] else tensor
        for place in map(where, kill.caught_by.values())
        for tensor in place["tensors"] or [place["stage"]]
    )
    return seen.most_common(1)[0][0] if seen else ""


def as_json(kills: Iterable[Kill], env: dict[str, Any]) -> str:
    """The whole matrix as JSON: one object per mistake, with the cases that catch it."""
    rows = [
        {
            "name": kill.mistake.name,
            "kind": kill.known.kind,
            "sentence": kill.mistake.sentence,
            "wrong": kill.mistake.wrong,
            "right": kill.mistake.right,
            "sources": list(kill.mistake.sources),
            "caught_by": {case: where(result) for case, result in kill.caught_by.items()},
            "cases": len(kill.results),
            "named": kill.named if kill.named is None else [sorted(names) for names in kill.named],
        }
        for kill in kills
    ]
    return json.dumps({"mistakes": rows, "environment": env}, indent=1, allow_nan=False) + "\n"
