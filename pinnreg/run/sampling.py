"""A solution as plain arrays: on the grid of its report, on another, or at points, with derivatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pinnreg import memory
from pinnreg.equations import Problem, Trial
from pinnreg.errors import InputError, unknown
from pinnreg.exports import Sampled, name_of_derivative
from pinnreg.reference.reading import read_columns
from pinnreg.report import Report, grid_axes, grid_points, inside_of, middle_of, spread
from pinnreg.run.provenance import package_version

Array = NDArray[np.float64]

AT_A_POINT = 20
"""Numbers that a point takes beside its fields."""


class Solution(Protocol):
    """What is asked of a solution here."""

    @property
    def problem(self) -> Problem: ...

    @property
    def trial(self) -> Trial: ...

    @property
    def report(self) -> Report | None: ...

    @property
    def folder(self) -> Path | None: ...

    @property
    def unknown(self) -> Mapping[str, float]: ...

    def __call__(self, points: ArrayLike) -> Array: ...

    def derivative(self, points: ArrayLike, name: str) -> Array: ...

    def on_grid(self, axes: Mapping[str, Array]) -> dict[str, Array]: ...


def on_grid(
    solution: Solution,
    axes: Mapping[str, ArrayLike] | Sequence[int] | None = None,
    derivatives: Iterable[str] = (),
    units: Mapping[str, str] | None = None,
) -> Sampled:
    """The solution on a tensor grid.

    Args:
        solution: any.
        axes: coordinates by axis, or points along each axis (one number for all); None for the grid of the report,
            with what it knows of reference and errors, or of a solution without one the default grid.
        derivatives: names such as "x" or "xt", of every output.
        units: of axes and outputs, by name.

    Raises:
        InputError: axes or derivatives that the problem does not have, or a grid that does not fit into memory.
    """
    wanted, report, domain = list(derivatives), solution.report, solution.problem.domain
    own = axes is None and report is not None
    if own:
        assert report is not None
        grid = dict(report.axes)
    elif isinstance(axes, Mapping):
        grid = _checked(axes, solution)
    else:
        grid = grid_axes(domain, None if axes is None else list(axes))
    sizes = [axis.size for axis in grid.values()]
    _check(int(np.prod(sizes)), solution, wanted, " x ".join(map(str, sizes)))
    fields = dict(report.fields) if own and report is not None else solution.on_grid(grid)
    fixed = middle_of(domain, grid)
    points, inside = grid_points(grid, solution.trial.axes, fixed), inside_of(domain, grid)
    at = points if inside is None else points[inside.reshape(-1)]
    for name, values in _derivatives(solution, at, wanted).items():
        fields[name] = values.reshape(tuple(sizes)) if inside is None else spread(values, inside)
    return _sampled(solution, grid, fields, units, is_grid=True)


def at_points(
    solution: Solution,
    points: ArrayLike,
    derivatives: Iterable[str] = (),
    units: Mapping[str, str] | None = None,
) -> Sampled:
    """The solution at points (n, d); NaN at those outside of the domain. Arguments and raises as `on_grid`."""
    given, wanted = np.asarray(points, dtype=np.float64), list(derivatives)
    _check(len(given), solution, wanted, f"{len(given)} points")
    inside = solution.problem.domain.contains(torch.from_numpy(given)).numpy()
    known = dict(zip(solution.trial.outputs, solution(given[inside]).T, strict=True))
    known |= _derivatives(solution, given[inside], wanted)
    fields = {name: spread(values, inside) for name, values in known.items()}
    axes = dict(zip(solution.trial.axes, given.T, strict=True))
    return _sampled(solution, axes, fields, units, is_grid=False)


def scattered(solution: Solution, count: int, seed: int = 0) -> Array:
    """Points inside of the domain, (count, d), uniform in measure."""
    found: Array = solution.problem.domain.sample(count, "sobol", seed).numpy()
    return found


def read_points(solution: Solution, path: str | Path) -> Array:
    """Points from a CSV file whose first line names the axes in any order, or arrays of these names, (n, d).

    Raises:
        InputError: no such file, no such column, or a value that is no number.
    """
    found = read_columns(Path(path), solution.trial.axes, what="point")
    return np.stack([found[axis] for axis in solution.trial.axes], axis=1)


def _checked(axes: Mapping[str, ArrayLike], solution: Solution) -> dict[str, Array]:
    for name in axes:
        if name not in solution.trial.axes:
            raise unknown("axis:", name, solution.trial.axes)
    return {
        name: np.atleast_1d(np.asarray(axes[name], dtype=np.float64)) for name in solution.trial.axes if name in axes
    }


def _check(count: int, solution: Solution, derivatives: Sequence[str], what: str) -> None:
    dimension, outputs = len(solution.trial.axes), len(solution.trial.outputs)
    numbers = count * (dimension + outputs * (1 + len(derivatives)) + AT_A_POINT)
    memory.check({what: memory.NUMBER * numbers}, "take fewer points")


def _derivatives(solution: Solution, points: Array, names: Sequence[str]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for name in names:
        if not name:
            raise InputError("derivative '': expected a sequence of axes, such as x or xt")
        values = solution.derivative(points, name).T
        found |= {name_of_derivative(o, name): each for o, each in zip(solution.trial.outputs, values, strict=True)}
    return found


def _sampled(
    solution: Solution,
    axes: Mapping[str, Array],
    fields: Mapping[str, Array],
    units: Mapping[str, str] | None,
    *,
    is_grid: bool,
) -> Sampled:
    problem = solution.problem
    for name in units or {}:
        if name not in (*problem.domain.axes, *problem.outputs):
            raise unknown("axis or output:", name, (*problem.domain.axes, *problem.outputs))
    space = tuple(name for name in axes if name in problem.space_axes)
    fixed = middle_of(problem.domain, axes) if is_grid else {}
    return Sampled(axes, fields, space, is_grid, fixed, dict(units or {}), about(solution))


def about(solution: Solution) -> dict[str, Any]:
    """Where it comes from."""
    facts = {} if solution.report is None else solution.report.facts
    kept = ("problem", "converged", "stop_reason", "steps", "dtype", "regularisers")
    known = {name: facts[name] for name in kept if name in facts}
    errors = {} if solution.report is None else solution.report.errors
    known |= {f"relative_l2_error_of_{name}": each.rel_l2 for name, each in errors.items()}
    return {**known, **{f"unknown_{name}": value for name, value in solution.unknown.items()}, **_provenance(solution)}


def _provenance(solution: Solution) -> dict[str, Any]:
    found: dict[str, Any] = {"title": str(type(solution.problem).__name__), "source": f"pinnreg {package_version()}"}
    return {**found, "run": str(solution.folder)} if solution.folder is not None else found
