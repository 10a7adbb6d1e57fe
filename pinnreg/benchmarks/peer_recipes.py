"""The cases that DeepXDE is set beside pinnreg on, each as DeepXDE's own demo of that equation would have it solved.

Networks, points and steps of Adam are those of the demos (https://deepxde.readthedocs.io, version 1.15), named in the
docstrings, which the benchmark's page shows; the equation and its data are the problem's own. Adam has the demos'
learning rate of 1e-3, losses have the weight 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import pi
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
Measured = tuple[Array, Array]
"""Points (n, d) and what was measured there, (n, 1)."""
Equation = Callable[[Tensor, Tensor], Any]
"""The residual at points (n, d), of the network's output there, (n, 1)."""


@final
@dataclass(frozen=True)
class Plan:
    """A `deepxde.Model` that is ready to be compiled, its steps of Adam, and the unknown coefficients by name."""

    model: Any
    steps: int
    unknown: Mapping[str, Any] = field(default_factory=dict)


Recipe = Callable[[Any, Any, Measured | None], Plan]
"""Of the module `deepxde`, a problem and its measurements."""


def poisson(dde: Any, problem: Any, measured: Measured | None) -> Plan:
    """1200 points inside and 120 on the boundary, 4 layers of 50, tanh, 50 000 steps: the demo of the L-shape."""
    k = problem.frequency * pi

    def equation(x: Tensor, u: Tensor) -> Any:
        return _laplacian(dde, x, u) + 2 * k**2 * torch.sin(k * x[:, :1]) * torch.sin(k * x[:, 1:])

    return _steady(dde, dde.geometry.Rectangle([0, 0], [1, 1]), equation)


def poisson_lshape(dde: Any, problem: Any, measured: Measured | None) -> Plan:
    """1200 points inside and 120 on the boundary, 4 layers of 50, tanh, 50 000 steps: the demo of the same problem."""

    def equation(x: Tensor, u: Tensor) -> Any:
        return _laplacian(dde, x, u) + 1

    # Its Polygon has boundary points of double precision only (DeepXDE's pull request 2069). What is cut off reaches
    # beyond the square: a side that both share would stay.
    square, cut = dde.geometry.Rectangle([-1, -1], [1, 1]), dde.geometry.Rectangle([0, -2], [2, 0])
    return _steady(dde, square - cut, equation)


def helmholtz(dde: Any, problem: Any, measured: Measured | None) -> Plan:
    """Ten points a wavelength along each axis (10 × 40), 3 layers of 150, sin, zero on the boundary built in,
    5000 steps: the demo of the Helmholtz equation on a square.
    """
    m, n, k = problem.m, problem.n, problem.k

    def equation(x: Tensor, u: Tensor) -> Any:
        wave = torch.sin(m * pi * x[:, :1]) * torch.sin(n * pi * x[:, 1:])
        return _laplacian(dde, x, u) + k**2 * u - (k**2 - (m**2 + n**2) * pi**2) * wave

    square = dde.geometry.Rectangle([-1, -1], [1, 1])
    data = dde.data.PDE(square, equation, [], num_domain=10 * m * 10 * n, num_boundary=80)
    network = _network(dde, [150] * 3, "sin", "Glorot uniform")
    network.apply_output_transform(lambda x, u: (1 - x[:, :1] ** 2) * (1 - x[:, 1:] ** 2) * u)
    return Plan(dde.Model(data, network), 5000)


def heat(dde: Any, problem: Any, measured: Measured | None) -> Plan:
    """2540 points inside, 80 on the boundary, 160 at the start, 3 layers of 20, tanh, 20 000 steps: the demo of the
    heat equation.
    """
    domain = _in_time(dde, (0, 1))

    def equation(x: Tensor, u: Tensor) -> Any:
        return dde.grad.jacobian(u, x, i=0, j=1) - problem.alpha * dde.grad.hessian(u, x, i=0, j=0)

    conditions = [_zero(dde, domain), _first(dde, domain, lambda x: np.sin(pi * x))]
    return _evolving(dde, domain, equation, conditions, 20_000)


def burgers(dde: Any, problem: Any, measured: Measured | None) -> Plan:
    """2540 points inside, 80 on the boundary, 160 at the start, 3 layers of 20, tanh, 15 000 steps: the demo of
    Burgers' equation.
    """
    domain = _in_time(dde, (-1, 1))

    def equation(x: Tensor, u: Tensor) -> Any:
        u_x, u_t = (dde.grad.jacobian(u, x, i=0, j=axis) for axis in (0, 1))
        return u_t + u * u_x - problem.nu * dde.grad.hessian(u, x, i=0, j=0)

    conditions = [_zero(dde, domain), _first(dde, domain, lambda x: -np.sin(pi * x))]
    return _evolving(dde, domain, equation, conditions, 15_000)


def allen_cahn(dde: Any, problem: Any, measured: Measured | None) -> Plan:
    """8000 points inside, 400 on the boundary, 800 at the start, 3 layers of 20, tanh, the start built in,
    40 000 steps: the demo of the Allen-Cahn equation. That has given end values built in; here the period is: the
    network sees cos πx, sin πx and t.
    """
    d, r = problem.diffusivity, problem.rate

    def equation(x: Tensor, u: Tensor) -> Any:
        return dde.grad.jacobian(u, x, i=0, j=1) - d * dde.grad.hessian(u, x, i=0, j=0) - r * (u - u**3)

    data = dde.data.TimePDE(_in_time(dde, (-1, 1)), equation, [], num_domain=8000, num_boundary=400, num_initial=800)
    network = _network(dde, [20] * 3, "tanh", "Glorot normal", inputs=3)
    network.apply_feature_transform(
        lambda x: torch.cat([torch.cos(pi * x[:, :1]), torch.sin(pi * x[:, :1]), x[:, 1:]], dim=1)
    )
    network.apply_output_transform(lambda x, u: x[:, :1] ** 2 * torch.cos(pi * x[:, :1]) + x[:, 1:] * u)
    return Plan(dde.Model(data, network), 40_000)


def heat_inverse(dde: Any, problem: Any, measured: Measured | None) -> Plan:
    """40 points inside, 20 on the boundary, 10 at the start, and those of the measurements, 3 layers of 32, tanh,
    50 000 steps: the demo of an unknown diffusivity, with the measurements that pinnreg has.
    """
    assert measured is not None
    places, values = measured
    domain = _in_time(dde, (0, 1))
    alpha = dde.Variable(1.0)

    def equation(x: Tensor, u: Tensor) -> Any:
        return dde.grad.jacobian(u, x, i=0, j=1) - alpha * dde.grad.hessian(u, x, i=0, j=0)

    conditions = [
        _zero(dde, domain),
        _first(dde, domain, lambda x: np.sin(pi * x)),
        dde.icbc.PointSetBC(places, values, component=0),
    ]
    data = dde.data.TimePDE(
        domain, equation, conditions, num_domain=40, num_boundary=20, num_initial=10, anchors=places
    )
    network = _network(dde, [32] * 3, "tanh", "Glorot uniform")
    return Plan(dde.Model(data, network), 50_000, {"alpha": alpha})


PEER_RECIPES: Mapping[str, Recipe] = {
    recipe.__name__: recipe for recipe in (poisson, heat, burgers, helmholtz, allen_cahn, heat_inverse, poisson_lshape)
}
"""By the name of the shipped config that has the same equation and data."""


def _steady(dde: Any, domain: Any, equation: Equation) -> Plan:
    data = dde.data.PDE(domain, equation, _zero(dde, domain), num_domain=1200, num_boundary=120)
    return Plan(dde.Model(data, _network(dde, [50] * 4, "tanh", "Glorot uniform")), 50_000)


def _evolving(dde: Any, domain: Any, equation: Equation, conditions: list[Any], steps: int) -> Plan:
    data = dde.data.TimePDE(domain, equation, conditions, num_domain=2540, num_boundary=80, num_initial=160)
    return Plan(dde.Model(data, _network(dde, [20] * 3, "tanh", "Glorot normal")), steps)


def _network(dde: Any, hidden: Sequence[int], activation: str, initialiser: str, inputs: int = 2) -> Any:
    return dde.nn.FNN([inputs, *hidden, 1], activation, initialiser)


def _in_time(dde: Any, ends: tuple[float, float]) -> Any:
    return dde.geometry.GeometryXTime(dde.geometry.Interval(*ends), dde.geometry.TimeDomain(0, 1))


def _zero(dde: Any, domain: Any) -> Any:
    return dde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on_boundary: on_boundary)


def _first(dde: Any, domain: Any, value: Callable[[Array], Array]) -> Any:
    return dde.icbc.IC(domain, lambda x: value(x[:, :1]), lambda _, on_initial: on_initial)


def _laplacian(dde: Any, x: Tensor, u: Tensor) -> Any:
    return dde.grad.hessian(u, x, i=0, j=0) + dde.grad.hessian(u, x, i=1, j=1)
