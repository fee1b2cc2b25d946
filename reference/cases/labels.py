"""The options of a dataclass that differ from their defaults: as short labels for ids, as Python code, and for JSON.

This file knows no model. A label is made from the name of a field or class; `LABELS` has the exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

LABELS = {
    # classes that are values of a field
    "MSELoss": "mse",
    "NegativeSampling": "negatives",
    "SharedNegatives": "shared",
    "HierarchicalSoftmax": "tree",
    # options; {} is the value, or its length
    "padding_idx": "padding",
    "include_last_offset": "lastoffset",
    "scale_grad_by_freq": "byfreq",
    "norm_type": "norm{}",
    "hidden_features": "hidden{}",
    "label_smoothing": "smoothing",
    "ignore_index": "ignore",
    "reduction": "summed",  # "sum" is how a bag is pooled
    "shared": "s{}",
    "weight_decay": "decay",
    "initial_accumulator_value": "accumulator",
    # no label: rates, and sizes that have a default
    "lr": "",
    "num_negatives": "",
    "kernel_sizes": "widths{}",
}


def labels(part: Any) -> list[str]:
    """The labels of the options that differ from their defaults, in the order of the fields, nested ones included.

    A string is its own label. A number is the name and the number. Anything else is the name. Without a default, a
    number (a size) and a tuple of one width have no label.
    """
    found = []
    for option, value in _changed(part):
        if is_dataclass(value):
            if type(value) is not type(_default(option)):
                found.append(LABELS.get(type(value).__name__, type(value).__name__.lower()))
            found += labels(value)
        elif _default(option) is MISSING and (
            isinstance(value, int | float) or (isinstance(value, tuple) and len(value) == 1)
        ):
            continue
        else:
            how_much = len(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else value
            found.append(LABELS.get(option.name, _template(option, value)).format(how_much))
    return [label for label in found if label]


def _template(option: Field, value: Any) -> str:
    name = option.name.removeprefix("num_").replace("_", "")
    if isinstance(value, str):
        return "{}"
    if value is None or value is False:
        return f"no{name}"
    counted = isinstance(value, int) and value is not True
    return name + "{}" if counted or _default(option) is MISSING else name


def written(value: Any) -> str:
    """The value as Python code, without defaults: `Classifier(11, 3, (5,), 3, mode='max')`."""
    if not is_dataclass(value):
        return repr(value)
    parts = [("" if _default(o) is MISSING else f"{o.name}=") + written(v) for o, v in _changed(value)]
    return f"{type(value).__name__}({', '.join(parts)})"


def jsonable(value: Any) -> Any:
    """The value for JSON, without defaults: a dataclass is a dict of its fields, with the name of its class."""
    if is_dataclass(value):
        return {"kind": type(value).__name__, **{option.name: jsonable(v) for option, v in _changed(value)}}
    return [jsonable(part) for part in value] if isinstance(value, tuple) else value


def defaults(kind: Any) -> dict[str, Any]:
    """The defaults of a dataclass by field, as `jsonable` writes them."""
    return {o.name: jsonable(_default(o)) for o in fields(kind) if _default(o) is not MISSING}


def _changed(part: Any) -> Iterator[tuple[Field, Any]]:
    """The fields without a default, or with another value than the default, each with its value."""
    for option in fields(part):
        value = getattr(part, option.name)
        if _default(option) is MISSING or value != _default(option):
            yield option, value


def _default(option: Field) -> Any:
    return option.default if option.default_factory is MISSING else option.default_factory()
