"""The shapes in the signatures of both twins, checked at run time by beartype.

In a process of its own, and for the first step of the cases that have each option: the check decorates every backward
pass anew when its forward pass returns it, which costs milliseconds.
"""

import subprocess
import sys

PROGRAM = """
from dataclasses import fields, replace
import jaxtyping
jaxtyping.install_import_hook(["numpy_impl", "torch_impl"], "beartype.beartype")
from reference.catalogue import catalogue
from reference.commands.twins import twins
from reference.judge.run import hold
both = twins()
every = [case for case in catalogue() if case.dtype == "float64" and case.steps < 100]

def kinds(case):
    "What a signature may depend on: each option of the model and of the data, and the optimizer."
    for part in (case.model, case.data):
        for field in fields(part):
            if field.name not in ("num_embeddings", "embedding_dim", "shape"):
                yield case.family, field.name, getattr(part, field.name)
    yield type(case.optimizer), case.sparse

def run(cases):
    for case in cases:
        for result in hold(replace(case, steps=1), both, both).values():
            if result.verdict != "agree":
                print(case.id, result.implementation, result.reason)

run(dict.fromkeys({kind: case for case in every for kind in kinds(case)}.values()))
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
