"""The outline of a domain that is no box, in the plane of a figure, maps that end at it, and interfaces inside.

It is the zero of the signed distance on a grid that is finer than the one of the fields, and reaches a little beyond
the domain. A run keeps that grid, so that its figures can be drawn again without the problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.domain import Box, Domain, Side
from pinnreg.plots.rows import Array
from pinnreg.plots.scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

FINE = 400
"""Points along the longer side."""
MARGIN = 0.03
"""Of the sides, beyond the domain."""
ALONG = 2000
"""Points by which a side is drawn."""
COARSE = 6
"""Every so many points the distance is asked first: where it is large, others near by need not be asked."""
BAND = 2.0
"""Grid spacings beside the boundary up to which the distance is kept."""
CHUNK = 8192
REACH = 2
"""Points of the fields' grid beyond the outline that get the colour of those beside them, which it then cuts off."""
LINE = 1.1


def outline_of(domain: Domain, axes: Mapping[str, Array], fixed: Mapping[str, float]) -> dict[str, Array]:
    """The signed distance to a domain's boundary in the plane of the first two axes, as far as a contour needs it.

    Args:
        domain: whose outline is wanted.
        axes: of the figure's grid.
        fixed: the coordinates of all axes but the first two.

    Returns:
        Two axes, `first` and `second`, and `distance` on their grid, of which only the sign is right far from the
        boundary, and `interfaces`, points along the curves at which materials meet, (n, 2), if there are any. Nothing
        of a box, and where there is no plane of two space axes; of one and time only for interfaces.
    """
    names = list(axes)[:2]
    if isinstance(domain, Box) or len(names) < 2 or ("t" in names and not domain.interfaces):
        return {}
    sides = [domain.bounds[name] for name in names]
    apart = max(upper - lower for lower, upper in sides) / FINE
    first, second = (
        np.linspace(lower - pad, upper + pad, max(round((upper - lower + 2 * pad) / apart), 2) + 1)
        for lower, upper in sides
        for pad in [MARGIN * (upper - lower)]
    )

    def distance(x: Array, y: Array) -> Array:
        columns = {**{name: np.full(len(x), value) for name, value in fixed.items()}, names[0]: x, names[1]: y}
        points = torch.from_numpy(np.stack([columns[name] for name in domain.axes], axis=1))
        found: Array = torch.cat([domain.signed_distance(each).detach() for each in points.split(CHUNK)]).numpy()
        return found

    apart = max(first[1] - first[0], second[1] - second[0])
    x, y = np.meshgrid(first, second, indexing="ij")
    # a distance changes by no more than one moves
    i, j = (np.minimum(COARSE * np.round(np.arange(n) / COARSE).astype(int), n - 1) for n in x.shape)
    nodes = np.ix_(np.unique(i), np.unique(j))
    coarse = np.full(x.shape, np.nan)
    coarse[nodes] = distance(x[nodes].reshape(-1), y[nodes].reshape(-1)).reshape(x[nodes].shape)
    around = coarse[np.ix_(i, j)]
    near = np.abs(around) <= np.hypot(x - first[i][:, None], y - second[j]) + BAND * apart
    around[near] = distance(x[near], y[near])
    found = {"first": first, "second": second, "distance": np.clip(around, -BAND * apart, BAND * apart)}
    inside = _interfaces_of(domain, names)
    return {**found, "interfaces": inside} if len(inside) > 1 else found


def _interfaces_of(domain: Domain, names: Sequence[str]) -> Array:
    """The curves in a plane, (n, 2), at which materials meet, with NaN between them; none of a plane through space."""
    if set(domain.space_axes) - set(names):
        return np.empty((0, 2))
    columns = [domain.axes.index(name) for name in names]
    curves = [curve(domain, side)[0][:, columns] for side in domain.interfaces]
    gap = np.full((1, 2), np.nan)
    return np.concatenate([gap, *(each for one in curves for each in (one, gap))])


def curve(domain: Domain, side: Side) -> tuple[Array, Array]:
    """Points along a side, in the middle of time, and their normals, (n, d); NaN where the side is interrupted."""
    unit = torch.full((ALONG, domain.dimension - 1), 0.5, dtype=torch.float64)
    unit[:, 0] = torch.linspace(0, 1, ALONG, dtype=torch.float64)
    points, normals, kept = domain.placed_on(side, unit)
    x, n = points.detach().numpy().copy(), normals.detach().numpy().copy()
    if kept is not None:
        x[~kept.numpy()] = np.nan
    steps = np.linalg.norm(np.diff(x, axis=0), axis=1)
    far = steps > 4 * np.nanmedian(steps)
    after = 1 + np.flatnonzero(far)
    return np.insert(x, after, np.nan, axis=0), np.insert(n, after, np.nan, axis=0)


@final
@dataclass(frozen=True)
class Outline:
    """What `outline_of` found, as a curve.

    Attributes:
        first: coordinates along the first axis.
        second: those along the second.
        distance: the signed distance on their grid.
        interfaces: points along the curves at which materials meet, (n, 2), with NaN between them.
    """

    first: Array
    second: Array
    distance: Array
    interfaces: Array

    @staticmethod
    def of(found: Mapping[str, Array]) -> Outline | None:
        """The outline; None if nothing was found."""
        if not found:
            return None
        inside = found.get("interfaces", np.empty((0, 2)))
        return Outline(found["first"], found["second"], found["distance"], inside)

    @cached_property
    def path(self) -> Path:
        """The curves around the domain, holes the other way round."""
        from matplotlib.figure import Figure  # noqa: PLC0415

        # above rounding, so that no line is drawn where two parts of a domain touch
        level = 1e-3 * (self.first[1] - self.first[0])
        levels = [2 * float(self.distance.min()) - 1.0, level]
        ax = Figure().add_subplot()
        return ax.contourf(self.first, self.second, self.distance.T, levels=levels).get_paths()[0]

    def draw(self, ax: Axes, x: Array, y: Array, values: Array, scale: Scale) -> None:
        """A heat map that ends at the outline: values (x, y), of which those outside of the domain are not shown.

        Values inside that are not finite leave a grey ground visible; outside of the domain is nothing.
        """
        from matplotlib.patches import PathPatch  # noqa: PLC0415

        shown = np.ma.masked_invalid(self._continued(x, y, values).T)
        ax.add_patch(PathPatch(self.path, facecolor="0.8", edgecolor="none", zorder=0.5))
        mesh = ax.pcolormesh(x, y, shown, cmap=scale.cmap, norm=scale.norm, shading="nearest", rasterized=True)
        mesh.set_clip_path(self.path, ax.transData)
        self.stroke(ax)

    def stroke(self, ax: Axes) -> None:
        """The outline alone; the axes show it whole."""
        from matplotlib.patches import PathPatch  # noqa: PLC0415

        ax.add_patch(PathPatch(self.path, facecolor="none", edgecolor="0.15", linewidth=LINE, zorder=2.5))
        ax.set(xlim=(self.first[0], self.first[-1]), ylim=(self.second[0], self.second[-1]))

    def stroke_interfaces(self, ax: Axes, *, upright: bool = True) -> None:
        """The lines at which materials meet, with a white rim, since the map may be as dark as they are."""
        if not len(self.interfaces):
            return
        horizontal, vertical = self.interfaces.T if upright else self.interfaces.T[::-1]
        ax.plot(horizontal, vertical, color="white", linewidth=LINE + 1.2, alpha=0.6, zorder=2.4)
        ax.plot(horizontal, vertical, color="0.15", linewidth=LINE, zorder=2.4, label="where materials meet")

    def _continued(self, x: Array, y: Array, values: Array) -> Array:
        """Values whose nearest neighbours beyond the outline, which are NaN, are the mean of those beside them."""
        at = np.ix_(_nearest(self.first, x), _nearest(self.second, y))
        outside = self.distance[at] > -(self.first[1] - self.first[0])
        found = values.copy()
        for _ in range(REACH):
            known = np.isfinite(found)
            total = np.sum(_shifted(np.where(known, found, 0.0)), axis=0)
            count = np.sum(_shifted(known.astype(np.float64)), axis=0)
            new = outside & ~known & (count > 0)
            found[new] = total[new] / count[new]
        return found


def _nearest(axis: Array, wanted: Array) -> NDArray[np.intp]:
    """Indices of the points of an equidistant axis that are nearest to others."""
    places = np.round((wanted - axis[0]) / (axis[1] - axis[0])).astype(np.intp)
    found: NDArray[np.intp] = np.clip(places, 0, len(axis) - 1)
    return found


def _shifted(values: Array) -> list[Array]:
    """An array moved by one to all eight sides, zero beyond its edge."""
    padded = np.pad(values, 1)
    rows, columns = values.shape
    return [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
