"""Gaussian moments of an activation: E φ(z) φ(z') and E φ'(z) φ'(z') as functions of the covariance of z and z'."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

import torch
from torch import Tensor

PARALLEL = 1e-14
"""Of s²/(pq), the squared sine of the angle: points below count as parallel. Rounding leaves some 1e-16 there."""


@final
@dataclass(frozen=True)
class Moment:
    """A function of p = Var z, q = Var z' and r = Cov(z, z') with derivatives, all of one shape.

    What mixed first derivatives in x and x' need: p depends on x only and q on x' only, so that no pp and qq occur.
    """

    value: Tensor
    p: Tensor
    q: Tensor
    r: Tensor
    pq: Tensor
    pr: Tensor
    qr: Tensor
    rr: Tensor

    def scaled(self, factor: float) -> Moment:
        """The function times a number."""
        return Moment(*(factor * each for each in vars(self).values()))


Moments = Callable[[Tensor, Tensor, Tensor], tuple[Moment, Moment]]


def erf_moments(p: Tensor, q: Tensor, r: Tensor) -> tuple[Moment, Moment]:
    """E φ(z) φ(z') = 2/π arcsin(2r/√(PQ)) and E φ'(z) φ'(z') = 4/π D^(-1/2), φ = erf.

    P = 1 + 2p, Q = 1 + 2q, D = PQ - 4r². Source: Williams 1997, "Computing with infinite networks".
    """
    of_p, of_q = 1 + 2 * p, 1 + 2 * q
    both = of_p * of_q
    d = both - 4 * r**2
    half, three, five = d**-0.5, d**-1.5, d**-2.5
    slope = Moment(
        value=half,
        p=-of_q * three,
        q=-of_p * three,
        r=4 * r * three,
        pq=(3 * both - 2 * d) * five,
        pr=-12 * r * of_q * five,
        qr=-12 * r * of_p * five,
        rr=(4 * d + 48 * r**2) * five,
    ).scaled(4 / math.pi)
    value = Moment(
        value=torch.asin(2 * r / both.sqrt()) / 2,
        p=-r / of_p * half,
        q=-r / of_q * half,
        r=half,
        pq=r * three,
        pr=-of_q * three,
        qr=-of_p * three,
        rr=4 * r * three,
    ).scaled(4 / math.pi)
    return value, slope


def relu_moments(p: Tensor, q: Tensor, r: Tensor) -> tuple[Moment, Moment]:
    """E φ(z) φ(z') = (s + (π - θ) r)/(2π) and E φ'(z) φ'(z') = (π - θ)/(2π), φ = max(0, ·).

    s = √(pq - r²), tan θ = s/r. Where z and z' are parallel, the second derivatives of the first are infinite, while
    what the chain rule makes of them vanishes: they are left out. Those of the second are left out everywhere, as
    φ'' is in automatic differentiation. Source: Cho & Saul 2009, "Kernel methods for deep learning".
    """
    square = p * q - r**2
    parallel = square <= PARALLEL * p * q
    s = torch.where(parallel, 0.0, square.clamp_min(0).sqrt())
    rest = math.pi - torch.atan2(s, r)
    inverse, by_p, by_q = (torch.where(each > 0, 1 / each, 0.0) for each in (s, p, q))
    nothing = torch.zeros_like(r)
    value = Moment(
        value=s + rest * r,
        p=s * by_p / 2,
        q=s * by_q / 2,
        r=rest,
        pq=inverse / 4,
        pr=-r * by_p * inverse / 2,
        qr=-r * by_q * inverse / 2,
        rr=inverse,
    )
    slope = Moment(rest, *(7 * [nothing]))
    return value.scaled(0.5 / math.pi), slope.scaled(0.5 / math.pi)


MOMENTS: Mapping[str, Moments] = MappingProxyType({"erf": erf_moments, "relu": relu_moments})
