"""Where the figures of a run look besides its grid: slices at round times, planes through space, residuals."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg import plots
from pinnreg.config import FigureSettings
from pinnreg.domain import Box, Domain
from pinnreg.equations import Problem
from pinnreg.errors import InputError, user_code
from pinnreg.reference import Reference
from pinnreg.report import Report, View, grid_points, solved_inside, spread
from pinnreg.report.grid import CHUNK, MOST_AXES
from pinnreg.run.prepare import Prepared
from pinnreg.run.solution import Solution

logger = logging.getLogger("pinnreg")

Array = NDArray[np.float64]

ON_A_LINE, ON_A_SIDE, FEWEST = 256, 121, 31
"""Points of a slice, along the longer side of a plane, and along the shorter one at least."""
SLICES, SNAPSHOTS = (0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.5, 1.0)
"""Fractions of the span of time at which there are slices, and maps."""
INTERPOLATED = ("_estimate", "_band")
"""Fields that are smooth, and known on the grid only."""


@final
@dataclass(frozen=True)
class Cut:
    """Parallel parts of a domain: some axes are free, the others fixed, and time has several values, if it is fixed."""

    free: tuple[str, ...]
    fixed: Mapping[str, float]
    times: tuple[float, ...] = ()

    def axes(self, domain: Domain) -> dict[str, Array]:
        """The tensor grid of all axes, those of one value among them."""
        longest = max(upper - lower for name, (lower, upper) in domain.bounds.items() if name in self.free)
        found = {}
        for name, (lower, upper) in domain.bounds.items():
            side = max(round(ON_A_SIDE * (upper - lower) / longest), FEWEST)
            count = ON_A_LINE if len(self.free) == 1 else side
            fixed = self.times if name == "t" and self.times else [self.fixed.get(name, math.nan)]
            found[name] = np.linspace(lower, upper, count) if name in self.free else np.asarray(fixed)
        return found


def cuts_of(problem: Problem, figures: FigureSettings) -> list[Cut]:
    """Where a figure looks besides the grid: nowhere where that has one axis, or two of space, or parameters.

    Of one axis and time there are slices; of two and time maps at times; of three planes through the middle, or where
    they are asked for, at the end of time or at the times that are asked for. Of more than three the first two that
    are not cut are seen, and the others are in the middle; beyond four axes only where it is asked for.
    """
    domain = problem.domain
    space = [name for name in domain.axes if name != "t"]
    timed = "t" in domain.axes
    if problem.parameters or len(space) < (1 if timed else 3):
        return []
    if len(space) < 3:
        return [Cut(tuple(space), {}, figures.times or round_times(domain.bounds["t"], _fractions(space)))]
    if domain.dimension > MOST_AXES and figures.times is None and not figures.planes:
        return []
    times = (figures.times or (domain.bounds["t"][1],)) if timed else ()
    return [_plane(domain, space, each, times) for each in _planes(domain, space, figures)]


def _fractions(space: list[str]) -> tuple[float, ...]:
    return SLICES if len(space) == 1 else SNAPSHOTS


def _planes(domain: Domain, space: list[str], figures: FigureSettings) -> Iterator[dict[str, float]]:
    """The coordinates by which planes are said: of one axis each, of three; none of more, unless it is asked for."""
    if figures.planes:
        yield from ({name: value} for name, values in figures.planes.items() for value in values)
    elif len(space) == 3:
        yield from ({name: sum(domain.bounds[name]) / 2} for name in reversed(space))
    else:
        yield {}


def _plane(domain: Domain, space: list[str], at: Mapping[str, float], times: tuple[float, ...]) -> Cut:
    free = tuple(name for name in space if name not in at)[:2]
    return Cut(free, {name: at.get(name, sum(domain.bounds[name]) / 2) for name in space if name not in free}, times)


def round_times(bounds: tuple[float, float], fractions: tuple[float, ...]) -> tuple[float, ...]:
    """Fractions of a span of time, all but its ends as round as a hundredth of it allows."""
    lower, upper = bounds
    digits = 2 - math.floor(math.log10(upper - lower))
    inner = [round(lower + each * (upper - lower), digits) for each in fractions if 0 < each < 1]
    return tuple(dict.fromkeys([lower, *inner, upper]))


def viewed(solution: Solution, prepared: Prepared, figures: FigureSettings) -> Solution:
    """The solution whose report has what its figures show besides the grid.

    Args:
        solution: with its report.
        prepared: its run.
        figures: what they show.
    """
    assert solution.report is not None
    report, wants_residual = solution.report, "residual" in figures.panels
    cuts, views = cuts_of(prepared.problem, figures), list[View]()
    on_grid = all(len(cut.free) < 2 for cut in cuts)
    if on_grid and wants_residual and not any(name.startswith("residual") for name in report.fields):
        views.append(View(report.axes, {}, _named(solution.residual_on_grid(report.axes))))
    try:
        for cut in cuts:
            views += _views(solution, prepared, report, cut, residual=wants_residual)
    except (InputError, RuntimeError, NotImplementedError) as refused:
        # of a reference that knows the values of its own grid only; no figure must cost a trained network
        logger.warning("figures show the nearest points of the grid: %s", refused)
        views = [view for view in views if not view.fixed]
    return solution.with_report(replace(report, views=tuple(views)))


def _views(solution: Solution, prepared: Prepared, report: Report, cut: Cut, *, residual: bool) -> list[View]:
    domain, axes = prepared.problem.domain, cut.axes(prepared.problem.domain)
    points = grid_points(axes)
    shape = tuple(len(axis) for axis in axes.values())
    inside = None if isinstance(domain, Box) else _contained(domain, points).reshape(shape)
    there = points if inside is None else points[inside.reshape(-1)]

    def back(values: Array) -> Array:
        return values.reshape(shape) if inside is None else spread(values, inside)

    fields = {name: back(each) for name, each in zip(solution.trial.outputs, solution(there).T, strict=True)}
    known = {} if prepared.reference is None else _reference_on(prepared.reference, prepared.problem, axes, inside)
    for name, values in known.items():
        if name in report.errors:
            fields |= {f"{name}_reference": values, f"{name}_error": fields[name] - values}
    fields |= {name: back(each) for name, each in _interpolated(report, domain, there).items()}
    if residual or any(name.startswith("residual") for name in report.fields):
        fields |= {name: back(each) for name, each in _named(solution.residual(there)).items()}
    return list(_apart(fields, domain, axes, cut))


def _apart(fields: Mapping[str, Array], domain: Domain, axes: Mapping[str, Array], cut: Cut) -> Iterator[View]:
    """One view for each time."""
    free = {name: axes[name] for name in cut.free}
    shape = tuple(len(axis) for axis in free.values())
    for number, time in enumerate(cut.times or (None,)):
        fixed = {**cut.fixed, **({} if time is None else {"t": time})}
        values = {name: each.reshape(*shape, -1)[..., number] for name, each in fields.items()}
        yield View(free, fixed, values, plots.outline_of(domain, free, fixed) if len(free) == 2 else {})


def _contained(domain: Domain, points: Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = torch.cat(
        [domain.contains(each) for each in torch.from_numpy(points).split(CHUNK)]
    ).numpy()
    return found


def _reference_on(
    reference: Reference, problem: Problem, axes: Mapping[str, Array], inside: NDArray[np.bool_] | None
) -> dict[str, Array]:
    """The reference on the tensor grid of all axes; beyond four it is asked at points."""
    with user_code(f"reference of {type(problem).__name__}"):
        if len(axes) <= MOST_AXES:
            return solved_inside(reference, axes, inside).values
        shape = tuple(len(axis) for axis in axes.values())
        points = dict(zip(axes, grid_points(axes).T, strict=True))
        values = reference.at(points) if reference.scattered else reference.solve(axes).values
        return {
            name: np.where(True if inside is None else inside, each.reshape(shape), np.nan)
            for name, each in values.items()
        }


def _interpolated(report: Report, domain: Domain, points: Array) -> dict[str, Array]:
    """Fields that are known on the grid only, at points (n, d): linearly, as the nearest where some lie outside."""
    from scipy.interpolate import RegularGridInterpolator  # noqa: PLC0415

    found: dict[str, Array] = {}
    if set(report.axes) != set(domain.axes):
        return found
    grid = tuple(report.axes.values())
    for name, values in report.fields.items():
        if name.endswith(INTERPOLATED):
            linear = RegularGridInterpolator(grid, values)(points)
            nearest = RegularGridInterpolator(grid, values, method="nearest")(points)
            found[name] = np.where(np.isfinite(linear), linear, nearest)
    return found


def _named(residuals: Mapping[str, Array]) -> dict[str, Array]:
    """Residuals as a report calls them."""
    single = len(residuals) == 1
    return {"residual" if single else f"residual_{name}": np.abs(values) for name, values in residuals.items()}
