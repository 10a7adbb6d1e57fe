"""How large a residual is beside its own terms: a number without units, whatever the equation's factor and scales."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pinnreg.differentiation import slope
from pinnreg.equations.field import Sweep
from pinnreg.equations.problem import Problem
from pinnreg.equations.residual import residual_of_derivatives


def relative_residual(problem: Problem, sweep: Sweep) -> dict[str, float]:
    """‖r‖ / Σ_k ‖∂r/∂u_k · u_k‖ by equation, with root mean squares over the points and u_k the derivatives of u in it.

    What the residual holds besides, as a source, counts as one more term. 0 where all terms vanish, and infinite where
    anything is NaN or Inf.
    """
    x = sweep.points.x
    residual, values = residual_of_derivatives(problem, sweep)
    with torch.no_grad():
        found = residual(x, *values.values())
    rest = {name: rows.clone() for name, rows in found.items()}
    sizes = dict.fromkeys(found, 0.0)
    for number, derivative in enumerate(values.values()):
        for output in range(derivative.shape[1]):
            tangents = [torch.zeros_like(each) for each in values.values()]
            tangents[number][:, output] = derivative[:, output]
            terms = slope(residual, (x, *values.values()), (torch.zeros_like(x), *tangents))
            for name, rows in terms.items():
                rest[name] = rest[name] - rows
                sizes[name] += _size(rows)
    sizes = {name: size + _size(rest[name]) for name, size in sizes.items()}
    return {name: share(_size(rows), sizes[name]) for name, rows in found.items()}


def share(size: float, of: float) -> float:
    """size / of; 0 of nothing is 0, and what is not finite is infinitely much."""
    found = size / of if of else math.inf * size if size else 0.0
    return found if math.isfinite(found) else math.inf


def _size(rows: Tensor) -> float:
    return float(rows.detach().double().square().mean().sqrt())
