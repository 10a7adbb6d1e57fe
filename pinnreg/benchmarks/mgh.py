"""The test functions of Moré, Garbow & Hillstrom that are nonlinear least squares, min Σ fᵢ(x)².

Numbers in brackets are theirs. Least values are of Σ fᵢ², with the local minima that they or later authors list.

Source: Moré, Garbow & Hillstrom 1981, ACM TOMS 7, 17, doi:10.1145/355934.355936.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

F64 = torch.float64


@final
@dataclass(frozen=True)
class TestFunction:
    """Residuals of one tensor (n,), where to start, and the values that Σ fᵢ² has at its minima.

    Attributes:
        name: with n where the function takes any.
        residuals: (n,) to (m,).
        start: the standard start.
        minima: the least value first, then those of known local minima and of limits at infinity.
    """

    __test__ = False  # its name is no sign of a test

    name: str
    residuals: Callable[[Tensor], Tensor]
    start: tuple[float, ...]
    minima: tuple[float, ...] = (0.0,)

    def point(self) -> Tensor:
        """The standard start, (n,)."""
        return torch.tensor(self.start, dtype=F64)


def rosenbrock(x: Tensor) -> Tensor:
    """(1) A curved valley."""
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def freudenstein_roth(x: Tensor) -> Tensor:
    """(2) With a local minimum, to which the standard start leads most methods."""
    return torch.stack([-13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1], -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1]])


def powell_badly_scaled(x: Tensor) -> Tensor:
    """(3) Least at about (1.1e-5, 9.1)."""
    return torch.stack([1e4 * x[0] * x[1] - 1, torch.exp(-x[0]) + torch.exp(-x[1]) - 1.0001])


def brown_badly_scaled(x: Tensor) -> Tensor:
    """(4) Least at (1e6, 2e-6)."""
    return torch.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def beale(x: Tensor) -> Tensor:
    """(5) With a valley along the line x₂ = 1."""
    return _data(1.5, 2.25, 2.625) - x[0] * (1 - x[1] ** _range(1, 3))


def jennrich_sampson(x: Tensor) -> Tensor:
    """(6) A large residual at the minimum."""
    i = _range(1, 10)
    return 2 + 2 * i - (torch.exp(i * x[0]) + torch.exp(i * x[1]))


def helical_valley(x: Tensor) -> Tensor:
    """(7) A valley on a helix; not defined where x₁ = 0."""
    angle = torch.atan(x[1] / x[0]) / (2 * math.pi) + torch.where(x[0] < 0, 0.5, 0.0)
    return torch.stack([10 * (x[2] - 10 * angle), 10 * (torch.hypot(x[0], x[1]) - 1), x[2]])


def bard(x: Tensor) -> Tensor:
    """(8) A rational function, with a minimum at infinity."""
    y = _data(0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)
    u = _range(1, 15)
    v = 16 - u
    return y - (x[0] + u / (v * x[1] + torch.minimum(u, v) * x[2]))


def gaussian(x: Tensor) -> Tensor:
    """(9) A bell curve through fifteen points."""
    half = (0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521)
    y = _data(*half, 0.3989, *reversed(half))
    t = (8 - _range(1, 15)) / 2
    return x[0] * torch.exp(-x[1] * (t - x[2]) ** 2 / 2) - y


def meyer(x: Tensor) -> Tensor:
    """(10) The resistance of a thermistor: parameters of very different sizes, nearly dependent."""
    y = _data(34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872)
    return x[0] * torch.exp(x[1] / (45 + 5 * _range(1, 16) + x[2])) - y


def gulf(x: Tensor) -> Tensor:
    """(11) Gulf research and development, m = 99; the paper's "y m i" is a misprint for a minus sign."""
    t = _range(1, 99) / 100
    y = 25 + (-50 * torch.log(t)) ** (2 / 3)
    return torch.exp(-((y - x[1]).abs() ** x[2]) / x[0]) - t


def box(x: Tensor) -> Tensor:
    """(12) Box in three dimensions, m = 10: zero at (1, 10, 1), (10, 1, -1) and where x₁ = x₂, x₃ = 0."""
    t = _range(1, 10) / 10
    return torch.exp(-t * x[0]) - torch.exp(-t * x[1]) - x[2] * (torch.exp(-t) - torch.exp(-10 * t))


def powell_singular(x: Tensor) -> Tensor:
    """(13) With a singular Jacobian at the minimum."""
    return torch.stack([x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2])


def wood(x: Tensor) -> Tensor:
    """(14) Two valleys, coupled; a nearly stationary point lies on the way."""
    first = [10 * (x[1] - x[0] ** 2), 1 - x[0], 90**0.5 * (x[3] - x[2] ** 2), 1 - x[2]]
    return torch.stack([*first, 10**0.5 * (x[1] + x[3] - 2), (x[1] - x[3]) / 10**0.5])


def kowalik_osborne(x: Tensor) -> Tensor:
    """(15) A rational function of two quadratics, with a minimum at infinity."""
    y = _data(0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246)
    u = _data(4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625)
    return y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x: Tensor) -> Tensor:
    """(16) A large residual at the minimum."""
    t = _range(1, 20) / 5
    return (x[0] + t * x[1] - torch.exp(t)) ** 2 + (x[2] + x[3] * torch.sin(t) - torch.cos(t)) ** 2


def osborne1(x: Tensor) -> Tensor:
    """(17) Two exponentials and a constant."""
    y = _data(
        *(0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751),
        *(0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490),
        *(0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406),
    )
    t = 10 * _range(0, 32)
    return y - (x[0] + x[1] * torch.exp(-t * x[3]) + x[2] * torch.exp(-t * x[4]))


def biggs(x: Tensor) -> Tensor:
    """(18) Biggs EXP6, m = 13: three exponentials, with a local minimum."""
    t = _range(1, 13) / 10
    y = torch.exp(-t) - 5 * torch.exp(-10 * t) + 3 * torch.exp(-4 * t)
    return x[2] * torch.exp(-t * x[0]) - x[3] * torch.exp(-t * x[1]) + x[5] * torch.exp(-t * x[4]) - y


def osborne2(x: Tensor) -> Tensor:
    """(19) An exponential and three bell curves."""
    y = _data(
        *(1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608),
        *(0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661),
        *(0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428),
        *(0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559),
        *(0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054),
    )
    t = _range(0, 64) / 10
    bells = [x[k] * torch.exp(-((t - x[k + 7]) ** 2) * x[k + 4]) for k in (1, 2, 3)]
    return y - (x[0] * torch.exp(-t * x[4]) + bells[0] + bells[1] + bells[2])


def watson(x: Tensor) -> Tensor:
    """(20) A polynomial that solves u' - u² = 1, u(0) = 0 at 29 points: nearly dependent parameters."""
    t = (_range(1, 29) / 29)[:, None]
    j = _range(0, len(x) - 1)
    slope = ((j * x)[1:] * t ** j[:-1]).sum(dim=1)
    return torch.cat([slope - (x * t**j).sum(dim=1) ** 2 - 1, x[:1], (x[1] - x[0] ** 2 - 1)[None]])


def penalty1(x: Tensor) -> Tensor:
    """(23) Penalty I."""
    return torch.cat([1e-5**0.5 * (x - 1), (x @ x - 0.25)[None]])


def variably_dimensioned(x: Tensor) -> Tensor:
    """(25) A quadratic and its fourth power."""
    s = (_range(1, len(x)) * (x - 1)).sum()
    return torch.cat([x - 1, torch.stack([s, s**2])])


def trigonometric(x: Tensor) -> Tensor:
    """(26) With local minima."""
    cosines = torch.cos(x)
    return len(x) - cosines.sum() + _range(1, len(x)) * (1 - cosines) - torch.sin(x)


def brown_almost_linear(x: Tensor) -> Tensor:
    """(27) Linear but for a product."""
    return torch.cat([x[:-1] + x.sum() - (len(x) + 1), (x.prod() - 1)[None]])


def broyden_tridiagonal(x: Tensor) -> Tensor:
    """(30) A system of equations, each of three neighbours."""
    padded = torch.nn.functional.pad(x, (1, 1))
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1


def linear_rank_one(x: Tensor) -> Tensor:
    """(33) Linear of rank one, m = 20."""
    return _range(1, 20) * (_range(1, len(x)) * x).sum() - 1


def chebyquad(x: Tensor) -> Tensor:
    """(35) Nodes of a quadrature rule with equal weights, m = n: the means of shifted Chebyshev polynomials."""
    y = 2 * x - 1
    polynomials = [torch.ones_like(y), y]
    for _ in range(len(x) - 1):
        polynomials.append(2 * y * polynomials[-1] - polynomials[-2])
    means = torch.stack(polynomials[1:]).mean(dim=1)
    k = _range(1, len(x))
    integrals = torch.where(k % 2 == 0, -1 / (k**2 - 1).clamp_min(1), 0.0)
    return means - integrals


FUNCTIONS: tuple[TestFunction, ...] = (
    TestFunction("Rosenbrock", rosenbrock, (-1.2, 1)),
    TestFunction("Freudenstein-Roth", freudenstein_roth, (0.5, -2), (0.0, 48.98425367924)),
    TestFunction("Powell badly scaled", powell_badly_scaled, (0, 1)),
    TestFunction("Brown badly scaled", brown_badly_scaled, (1, 1)),
    TestFunction("Beale", beale, (1, 1)),
    TestFunction("Jennrich-Sampson", jennrich_sampson, (0.3, 0.4), (124.36218235562,)),
    TestFunction("helical valley", helical_valley, (-1, 0, 0)),
    TestFunction("Bard", bard, (1, 1, 1), (8.2148773065790e-3, 17.428690)),
    TestFunction("Gaussian", gaussian, (0.4, 1, 0), (1.1279327696e-8,)),
    TestFunction("Meyer", meyer, (0.02, 4000, 250), (87.945855170,)),
    TestFunction("Gulf", gulf, (5, 2.5, 0.15)),
    TestFunction("Box 3-d", box, (0, 10, 20)),
    TestFunction("Powell singular", powell_singular, (3, -1, 0, 1)),
    TestFunction("Wood", wood, (-3, -1, -3, -1)),
    TestFunction("Kowalik-Osborne", kowalik_osborne, (0.25, 0.39, 0.415, 0.39), (3.0750560385e-4, 1.0273e-3)),
    TestFunction("Brown-Dennis", brown_dennis, (25, 5, -5, -1), (85822.20162635,)),
    TestFunction("Osborne 1", osborne1, (0.5, 1.5, -1, 0.01, 0.02), (5.4648946975e-5,)),
    TestFunction("Biggs EXP6", biggs, (1, 2, 1, 1, 1, 1), (0.0, 5.6556499255e-3)),
    TestFunction("Osborne 2", osborne2, (1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5), (4.0137736294e-2,)),
    TestFunction("Watson, n = 6", watson, (0,) * 6, (2.2876700535e-3,)),
    TestFunction("Watson, n = 9", watson, (0,) * 9, (1.3997601382e-6,)),
    TestFunction("Watson, n = 12", watson, (0,) * 12, (4.7223811e-10,)),
    TestFunction("penalty I, n = 4", penalty1, (1, 2, 3, 4), (2.2499775008e-5,)),
    TestFunction("variably dimensioned", variably_dimensioned, tuple(1 - j / 10 for j in range(1, 11))),
    TestFunction("trigonometric", trigonometric, (0.1,) * 10, (0.0, 2.79505612188e-5)),
    TestFunction("Brown almost linear", brown_almost_linear, (0.5,) * 10, (0.0, 1.0)),
    TestFunction("Broyden tridiagonal", broyden_tridiagonal, (-1,) * 10),
    TestFunction("linear, rank 1", linear_rank_one, (1,) * 5, (20 * 19 / (2 * 41),)),
    TestFunction("Chebyquad, n = 8", chebyquad, tuple(j / 9 for j in range(1, 9)), (3.5168737257e-3,)),
)


def _data(*values: float) -> Tensor:
    return torch.tensor(values, dtype=F64)


def _range(first: int, last: int) -> Tensor:
    return torch.arange(first, last + 1, dtype=F64)
