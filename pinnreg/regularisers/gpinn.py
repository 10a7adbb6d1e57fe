"""The gradient of the residual as a penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from pinnreg.errors import InputError
from pinnreg.regularisers.axes import Axes, named_axes
from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, Count, Weight

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pinnreg.equations import Problem, Sweep, Trial


@final
@dataclass(frozen=True, config=STRICT)
class GPINN:
    """Gradient-enhanced PINN: weight · Σ_e mean_i |∇r_e(xᵢ)|², r_e the PDE's residuals, which vanish with ∇r_e.

    It is taken at the collocation points, or at `samples` uniform ones drawn afresh. The exact solution makes it zero:
    unlike a penalty on u it does not bias a well-posed problem.

    Attributes:
        weight: the factor, at least 0, or "auto": found while Gauss-Newton trains.
        samples: the number of points drawn at each step; null takes the collocation points.
        axes: the components of the gradient: "all" (but parameters), "space" (without t, too), or a list of names.
        schedule: as for `ktv`.

    Source: Yu, Lu, Meng & Karniadakis 2022, arXiv:2111.02801.
    """

    kind: Literal["gpinn"] = "gpinn"
    weight: Weight = 1e-3
    samples: Count | None = None
    axes: Axes = "all"
    schedule: Schedule = "constant"

    role: ClassVar[Literal["points"]] = "points"
    vanishes: ClassVar[bool] = True
    power: ClassVar[Literal[2]] = 2
    integral: ClassVar[bool] = False
    smoothing: ClassVar[None] = None
    stochastic: ClassVar[bool] = False

    def check(self, problem: Problem, trial: Trial) -> None:
        """Refuse a problem that lacks the axes, or has no equation."""
        named_axes(self.axes, self.kind, problem.domain, trial.parameters)
        if not problem.has_residual:
            raise InputError("regularisers: gpinn penalises the gradient of the residual, and the problem has none")

    def draw(self, points: int, outputs: int, draws: torch.Generator, like: Tensor) -> None:
        """Nothing."""

    def rows(self, problem: Problem, sweep: Sweep) -> Sequence[Tensor]:
        """One row an equation and axis."""
        from pinnreg.equations import residual_gradient  # noqa: PLC0415, since a config needs no torch

        gradients = residual_gradient(
            problem, sweep, named_axes(self.axes, self.kind, problem.domain, sweep.trial.parameters)
        )
        return [values for by_axis in gradients.values() for values in by_axis.values()]
