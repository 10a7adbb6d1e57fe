"""Stochastic k-th order total variation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.regularisers.axes import Axes, named_axes
from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, Count, Positive, Weight, no_boolean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pinnreg.domain import Domain
    from pinnreg.equations import Problem, Sweep, Trial
    from pinnreg.taylor import MultiIndex


@final
@dataclass(frozen=True, config=STRICT)
class KTV:
    """Stochastic k-th order total variation: weight · Σ_j ∫_Ω |∂ᵏu/∂x_jᵏ|^q dx, summed over outputs.

    The integral is estimated at `samples` points z uniform on Ω, drawn afresh: vol(Ω)/M Σ_m Σ_j |∂_jᵏ u(z_m)|^q, which
    is unbiased in value and gradient for every M. The volume of Ω is included and there is no factor 1/2.

    The sum over pure derivatives depends on the choice of axes. With `mixed: full` it is Σ_{|α|=k} k!/α! |D^α u|², the
    squared norm of the tensor of all k-th derivatives, which a rotation of the coordinates does not change.

    Attributes:
        order: k, 1 to 5.
        power: q, 1 or 2.
        weight: the factor, at least 0, or "auto": found while Gauss-Newton trains; the residual's scale is that of the
            PDE as written.
        samples: M, the number of points.
        axes: the coordinates j: "all" (but parameters), "space" (without t, too), or a list of names.
        mixed: "pure" derivatives ∂_jᵏ only, or the "full" tensor over these axes; full needs q = 2.
        schedule: constant, or annealed to zero (linear, cosine, exponential) over all planned steps, or the seconds or
            sweeps where a stage is limited by them. In a quasi-Newton stage the weight changes at redraws only.
            Gauss-Newton and SSBroyden do not stop by themselves before the weight is annealed; L-BFGS may, and leaves
            it where it was.
        smoothing: ε of √(s² + ε²), which replaces |s| for q = 1 in quasi-Newton stages (1e-3 if not given).

    Source: Okuno 2023, arXiv:2308.02293.
    """

    kind: Literal["ktv"] = "ktv"
    order: Annotated[Count, Field(le=5)] = 2
    power: Annotated[Literal[1, 2], BeforeValidator(no_boolean)] = 2
    weight: Weight = 1e-6
    samples: Count = 256
    axes: Axes = "all"
    mixed: Literal["pure", "full"] = "pure"
    schedule: Schedule = "constant"
    smoothing: Positive | None = None

    role: ClassVar[Literal["points"]] = "points"
    vanishes: ClassVar[bool] = False
    integral: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    @model_validator(mode="after")
    def _smoothing_needs_power_one(self) -> KTV:
        if self.smoothing is not None and self.power == 2:
            raise ValueError("smoothing acts on power 1 only; with power 2 it has no effect")
        return self

    @model_validator(mode="after")
    def _full_needs_power_two(self) -> KTV:
        if self.mixed == "full" and self.power == 1:
            raise ValueError("mixed: full is the squared norm of the tensor of derivatives; it needs power: 2")
        return self

    def indices(self, domain: Domain, parameters: Sequence[str] = ()) -> dict[MultiIndex, int]:
        """The multi-indices α of the derivatives that are penalised, with their factors: k!/α!, or 1 for pure ones."""
        directions = named_axes(self.axes, self.kind, domain, parameters)
        choices = (
            itertools.combinations_with_replacement(directions, self.order)
            if self.mixed == "full"
            else ((axis,) * self.order for axis in directions)
        )
        indices = [tuple(axes.count(axis) for axis in domain.axes) for axes in choices]
        return {index: math.factorial(self.order) // math.prod(map(math.factorial, index)) for index in indices}

    def check(self, problem: Problem, trial: Trial) -> None:
        """Refuse a problem that lacks the axes."""
        self.indices(problem.domain, trial.parameters)

    def draw(self, points: int, outputs: int, draws: torch.Generator, like: Tensor) -> None:
        """Nothing."""

    def rows(self, problem: Problem, sweep: Sweep) -> Sequence[Tensor]:
        """One row a derivative and output."""
        return [
            math.sqrt(factor) * values
            for index, factor in self.indices(problem.domain, sweep.trial.parameters).items()
            for values in sweep(index).unbind(dim=1)
        ]
