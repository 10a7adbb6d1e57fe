"""The Jacobian penalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from pinnreg.errors import InputError, unknown
from pinnreg.regularisers.axes import Axes, named_axes
from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, Count, Weight, no_boolean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pinnreg.equations import Problem, Sweep, Trial
    from pinnreg.taylor import MultiIndex

Number = Annotated[float, BeforeValidator(no_boolean)]


@final
@dataclass(frozen=True, config=STRICT)
class Jacobian:
    """Jacobian penalty: weight · mean_i ‖J u(xᵢ) - G(xᵢ)‖²_F, J the matrix of the outputs' first derivatives.

    It is taken at the collocation points (the measured ones with `points: {interior: data}`), or at `samples` uniform
    ones drawn afresh. There is no factor 1/2 and no volume: for one output and G = 0 it is the density of the k-TV of
    order 1 and power 2.

    Attributes:
        weight: the factor, at least 0, or "auto": found while Gauss-Newton trains.
        samples: the number of points drawn at each step; null takes the collocation points.
        axes: the columns of J: "all" (but parameters), "space" (without t, too), or a list of names.
        projections: the norm is estimated by so many random unit vectors v in the space of the C outputs,
            C/projections Σ |vᵀ(J - G)|², which is unbiased; null computes it. Of use with many outputs only.
        centre: G: "zero"; "data", the Jacobian of the interpolation g of exact data in u = g + φN; or numbers by axis,
            the same for all outputs. In most PDEs J = 0 is wrong, and G = 0 calls for a small weight.
        schedule: as for `ktv`.

    Source: Kim & Yang 2023, arXiv:2312.03386; projections as in Hoffman, Roberts & Yaida 2019, arXiv:1908.02729.
    """

    kind: Literal["jacobian"] = "jacobian"
    weight: Weight = 1e-4
    samples: Count | None = None
    axes: Axes = "all"
    projections: Count | None = None
    centre: Literal["zero", "data"] | Annotated[dict[str, Number], Field(min_length=1)] = "zero"
    schedule: Schedule = "constant"

    role: ClassVar[Literal["points"]] = "points"
    vanishes: ClassVar[bool] = False
    power: ClassVar[Literal[2]] = 2
    integral: ClassVar[bool] = False
    smoothing: ClassVar[None] = None

    @property
    def stochastic(self) -> bool:
        """Whether there are projections."""
        return self.projections is not None

    def check(self, problem: Problem, trial: Trial) -> None:
        """Refuse what a problem lacks, and options that would do nothing.

        Raises:
            InputError: an axis that is not penalised, projections of one output, the data of a problem without any.
        """
        axes = named_axes(self.axes, self.kind, problem.domain, trial.parameters)
        if isinstance(self.centre, Mapping):
            for axis in self.centre:
                if axis not in axes:
                    raise unknown("axis in regularisers: jacobian: centre:", axis, axes)
        if self.centre == "data" and not trial.has_data():
            raise InputError("regularisers: jacobian: centre: data has no effect: no exact condition has data but zero")
        if self.projections is not None and len(trial.outputs) == 1:
            raise InputError("regularisers: jacobian: projections has no effect with one output; leave it out")

    def draw(self, points: int, outputs: int, draws: torch.Generator, like: Tensor) -> Tensor | None:
        """Random unit vectors, uniform on the sphere, (points, projections, outputs); None if none are wanted."""
        if self.projections is None:
            return None
        import torch  # noqa: PLC0415, since a config needs no torch

        shape = (points, self.projections, outputs)
        vectors = torch.randn(shape, generator=draws, device=like.device, dtype=like.dtype)
        return torch.nn.functional.normalize(vectors, dim=2)

    def rows(self, problem: Problem, sweep: Sweep) -> Sequence[Tensor]:
        """One row an output (or projection) and axis."""
        axes = named_axes(self.axes, self.kind, problem.domain, sweep.trial.parameters)
        indices = [tuple(int(axis == other) for other in sweep.trial.axes) for axis in axes]
        columns = [sweep(index) for index in indices]  # (n, outputs) by axis
        columns = [each - centre for each, centre in zip(columns, self._centres(sweep, axes, indices), strict=True)]
        if (vectors := sweep.points.values) is not None:
            import torch  # noqa: PLC0415

            scale = (len(sweep.trial.outputs) / vectors.shape[1]) ** 0.5
            columns = [scale * torch.einsum("npc,nc->np", vectors, each) for each in columns]
        return [values for each in columns for values in each.unbind(dim=1)]

    def _centres(self, sweep: Sweep, axes: Sequence[str], indices: Sequence[MultiIndex]) -> Sequence[Tensor | float]:
        if isinstance(self.centre, Mapping):
            return [self.centre.get(axis, 0.0) for axis in axes]
        return [0.0] * len(axes) if self.centre == "zero" else sweep.g(indices)
