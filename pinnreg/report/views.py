"""Views: parts of a domain that a figure shows besides the evaluation grid, as slices at a time, or fine planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PARTS = ("axes", "fixed", "fields", "outline")


@final
@dataclass(frozen=True)
class View:
    """A solution where some axes are fixed.

    Attributes:
        axes: coordinates along each axis that is not.
        fixed: those of the others.
        fields: as those of a `Report`, on the tensor grid of the axes.
        outline: of a domain that is no box, in this plane: see `plots.outline_of`.
    """

    axes: Mapping[str, Array]
    fixed: Mapping[str, float]
    fields: Mapping[str, Array]
    outline: Mapping[str, Array] = field(default_factory=dict)


def packed(views: Sequence[View]) -> dict[str, Array]:
    """Views as arrays by name, such as `0.axes.x`, `0.fixed.t` and `0.fields.u_error`."""
    found: dict[str, Array] = {}
    for number, view in enumerate(views):
        for part in PARTS:
            found |= {f"{number}.{part}.{name}": np.asarray(each) for name, each in getattr(view, part).items()}
    return found


def unpacked(arrays: Mapping[str, Array]) -> tuple[View, ...]:
    """What `packed` has packed.

    Raises:
        ValueError: names that it does not give, or fields that are not on the axes of their view.
    """
    found: dict[int, dict[str, dict[str, Array]]] = {}
    for key, array in arrays.items():
        number, part, name = key.split(".", 2)
        if part not in PARTS:
            raise ValueError(f"{key!r} is no array of a view")
        found.setdefault(int(number), {each: {} for each in PARTS})[part][name] = array
    views = []
    for _, parts in sorted(found.items()):
        shape = tuple(len(axis) for axis in parts["axes"].values())
        if wrong := [name for name, each in parts["fields"].items() if each.shape != shape]:
            raise ValueError(f"the field {wrong[0]!r} is not on the axes {', '.join(parts['axes'])}")
        fixed = {name: float(each) for name, each in parts["fixed"].items()}
        views.append(View(parts["axes"], fixed, parts["fields"], parts["outline"]))
    return tuple(views)
