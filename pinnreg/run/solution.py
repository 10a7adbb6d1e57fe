"""`Solution`: a trained network as a function of points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from pinnreg import plots
from pinnreg.differentiation import parse_name
from pinnreg.equations import Points, Problem, Sweep, Trial, evaluate_residual, with_values
from pinnreg.errors import InputError, unknown
from pinnreg.estimates import Estimate, by_defect
from pinnreg.exports import to_xarray
from pinnreg.networks import bound
from pinnreg.objective import Objective
from pinnreg.report.calibration import Calibrated, calibrated
from pinnreg.report.compare import Report
from pinnreg.report.fixed import Fixed, fixed
from pinnreg.report.grid import grid_points, inside_of, middle_of, spread
from pinnreg.run.pictured import drawn, in_notebook, said
from pinnreg.run.program import save_program
from pinnreg.run.sampling import on_grid
from pinnreg.taylor import MultiIndex, Operator

if TYPE_CHECKING:
    import xarray

    from pinnreg.plots.style import Axes, Figure

CHUNK = 8192

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Solution:
    """A trained network with its problem, its history, and its report.

    Attributes:
        problem: what was solved.
        trial: how the network becomes the solution.
        network: its architecture.
        parameters: its trained parameters by name.
        unknown: the coefficients that were trained with it.
        trained: what was minimised, and all parameters; None for a solution of another origin.
        history: the columns of `history.csv` as arrays.
        report: errors against the reference; None while not compared.
        folder: the run's folder; None if nothing was written.
    """

    problem: Problem
    trial: Trial
    network: nn.Module
    parameters: Mapping[str, Tensor]
    history: Mapping[str, Array]
    report: Report | None = None
    folder: Path | None = None
    unknown: Mapping[str, float] = field(default_factory=dict)
    trained: tuple[Objective, Mapping[str, Tensor]] | None = field(default=None, repr=False)

    def __call__(self, points: ArrayLike) -> Array:
        """The outputs at points (n, d), columns in the order of the axes: (n, outputs)."""
        return self._derivative(points, (0,) * len(self.trial.axes))

    def derivative(self, points: ArrayLike, name: str) -> Array:
        """A partial derivative such as "xx" or "xt" of every output at points (n, d): (n, outputs).

        Raises:
            InputError: a name that is no sequence of axes.
        """
        index = parse_name(name, self.trial.axes)
        if index is None:
            raise InputError(f"derivative {name!r}: expected a sequence of the axes {', '.join(self.trial.axes)}")
        return self._derivative(points, index)

    def on_grid(self, axes: Mapping[str, Array], fixed: Mapping[str, float] | None = None) -> dict[str, Array]:
        """The outputs by name on a tensor grid, each of the grid's shape.

        Axes that are not given are at `fixed`, or else at their middle, and time at its end. Outside of the domain they
        are NaN.
        """
        return self._on_grid(axes, lambda points: dict(zip(self.trial.outputs, self(points).T, strict=True)), fixed)

    def residual(self, points: ArrayLike) -> dict[str, Array]:
        """The residual of each equation at points (n, d), each (n,), by the names of the loss terms."""
        with torch.no_grad():
            pieces = [self.equations(Points(piece)) for piece in self._tensor(points).split(CHUNK)]
        return {name: _numpy(torch.cat([piece[name] for piece in pieces])) for name in pieces[0]}

    def residual_on_grid(self, axes: Mapping[str, Array]) -> dict[str, Array]:
        """The residual of each equation on a tensor grid, by the names of the loss terms; NaN outside of the domain."""
        return self._on_grid(axes, self.residual)

    def sweep(self, points: Points, wanted: Iterable[Operator] = ()) -> Sweep:
        """The derivatives at points, `wanted` ones at once and others as they are asked for."""
        return Sweep(self.trial, bound(self.network, self.parameters), points, wanted)

    def equations(self, points: Points) -> dict[str, Tensor]:
        """The residual of each equation at points, each (n,), differentiable by the parameters."""
        return evaluate_residual(with_values(self.problem, self.unknown), self.sweep(points))

    def estimate(self, *, seed: int = 0, most: int | None = None) -> Estimate | None:
        """How far it is from the solution, by the linearised defect; asks no reference.

        Args:
            seed: of its points and functions.
            most: coefficients of its finest resolution at most; None for 1080.

        Returns:
            The estimate, `estimate.at(points)` and `estimate.errors(points)`; None for a regression.

        Raises:
            InputError: a solution that is not the outcome of a run.
        """
        if self.trained is None:
            raise InputError("estimate: it needs what was minimised, which solutions of `solve` and `load` have")
        objective, parameters = self.trained
        return by_defect(objective, parameters, seed=seed, **({} if most is None else {"most": most}))

    def at(self, **values: float) -> Fixed:
        """The solution at values of some axes, as of parameters: `solution.at(alpha=0.3)` is one of the rest.

        Raises:
            InputError: no such axis, a value outside of the domain, or none that is left.
        """
        return fixed(self, self.trial.axes, self.problem.domain.bounds, values)

    def calibrate(self, points: ArrayLike, values: ArrayLike, *, of: str | None = None) -> dict[str, Calibrated]:
        """The parameters of the problem, axes that are no space, at which it is nearest to measurements.

        Args:
            points: where was measured, (n, d), columns in the order of the axes that are no parameters.
            values: what was measured, (n,).
            of: the output; the only one if not given.

        Raises:
            InputError: a problem without parameters, shapes that do not fit, too few values, or no such output.
        """
        outputs = self.trial.outputs
        name = outputs[0] if of is None and len(outputs) == 1 else of
        if name not in outputs:
            raise unknown("output:", str(name), outputs)
        bounds = self.problem.domain.bounds
        return calibrated(
            self, self.trial.axes, self.problem.parameters, bounds, outputs.index(str(name)), points, values
        )

    def to_xarray(
        self,
        axes: Mapping[str, ArrayLike] | Sequence[int] | None = None,
        *,
        derivatives: Iterable[str] = (),
        units: Mapping[str, str] | None = None,
    ) -> xarray.Dataset:
        """Outputs, reference, error and estimate as an `xarray.Dataset`, with what is known of them as attributes.

        Args:
            axes: coordinates by axis, or points along each (one number for all), where the outputs are evaluated; None
                for the grid of the report, with all that it knows.
            derivatives: names such as "x" or "xt", which give variables such as `u_x`.
            units: of axes and outputs, by name.

        Raises:
            InputError: xarray is not installed, or axes or derivatives that the problem does not have.
        """
        return to_xarray(on_grid(self, axes, derivatives, units))

    def save_network(self, path: str | Path) -> list[Path]:
        """Write all that `solution(points)` does as one program that PyTorch runs without pinnreg, and its weights.

        `torch.export.load(path).module()` is a function of points (n, d), columns in the order of the axes, for any n,
        in the precision of the run and differentiable by the points. It is a program of `torch.export`, as TorchScript
        is deprecated and a pickled module would need pinnreg and the problem's file. `<name>_weights.npz` has the
        network's parameters and buffers by name.

        Args:
            path: ends in `.pt2`. None that exists is replaced.

        Returns:
            The program and the weights.

        Raises:
            InputError: another suffix, a file that exists or cannot be written, or a function of the problem, or a
                network, that torch cannot follow.
        """
        return save_program(self, path)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        panel: Literal["all"] | plots.OnePanel = "all",
        output: str | None = None,
        time: float | None = None,
        plane: Mapping[str, float] | None = None,
    ) -> Figure:
        """Draw it beside its reference and its error, or one of these.

        On the grid of its report, of which the nearest values are taken; without a report, and on planes beside that
        grid, the solution alone.

        Args:
            ax: matplotlib's axes to draw one panel into; None for a figure of its own.
            panel: "solution", "reference", "error" or "estimate", the estimated error; "all" of them, in `ax` the
                solution.
            output: the only one to draw; all if not given.
            time: the only one to draw.
            plane: the coordinates of axes that are to have one value, as `{"z": 0.5}`.

        Returns:
            The figure, which belongs to no pyplot state, or that of `ax`.

        Raises:
            InputError: no such output, panel or axis, or a coordinate outside of the domain.
        """
        at = {**(plane or {}), **({} if time is None else {"t": time})}
        return drawn(self.problem, self.on_grid, self.report, ax, panel, output, at)

    def __repr__(self) -> str:
        """One line: what it is of, how wrong it is, and where it is kept."""
        return f"Solution({said(self.problem, self.report)}{'' if self.folder is None else f', {self.folder}'})"

    def _repr_html_(self) -> str:
        """The same in a notebook, with its figure and a table of errors."""
        return in_notebook(self.plot(), self.report, repr(self))

    def with_report(self, report: Report) -> Solution:
        """The same solution, compared."""
        return replace(self, report=report)

    def _on_grid(
        self,
        axes: Mapping[str, Array],
        values: Callable[[Array], dict[str, Array]],
        fixed: Mapping[str, float] | None = None,
    ) -> dict[str, Array]:
        domain = self.problem.domain
        points = grid_points(axes, self.trial.axes, {**middle_of(domain, axes), **(fixed or {})})
        inside = inside_of(domain, axes, fixed)
        if inside is None:
            shape = tuple(len(axis) for axis in axes.values())
            return {name: each.reshape(shape) for name, each in values(points).items()}
        return {name: spread(each, inside) for name, each in values(points[inside.reshape(-1)]).items()}

    def _derivative(self, points: ArrayLike, index: MultiIndex) -> Array:
        at = self._tensor(points)
        with torch.no_grad():
            pieces = [self.sweep(Points(piece), {index})(index) for piece in at.split(CHUNK)]
        return _numpy(torch.cat(pieces))

    def _tensor(self, points: ArrayLike) -> Tensor:
        if isinstance(points, Tensor):
            points = points.detach().cpu().numpy()
        try:
            array = np.asarray(points)
            if array.dtype.kind not in "iuf":
                raise TypeError(f"they are {array.dtype}")
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"points: expected real numbers in an array (n, d): {error}") from None
        if array.ndim != 2 or array.shape[1] != len(self.trial.axes):
            raise InputError(
                f"points: expected (n, {len(self.trial.axes)}), one column for each of the axes "
                f"{', '.join(self.trial.axes)}, got {array.shape}"
            )
        example = next(iter(self.parameters.values()))
        return torch.as_tensor(array, dtype=example.dtype, device=example.device)


def _numpy(values: Tensor) -> Array:
    array: Array = values.detach().cpu().numpy().astype(np.float64)
    return array
