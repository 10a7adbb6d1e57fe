"""How large a residual is beside its own terms: a number without units, whatever the equation's factor and scales."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from pinnreg.differentiation import slope
from pinnreg.domain import Domain
from pinnreg.equations.problem import Problem
from pinnreg.equations.residual import evaluate_residual, of_derivatives
from pinnreg.equations.sweep import Asked, Derivatives, Elsewhere, Sweep
from pinnreg.taylor import Laplacian

ZERO = 1e-4
"""Of the size that an output was expected to have: what varies by less is as good as zero."""


def relative_residual(problem: Problem, sweep: Sweep) -> dict[str, float]:
    """How large the residual of each equation is beside its own terms; as `relative`."""
    return relative(partial(evaluate_residual, problem), sweep, problem.domain)


def relative(
    rows_of: Callable[[Derivatives], dict[str, Tensor]],
    sweep: Sweep,
    domain: Domain,
    inside: Tensor | None = None,
) -> dict[str, float]:
    """‖r‖ / Σ_k ‖∂r/∂u_k · u_k‖ by name, with root mean squares over the points and u_k the derivatives of u in r.

    What r holds besides, as a source, counts as one more term. A derivative counts as at least what it is of a function
    that varies as much as u over the whole domain: r = Δu would otherwise be as large as its only term, whatever u is.
    An output that is zero, beside the size that it was expected to have, varies by `ZERO` of that.
    0 where all terms vanish, and infinite where anything is NaN or Inf.

    Of a condition, which may be u itself at one point, values count as well as at least the variation of each output
    `inside` the domain, (outputs,), and so does what is asked for elsewhere.
    """
    x = sweep.points.x
    residual, values = of_derivatives(rows_of, sweep)
    with torch.no_grad():
        found = residual(x, *values.values())
        variation = sweep((0,) * x.shape[1]).std(dim=0, correction=0) if inside is None else inside
        if sweep.trial.sizes:
            variation = torch.maximum(variation, ZERO * variation.new_tensor(sweep.trial.sizes))
    rest = {name: rows.clone() for name, rows in found.items()}
    sizes = dict.fromkeys(found, 0.0)
    for operator, derivative in values.items():
        natural = variation * _inverse_length(operator, domain, of_values=inside is not None)
        for output in range(derivative.shape[1]):
            terms, coarse = (
                _along(residual, x, values, operator, output, size) for size in (derivative[:, output], natural[output])
            )
            for name, rows in terms.items():
                rest[name] = rest[name] - rows
                sizes[name] += max(_size(rows), _size(coarse[name]))
    sizes = {name: size + _size(rest[name]) for name, size in sizes.items()}
    return {name: share(_size(rows), sizes[name]) for name, rows in found.items()}


def _along(
    residual: Callable[..., dict[str, Tensor]],
    x: Tensor,
    values: Mapping[Asked, Tensor],
    operator: Asked,
    output: int,
    size: Tensor,
) -> dict[str, Tensor]:
    """∂r/∂u_k · size by name, for one derivative u_k of one output."""
    tangents = {key: torch.zeros_like(each) for key, each in values.items()}
    tangents[operator][:, output] = size
    found: dict[str, Tensor] = slope(residual, (x, *values.values()), (torch.zeros_like(x), *tangents.values()))
    return found


def _inverse_length(operator: Asked, domain: Domain, *, of_values: bool) -> float:
    """The derivative, in order of size, of what varies by 1 along each axis; of values 0, unless they count as well."""
    if isinstance(operator, Elsewhere):
        return _inverse_length(operator.asked, domain, of_values=True) if of_values else 0.0
    lengths = [upper - lower for lower, upper in domain.bounds.values()]
    if isinstance(operator, Laplacian):
        return sum(lengths[axis] ** -2 for axis in operator.axes) ** operator.power
    if not any(operator):
        return float(of_values)
    return math.prod(length**-order for length, order in zip(lengths, operator, strict=True))


def share(size: float, of: float) -> float:
    """size / of; 0 of nothing is 0, and what is not finite is infinitely much."""
    found = size / of if of else math.inf * size if size else 0.0
    return found if math.isfinite(found) else math.inf


def _size(rows: Tensor) -> float:
    return float(rows.detach().double().square().mean().sqrt())
