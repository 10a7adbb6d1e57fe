"""The trial function u = g + φ s N: the network N of size s, corrected so that some conditions hold exactly.

g carries the data and φ vanishes where they are given. On a box both are built axis by axis: along an axis with data on
its faces g becomes g + P(data - g on the face), where P interpolates between the faces: linearly between two, constant
from one, value and slope from an initial condition of order 1. What the earlier axes have fixed stays, because the data
agree where faces meet (transfinite interpolation; Gordon & Hall 1973). φ is the product of one polynomial an axis, at
most 1. Without exact data g is an offset.

That takes 3ᵏ evaluations of the data on k axes, and the product of k polynomials is next to nothing in most of a box
(its mean is 0.02 for k = 10). With more than three axes g is the one datum that all faces share, which as a function of
the coordinates extends inside, and φ is √k (Σ φᵢ⁻²)^(-1/2), of the size of the smallest φᵢ (an R-equivalence of order
2; Sukumar & Srivastava 2022, arXiv:2104.08426). That φ is not zero but 1e-13 on the faces, where its formula is 0/0.

Derivatives of g and φ come from automatic differentiation of these formulas, once for a set of points, and join the
network's own by Leibniz' rule, which is the product of their series.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.differentiation import nested, nested_derivative
from pinnreg.equations.call import Data, evaluate_data
from pinnreg.equations.sides import AxisData, SideData, moved, shared
from pinnreg.taylor import Algebra, MultiIndex, Series

MANY = 3
"""Axes with exact data, up to which they are interpolated between faces."""
EDGE = {torch.float64: 1e-13, torch.float32: 1e-6}
"""How far inside of the faces φ of many axes takes points to be, of the length of an axis."""
LIFTED_AT_ONCE = 2**19
"""Numbers n d² at most, in derivatives of g and φ at n points with d coordinates."""

Network = Callable[[Tensor], Tensor]
Lift = tuple[Series | None, Series | None]


@final
@dataclass(frozen=True)
class Trial:
    """u = g + φ s N for every output.

    Attributes:
        axes: names of the coordinates.
        outputs: names of the network's outputs.
        data: for each output the axes, or the round sides, with exact data, time last; empty where the output is the
            network itself.
        periodic: axes in which the network itself is periodic.
        sizes: s of each output; empty for 1.
        offsets: g of each output without exact data; empty for 0.
        parameters: axes that are parameters and no space.
    """

    axes: tuple[str, ...]
    outputs: tuple[str, ...]
    data: tuple[tuple[SideData, ...], ...]
    periodic: tuple[str, ...] = ()
    sizes: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def bare(self) -> bool:
        """Whether u is the network itself."""
        return not any(self.data) and all(size == 1 for size in self.sizes) and not any(self.offsets)

    def __call__(self, network: Network, points: Tensor) -> Tensor:
        """The values of u at points (n, d): (n, outputs)."""
        values = network(points)
        # from the formulas and not from `lift`, whose tables are constants: this stays differentiable in the points
        return values if self.bare else self.g(points) + self.phi(points) * values

    def g(self, points: Tensor) -> Tensor:
        """The part that carries the data, (n, outputs)."""
        offsets = self.offsets or (0.0,) * len(self.data)
        parts = [
            self._interpolate(data, points) if data else torch.full_like(points[:, 0], offset)
            for data, offset in zip(self.data, offsets, strict=True)
        ]
        return torch.stack(parts, dim=1)

    def phi(self, points: Tensor) -> Tensor:
        """The network's factor φ s, which vanishes where data are given, (n, outputs)."""
        sizes = self.sizes or (1.0,) * len(self.data)
        starts = [torch.full_like(points[:, 0], size) for size in sizes]
        factors = [
            _blended(data, points) * start
            if len(data) > MANY
            else math.prod((axis.factor(points) for axis in data), start=start)
            for data, start in zip(self.data, starts, strict=True)
        ]
        return torch.stack([torch.as_tensor(factor) for factor in factors], dim=1)

    def lift(self, points: Tensor, algebra: Algebra) -> Lift:
        """The series of g and φ at points (n, d), or None for one that is not needed."""
        if self.bare:
            return None, None
        at_once = max(LIFTED_AT_ONCE // points.shape[1] ** 2, 1)
        if len(points) > at_once and any(len(data) > MANY for data in self.data):
            parts = [self.lift(part, algebra) for part in points.split(at_once)]
            return _joined([g for g, _ in parts]), _joined([phi for _, phi in parts])
        with torch.no_grad():
            g = nested(self.g, points, algebra) if self.has_data() or any(self.offsets) else None
            phi = nested(self.phi, points, algebra, self._phi_survives)
        return g, phi

    def lifted(self, inner: Series, lift: Lift) -> Series:
        """The series of u from those of N, g and φ."""
        g, phi = lift
        product = inner if phi is None else phi * inner
        return product if g is None else g + product

    def has_data(self) -> bool:
        """Whether g is anything but an offset."""
        # g vanishes identically if all data are the number zero
        values = (value for data in self.data for axis in data for value in axis.given)
        return any(callable(value) or value != 0 for value in values)

    def _phi_survives(self, index: MultiIndex) -> bool:
        return any(
            len(data) > MANY
            or all(order <= sum(each.degree(axis) for each in data) for axis, order in enumerate(index))
            for data in self.data
        )

    def _interpolate(self, data: tuple[SideData, ...], points: Tensor) -> Tensor:
        if not data:
            return torch.zeros_like(points[:, 0])
        if len(data) > MANY:
            return self._evaluate(shared(data)[0], points)
        *earlier, last = data
        before = tuple(earlier)
        correction = self._correction(last, before, points)
        return self._interpolate(before, points) + correction

    def _correction(self, last: SideData, before: tuple[SideData, ...], points: Tensor) -> Tensor:
        total = torch.zeros_like(points[:, 0])
        ends = last.ends(points)
        for data, face, share in ends:
            gap = self._evaluate(data, face) - self._interpolate(before, face)
            total = total + (share * gap if len(ends) == 2 else gap)
        if isinstance(last, AxisData) and last.slope_at_min is not None:
            face = moved(points, last.axis, last.lower)
            slope = self._evaluate(last.slope_at_min, face)
            if before:  # nothing has no slope, and a program of it no derivative by points that it never saw
                slope = slope - self._slope(before, face, last.axis)
            total = total + (points[:, last.axis] - last.lower) * slope
        return total

    def _slope(self, before: tuple[SideData, ...], face: Tensor, axis: int) -> Tensor:
        index = tuple(int(i == axis) for i in range(len(self.axes)))
        inputs = face if face.requires_grad else face.detach().requires_grad_()
        with torch.enable_grad():
            return nested_derivative(lambda p: self._interpolate(before, p)[:, None], inputs, index)[:, 0]

    def _evaluate(self, data: Data, points: Tensor) -> Tensor:
        return evaluate_data(data, self.axes, points, "exact condition")


def _blended(given: Sequence[SideData], points: Tensor) -> Tensor:
    """√k (Σ φᵢ⁻²)^(-1/2) of the factors of k axes, (n,)."""
    edge, data = EDGE[points.dtype], [each for each in given if isinstance(each, AxisData)]
    lower, upper, both, below = (
        torch.stack([points.new_full((), each) for each in column])
        for column in zip(
            *((a.lower, a.upper, a.at_min is not None and a.at_max is not None, a.at_min is not None) for a in data),
            strict=True,
        )
    )
    share = (points[:, [axis.axis for axis in data]] - lower) / (upper - lower)
    share = edge + (1 - 2 * edge) * share
    one_sided = torch.where(below.bool(), share, 1 - share)
    factors = torch.where(both.bool(), 4 * share * (1 - share), one_sided)
    return math.sqrt(len(data)) * factors.pow(-2).sum(dim=1).pow(-0.5)


def _joined(parts: Sequence[Series | None]) -> Series | None:
    """Series at parts of some points as one."""
    first = parts[0]
    if first is None:
        return None
    stacks = [part.on(first.support) for part in parts if part is not None]
    return Series(first.algebra, first.support, (torch.cat(stacks, dim=1),))
