"""Is the gradient that you wrote by hand right? twingrad tells you.

    import twingrad

    report = twingrad.check("mine.py", "classifier*")
    report.raise_if_wrong()

This module is all that your code needs. What it offers keeps its name and its meaning.

- `check` holds an implementation of your own against the exact values, case by case, and returns a `Report`.
- `parametrize` makes a test of each case, a `CaseCheck`, in a test file of your own.
- `check_gradients` holds the gradients of any loss in NumPy, or of one in scalars that is marked with `exact`, and
  returns a `GradientReport`. `check_function` does so for a backward pass of PyTorch's.
- `check_optimizer` holds an optimizer alone, and returns an `OptimizerReport`.
- `cases` has what can be asked: models, losses, objectives, optimizers and batches, with PyTorch's names.
- `RowGrad`, `Params`, `Grads`, `State`, `Trainer` and `Implementation` say what is given and handed back.
- `Unsupported` is raised by `build` for a case that an implementation does not do; `BadInput` for what is wrong.
"""

from _twingrad_entry import refuse_namesakes

refuse_namesakes()

from reference import (  # noqa: E402
    BadInput,
    Grads,
    Implementation,
    Params,
    RowGrad,
    State,
    Trainer,
    Unsupported,
    __version__,
    cases,
)
from reference.checks.case_check import CaseCheck, parametrize  # noqa: E402
from reference.checks.check import check  # noqa: E402
from reference.checks.function import check_function  # noqa: E402
from reference.checks.gradient_report import GradientReport  # noqa: E402
from reference.checks.gradients import check_gradients  # noqa: E402
from reference.checks.optimizer import OptimizerReport, check_optimizer  # noqa: E402
from reference.checks.report import Report  # noqa: E402
from reference.checks.scalars import exact  # noqa: E402

__all__ = [
    "BadInput",
    "CaseCheck",
    "GradientReport",
    "Grads",
    "Implementation",
    "OptimizerReport",
    "Params",
    "Report",
    "RowGrad",
    "State",
    "Trainer",
    "Unsupported",
    "__version__",
    "cases",
    "check",
    "check_function",
    "check_gradients",
    "check_optimizer",
    "exact",
    "parametrize",
]
