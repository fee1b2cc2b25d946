"""What a dataclass has that is not its default: in short labels, of which ids are made, and as Python writes it.

It knows no model: a label is made of the name that a field or a class has. `LABELS` has those that are said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

LABELS = {
    # kinds, where one stands in a field of another
    "MSELoss": "mse",
    "NegativeSampling": "negatives",
    "SharedNegatives": "shared",
    "HierarchicalSoftmax": "tree",
    # options; {} is the value, or how long it is
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
    # no choices: rates, and sizes that have a default
    "lr": "",
    "num_negatives": "",
}


def labels(part: Any) -> list[str]:
    """The options of a dataclass that are not their defaults, in the order of its fields, nested ones included.

    Of a text the text, of a count the name and the count, of anything else the name; sizes, which are numbers without
    a default, have no label, and neither has the one width of a tuple that has no default.
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
    """As Python writes it, without what is a default: `Classifier(11, 3, (5,), 3, mode='max')`."""
    if not is_dataclass(value):
        return repr(value)
    parts = [("" if _default(o) is MISSING else f"{o.name}=") + written(v) for o, v in _changed(value)]
    return f"{type(value).__name__}({', '.join(parts)})"


def jsonable(value: Any) -> Any:
    """What JSON knows, without what is a default: a dataclass as a dict of its fields, with the name of its class."""
    if is_dataclass(value):
        return {"kind": type(value).__name__, **{option.name: jsonable(v) for option, v in _changed(value)}}
    return [jsonable(part) for part in value] if isinstance(value, tuple) else value


def defaults(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass that have a default, and the defaults, as `jsonable` has them."""
    return {o.name: jsonable(_default(o)) for o in fields(kind) if _default(o) is not MISSING}


def _changed(part: Any) -> Iterator[tuple[Field, Any]]:
    """The fields that have no default, or another value, each with its value."""
    for option in fields(part):
        value = getattr(part, option.name)
        if _default(option) is MISSING or value != _default(option):
            yield option, value


def _default(option: Field) -> Any:
    return option.default if option.default_factory is MISSING else option.default_factory()
