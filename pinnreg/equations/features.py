"""Functions of the coordinates that a problem gives its network besides them.

    features = (lambda x, y: torch.sqrt(x**2 + y**2), lambda x: torch.exp(-x / 0.01))

What is known of a solution, as a layer or a distance, then need not be found. They are differentiated like all else.
Where a domain is split by an interface there is one more for that, with a kink, and one for each corner of a polygon
at which the solution's second derivatives have no bound.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pinnreg.domain import CornerKind, flat, unit_points
from pinnreg.equations.conditions import FaceCondition
from pinnreg.equations.problem import Problem, named_conditions
from pinnreg.errors import InputError, user_code
from pinnreg.networks import Feature
from pinnreg.randomness import derive

POINTS = 1024
"""So many show how large a function is."""
SINGULAR, SMOOTH = 2.0, 1e-6
"""A corner with a lower power of r than the first gets its function; one that is within the second of 1 is none."""
AGREE = 1e-6
"""By how much a function may differ at the ends of a period, of its range."""


def input_features(problem: Problem, periodic: tuple[str, ...] = (), *, corners: bool = True) -> tuple[Feature, ...]:
    """The problem's functions of the coordinates, and those of its shape, with their ranges: mapped onto [-1, 1].

    Args:
        problem: whose.
        periodic: the axes in which the network is periodic.
        corners: whether the corners of a polygon give theirs.

    Raises:
        InputError: a function that fails, has a wrong shape, is constant or not finite in the domain, or is not
            periodic where the network is to be.
    """
    domain, found = problem.domain, []
    seed = derive(0, "features")
    inside = domain.sample(POINTS, "sobol", seed)
    for number, function in enumerate(problem.features):
        title = f"features.{number} of {type(problem).__name__}"
        at = partial(_at, function, _columns(function, problem))
        values = _checked(at, inside, title)
        low, high = float(values.min()), float(values.max())
        if not high - low > 1e-12 * max(abs(low), abs(high)):
            raise InputError(f"{title}: it is {low:g} everywhere, and tells a network nothing")
        for axis in periodic:
            across = unit_points("sobol", POINTS, domain.dimension, seed)[:, 1:]
            ends = [domain.on_face(face, across) for face in flat(domain.faces(axis))]
            if _apart(at, ends, domain.axes.index(axis), title) > AGREE * (high - low):
                raise InputError(f"{title}: it is not periodic in {axis!r}, as the network is, and its slope")
        found.append(Feature(at, (low + high) / 2, (high - low) / 2))
    own = (*domain.kinks, *(_singular(problem) if corners else ()))
    return (*found, *(_of_shape(each, inside) for each in own))


def _singular(problem: Problem) -> Iterator[Callable[[Tensor], Tensor]]:
    """For each corner with a low power of r what the conditions on its two sides let a solution have there."""
    given = {
        str(side)
        for each in named_conditions(problem)
        if isinstance(each, FaceCondition) and each.kind == "dirichlet" and not each.part.at
        for side in each.faces(problem.domain)
    }
    for corner in problem.domain.corners:
        after, before = corner.after in given, corner.before in given
        kind: CornerKind = "mixed" if after != before else "value" if after else "slope"
        if corner.power(kind) < SINGULAR and abs(corner.power(kind) - 1) > SMOOTH:
            yield partial(corner.singular, kind=kind, turned=kind == "mixed" and before)


def _of_shape(function: Callable[[Tensor], Tensor], inside: Tensor) -> Feature:
    """What lets the network have a kink at an interface, or be singular at a corner."""
    values = function(inside)
    low, high = float(values.min()), float(values.max())
    return Feature(partial(_column, function), (low + high) / 2, (high - low) / 2)


def _column(function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    return function(points)[:, None]


def _columns(function: Callable[..., Any], problem: Problem) -> tuple[tuple[str, int], ...]:
    axes = problem.domain.axes
    names = inspect.signature(function).parameters  # others have defaults, as `n=n` in a loop
    return tuple((name, axes.index(name)) for name in names if name in axes)


def _at(function: Callable[..., Any], columns: tuple[tuple[str, int], ...], points: Tensor) -> Any:
    """The function at points (n, d), (n, 1)."""
    return function(**{name: points[:, number : number + 1] for name, number in columns})


def _checked(at: Callable[[Tensor], Any], points: Tensor, title: str) -> Tensor:
    with user_code(title):
        values = at(points)
    if not isinstance(values, Tensor) or values.shape != (len(points), 1) or values.is_complex():
        got = f"{tuple(values.shape)} of {values.dtype}" if isinstance(values, Tensor) else type(values).__name__
        raise InputError(
            f"{title}: coordinates are columns (n, 1), of which it is to make another of real numbers, got {got}"
        )
    if not values.isfinite().all():
        raise InputError(f"{title}: it is NaN or Inf in the domain")
    return values


def _apart(at: Callable[[Tensor], Any], ends: list[Tensor], axis: int, title: str) -> float:
    """How far values and slopes along an axis are from each other at its two ends."""
    found = []
    for end in ends:
        x = end.clone().requires_grad_()
        values = _checked(at, x, title)
        (slopes,) = torch.autograd.grad(values.sum(), x, materialize_grads=True)
        length = float((ends[1] - ends[0])[0, axis])
        found.append(torch.cat([values.detach()[:, 0], slopes[:, axis] * length]))
    return float((found[1] - found[0]).abs().max())
