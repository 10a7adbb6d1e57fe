"""The elementary functions that series know, each with its second derivative for gradients of gradients."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from pinnreg.taylor import recurrences
from pinnreg.taylor.algebra import Algebra
from pinnreg.taylor.functions import Elementary, compose, product


def _times(algebra: Algebra, left: Tensor, right: Tensor) -> Tensor:
    return product(algebra, (algebra.everything, algebra.everything), left, right)


def _plus(constant: float, stack: Tensor) -> Tensor:
    return torch.cat([stack[:1] + constant, stack[1:]])


def _of_all(function: Elementary, algebra: Algebra, a: Tensor) -> Tensor:
    return compose(function, algebra, algebra.everything, (a,))[0]


def _swish_second(algebra: Algebra, a: Tensor, y: Tensor, s: Tensor) -> Tensor:
    # σ' (2 + a (1 - 2σ))
    sigma = _of_all(SIGMOID, algebra, a)
    slope = sigma - _times(algebra, sigma, sigma)
    return _times(algebra, slope, _plus(2.0, _times(algebra, a, _plus(1.0, -2 * sigma))))


def _gelu_second(algebra: Algebra, a: Tensor, y: Tensor, s: Tensor) -> Tensor:
    # φ (2 - a²)
    square = _times(algebra, a, a)
    density = _of_all(EXP, algebra, -0.5 * square) / math.sqrt(2 * math.pi)
    return _times(algebra, density, _plus(2.0, -square))


def _erf_second(algebra: Algebra, a: Tensor, y: Tensor, s: Tensor) -> Tensor:
    return -2 * _times(algebra, a, s)


def _log_second(algebra: Algebra, a: Tensor, y: Tensor, s: Tensor) -> Tensor:
    return -_times(algebra, s, s)


@cache
def power_of(exponent: float) -> Elementary:
    """a^r for any number r."""

    def second(algebra: Algebra, a: Tensor, y: Tensor, s: Tensor) -> Tensor:
        # r (r - 1) a^(r - 2)
        return (exponent - 1) * _times(algebra, s, _of_all(power_of(-1.0), algebra, a))

    return Elementary(recurrences.power(exponent), second, needs_input=True)


TANH = Elementary(recurrences.tanh, lambda algebra, a, y, s: -2 * _times(algebra, y, s))
SIN = Elementary(recurrences.sin, lambda algebra, a, y, s: -y)
COS = Elementary(recurrences.cos, lambda algebra, a, y, s: -y)
EXP = Elementary(recurrences.exp, lambda algebra, a, y, s: y)
SIGMOID = Elementary(recurrences.sigmoid, lambda algebra, a, y, s: s - 2 * _times(algebra, y, s))
SOFTPLUS = Elementary(recurrences.softplus, lambda algebra, a, y, s: s - _times(algebra, s, s))
SWISH = Elementary(recurrences.swish, _swish_second, needs_input=True)
ERF = Elementary(recurrences.erf, _erf_second, needs_input=True)
LOG = Elementary(recurrences.log, _log_second)
GELU = Elementary(recurrences.gelu, _gelu_second, needs_input=True)
