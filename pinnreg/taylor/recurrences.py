"""Taylor recurrences of elementary functions: the rows of y = f(a) and of s = f'(a) from those of a.

Differentiating y = f∘a along any axis gives ∂y = s ∂a, from which the rows of y follow one degree after the other once
those of s are known to the degree before; each function closes the loop by its own differential equation, as
s = 1 - y² for tanh (Griewank & Walther 2008, table 13.2). The same s is all that the backward pass needs: δy = s δa as
a product of series, hence one transposed product, whatever the function.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from pinnreg.taylor.algebra import Algebra, Support
from pinnreg.taylor.kernels import Rows, Stack

Pair = tuple[Stack, Stack]
SOFTPLUS_THRESHOLD = 40.0
"""Beyond it softplus is the identity to rounding in float64; torch's own default, 20, is off by 2e-9 there."""


def tanh(algebra: Algebra, support: Support, a: Rows) -> Pair:
    y, s = _stacks(algebra, a[0])
    y.put(_tanh_value(a[0], y.slot))
    s.put(torch.addcmul(a[0].new_ones(()), y.rows[0], y.rows[0], value=-1, out=s.slot))
    table = zip(algebra.composition(support), algebra.square(-1.0), strict=True)
    for chain, square in list(table)[1:]:
        y.add(chain, a, s.rows)
        s.add(square, y.rows, y.rows)
    return y, s


def _tanh_value(x: Tensor, out: Tensor | None) -> Tensor:
    if x.device.type != "cpu":
        return torch.tanh(x, out=out)
    # as 1/(1 + 2/e) with e = exp(2x) - 1: as accurate as torch.tanh, whose loop is slower than that of expm1 by half
    e = torch.mul(x, 2, out=out)
    return torch.add(x.new_ones(()), e.expm1_().reciprocal_(), alpha=2, out=out).reciprocal_()


def sin(algebra: Algebra, support: Support, a: Rows) -> Pair:
    y, s = _stacks(algebra, a[0])
    y.put(torch.sin(a[0], out=y.slot))
    s.put(torch.cos(a[0], out=s.slot))
    return _circular(algebra, support, a, (y, s))


def cos(algebra: Algebra, support: Support, a: Rows) -> Pair:
    y, s = _stacks(algebra, a[0])
    y.put(torch.cos(a[0], out=y.slot))
    s.put(torch.sin(a[0], out=s.slot).neg_())
    return _circular(algebra, support, a, (y, s))


def _circular(algebra: Algebra, support: Support, a: Rows, pair: Pair) -> Pair:
    y, s = pair
    table = zip(algebra.composition(support), algebra.composition(support, -1.0), strict=True)
    for chain, back in list(table)[1:]:
        y.add(chain, a, s.rows)
        s.add(back, a, y.rows)
    return y, s


def exp(algebra: Algebra, support: Support, a: Rows) -> Pair:
    y = Stack(len(algebra), a[0])
    y.put(torch.exp(a[0], out=y.slot))
    for chain in algebra.composition(support)[1:]:
        y.add(chain, a, y.rows)
    return y, y


def sigmoid(algebra: Algebra, support: Support, a: Rows) -> Pair:
    y, s = _stacks(algebra, a[0])
    y.put(torch.sigmoid(a[0], out=y.slot))
    s.put(torch.addcmul(y.rows[0], y.rows[0], y.rows[0], value=-1, out=s.slot))
    table = zip(algebra.composition(support), algebra.square(-1.0), strict=True)
    for chain, square in list(table)[1:]:
        y.add(chain, a, s.rows)
        s.add(square, y.rows, y.rows, start=y.rows[-1])
    return y, s


def softplus(algebra: Algebra, support: Support, a: Rows) -> Pair:
    s, _ = sigmoid(algebra, support, a)
    return _integral(algebra, support, a, functional.softplus(a[0], threshold=SOFTPLUS_THRESHOLD), s), s


def swish(algebra: Algebra, support: Support, a: Rows) -> Pair:
    # y = a σ, s = σ + a σ'
    return _times_input(algebra, support, a, *sigmoid(algebra, support, a))


def erf(algebra: Algebra, support: Support, a: Rows) -> Pair:
    # s = 2/√π exp(-a²)
    s = _bell(algebra, support, a, 2 / math.sqrt(math.pi), -1.0)
    return _integral(algebra, support, a, torch.erf(a[0]), s), s


def gelu(algebra: Algebra, support: Support, a: Rows) -> Pair:
    # y = a Φ, s = Φ + a φ with the normal density φ = exp(-a²/2)/√(2π) and its integral Φ
    phi = _bell(algebra, support, a, 1 / math.sqrt(2 * math.pi), -0.5)
    integral = _integral(algebra, support, a, 0.5 * torch.erfc(-a[0] / math.sqrt(2)), phi)
    return _times_input(algebra, support, a, integral, phi)


def power(exponent: float) -> Callable[[Algebra, Support, Rows], Pair]:
    """The recurrence of a^r for any number r."""

    def rows(algebra: Algebra, support: Support, a: Rows) -> Pair:
        y, s = _stacks(algebra, a[0])
        _fill(y, a[0] ** exponent)
        _fill(s, exponent * a[0] ** (exponent - 1))
        table = zip(algebra.composition(support), algebra.product(support, algebra.everything)[1], strict=True)
        for chain, terms in list(table)[1:]:
            y.add(chain, a, s.rows)
            # r y = a s, of whose row that of s itself is the term with the value of a
            rest = exponent * y.rows[-1]
            for i, j, weight in terms:
                if i:
                    rest = torch.addcmul(rest, a[i], s.rows[j], value=-weight)
            s.put(torch.div(rest, a[0], out=s.slot))
        return y, s

    return rows


def log(algebra: Algebra, support: Support, a: Rows) -> Pair:
    s, _ = power(-1.0)(algebra, support, a)
    return _integral(algebra, support, a, torch.log(a[0]), s), s


def _bell(algebra: Algebra, support: Support, a: Rows, height: float, exponent: float) -> Stack:
    """height · exp(exponent · a²)."""
    squared, table = algebra.product(support, support)
    full = [row.expand_as(a[0]) for row in a]
    q = Stack(len(squared), a[0])
    for terms in table:
        q.add([(i, j, exponent * w) for i, j, w in terms], full, full)
    curve, _ = exp(algebra, squared, q.rows)
    bell = Stack(len(algebra), a[0])
    for row in curve.rows:
        bell.put(torch.mul(row, height, out=bell.slot))
    return bell


def _integral(algebra: Algebra, support: Support, a: Rows, value: Tensor, slope: Stack) -> Stack:
    """y of a given value, from its s."""
    y = Stack(len(algebra), a[0])
    _fill(y, value)
    for chain in algebra.composition(support)[1:]:
        y.add(chain, a, slope.rows)
    return y


def _times_input(algebra: Algebra, support: Support, a: Rows, factor: Stack, slope: Stack) -> Pair:
    """a F and its derivative F + a F' from F and F'."""
    y, s = _stacks(algebra, a[0])
    _, table = algebra.product(support, algebra.everything)
    for row, terms in enumerate(table):
        y.add(terms, a, factor.rows)
        s.add(terms, a, slope.rows, start=factor.rows[row])
    return y, s


def _stacks(algebra: Algebra, like: Tensor) -> Pair:
    return Stack(len(algebra), like), Stack(len(algebra), like)


def _fill(stack: Stack, value: Tensor) -> None:
    slot = stack.slot
    stack.put(value if slot is None else slot.copy_(value))
