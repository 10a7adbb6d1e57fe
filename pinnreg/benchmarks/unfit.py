"""Problems that training solves wrongly: equations with many solutions, or with one that a network cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cosh, pi, sqrt
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import brentq
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve
from torch import Tensor

from pinnreg.domain import Box, Split
from pinnreg.equations import Field, Problem, dirichlet, interface, neumann

Array = NDArray[np.float64]
Known = Callable[..., Array]

SMALL: dict[str, Any] = {"network": {"hidden": [16, 16]}, "train": [{"optimiser": "gauss_newton", "steps": 40}]}
SIDE = 0.5
"""Half of that of the inner box."""
CELLS = 160
"""Of the reference along each axis, an even number of them in the inner box."""


@final
@dataclass(frozen=True)
class Floating(Problem):
    """Δu = -2π² cos πx cos πy on a square, ∂u/∂n = 0 on all edges: u + c is as good, and c is never said."""

    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (neumann(0.0),)
    defaults = SMALL

    def residual(self, u: Field, x: Tensor, y: Tensor) -> Tensor:
        return u.laplacian + 2 * pi**2 * torch.cos(pi * x) * torch.cos(pi * y)

    def reference(self) -> Known:
        return lambda x, y: np.cos(pi * x) * np.cos(pi * y)


@final
@dataclass(frozen=True)
class Mode(Problem):
    """u'' + π² u = 0 on (0, 1), u = 0 at both ends: c sin πx for every c, 0 too; c = 1 is meant."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = SMALL

    def residual(self, u: Field) -> Tensor:
        return u.xx + pi**2 * u.value

    def reference(self) -> Known:
        return lambda x: np.sin(pi * x)


@final
@dataclass(frozen=True)
class Bratu(Problem):
    """u'' + eᵘ = 0 on (0, 1), u = 0 at both ends: of its two solutions the larger one is meant, of maximum 4.09."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = SMALL

    def residual(self, u: Field) -> Tensor:
        return u.xx + torch.exp(u.value)

    def reference(self) -> Known:
        rate = brentq(lambda each: each - sqrt(2) * cosh(each / 4), 8.0, 14.0, xtol=1e-14)
        return lambda x: -2 * np.log(np.cosh((x - 0.5) * rate / 2) / np.cosh(rate / 4))


@final
@dataclass(frozen=True)
class Eikonal(Problem):
    """u'² = 1 on (-1, 1), u = 0 at both ends: the distance to them is meant, of all roofs with slopes ±1."""

    domain = Box(x=(-1, 1))
    conditions = (dirichlet(0.0),)
    defaults = SMALL

    def residual(self, u: Field) -> Tensor:
        return u.x**2 - 1

    def reference(self) -> Known:
        return lambda x: 1 - np.abs(x)


@final
@dataclass(frozen=True)
class Jump(Problem):
    """(k u')' = -1 on (0, 1), u = 0 at both ends, k = 1 for x < 1/2 and k = ratio beyond, written as k u'' = -1.

    u' jumps where k does; no interface says so.
    """

    ratio: float = 10.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = SMALL

    def residual(self, u: Field, x: Tensor) -> Tensor:
        return torch.where(x < 0.5, 1.0, self.ratio) * u.xx + 1

    def reference(self) -> Known:
        right = 1 / self.ratio
        c = (1 + 3 * right) / (4 * (1 + right))  # the flux is c - x
        return lambda x: np.where(x < 0.5, c * x - x**2 / 2, right * ((1 - x**2) / 2 - c * (1 - x)))


@final
@dataclass(frozen=True)
class BoxInBox(Problem):
    """∇·(k ∇u) = -1 on (-1, 1)², u = 0 around, k = 1 and inside of a smaller square k = inner.

    With an interface, at whose corners the slope of u is infinite.
    """

    inner: float = 0.01
    domain = Split(Box(x=(-1, 1), y=(-1, 1)), Box(x=(-SIDE, SIDE), y=(-SIDE, SIDE)), name="edge")
    defaults = SMALL

    @property
    def conditions(self) -> tuple[Any, ...]:
        return dirichlet(0.0), interface(self.inner, 1.0, on="edge")

    def conductivity(self, x: Any, y: Any, where: Any) -> Any:
        return where((abs(x) < SIDE) & (abs(y) < SIDE), self.inner, 1.0)

    def residual(self, u: Field, x: Tensor, y: Tensor) -> Tensor:
        k: Tensor = self.conductivity(x, y, torch.where)
        return k * u.laplacian + 1

    def reference(self) -> Known:
        """By finite volumes, the corners of the inner square at corners of cells."""
        width = 2 / CELLS
        at = np.linspace(-1 + width / 2, 1 - width / 2, CELLS)
        k = self.conductivity(*np.meshgrid(at, at, indexing="ij"), np.where)
        across = 2 * k[1:] * k[:-1] / (k[1:] + k[:-1])  # flux through faces inside, of half a cell on either side
        rim = 2 * k[:1]
        x = np.concatenate([rim, across, 2 * k[-1:]])
        y = x.T  # k is the same in x and y
        diagonal = x[1:] + x[:-1] + y[:, 1:] + y[:, :-1]
        right = y[:, 1:].copy()
        right[:, -1] = 0.0
        right = right.reshape(-1)[:-1]
        down = x[1:-1].reshape(-1)
        matrix = diags([diagonal.reshape(-1), -right, -right, -down, -down], [0, 1, -1, CELLS, -CELLS], format="csc")
        values = spsolve(matrix, np.full(CELLS**2, width**2)).reshape(CELLS, CELLS)
        padded, ends = np.pad(values, 1), np.concatenate([[-1.0], at, [1.0]])
        between = RegularGridInterpolator((ends, ends), padded)
        return lambda x, y: between(np.stack([x, y], axis=-1))
