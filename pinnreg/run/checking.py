"""Whether the figures that a config asks for can be drawn of its problem."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pinnreg import plots
from pinnreg.config import FigureSettings
from pinnreg.equations import Problem
from pinnreg.errors import InputError, unknown


def check_figures(figures: FigureSettings, problem: Problem) -> None:
    """Refuse what the figures of a problem cannot show, before it is trained.

    Raises:
        InputError: times or planes of axes that it lacks, or outside of it, labels of what it has not, a residual
            without an equation.
    """
    domain, space = problem.domain, [name for name in problem.domain.axes if name != "t"]
    check_labels(figures.labels, (*problem.outputs, *domain.axes))
    if "residual" in figures.panels and not problem.has_residual:
        raise InputError("figures.panels: the problem has no equation, and so no residual to show")
    if figures.times is not None:
        if "t" not in domain.axes or not space or problem.parameters:
            axes = ", ".join(domain.axes)
            raise InputError(f"figures.times: they cut a problem of space and time, and this one has the axes {axes}")
        _check_within("figures.times", figures.times, domain.bounds["t"])
    if figures.planes and (len(space) < 3 or problem.parameters):
        axes = ", ".join(domain.axes)
        raise InputError(f"figures.planes: they cut three axes of space or more, and the problem has the axes {axes}")
    for name, values in figures.planes.items():
        if name not in space:
            raise unknown("axis in figures.planes:", name, space)
        _check_within(f"figures.planes.{name}", values, domain.bounds[name])


def check_labels(labels: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse labels of what there is not, or that matplotlib cannot set.

    Raises:
        InputError: the first of them.
    """
    for name, label in labels.items():
        if name not in known:
            raise unknown("output or axis in figures.labels:", name, known)
        if label.count("$") > 1 and (flaw := plots.flaw_in_mathematics(label)):
            raise InputError(f"figures.labels.{name}: no mathematics that can be set: {label!r}: {flaw}")


def _check_within(key: str, values: tuple[float, ...], bounds: tuple[float, float]) -> None:
    for value in values:
        if not bounds[0] <= value <= bounds[1]:
            raise InputError(f"{key}: expected numbers from {bounds[0]:g} to {bounds[1]:g}, got {value:g}")
