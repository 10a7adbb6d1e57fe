"""`Sampled`: what is known of a solution on a grid or at points, as plain arrays with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Sampled:
    """Fields on a tensor grid, or at scattered points.

    Attributes:
        axes: coordinates by name in the order of the problem: of a grid along each axis, of points of each, (n,).
        fields: by name: of the grid's shape, or (n,). NaN outside of the domain.
        space: which axes are space, and so are drawn.
        is_grid: whether it is a grid.
        fixed: coordinates of further axes, which are the same everywhere.
        units: of axes and outputs, as far as they are known.
        about: whatever else describes it, of numbers and texts.
    """

    axes: Mapping[str, Array]
    fields: Mapping[str, Array]
    space: tuple[str, ...]
    is_grid: bool = True
    fixed: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def points(self) -> dict[str, Array]:
        """The coordinates of every point by axis, each (n,), on a grid the last axis fastest."""
        if not self.is_grid:
            return dict(self.axes)
        meshes = np.meshgrid(*self.axes.values(), indexing="ij")
        return {name: mesh.reshape(-1) for name, mesh in zip(self.axes, meshes, strict=True)}

    @property
    def outside(self) -> int:
        """How many points lie outside of the domain, where all fields are NaN."""
        return int(np.all([np.isnan(values) for values in self.fields.values()], axis=0).sum())

    def unit_of(self, name: str) -> str:
        """The unit of an axis or a field; "" if it is not known, as those of derivatives are not said."""
        if name in self.units:
            return self.units[name]
        output, _, what = name.rpartition("_")
        return self.units.get(output, "") if what in ("reference", "error", "estimate", "band") else ""

    def meaning_of(self, name: str) -> str:
        """What a field is, in words."""
        output, _, what = name.rpartition("_")
        said = {
            "reference": f"reference of {output}",
            "error": f"{output} minus its reference",
            "estimate": f"estimated error of {output}",
            "band": f"standard deviation of {output} by the noise of measurements",
        }
        if what in said and output in self.fields:
            return said[what]
        if output in self.fields and what and all(what.count(axis) for axis in what):
            return f"derivative of {output} by {what}"
        return name


def name_of_derivative(output: str, derivative: str) -> str:
    """Under which name a derivative is found.

    >>> name_of_derivative("u", "xx")
    'u_xx'
    """
    return f"{output}_{derivative}"
