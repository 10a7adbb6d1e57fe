"""Measurements: what u, a derivative or an integral of it was found to be at given points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from pinnreg.differentiation import POWERS, parse_name
from pinnreg.domain import Domain, Sampler
from pinnreg.equations.call import TWO_OUTPUTS
from pinnreg.equations.conditions import Setting
from pinnreg.equations.evaluate import Scene, scene
from pinnreg.equations.field import View
from pinnreg.equations.integrals import integrated
from pinnreg.equations.points import Points
from pinnreg.equations.sweep import Derivatives
from pinnreg.errors import InputError, unknown


@final
@dataclass(frozen=True, eq=False)
class Measurements:
    """u, a `derivative` of it or the integral of either `over` axes, is = values at given points.

    The share `trim` of the largest residuals does not count, a step sees a `batch`. Values held out, at points (m, d),
    are no part of the condition: they are there to validate the result with. `noise` is the standard deviation of the
    values, where it is known.
    """

    kind: Literal["measurements"]
    points: Tensor
    values: Tensor
    held_points: Tensor
    held_values: Tensor
    of: str | None
    name: str
    trim: float = 0.0
    batch: int | None = None
    derivative: str = ""
    over: tuple[str, ...] = ()
    noise: float | None = None

    @property
    def plain(self) -> bool:
        """Whether the output itself was measured."""
        return not self.derivative and not self.over

    @property
    def column(self) -> str:
        """What was measured, as the name of an array."""
        return "_".join(filter(None, (str(self.of), self.derivative, *(f"over_{axis}" for axis in self.over))))

    @property
    def formula(self) -> str:
        """What was measured."""
        quantity = f"{self.of}.{self.derivative}" if self.derivative else str(self.of)
        return f"∫ {quantity} d{' d'.join(self.over)}" if self.over else quantity

    @property
    def anytime(self) -> bool:
        """It has points of its own, whatever part of the time is looked at."""
        return True

    @property
    def why_soft(self) -> str:
        """Why it is never exact."""
        return "a measurements condition is always soft"

    def prescribed(self, setting: Setting, count: int, like: Tensor) -> tuple[Tensor, Tensor] | None:
        """Points (n, d) and what an output is there, (n,), where the output itself was measured."""
        return (self.points.to(like), self.values.to(like)) if self.plain else None

    def place(self, domain: Domain) -> str:
        """Where it holds, in words."""
        return "at given points"

    def check(self, domain: Domain) -> None:
        """Refuse points that do not lie in the domain's bounding box."""
        if self.points.shape[1] != domain.dimension:
            raise InputError(
                f"condition {self.name!r}: points have {self.points.shape[1]} columns, the domain has the axes "
                f"{', '.join(domain.axes)}"
            )
        for axis in self.over:
            if axis not in domain.axes:
                raise unknown(f"axis of condition {self.name!r}:", axis, domain.axes)
        if self.derivative and self.derivative not in POWERS and parse_name(self.derivative, domain.axes) is None:
            raise InputError(
                f"condition {self.name!r}: {self.derivative!r} is no sequence of the axes {', '.join(domain.axes)}"
            )
        bounds = torch.tensor(list(domain.bounds.values()), dtype=torch.float64)
        outside = ((self.points < bounds[:, 0]) | (self.points > bounds[:, 1])).any(dim=1)
        if outside.any():
            first = self.points[outside][0].tolist()
            raise InputError(f"condition {self.name!r}: {int(outside.sum())} points lie outside {domain!r}, as {first}")

    def sample(self, domain: Domain, count: int, sampler: Sampler, seed: int) -> Points:
        """The given points and values; `count`, `sampler` and `seed` are not needed."""
        return Points(self.points, values=self.values)

    def residual(self, sweep: Derivatives, problem: Setting) -> Tensor:
        """What is measured - values at the points of a sweep, (n,)."""
        assert sweep.points.values is not None
        view = View(sweep)
        if not self.over:
            return self._quantity(view) - sweep.points.values

        def inside() -> Tensor:
            nodes = scene()
            assert nodes is not None  # it is called by the integral
            return self._quantity(nodes.view)

        here = Scene(view, problem.domain, {})
        return integrated(inside, self.over, None, here, f"condition {self.name!r}") - sweep.points.values

    def _quantity(self, view: View) -> Tensor:
        u = view.fields()[str(self.of)]
        found: Tensor = getattr(u, self.derivative or "value")
        return found

    def data(self, points: Points, axes: Sequence[str]) -> Tensor:
        """Points and values, (n (d + 1),)."""
        return torch.cat([self.points.reshape(-1), self.values])


def measurements(
    points: ArrayLike,
    values: ArrayLike,
    *,
    of: str | None = None,
    name: str = "",
    over: str | Sequence[str] = (),
    trim: float = 0.0,
    batch: int | None = None,
    noise: float | None = None,
) -> Measurements:
    """u = values at points: (n, d), columns in the order of the axes, and (n,).

    Args:
        points: where was measured.
        values: what was measured.
        of: the output, when there are several, or a derivative of one, as "u.x", "u.xt" or "u.laplacian".
        name: the name of the loss term; "measurements" if not given.
        over: axes over which it is integrated; the points' coordinates along these do not matter.
        trim: the share, in [0, 1), of the largest residuals that is left out of the loss: least trimmed squares,
            which outliers do not draw away (Rousseeuw 1984).
        batch: how many of the values, chosen afresh, each step sees; None for all.
        noise: the standard deviation of the values, in their units, where it is known: intervals and `weight: auto`
            otherwise find it.

    Raises:
        InputError: shapes that do not match, values that are not finite, a share that is none, a batch of none or
            all, or one beside `trim`, which has to see all residuals; noise that is not positive.
    """
    if np.iscomplexobj(values) or np.iscomplexobj(points):
        raise InputError(f"measurements: points and values must be real; {TWO_OUTPUTS}")
    at = np.array(points, dtype=np.float64)
    measured = np.array(values, dtype=np.float64)
    if at.ndim != 2 or measured.shape != at.shape[:1] or not len(at):
        raise InputError(f"measurements: expected points (n, d) and values (n,), got {at.shape} and {measured.shape}")
    if not (np.isfinite(at).all() and np.isfinite(measured).all()):
        raise InputError("measurements: points and values must be finite")
    if isinstance(trim, bool) or not isinstance(trim, Real) or not 0 <= trim < 1:
        raise InputError(f"measurements: trim is a share of at least 0 and below 1, got {trim!r}")
    if batch is not None and (type(batch) is not int or not 0 < batch < len(at)):
        raise InputError(f"measurements: batch is a number of values, fewer than all {len(at)}, got {batch!r}")
    if batch is not None and trim:
        raise InputError("measurements: trim leaves out the largest of all residuals, of which a batch shows some only")
    if noise is not None and (isinstance(noise, bool) or not isinstance(noise, Real) or not 0 < noise < math.inf):
        raise InputError(f"measurements: noise is a standard deviation, positive, got {noise!r}")
    kept, held = (at, measured), (at[:0], measured[:0])
    tensors = (torch.from_numpy(array) for array in (*kept, *held))
    output, _, derivative = (of or "").partition(".")
    axes = (over,) if isinstance(over, str) else tuple(over)
    return Measurements(
        "measurements",
        *tensors,
        output or None,
        name,
        float(trim),
        batch,
        derivative=derivative,
        over=axes,
        noise=None if noise is None else float(noise),
    )
