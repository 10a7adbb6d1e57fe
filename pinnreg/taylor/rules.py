"""Which of torch's functions take series, and what they do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pinnreg.taylor import elementary
from pinnreg.taylor.functions import Elementary
from pinnreg.taylor.series import Series, Unsupported, add, affine, cat, divide, matmul, multiply, power, stack
from pinnreg.taylor.table import RULES


def _elementary(function: Elementary) -> Callable[..., Series]:
    return lambda x: x.compose(function)


def _softplus(x: Series, beta: float = 1, threshold: float = 20) -> Series:
    # from 20 on torch's is a straight line, which is off by 2e-9; with a lower threshold it is another function
    if beta != 1 or threshold < 20:
        raise Unsupported("softplus with a beta other than 1 or a threshold below 20")
    return x.compose(elementary.SOFTPLUS)


def _gelu(x: Series, approximate: str = "none") -> Series:
    if approximate != "none":
        raise Unsupported("gelu with approximate='tanh'")
    return x.compose(elementary.GELU)


def _silu(x: Series, inplace: bool = False) -> Series:
    if inplace:
        raise Unsupported("a change in place")
    return x.compose(elementary.SWISH)


def _subtract(left: Any, right: Any, *, alpha: float = 1) -> Series:
    return add(left, right, alpha=-alpha)


def _reversed_subtract(left: Any, right: Any, *, alpha: float = 1) -> Series:
    return add(right, left, alpha=-alpha)


def _square(x: Series) -> Series:
    return multiply(x, x)


def _sum(x: Series, dim: Any = None) -> Series:
    return x.linear_map(lambda part: part.sum(dim=_behind_points(x, dim)))


def _unsqueeze(x: Series, dim: int) -> Series:
    return x.linear_map(lambda part: part.unsqueeze(_behind_points(x, dim, more=1)))


def _squeeze(x: Series, dim: Any = None) -> Series:
    return x.linear_map(lambda part: part.squeeze(_behind_points(x, dim)))


def _behind_points(x: Series, dim: Any, more: int = 0) -> int:
    """The dimension of a stack of rows that is `dim` of the values."""
    count = x.ndim + more
    if type(dim) is not int or dim == 0 or not -count < dim < count:
        raise Unsupported("an operation on the dimension of the points")
    return dim % count + 1


RULES |= {
    functional.linear: affine,
    functional.softplus: _softplus,
    functional.gelu: _gelu,
    functional.silu: _silu,
    torch.square: _square,
    torch.sqrt: lambda x: power(x, 0.5),
    torch.rsqrt: lambda x: power(x, -0.5),
    torch.reciprocal: lambda x: power(x, -1),
    torch.hypot: lambda x, y: power(add(multiply(x, x), multiply(y, y)), 0.5),
    torch.pow: power,
    torch.cat: cat,
    torch.stack: stack,
    torch.neg: lambda x: -x,
    torch.matmul: matmul,
    torch.sum: _sum,
    torch.squeeze: _squeeze,
    torch.unsqueeze: _unsqueeze,
}
RULES |= {
    function: _elementary(rule)
    for rule, functions in {
        elementary.TANH: (torch.tanh, functional.tanh),
        elementary.SIN: (torch.sin,),
        elementary.COS: (torch.cos,),
        elementary.EXP: (torch.exp,),
        elementary.LOG: (torch.log,),
        elementary.ERF: (torch.erf, torch.special.erf),
        elementary.SIGMOID: (torch.sigmoid, functional.sigmoid),
    }.items()
    for function in functions
}
RULES |= {
    function: rule
    for rule, names in {
        add: ("add", "__add__", "__radd__"),
        _subtract: ("sub", "subtract", "__sub__"),
        _reversed_subtract: ("__rsub__", "rsub"),
        multiply: ("mul", "multiply", "__mul__", "__rmul__"),
        divide: ("div", "divide", "true_divide", "__truediv__"),
    }.items()
    for name in names
    for function in (getattr(torch, name, None), getattr(Tensor, name, None))
    if function is not None
}
