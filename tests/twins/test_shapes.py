"""The shapes in the signatures of both twins, checked at run time by beartype.

In a process of its own, and for the first step of few cases, the small ones first, that have every option between
them: the check decorates every backward pass anew when its forward pass returns it, which costs milliseconds.
"""

import subprocess
import sys

PROGRAM = """
from dataclasses import fields, is_dataclass, replace
from math import prod
import jaxtyping
jaxtyping.install_import_hook(["numpy_impl", "torch_impl"], "beartype.beartype")
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.judge.run import hold
both = twins()
every = [case for case in catalogue() if case.dtype == "float64" and case.steps < 100]
every.sort(key=lambda case: sum(map(prod, case.model.shapes.values())))

def kind(value):
    "What a signature may depend on: of numbers whether they are 0, 1 or more, of tuples how many there are."
    if is_dataclass(value):
        return type(value), *(kind(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, tuple):
        return len(value)
    return type(value) if isinstance(value, int | float) and value not in (0, 1) else value

def kinds(case):
    "Of each option of the model and of the data, and of the optimizer."
    for part in (case.model, case.data):
        for field in fields(part):
            yield case.family, field.name, kind(getattr(part, field.name))
    yield type(case.optimizer), case.sparse

def run(cases):
    for case in cases:
        for result in hold(replace(case, steps=1), both, both).values():
            if result.verdict != "agree":
                print(case.id, result.implementation, result.reason)

of = {case: set(kinds(case)) for case in every}
few, left = [], set().union(*of.values())
while left:
    few.append(max(every, key=lambda case: len(of[case] & left)))
    left -= of[few[-1]]
run(few)
print("planted:")
from numpy_impl import objectives
right = objectives.cross_entropy
objectives.cross_entropy = lambda logits, target, **options: right(logits[0], target, **options)
run(case for case in every if case.id == "skipgram-pairs-sgd-dense-f64")
"""


def test_signatures_hold_under_every_option_and_a_wrong_shape_is_noticed() -> None:
    command = [sys.executable, "-c", PROGRAM]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
    right, planted = out.split("planted:")
    assert right == ""
    assert "TypeCheckError" in planted
