"""`Series`: truncated Taylor series of a function of the points, which torch's functions and modules accept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional

from pinnreg.taylor.algebra import Algebra, Support
from pinnreg.taylor.elementary import power_of
from pinnreg.taylor.functions import Elementary, compose, product
from pinnreg.taylor.linear import linear
from pinnreg.taylor.operators import Operator
from pinnreg.taylor.table import RULES


class Unsupported(TypeError):
    """An operation that has no rule for series."""


@final
class Series:
    """D_γ a at n points for the operators of an algebra; behaves as the tensor a, (n, ...), of its values.

    The rows lie in `parts`, stacks (k, n or 1, ...) of consecutive rows of the support. There are two parts where the
    derivatives do not depend on the point, as those of the points themselves; else there is one.

    A function without a rule raises `Unsupported`, so that no result is ever wrong for want of one.
    """

    # numpy then leaves `array * series` to the series, which refuses it
    __array_ufunc__ = None

    def __init__(self, algebra: Algebra, support: Support, parts: tuple[Tensor, ...]) -> None:
        self.algebra = algebra
        self.support = support
        self.parts = parts

    @classmethod
    def of_points(cls, points: Tensor, algebra: Algebra) -> Series:
        """The coordinates themselves, (n, d): their first derivatives are one, all others zero."""
        axes = algebra.axes
        if not axes:
            return cls(algebra, (0,), (points[None],))
        # row by row, and not by a list as index, which would be copied to the device in each sweep
        units = torch.eye(algebra.dimension, dtype=points.dtype, device=points.device).unbind()
        slopes = torch.stack([units[axis] for _, axis in axes])
        return cls(algebra, (0, *(row for row, _ in axes)), (points[None], slopes[:, None]))

    @property
    def value(self) -> Tensor:
        """a itself, (n, ...)."""
        return self.parts[0][0]

    def derivatives(self, operators: Sequence[Operator]) -> list[Tensor]:
        """One tensor (n, ...) for each operator of the algebra."""
        rows = self.on(self.support).unbind()
        return [self._sum(rows, self.algebra.weights(operator)) for operator in operators]

    def on(self, support: Support) -> Tensor:
        """The rows of a support as one stack; those that the series lacks are zero."""
        parts = [part.expand(-1, *self.shape) for part in self.parts]
        stack = parts[0] if len(parts) == 1 else torch.cat(parts)
        if support == self.support:
            return stack
        zero = torch.zeros_like(self.value)
        rows = dict(zip(self.support, stack.unbind(), strict=True))
        return torch.stack([rows.get(row, zero) for row in support])

    def compose(self, function: Elementary) -> Series:
        """The elementary function of the series."""
        everything = self.algebra.everything
        return Series(self.algebra, everything, (compose(function, self.algebra, self.support, self.parts)[0],))

    @property
    def shape(self) -> torch.Size:
        """That of the values."""
        return self.parts[0].shape[1:]

    @property
    def ndim(self) -> int:
        """The number of dimensions of the values."""
        return len(self.shape)

    @property
    def dtype(self) -> torch.dtype:
        """That of the values."""
        return self.parts[0].dtype

    @property
    def device(self) -> torch.device:
        """That of the values."""
        return self.parts[0].device

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # x.tanh() is torch.tanh(x)
        rule = RULES.get(getattr(torch, name, None))
        if rule is None:
            raise Unsupported(f"attribute {name!r}")
        return partial(rule, self)

    def __getitem__(self, key: Any) -> Series:
        first, *rest = key if isinstance(key, tuple) else (key,)
        used = sum(each is not None for each in rest)
        if first is Ellipsis and used < self.ndim:
            first, rest = slice(None), [slice(None)] * (self.ndim - 1 - used) + rest
        if first != slice(None) or not all(isinstance(each, int | slice) or each is None for each in rest):
            raise Unsupported("indexing other than [:, columns]")
        return self.linear_map(lambda part: part[(slice(None), slice(None), *rest)])

    def __pos__(self) -> Series:
        return self

    def __neg__(self) -> Series:
        return self.linear_map(torch.neg)

    def __add__(self, other: Any) -> Series:
        return add(self, other)

    def __sub__(self, other: Any) -> Series:
        return add(self, other, alpha=-1)

    def __rsub__(self, other: Any) -> Series:
        return add(-self, other)

    def __mul__(self, other: Any) -> Series:
        return multiply(self, other)

    def __truediv__(self, other: Any) -> Series:
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Series:
        return divide(other, self)

    def __pow__(self, exponent: Any) -> Series:
        return power(self, exponent)

    def __matmul__(self, other: Tensor) -> Series:
        return matmul(self, other)

    __radd__, __rmul__ = __add__, __mul__

    def _refuse(self, *_: Any) -> Any:
        raise Unsupported("a comparison, a truth value, a change in place or an operation that is not smooth")

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __bool__ = __float__ = __int__ = _refuse
    __abs__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __rpow__ = _refuse
    __iter__ = __contains__ = __setitem__ = __rmatmul__ = _refuse
    # Python would make a new series of `x *= 2`, while other names for x keep the old one
    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = _refuse
    __hash__ = object.__hash__

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Series:
        rule = RULES.get(function)
        if rule is None:
            raise Unsupported(getattr(function, "__name__", str(function)))
        result: Series = rule(*args, **(kwargs or {}))
        return result

    def linear_map(self, function: Callable[[Tensor], Tensor]) -> Series:
        """The same linear map of every row."""
        return Series(self.algebra, self.support, tuple(function(part) for part in self.parts))

    def _sum(self, rows: Sequence[Tensor], weights: Mapping[int, float]) -> Tensor:
        terms = [
            rows[self.support.index(row)] if weight == 1 else weight * rows[self.support.index(row)]
            for row, weight in weights.items()
            if row in self.support
        ]
        return torch.stack(terms).sum(dim=0) if len(terms) > 1 else terms[0] if terms else torch.zeros_like(self.value)


def add(left: Any, right: Any, *, alpha: float = 1) -> Series:
    """left + alpha right; one of them may be a tensor or a number."""
    series, other = _operands(left, right)
    algebra = series.algebra
    if alpha != 1 and series is right:
        series = series.linear_map(lambda part: alpha * part)
    elif alpha != 1:
        other = multiply(other, alpha) if isinstance(other, Series) else alpha * other
    if isinstance(other, Series):
        if series.support == other.support and len(series.parts) == len(other.parts):
            parts = tuple(a + b for a, b in zip(series.parts, other.parts, strict=True))
            return Series(algebra, series.support, parts)
        support = tuple(sorted({*series.support, *other.support}))
        return Series(algebra, support, (series.on(support) + other.on(support),))
    value, *others = series.parts
    shifted = value[:1] + other
    if len(value) > 1:
        shifted = torch.cat([shifted, value[1:].expand(-1, *shifted.shape[1:])])
    # a tensor may add columns, also to the rows that it leaves as they are
    wide = (part.expand(*part.shape[:2], *shifted.shape[2:]) for part in others)
    return Series(algebra, series.support, (shifted, *wide))


def multiply(left: Any, right: Any) -> Series:
    """left * right; one of them may be a tensor or a number."""
    series, other = _operands(left, right)
    if not isinstance(other, Series):
        return series.linear_map(lambda part: part * other)
    algebra, supports = series.algebra, (series.support, other.support)
    stack = product(algebra, supports, series.on(series.support), other.on(other.support))
    return Series(algebra, algebra.product(*supports)[0], (stack,))


def divide(left: Any, right: Any) -> Series:
    """left / right; one of them may be a tensor or a number."""
    if isinstance(right, Series):
        return multiply(left, power(right, -1))
    series, other = _operands(left, right)
    return series.linear_map(lambda part: part / other)


def power(base: Any, exponent: Any) -> Series:
    """base^exponent for a number other than 0."""
    is_number = isinstance(exponent, int | float) and not isinstance(exponent, bool)
    if not isinstance(base, Series) or not is_number or exponent == 0:
        raise Unsupported("a power whose exponent is 0 or no number")
    if exponent < 0 or exponent % 1:
        return base.compose(power_of(float(exponent)))
    exponent = int(exponent)
    half = power(base, exponent // 2) if exponent > 1 else None
    if half is None:
        return base
    return multiply(multiply(half, half), base) if exponent % 2 else multiply(half, half)


def matmul(left: Any, right: Any) -> Series:
    """A series (n, a) times a matrix (a, b)."""
    if not isinstance(left, Series) or not isinstance(right, Tensor) or (left.ndim, right.ndim) != (2, 2):
        raise Unsupported("a matrix product other than of a series with a matrix")
    return affine(left, right.mT)


def affine(x: Any, weight: Any, bias: Any = None) -> Series:
    """What `torch.nn.functional.linear` is for tensors."""
    if not isinstance(x, Series) or isinstance(weight, Series) or isinstance(bias, Series) or x.ndim != 2:
        raise Unsupported("a linear layer whose input is not (n, features)")
    first, *others = x.parts
    # rows that are the same at all points are few: no need of the layer's matrix product
    parts = (linear(first, weight, bias), *(functional.linear(part, weight) for part in others))
    return Series(x.algebra, x.support, parts)


def cat(series: Sequence[Any], dim: int = 0) -> Series:
    """What `torch.cat` is for tensors, along any dimension but that of the points."""
    return _join(torch.cat, series, dim)


def stack(series: Sequence[Any], dim: int = 0) -> Series:
    """What `torch.stack` is for tensors, behind the dimension of the points."""
    return _join(torch.stack, series, dim)


def _operands(left: Any, right: Any) -> tuple[Series, Any]:
    """The series first; refuses what would not broadcast or promote as the values do."""
    series: Series
    series, other = (left, right) if isinstance(left, Series) else (right, left)
    if not isinstance(other, Series | Tensor | int | float):
        raise Unsupported(f"an operand of type {type(other).__name__}")
    if isinstance(other, Series | Tensor):
        same = other.ndim == series.ndim if isinstance(other, Series) else other.ndim <= series.ndim
        if not same:
            raise Unsupported("operands with different numbers of dimensions")
    if isinstance(other, Tensor) and not other.is_floating_point() and not other.is_complex():
        other = other.to(series.dtype)
    if torch.result_type(series.parts[0], other.parts[0] if isinstance(other, Series) else other) != series.dtype or (
        isinstance(other, Series) and other.dtype != series.dtype
    ):
        raise Unsupported("operands of different precision")
    return series, other


def _join(function: Callable[..., Tensor], series: Sequence[Any], dim: int) -> Series:
    known = [each for each in series if isinstance(each, Series)]
    if dim == 0 or dim <= -known[0].ndim - (function is torch.stack):
        raise Unsupported("joining along the dimension of the points")
    algebra = known[0].algebra
    every = [each if isinstance(each, Series) else Series(algebra, (0,), (each[None],)) for each in series]
    at = dim if dim < 0 else dim + 1
    first = every[0]
    if all(each.support == first.support and len(each.parts) == len(first.parts) for each in every):
        parts = tuple(
            function([part.expand(-1, max(p.shape[1] for p in pieces), *part.shape[2:]) for part in pieces], dim=at)
            for pieces in zip(*(each.parts for each in every), strict=True)
        )
        return Series(algebra, first.support, parts)
    support = tuple(sorted({row for each in every for row in each.support}))
    return Series(algebra, support, (function([each.on(support) for each in every], dim=at),))
