"""A part of a report: where some of its axes have one value, or of some of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pinnreg.equations.problem import SUFFIXES
from pinnreg.report.compare import Errors, ReferenceReport, Report, errors_of
from pinnreg.report.grid import taken

Array = NDArray[np.float64]


def cut(report: Report, at: Mapping[str, float]) -> Report:
    """A report where axes of its grid have the values nearest to given ones, with the errors there.

    Measurements, the outline and estimated sizes, which are of the whole, are left out.

    Args:
        report: of the whole grid.
        at: coordinates by axis; at least one axis is left.
    """
    places = {name: int(np.abs(report.axes[name] - value).argmin()) for name, value in at.items()}
    index = tuple(places.get(name, slice(None)) for name in report.axes)
    axes = {name: axis for name, axis in report.axes.items() if name not in at}
    fields = {name: values[index] for name, values in report.fields.items()}
    plane = {**report.facts.get("plane", {}), **{name: float(report.axes[name][i]) for name, i in places.items()}}
    facts = {**report.facts, "axes": list(axes), "plane": plane}
    facts["parameter_axes"] = [name for name in report.facts.get("parameter_axes", ()) if name in axes]
    known = report.reference
    found = {name: _errors(fields[name], fields[f"{name}_reference"]) for name in report.errors}
    reference = known and ReferenceReport(known.kind, known.error_estimate, found, None)
    return Report(axes, fields, reference, facts=facts)


def of_output(report: Report, output: str) -> Report:
    """The report of one output; residuals stay where it has nothing else that says how wrong it is."""
    own = {output, *(output + suffix for suffix in SUFFIXES)}
    alone = not own & (report.fields.keys() - {output})
    fields = {
        name: values for name, values in report.fields.items() if name in own or (alone and name.startswith("residual"))
    }
    known = report.reference
    reference = known and replace(known, errors={name: each for name, each in known.errors.items() if name == output})
    estimates = {name: each for name, each in report.estimates.items() if name == output}
    views = [
        replace(view, fields={key: each for key, each in view.fields.items() if key in fields}) for view in report.views
    ]
    return replace(report, fields=fields, reference=reference, estimates=estimates, views=views)


def _errors(predicted: Array, reference: Array) -> Errors:
    inside = np.isfinite(reference)
    return errors_of(taken(predicted, inside), taken(reference, inside))
