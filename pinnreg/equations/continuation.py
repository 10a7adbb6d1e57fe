"""Whether data on a curved side go on inside of it without a singular point, as log r does not at the centre of a disc.

Exact conditions continue a function as it stands. Away from its singular points it may even be harmonic, and no
residual would show that it is another solution. Green's identity does: for a smooth f and a harmonic h

    ∮ (h ∂f/∂n - f ∂h/∂n) = ∫ h Δf,

where a source, a dipole or a quadrupole inside adds to the left side for h of degree 0, 1 or 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from pinnreg.domain import Domain
from pinnreg.equations.call import evaluate_data
from pinnreg.equations.conditions import FaceCondition

POINTS = 4096
"""Inside, and on the boundary."""
OFF = 0.05
"""By more than this part of its terms the identity is wrong."""


def why_not_continued(domain: Domain, condition: FaceCondition) -> str | None:
    """Why a function on curved sides has no smooth continuation as it stands; None if it has."""
    inside = domain.sample(POINTS)
    points, normals = domain.boundary().sample(POINTS)
    space = [domain.axes.index(axis) for axis in domain.space_axes]
    try:
        _, _, laplacian = _derivatives(domain, condition, inside, space)
        values, slopes, _ = _derivatives(domain, condition, points, space)
    except RuntimeError:  # torch's, for a function that cannot be differentiated; said where it is looked at for kinks
        return None
    if not all(bool(each.isfinite().all()) for each in (laplacian, values, slopes)):
        return "its data, which exact conditions continue inside, are not finite or not smooth there"
    measure, flux = domain.boundary().measure, (slopes * normals[:, space]).sum(dim=1)
    pairs = zip(_harmonic(domain, inside, space), _harmonic(domain, points, space), strict=True)
    for (h, _), (h_there, h_slopes) in pairs:
        one, other = h_there * flux, values * (h_slopes * normals[:, space]).sum(dim=1)
        sides = measure * (one - other).mean(), domain.volume * (h * laplacian).mean()
        size = measure * (one.abs() + other.abs()).mean() + domain.volume * (h * laplacian).abs().mean()
        if abs(sides[0] - sides[1]) > OFF * size:
            return "its data, which exact conditions continue inside, are singular there"
    return None


def _derivatives(
    domain: Domain, condition: FaceCondition, at: Tensor, space: list[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The data, their slopes in space (n, k), and their Laplacian."""
    with torch.inference_mode(False), torch.enable_grad():
        at = at.detach().clone().requires_grad_()
        values = evaluate_data(condition.value, domain.axes, at, f"condition {condition.name!r}")
        if not values.requires_grad:  # a constant
            zero = torch.zeros_like(at[:, 0])
            return values.detach(), zero[:, None].expand(-1, len(space)), zero
        (slopes,) = torch.autograd.grad(values.sum(), at, create_graph=True)
        second = [
            torch.autograd.grad(slopes[:, axis].sum(), at, retain_graph=True, materialize_grads=True)[0][:, axis]
            if slopes.requires_grad
            else torch.zeros_like(at[:, 0])
            for axis in space
        ]
    return values.detach(), slopes[:, space].detach(), torch.stack(second).sum(dim=0)


def _harmonic(domain: Domain, at: Tensor, space: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Harmonic polynomials of degree 0 to 2 around the middle, (n,), with their slopes, (n, k)."""
    ends = [domain.bounds[axis] for axis in domain.space_axes]
    half = max(upper - lower for lower, upper in ends) / 2
    x = torch.stack(
        [(at[:, k] - (lower + upper) / 2) / half for k, (lower, upper) in zip(space, ends, strict=True)], dim=1
    )
    units = torch.eye(len(space), dtype=at.dtype) / half
    yield torch.ones_like(x[:, 0]), torch.zeros_like(x)
    for k in range(len(space)):
        yield x[:, k], units[k].expand_as(x)
    for j, k in itertools.pairwise(range(len(space))):
        yield x[:, j] * x[:, k], x[:, j : j + 1] * units[k] + x[:, k : k + 1] * units[j]
        yield x[:, j] ** 2 - x[:, k] ** 2, 2 * (x[:, j : j + 1] * units[j] - x[:, k : k + 1] * units[k])
