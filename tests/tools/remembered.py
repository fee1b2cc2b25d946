"""A plugin of pytest (`-p tests.tools.remembered`): the exact values are computed once and not for each mutant.

mutmut runs the tests for each mutant in a fork of one process. What the catalogue and the exact values are does not
depend on the mutant: it is remembered in that process.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
from typing import Any

import hypothesis
import pytest

from reference import catalogue, exact
from reference.cases import Batch, Case
from reference.contract import Grads, Params, State, Trainer
from reference.exact import trainer
from reference.judge import run

SMALL = 50_000
"""So many terms."""

VALUES: dict[bytes, bytes] = {}
"""What the exact trainer returned, by the digest of all that it had been given until then."""


class Remembered:
    """The exact trainer, which computes only what it has not yet computed from the same weights and batches."""

    proof = None

    def __init__(self, case: Case, weights: Params) -> None:
        self.case, self.weights = case, weights
        self.trainer: Trainer | None = None
        self.calls: list[tuple[str, tuple]] = []
        self.given = pickle.dumps((repr(case), weights))

    def _call(self, name: str, *arguments: Any) -> Any:
        self.calls.append((name, arguments))
        self.given = hashlib.sha256(self.given + pickle.dumps((name, arguments))).digest()
        if self.trainer or self.given not in VALUES:
            late = self.calls[-1:] if self.trainer else self.calls
            self.trainer = self.trainer or BUILD(self.case, self.weights)
            for method, given in late:
                value = getattr(self.trainer, method)(*given)
            VALUES[self.given] = pickle.dumps(value)
        return pickle.loads(VALUES[self.given])

    def loss_and_grads(self, batch: Batch) -> tuple[float, Grads]:
        return self._call("loss_and_grads", batch)

    def step(self) -> None:
        self._call("step")

    def params(self) -> Params:
        return self._call("params")

    def state(self) -> State:
        return self._call("state")


BUILD = exact.build
exact.build = Remembered
catalogue.catalogue = functools.cache(catalogue.catalogue)
JUDGE = run.judge
# PyTorch's side has no mutants, and takes as long again
run.judge = lambda case, given, twins: JUDGE(
    case, {name: it for name, it in given.items() if name != "torch_impl"}, twins
)


# nobody will look at the example, so it need not be the smallest
hypothesis.settings.register_profile(
    "mutants", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate], database=None, deadline=None
)
hypothesis.settings.load_profile("mutants")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the catalogue only the cases whose exact values take well under a second."""
    conftest = next(plugin for plugin in config.pluginmanager.get_plugins() if hasattr(plugin, "CASES"))
    cases = conftest.CASES

    def small(item: pytest.Item) -> bool:
        held = getattr(item, "callspec", None) and item.callspec.params.get("held")
        return not held or (exact.feasible(cases[held]) and trainer.terms(cases[held]) * cases[held].steps < SMALL)

    config.hook.pytest_deselected(items=[item for item in items if not small(item)])
    items[:] = [item for item in items if small(item)]
