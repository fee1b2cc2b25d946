"""A failure as a script of one page: weights, batches, what is expected and what came, in NumPy alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from reference import __version__, exact
from reference.cases import Batch, Case
from reference.cases.labels import written
from reference.checks.findings import Findings
from reference.checks.formats import told
from reference.contract import Implementation, Params, RowGrad
from reference.errors import BadInput
from reference.judge.form import dense, flat
from reference.judge.result import Divergence, Result
from reference.judge.run import follow, judge
from reference.judge.runner import Runner, start
from reference.judge.tolerance import tolerance
from reference.mistakes.diagnosis import diagnose

LARGEST = 3000
"""A script has at most this many numbers."""

WIDTH = 100
"""An array whose code is longer has a line for each row."""

LINE = '''
def line(given, row):
    """A row of whatever came: of an array, or of a row gradient."""
    if isinstance(given, tuple) or hasattr(given, "rows"):
        rows, values = given if isinstance(given, tuple) else (given.rows, given.values)
        return np.asarray(values)[np.asarray(rows) == row].sum(axis=0)
    given = given.to_dense() if getattr(given, "is_sparse", False) else given
    return np.asarray(given.detach() if hasattr(given, "detach") else given)[row]

'''


def repro(candidate: str, implementation: Implementation, cases: Sequence[Case]) -> str:
    """The script of the smallest of the cases that the implementation fails.

    candidate: its path, or its module's name.

    Raises:
        BadInput: it fails none of the cases that a script can show, or the script would be longer than a page.
    """
    # what lies in memory in another way is more than its numbers
    shown = [case for case in cases if case.layout == "contiguous" and exact.feasible(case)]
    for case in sorted(shown, key=_size):
        result = judge(case, {candidate: implementation}, {})[candidate]
        if result.verdict == "disagree" and not result.divergences:
            raise BadInput(f"{candidate}: {case.id}: {result.reason}; no script of a single run shows that")
        if result.verdict in ("disagree", "error"):
            return "\n".join(_script(candidate, implementation, result)) + "\n"
    raise BadInput(f"{candidate}: does not fail in the {len(shown)} cases that a script can show")


def _size(case: Case) -> int:
    return sum(map(math.prod, case.model.shapes.values()))


def _script(candidate: str, implementation: Implementation, result: Result) -> Iterator[str]:
    """The lines of the script."""
    case, first = result.case, result.first_divergence
    weights, batches = case.weights(), list(islice(case.batches(), max(result.steps, 1)))
    numbers = _size(case) + sum(getattr(batch, part.name).size for batch in batches for part in fields(batch))
    if numbers > LARGEST:
        what = f"{candidate}: {case.id} has {numbers:,} numbers up to step {result.steps}"
        raise BadInput(f"{what}; at most {LARGEST:,} go on a page")
    code = _namespace if _stands_in(implementation, case, weights, batches[0]) else _cases
    module = _module(candidate)
    found = Findings((result,), diagnose(implementation, [result]) if first else {})
    yield '"""' + "\n".join(told(found, result)).replace("\\", "/").replace('"', "'")
    yield from ["", f"Written by twingrad {__version__}, to be run beside {Path(candidate).name}.", '"""', ""]
    yield from ["from types import SimpleNamespace", ""] if code is _namespace else []
    yield from ["import numpy as np", *([] if code is _namespace else ["from twingrad import cases"]), ""]
    yield from [f"import {module}", ""]
    yield from LINE.splitlines() if first and first.index is not None else ()
    yield f"\ncase = {code(case)}"
    yield from ["weights = {", *(f'    "{name}": {_array(weight)},' for name, weight in weights.items()), "}", ""]
    yield f"trainer = {module}.build(case, weights)"
    for step, batch in enumerate(batches, 1):
        yield f"loss, grads = trainer.loss_and_grads({code(batch)})"
        if step < len(batches) or not first or first.stage in ("params", "state"):
            yield "trainer.step()"
    yield ""
    if first:
        yield from _compared(implementation, case, first)
    elif result.steps:  # one of the calls after an update raises the error
        yield from ("trainer.params()", "trainer.state()")


def _compared(implementation: Implementation, case: Case, first: Divergence) -> Iterator[str]:
    """The lines that compare what came with what is expected."""
    name = first.tensor
    kind, _, of_kind = name.partition(".")
    given = {
        "loss": "loss",
        "grads": f'grads["{name}"]',
        "params": f'trainer.params()["{name}"]',
        "state": f'trainer.state()["{kind}"]["{of_kind}"]',
    }[first.stage]
    if first.index is None or isinstance(first.expected, str) or isinstance(first.got, str):
        yield from [f"print({given})", f"raise SystemExit({f'{name}: expected {first.expected}, got {first.got}'!r})"]
        return
    truth, runner = start(case, "exact", exact, case.weights()), start(case, "got", implementation, case.weights())
    for _ in follow(case, [runner], [truth]):
        pass
    row: Any = first.index[0] if len(first.index) > 1 else ...
    expected, got = (_line(side, first, row) for side in (truth, runner))
    off = abs(float(first.got) - float(first.expected))
    unit = off / first.eps if 0 < first.eps < math.inf and math.isfinite(off) else case.eps * float(abs(expected).max())
    yield f"got = line({given}, {row if row is not ... else '...'})"
    yield f"expected = {_array(expected)}"
    yield f"seen = {_array(got)}  # when this was written"
    yield f"np.testing.assert_allclose(got, expected, rtol=0, atol={tolerance(case, first.stage, first.step) * unit!r})"


def _line(side: Runner, first: Divergence, row: Any) -> np.ndarray:
    """The row of the tensor that is furthest off."""
    tensor: np.ndarray | RowGrad = dict(flat(first.stage, side.out[first.stage]))[first.tensor]
    return np.asarray(dense(tensor)[row])


# --- code ------------------------------------------------------------------------------------------------------------


def _stands_in(implementation: Implementation, case: Case, weights: Params, batch: Batch) -> bool:
    """Whether the implementation takes plain names for the case and a batch, and needs no class of twingrad's."""
    known = {"SimpleNamespace": SimpleNamespace, "np": np}
    try:
        own = {name: weight.copy() for name, weight in weights.items()}
        trainer = implementation.build(eval(_namespace(case), known), own)
        trainer.loss_and_grads(eval(_namespace(batch), known))
    except Exception:
        return False
    return True


def _namespace(value: Any) -> str:
    """A case or a batch as plain names."""
    if isinstance(value, np.ndarray):
        return _array(value)
    if not is_dataclass(value):
        return repr(value)
    parts = {part.name: getattr(value, part.name) for part in fields(value)}
    parts |= {name: getattr(value, name) for name in ("id", "plain", "row_tables") if hasattr(value, name)}
    return f"SimpleNamespace({', '.join(f'{name}={_namespace(part)}' for name, part in parts.items())})"


def _cases(value: Any) -> str:
    """A case or a batch in twingrad's classes."""
    if isinstance(value, Case):
        return re.sub(r"\b([A-Z]\w*)\(", r"cases.\1(", written(value))
    parts = (f"{part.name}={_array(getattr(value, part.name))}" for part in fields(value))
    return f"cases.{type(value).__name__}({', '.join(parts)})"


def _array(array: np.ndarray) -> str:
    """An array, each number with all its digits."""
    if not array.size:
        return f"np.zeros({array.shape}, np.{array.dtype})"
    code = str(array.tolist())
    if len(code) > WIDTH and array.ndim > 1:
        code = "[\n" + "".join(f"        {row},\n" for row in array.tolist()) + "    ]"
    code = code.replace("nan", "np.nan").replace("inf", "np.inf")
    return f"np.array({code}, np.{array.dtype})"


def _module(candidate: str) -> str:
    """The name by which a script beside the candidate imports it."""
    path = Path(candidate).resolve()
    name = path.stem if candidate.endswith(".py") else candidate
    if not candidate.endswith(".py") and path.is_dir():
        name = path.name if (path / "__init__.py").is_file() else "build"
    if not all(part.isidentifier() for part in name.split(".")):
        raise BadInput(f"{candidate}: {name} is no name that Python can import")
    return name
