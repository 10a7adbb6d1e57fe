"""Errors of a solution against a reference, and how far the reference itself can be trusted."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from pinnreg.errors import InputError, broken
from pinnreg.estimates import EstimatedErrors
from pinnreg.reference import Reference, Solved
from pinnreg.report.grid import Inside, grid_points, spread, taken
from pinnreg.report.views import View

logger = logging.getLogger("pinnreg")

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Errors:
    """Errors of one output on the evaluation grid; relative ones are NaN where the reference vanishes.

    Of a domain that is no box they are those at the points inside.

    Attributes:
        rel_l2: ‖u - v‖₂ / ‖v‖₂ over the grid points, v the reference.
        rel_l1: ‖u - v‖₁ / ‖v‖₁.
        max_abs: the largest |u - v|.
        rmse: the root of the mean of (u - v)².
        standard_error: of rel_l2, where it is taken at scattered points; None on a grid.
    """

    rel_l2: float
    rel_l1: float
    max_abs: float
    rmse: float
    standard_error: float | None = None

    @property
    def of_zero(self) -> bool:
        """Whether the reference is zero, and no error is relative to it."""
        return math.isnan(self.rel_l2) and math.isfinite(self.rmse)

    @property
    def main(self) -> float:
        """The one that stands for all: the relative L2 error, or the RMSE where the reference is zero."""
        return self.rmse if self.of_zero else self.rel_l2


@final
@dataclass(frozen=True)
class ReferenceReport:
    """What the solution was compared with.

    Attributes:
        kind: how the reference was made.
        error_estimate: its own relative L2 error on the grid, from two resolutions; None if unknown.
        errors: the solution's errors against it, by output.
        scipy: the same for an independent SciPy solve, if there is one.
    """

    kind: str
    error_estimate: float | None
    errors: dict[str, Errors]
    scipy: ReferenceReport | None


@final
@dataclass(frozen=True)
class Validation:
    """How well measurements that were held out of training are predicted.

    Attributes:
        count: how many there are.
        rmse: the root of the mean of (u - value)², in the unit of the values.
    """

    count: int
    rmse: float


@final
@dataclass(frozen=True)
class Report:
    """A solution on the evaluation grid, and its errors.

    Attributes:
        axes: coordinates along each axis.
        fields: for each output `u` the arrays `u`, `u_reference` and `u_error`, only the first where the reference has
            no values of it; without any reference `u` and `residual`; with an estimate of the error `u_estimate`, and
            with measurements the standard error `u_band`. They are NaN outside of the domain.
        reference: what it was compared with; None if with nothing.
        validation: by loss term, for measurements of which a share was held out.
        measurements: by loss term, what the network was fitted to besides: the coordinates by axis, the values by
            output, and `held_out`, 1 where a value was not trained on, each (n,).
        outline: of a domain that is no box, to draw: see `plots.outline_of`.
        estimates: of the errors, by output.
        views: parts of the domain that figures show besides, finer than the grid, or between its points.
        facts: of the run: `problem`, with its parameters, `axes`, and once training has ended `steps`, `stop_reason`
            and whatever else `report.json` holds.
    """

    axes: Mapping[str, Array]
    fields: Mapping[str, Array]
    reference: ReferenceReport | None
    validation: Mapping[str, Validation] = field(default_factory=dict)
    measurements: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    outline: Mapping[str, Array] = field(default_factory=dict)
    estimates: Mapping[str, EstimatedErrors] = field(default_factory=dict)
    views: Sequence[View] = ()

    @property
    def errors(self) -> dict[str, Errors]:
        """Errors by output, as far as the reference has values; empty without one."""
        return {} if self.reference is None else self.reference.errors

    @property
    def converged(self) -> bool | None:
        """Whether the run has, judged without the reference; None where that is not known: `convergence` says why."""
        found: bool | None = self.facts.get("converged")
        return found

    @property
    def convergence(self) -> str:
        """What that is judged by, in words; "" of a solution that was not trained just now."""
        return str(self.facts.get("convergence", ""))

    @property
    def stop_reason(self) -> str:
        """Why training ended; "" likewise."""
        return str(self.facts.get("stop_reason", ""))

    @property
    def seconds(self) -> float:
        """How long the run took in all; NaN likewise."""
        return float(self.facts.get("wall_seconds", math.nan))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a small loss hides, each with what would help."""
        return tuple(self.facts.get("notes", ()))


def compare(
    predicted: Mapping[str, Array],
    axes: Mapping[str, Array],
    reference: Reference,
    solved: Solved,
    scattered: Mapping[str, tuple[Array, Array]] | None = None,
    inside: Inside = None,
) -> Report:
    """The errors of predicted values on a grid, or at scattered points.

    Args:
        predicted: by output, of the grid's shape.
        axes: the grid.
        reference: what to compare with.
        solved: its values on the grid, perhaps of some of the outputs only, which are computed once for the errors
            during training and for those after it.
        scattered: predicted values and the reference's by output, (n,), at the points where errors are to be taken;
            None for the grid.
        inside: which points of the grid lie in the domain; values at the others are NaN, and no errors.
    """
    fields: dict[str, Array] = {}
    for name, values in predicted.items():
        fields[name] = values
        if (known := solved.values.get(name)) is not None:
            fields |= {f"{name}_reference": known, f"{name}_error": values - known}
    scipy = None
    if scattered is not None:
        errors = {name: _scattered(*pair) for name, pair in scattered.items()}
        return Report(axes, fields, ReferenceReport(reference.kind, solved.error_estimate, errors, None))
    if reference.scipy is not None:
        try:
            found = solved_inside(reference.scipy, axes, inside)
            scipy = _against(predicted, reference.scipy.kind, found, None, inside)
        except (RuntimeError, InputError) as error:
            # a stiff problem may be beyond it; that must not cost a trained network
            logger.warning("the independent SciPy solve failed: %s", error)
    return Report(axes, fields, _against(predicted, reference.kind, solved, scipy, inside))


def solved_inside(
    reference: Reference,
    axes: Mapping[str, Array],
    inside: Inside,
    order: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> Solved:
    """A reference on a tensor grid, which is asked only at the points inside a domain; NaN elsewhere.

    Args:
        reference: what to ask; a formula only for what is inside, since outside it may have no value, others for the
            grid, of which they keep the values.
        axes: the grid.
        inside: which of its points lie in the domain.
        order: of all axes, where the grid is a plane of some of them, with the coordinates of the others in `fixed`.
        fixed: these.

    Raises:
        InputError: no finite value at a point inside.
    """
    whole = not fixed
    if inside is None and whole:
        return reference.solve(axes)
    within = np.ones(tuple(map(len, axes.values())), dtype=np.bool_) if inside is None else inside
    if whole and (reference.scattered is None or not reference.pointwise):
        found = reference.solve(axes)
        values = {name: np.where(within, each, np.nan) for name, each in found.values.items()}
    else:
        points = grid_points(axes, order, fixed)[within.reshape(-1)]
        at = dict(zip(order or axes, points.T, strict=True))
        found = reference.scattered(at) if reference.scattered else Solved(reference.at(at), None)
        values = {name: spread(each, within) for name, each in found.values.items()}
    for name, each in values.items():
        bad = within & ~np.isfinite(each)
        if bad.any():
            place = {axis: float(x[index]) for (axis, x), index in zip(axes.items(), np.argwhere(bad)[0], strict=True)}
            counted = broken(int(bad.sum()), int(within.sum()), {**(fixed or {}), **place})
            raise InputError(f"reference ({reference.kind}) of {name!r}: is {counted}, of the grid in the domain")
    return replace(found, values=values)


def without_reference(
    predicted: Mapping[str, Array], residuals: Mapping[str, Array], axes: Mapping[str, Array]
) -> Report:
    """A report without errors: predicted values and, instead of a comparison, |residual| by equation on the grid."""
    single = len(residuals) == 1
    shown = {"residual" if single else f"residual_{name}": np.abs(values) for name, values in residuals.items()}
    return Report(axes, {**predicted, **shown}, None)


def validate_on(predicted: Array, values: Array) -> Validation:
    """The error of predictions, (n,), of values that were held out, (n,)."""
    return Validation(len(values), _rmse(predicted - values))


def relative_l2(predicted: Array, reference: Array) -> float:
    """‖predicted - reference‖₂ / ‖reference‖₂; NaN where the reference vanishes."""
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging network is reported as such, not as a warning
        return _ratio(float(np.linalg.norm(predicted - reference)), float(np.linalg.norm(reference)))


def main_error(predicted: Array, reference: Array) -> float:
    """The relative L2 error, or the RMSE where the reference is zero."""
    return relative_l2(predicted, reference) if reference.any() else _rmse(predicted - reference)


def _against(
    predicted: Mapping[str, Array], kind: str, solved: Solved, scipy: ReferenceReport | None, inside: Inside
) -> ReferenceReport:
    known = solved.values
    errors = {
        name: errors_of(taken(values, inside), taken(known[name], inside))
        for name, values in predicted.items()
        if name in known
    }
    return ReferenceReport(kind, solved.error_estimate, errors, scipy)


def errors_of(predicted: Array, reference: Array) -> Errors:
    """The errors of predicted values against a reference, each (n,)."""
    difference = np.abs(predicted - reference)
    return Errors(
        rel_l2=relative_l2(predicted, reference),
        rel_l1=_ratio(float(difference.sum()), float(np.abs(reference).sum())),
        max_abs=float(difference.max()),
        rmse=_rmse(difference),
    )


def _scattered(predicted: Array, reference: Array) -> Errors:
    """Errors at scattered points, (n,), with the standard error of rel_l2 by the delta method."""
    squares, sizes = (predicted - reference) ** 2, reference**2
    found = errors_of(predicted, reference)
    if not squares.any() or not sizes.any():
        return found
    spread = float(np.std(squares / squares.mean() - sizes / sizes.mean()))
    return replace(found, standard_error=found.rel_l2 * spread / (2 * math.sqrt(len(squares))))


def _rmse(difference: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(np.mean(difference**2)))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
