"""Data whose derivatives autograd does not see, so that a trial function that carries them would silently be wrong.

The trial function u = g + φ N takes the derivatives of g from autograd, which differentiates on either side of a kink
and never at it: the second derivative of the hat 1 - |2x - 1| is 0 wherever it is asked for, and so the hat would solve
the heat equation with a loss of 0. In truth that derivative has the mass -4 at x = 1/2. For an equation of order m
along an axis, the derivatives of data along it have to be continuous up to order m - 1; the m-th then is a function,
the one that autograd computes. Up to order 1 they have to be in any case: g would carry a kink from a face all through
the box, where the network, which is smooth, cannot undo it.

So these are sound, if steep: tanh 200x; |x|³; x|x| and |x|^1.5, whose second derivatives jump or grow without end, but
hold no mass (in an equation of order 3, x|x| is as the hat is in one of order 2); √x on (0, 1), steep only at the end,
where no equation is asked for. √|x| on (-1, 1) is not.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pinnreg.domain import Domain, flat
from pinnreg.equations.call import evaluate_data
from pinnreg.equations.conditions import FaceCondition
from pinnreg.equations.continuation import why_not_continued
from pinnreg.equations.jumps import Gap, Lines, Sample, jumps, lines_along, lines_inside

SMALLEST = 1e-4
"""The smallest jump that counts, of the size of the data; a solution is wrong by about an eighth of it."""
WRONG = 1e-2
"""By how much derivatives may differ from differences."""
HIGHEST = 4
"""The order of equations up to which data are checked; differentiating again and again takes long."""

Orders = Callable[[str], int]
"""The highest order of the equations along an axis."""


def why_not_smooth(domain: Domain, condition: FaceCondition, orders: Orders) -> str | None:
    """Why the derivatives of a condition's data are not those that autograd computes; None if they are.

    Args:
        domain: a box, or a shape with curved sides.
        condition: whose data are looked at along lines on its faces, or through the shape.
        orders: of the equations.
    """
    if not callable(condition.value):
        return None
    sides = condition.faces(domain)
    faces = flat(sides)
    for axis in domain.axes:
        across = [face for face in faces if face.axis != axis]
        # data on curved sides are continued inside
        if across or len(faces) < len(sides):
            order = min(max(orders(axis), 2), HIGHEST)
            lines = lines_along(domain, axis, across) if across else lines_inside(domain, axis)
            try:
                why = _flaw(domain, condition, axis, lines, order)
            except RuntimeError as error:  # torch's, for a function of the user's own that has no second derivative
                why = f"its data cannot be differentiated {order} times along {axis} ({error})"
            if why:
                return why
    return why_not_continued(domain, condition) if len(faces) < len(sides) else None


def _flaw(domain: Domain, condition: FaceCondition, axis: str, lines: Lines, order: int) -> str | None:
    sample = _derivatives(domain, condition, lines, order)
    edges = lines.edges()
    known = sample(torch.arange(len(lines)).repeat_interleave(edges.shape[1]), edges.reshape(-1))
    values = known[:, 0]
    size = float(values.max() - values.min())
    # constant to rounding, or NaN, which is refused where it is
    if not size > 1e-8 * float(values.abs().max()):
        return None
    known = known.reshape(*edges.shape, -1)
    for derivative in range(order):
        if found := jumps(sample, _gap(derivative, SMALLEST * size), edges, known):
            return f"its data {_said(derivative)} at {lines.place(found)}, which automatic differentiation does not see"
    for derivative in range(order):
        if _is_another(sample, edges[:, :-1:8], derivative, size):
            return f"the derivative of order {derivative + 1} of its data along {axis} is wrong (is a part detached?)"
    return None


def _said(derivative: int) -> str:
    if derivative < 2:
        return ("jump", "have a kink")[derivative]
    return f"have a derivative of order {derivative} that jumps"


def _derivatives(domain: Domain, condition: FaceCondition, lines: Lines, order: int) -> Sample:
    """Samples of the data and of their derivatives along lines as autograd has them, by the length of the lines."""

    def sample(line: Tensor, s: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            s = s.detach().clone().requires_grad_()
            points = lines.at(line, s)
            columns = [evaluate_data(condition.value, domain.axes, points, f"condition {condition.name!r}")]
            for _ in range(order):
                columns.append(_slope(columns[-1], s))
            return torch.stack(columns, dim=1).detach()

    return sample


def _slope(values: Tensor, s: Tensor) -> Tensor:
    if not values.requires_grad:
        return torch.zeros_like(s)
    (slope,) = torch.autograd.grad(values.sum(), s, create_graph=True, materialize_grads=True)
    return slope


def _gap(derivative: int, unit: float) -> Gap:
    """By how much a derivative changes over a cell otherwise than the next one says, in units."""

    def gap(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        change = right[:, 1 + derivative] - left[:, 1 + derivative]
        unsaid = (change - _said_change(left, right, derivative)).abs() / unit
        # beside a point where the next is infinite, as for |x|^1.5, it says too much
        return unsaid, torch.minimum(unsaid, change.abs() / unit)

    return gap


def _said_change(left: Tensor, right: Tensor, derivative: int) -> Tensor:
    """By how much a derivative changes over a cell according to the next one, by the trapezoidal rule."""
    return (right[:, 0] - left[:, 0]) * (left[:, 2 + derivative] + right[:, 2 + derivative]) / 2


def _is_another(sample: Sample, places: Tensor, derivative: int, size: float) -> bool:
    """Whether a derivative changes otherwise than the next one says over short cells of every width."""
    line = torch.arange(len(places)).repeat_interleave(places.shape[1])
    left = places.reshape(-1)
    start = torch.cat([left[:, None], sample(line, left)], dim=1)
    for width in (1e-3, 1e-4, 1e-5, 1e-6):  # rounding spoils short ones, and steep data long ones
        right = left + width
        end = torch.cat([right[:, None], sample(line, right)], dim=1)
        change = end[:, 1 + derivative] - start[:, 1 + derivative]
        off = (change - _said_change(start, end, derivative)).abs().mean()
        if not bool(off > WRONG * change.abs().mean()) or not bool(off > SMALLEST * width * size):
            return False
    return True
