"""Integrals of functions of fields, by quadrature at points that move with those of a term.

Along one to three axes Gauss and Legendre's nodes, whose error for smooth functions falls faster than any power of
their number; along more, where a tensor grid would be exponential, scrambled Sobol points of equal weight. A row sees
its own nodes only, so that whatever takes the points of a term in parts (chunks, layers, processes) takes these along.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnreg.domain import unit_points
from pinnreg.equations.call import call
from pinnreg.equations.evaluate import Scene, entered
from pinnreg.equations.field import Field
from pinnreg.errors import InputError, unknown

Limits = tuple[float | Tensor, float | Tensor]
Over = str | Sequence[str] | Mapping[str, Limits]

NODES = {1: 32, 2: 16, 3: 8}
"""Along each axis, by the number of axes."""
SCATTERED = 1024
"""Sobol points along more axes."""
MOST_NODES = 2**17


def axes_of(over: Over, title: str) -> dict[str, Limits | None]:
    """The axes of an integral with their limits, None for the whole axis.

    Raises:
        InputError: none, or an axis twice.
    """
    names = [over] if isinstance(over, str) else list(over)
    if not names or len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{title}: `over` names the axes, as in over='x', over=('x', 'y'), got {over!r}")
    return {name: over[name] if isinstance(over, Mapping) else None for name in names}


def check_nodes(nodes: int | None, axes: int, title: str) -> None:
    """Refuse a number of nodes that is none, or too many."""
    if nodes is not None and (type(nodes) is not int or nodes < 1):
        raise InputError(f"{title}: nodes is how many points an axis has, got {nodes!r}")
    if nodes is not None and (count := nodes**axes if axes in NODES else nodes) > MOST_NODES:
        raise InputError(f"{title}: {count} nodes, which each row sees, are too many; {MOST_NODES} at most")


def integrated(
    function: Callable[..., Any], over: Over, nodes: int | None, where: Scene, title: str = "integral"
) -> Tensor:
    """∫ function over some axes at each point of a scene: a tensor of the shape of its view.

    Args:
        function: of fields, coordinates and constants by name, of the shape (nodes, *shape of the scene's view).
        over: the axes, with limits where they are not the whole: numbers or tensors of the view's shape.
        nodes: along each axis; None for 32, or 16 and 8 of two and three axes.
        where: the points.
        title: what messages call it.

    Raises:
        InputError: an axis that there is not, limits that are none, or a function that gives no numbers.
    """
    limits, own = _limits(axes_of(over, title), where, title), where.view.coordinates()
    example = next(iter(own.values()))
    unit, weights = _rule(len(limits), nodes)
    column = (-1, *(1 for _ in where.view.shape))
    moved: dict[str, float | Tensor] = {}
    measure: Tensor = torch.from_numpy(weights).to(example).view(column)
    for number, (axis, (lower, upper)) in enumerate(limits.items()):
        length = upper - lower
        moved[axis] = lower + length * torch.from_numpy(unit[:, number]).to(example).view(column)
        measure = measure * length
    there = where.view.moved(moved, (len(unit), *where.view.shape), normals=True)
    with entered(Scene(there, where.domain, where.constants)):
        values = call(function, {**where.constants, **there.arguments()}, title)
    if isinstance(values, Field):
        values = values.value
    if isinstance(values, Real):
        values = example.new_tensor(float(values))
    if not isinstance(values, Tensor) or values.is_complex() or not _broadcasts(values.shape, there.shape):
        got = f"{tuple(values.shape)} of {values.dtype}" if isinstance(values, Tensor) else type(values).__name__
        raise InputError(f"{title}: its function must give real numbers of shape {there.shape} at the nodes, got {got}")
    return (measure * values).expand(there.shape).sum(dim=0)


def _limits(axes: Mapping[str, Limits | None], where: Scene, title: str) -> dict[str, Limits]:
    known = where.view.sweep.trial.axes
    found: dict[str, Limits] = {}
    for axis, given in axes.items():
        if axis not in known:
            raise unknown(f"axis of {title}:", axis, known)
        if given is None and where.domain is None:
            raise InputError(
                f"{title}: the length of the axis {axis!r} is not known here; give over={{{axis!r}: (a, b)}}"
            )
        limits = where.domain.bounds[axis] if given is None and where.domain is not None else given
        if not isinstance(limits, tuple | list) or len(limits) != 2 or not all(map(_is_limit, limits)):
            raise InputError(f"{title}: the limits of {axis!r} are two numbers or tensors (n,), got {limits!r}")
        if all(isinstance(limit, Real) for limit in limits) and limits[0] == limits[1]:
            raise InputError(f"{title}: the limits of {axis!r} are both {limits[0]!r}, and every integral 0")
        found[axis] = (limits[0], limits[1])
    return found


def _is_limit(value: object) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, Real) and not isinstance(value, bool))


def _broadcasts(shape: Sequence[int], to: Sequence[int]) -> bool:
    return len(shape) <= len(to) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))


@lru_cache(maxsize=32)
def _rule(axes: int, nodes: int | None) -> tuple[np.ndarray[Any, np.dtype[np.float64]], ...]:
    """Points (m, axes) of the unit cube and their weights (m,)."""
    if axes > max(NODES):
        count = nodes or SCATTERED
        return unit_points("sobol", count, axes, 0).numpy(), np.full(count, 1 / count)
    x, w = np.polynomial.legendre.leggauss(nodes or NODES[axes])
    along, shares = (x + 1) / 2, w / 2
    points = np.array(list(itertools.product(along, repeat=axes)))
    return points, np.array([math.prod(each) for each in itertools.product(shares, repeat=axes)])
