"""Cases for plain implementations: every option of a model alone, with defaults for all others.

Each has SGD and dense gradients, in one case with primes and one with many duplicates. The plain form of each model
also comes with every optimizer. The options and their values are those of the tables in the other files, so a new
option gets its plain cases by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reference.cases import (
    CBOW,
    Case,
    Classifier,
    Conv1d,
    Drawn,
    Embedding,
    EmbeddingBag,
    GloVe,
    Linear,
    Model,
    Optimizer,
    SharedNegatives,
    SkipGram,
    SparseAdam,
    TextCNN,
)
from reference.cases.model import options
from reference.catalogue.bags import BAGS
from reference.catalogue.classifier import CLASSIFIER, LOSSES
from reference.catalogue.convolution import CONV1D, TEXTCNN
from reference.catalogue.glove import GLOVE
from reference.catalogue.optimizers import OPTIONS
from reference.catalogue.pairwise import Table, values
from reference.catalogue.spread import OPTIMIZERS, RUN, each, in_both_dtypes, spread
from reference.catalogue.word2vec import SHARED, WORD2VEC

# not for bags: on a CPU, PyTorch divides the gradient of a bag's row by how often another id occurs
LOOKUPS = replace(BAGS, options={**BAGS.options, "scale_grad_by_freq": values(False, True)})
BASES: tuple[tuple[Table | None, Model, Drawn, int], ...] = (
    # the table with the options, the model, its data, and a seed
    (LOOKUPS, Embedding(13, 5), Drawn((7,), used=11), 3),
    (LOOKUPS, Embedding(4, 5), Drawn((12,)), 3),
    (None, Linear(5, 5), Drawn((7,)), 0),
    (BAGS, EmbeddingBag(13, 5), Drawn((7, 3), used=11), 5),
    (BAGS, EmbeddingBag(4, 5), Drawn((12, 3)), 5),
    (CLASSIFIER, Classifier(13, 5, (5,), 3), Drawn((7, 3), used=11), 0),
    (CLASSIFIER, Classifier(4, 5, (5,), 3), Drawn((12, 3)), 0),
    (WORD2VEC, SkipGram(13, 5), Drawn((7,), used=11), 0),
    (WORD2VEC, SkipGram(4, 5), Drawn((12,)), 0),
    (SHARED, SkipGram(13, 5, SharedNegatives(3, 1)), Drawn((2, 3), used=11), 0),
    (SHARED, SkipGram(4, 5, SharedNegatives(3, 1)), Drawn((3, 5)), 0),
    (WORD2VEC, CBOW(13, 5), Drawn((7, 3), used=11), 0),
    (WORD2VEC, CBOW(4, 5), Drawn((12, 3)), 0),
    (GLOVE, GloVe(13, 5), Drawn((7,), used=11), 0),
    (GLOVE, GloVe(4, 5), Drawn((12,)), 0),
    (CONV1D, Conv1d(3, 4, 3), Drawn((2, 7), used=11), 0),
    (CONV1D, Conv1d(3, 2, 2), Drawn((3, 6)), 0),
    (TEXTCNN, TextCNN(13, 3, 2, (2, 3), 4), Drawn((3, 6), used=11), 0),
    (TEXTCNN, TextCNN(4, 3, 2, (2, 3), 4), Drawn((5, 6)), 0),
)


def plain() -> list[Case]:
    """Every option alone, every plain model with every optimizer, and every option of an optimizer alone."""
    found = []
    for table, model, data, seed in BASES:
        base = Case("primes" if data.used or table is None else "duplicates", model, OPTIMIZERS["sgd"], data, seed=seed)
        for case in alone(base, table):
            found += in_both_dtypes(case)
        if base.name == "primes":
            found += each(base, *OPTIMIZERS.values())
            if isinstance(model, Embedding):
                found += each(base, *optimizers(SparseAdam))
            if isinstance(model, Classifier):
                given = (of for kind in OPTIONS for of in optimizers(kind))
                found += [case for case in each(base, *given) if not case.sparse]
    # a square layer: elsewhere, nobody can transpose its weight without an error
    for square in (Linear(4, 4), Classifier(7, 4, (4,), 3)):
        found += spread(Case("square", square, OPTIMIZERS["sgd"], Drawn((5, 2) if square.tables else (5,))))
    return list({case.id: case for case in found}.values())


def alone(base: Case, table: Table | None) -> Iterator[Case]:
    """The case itself, and the case with each other value of each of its options.

    An option that needs another one, as norm_type needs max_norm, comes with the first value that makes it possible.
    """
    yield base
    choices = _choices(base, table)
    own = {name: _value(base, name) for name in choices}
    for name, given in choices.items():
        for value in given:
            row = own | {name: value}
            others = (row | {other: of} for other in choices if other != name for of in choices[other])
            taken = next(one for one in (row, *others) if table is None or table.possible(one))
            yield _having(base, {option: of for option, of in taken.items() if of != own[option]})


def optimizers(kind: type) -> Iterator[Optimizer]:
    """An optimizer with each of its options alone; nesterov and dampening come with momentum."""
    (lr,), *_ = OPTIONS[kind].values()
    for name, given in OPTIONS[kind].items():
        for value in given[1:]:
            needs = {"momentum": 0.9} if name in ("dampening", "nesterov") else {}
            yield kind(lr=lr, **needs, **{name: value})


def _choices(base: Case, table: Table | None) -> dict[str, list[Any]]:
    """The values in the table of each option that the case has, other than the case's own value."""
    found = {name: list(of.values())[1:] for name, of in (table.options if table else {}).items() if name not in RUN}
    if isinstance(base.model, Classifier):
        found["loss"] = _losses()
    parts = _parts(base)
    return {
        name: [value for value in given if value != _value(base, name)]
        for name, given in found.items()
        if any(hasattr(part, name) for part in parts)
        and not (name == "ragged" and getattr(base.data, "shape", ())[1:] == ())
    }


def _losses() -> list[Any]:
    """Each kind of loss, without options and with each option alone, at the first value in `LOSSES`."""
    found: dict[tuple[type, str], Any] = {}
    for loss in LOSSES.values():
        kind = type(loss)
        found.setdefault((kind, ""), kind())
        for option in options(loss):
            value = getattr(loss, option.name)
            if value != option.default:
                found.setdefault((kind, option.name), kind(**{option.name: value}))
    return list(found.values())


def _parts(case: Case) -> list[Any]:
    """The parts of a case that have options: the data, the model, and its objective, if it has one."""
    return [part for part in (case.data, case.model, getattr(case.model, "objective", None)) if part]


def _value(case: Case, name: str) -> Any:
    return next(getattr(part, name) for part in _parts(case) if hasattr(part, name))


def _having(case: Case, changed: dict[str, Any]) -> Case:
    """The case with these values of options, in whichever part they are."""
    data, model, *objective = (
        replace(part, **{name: value for name, value in changed.items() if hasattr(part, name)})
        for part in _parts(case)
    )
    if objective and "objective" not in changed:
        model = replace(model, objective=objective[0])
    return replace(case, data=data, model=model)
