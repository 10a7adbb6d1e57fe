"""Products and compositions of series as functions of autograd; `linear` has the linear maps.

All are closed under differentiation: the backward pass of a product is two transposed products, that of a transposed
product is a product and a transposed product, that of a composition is a transposed product with the series of f'. So
gradients of gradients exist to any order, and `torch.func.vmap` puts its axis beside that of the points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd import Function

from pinnreg.taylor.algebra import Algebra, Support
from pinnreg.taylor.calls import positional
from pinnreg.taylor.kernels import Rows, Stack, multiply


@final
@dataclass(frozen=True)
class Elementary:
    """A function f of one variable with its Taylor recurrence.

    Attributes:
        rows: (algebra, support of a, rows of a) -> the stacks of y = f(a) and s = f'(a).
        second: (algebra, a, y, s) -> f''(a), all with all rows, by differentiable arithmetic.
        needs_input: whether `second` looks at a.
    """

    rows: Callable[[Algebra, Support, Rows], tuple[Stack, Stack]]
    second: Callable[[Algebra, Tensor, Tensor, Tensor], Tensor]
    needs_input: bool = False


def product(algebra: Algebra, supports: tuple[Support, Support], left: Tensor, right: Tensor) -> Tensor:
    """Rows of the product of two stacks (K, n, ...) on the support that `algebra.product` gives."""
    result: Tensor = _Product.apply(algebra, supports, left, right)  # type: ignore[no-untyped-call]
    return result


def compose(
    function: Elementary, algebra: Algebra, support: Support, parts: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """All rows of y = f∘a and of s = f'∘a; a is given as stacks of consecutive rows, each (k, n or 1, ...)."""
    y, s = _Compose.apply(function, algebra, support, *parts)  # type: ignore[no-untyped-call]
    return y, s


@final
class _Product(Function):
    @positional
    def forward(algebra: Algebra, supports: tuple[Support, Support], left: Tensor, right: Tensor) -> Tensor:
        left, right = _same_shape(left, right)
        return multiply(algebra.product(*supports)[1], left.unbind(), right.unbind())

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.algebra, ctx.supports, left, right = inputs
        ctx.save_for_backward(left, right)
        ctx.save_for_forward(left, right)

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, d_left: Tensor | None, d_right: Tensor | None) -> Tensor:
        return _bilinear(partial(product, ctx.algebra, ctx.supports), ctx.saved_tensors, (d_left, d_right))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor | None, Tensor | None]:
        left, right = ctx.saved_tensors
        a, b = ctx.supports
        result = ctx.algebra.product(a, b)[0]
        to_left = to_right = None
        if ctx.needs_input_grad[2]:
            to_left = _transposed(ctx.algebra, (a, b, result), right, gradient).sum_to_size(left.shape)
        if ctx.needs_input_grad[3]:
            to_right = _transposed(ctx.algebra, (b, a, result), left, gradient).sum_to_size(right.shape)
        return None, None, to_left, to_right

    @staticmethod
    def vmap(info: Any, in_dims: Any, algebra: Algebra, supports: Any, left: Tensor, right: Tensor) -> Any:
        return product(algebra, supports, *_beside_points((left, right), in_dims[2:])), 1


@final
class _Transposed(Function):
    """a_α = Σ c^γ_{αβ} b_β g_γ: the adjoint of the product with b. Supports are those of a, b and g."""

    @positional
    def forward(algebra: Algebra, supports: tuple[Support, Support, Support], b: Tensor, g: Tensor) -> Tensor:
        b, g = _same_shape(b, g)
        return multiply(algebra.transposed(*supports), b.unbind(), g.unbind())

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.algebra, ctx.supports, b, g = inputs
        ctx.save_for_backward(b, g)
        ctx.save_for_forward(b, g)

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, d_b: Tensor | None, d_g: Tensor | None) -> Tensor:
        return _bilinear(partial(_transposed, ctx.algebra, ctx.supports), ctx.saved_tensors, (d_b, d_g))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor | None, Tensor | None]:
        b, g = ctx.saved_tensors
        of_a, of_b, of_g = ctx.supports
        to_b = to_g = None
        if ctx.needs_input_grad[2]:
            to_b = _transposed(ctx.algebra, (of_b, of_a, of_g), gradient, g).sum_to_size(b.shape)
        if ctx.needs_input_grad[3]:
            to_g = product(ctx.algebra, (of_a, of_b), gradient, b).sum_to_size(g.shape)
        return None, None, to_b, to_g

    @staticmethod
    def vmap(info: Any, in_dims: Any, algebra: Algebra, supports: Any, b: Tensor, g: Tensor) -> Any:
        return _transposed(algebra, supports, *_beside_points((b, g), in_dims[2:])), 1


@final
class _Compose(Function):
    @positional
    def forward(function: Elementary, algebra: Algebra, support: Support, *parts: Tensor) -> tuple[Tensor, Tensor]:
        y, s = function.rows(algebra, support, [row for part in parts for row in part.unbind()])
        # one tensor returned twice would be one output to autograd
        return y.tensor(), s.tensor() if s is not y else s.tensor().clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: tuple[Tensor, Tensor]) -> None:
        ctx.function, ctx.algebra, ctx.support, *parts = inputs
        ctx.set_materialize_grads(False)
        ctx.shapes = [part.shape for part in parts]
        y, s = output
        ctx.save_for_backward(y, s, *(parts if ctx.function.needs_input else ()))
        ctx.save_for_forward(y, s, *parts)

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, ___: None, *tangents: Tensor | None) -> tuple[Tensor, Tensor]:
        y, s, *parts = ctx.saved_tensors
        everything = ctx.algebra.everything
        given = [torch.zeros_like(part) if t is None else t for t, part in zip(tangents, parts, strict=True)]
        change = _all_rows(given, ctx.support, everything, y)
        a = _all_rows(parts, ctx.support, everything, y)
        second = ctx.function.second(ctx.algebra, a, y, s)
        pair = (everything, everything)
        return product(ctx.algebra, pair, s, change), product(ctx.algebra, pair, second, change)

    @staticmethod
    def backward(ctx: Any, to_y: Tensor | None, to_s: Tensor | None) -> tuple[Tensor | None, ...]:
        y, s, *parts = ctx.saved_tensors
        everything = ctx.algebra.everything
        total = None
        if to_y is not None:
            total = _transposed(ctx.algebra, (ctx.support, everything, everything), s, to_y)
        if to_s is not None:
            a = _all_rows(parts, ctx.support, everything, y) if ctx.function.needs_input else y
            second = ctx.function.second(ctx.algebra, a, y, s)
            more = _transposed(ctx.algebra, (ctx.support, everything, everything), second, to_s)
            total = more if total is None else total + more
        if total is None:
            return (None,) * (3 + len(ctx.shapes))
        pieces = total.split([shape[0] for shape in ctx.shapes]) if len(ctx.shapes) > 1 else (total,)
        return None, None, None, *(piece.sum_to_size(shape) for piece, shape in zip(pieces, ctx.shapes, strict=True))

    @staticmethod
    def vmap(info: Any, in_dims: Any, function: Any, algebra: Any, support: Any, *parts: Tensor) -> Any:
        value, *others = _beside_points(parts, in_dims[3:])
        batch = max(part.shape[1] for part in (value, *others))
        return compose(function, algebra, support, (value.expand(-1, batch, *value.shape[2:]), *others)), (1, 1)


def _transposed(algebra: Algebra, supports: tuple[Support, Support, Support], b: Tensor, g: Tensor) -> Tensor:
    result: Tensor = _Transposed.apply(algebra, supports, b, g)  # type: ignore[no-untyped-call]
    return result


def _bilinear(
    operation: Callable[[Tensor, Tensor], Tensor],
    factors: tuple[Tensor, Tensor],
    tangents: tuple[Tensor | None, Tensor | None],
) -> Tensor:
    """The tangent of a product, by the product rule; at least one of the factors has one."""
    (left, right), (d_left, d_right) = factors, tangents
    terms = [] if d_left is None else [operation(d_left, right)]
    terms += [] if d_right is None else [operation(left, d_right)]
    return sum(terms[1:], start=terms[0])


def _same_shape(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    if left.shape[1:] == right.shape[1:]:
        return left, right
    shape = torch.broadcast_shapes(left.shape[1:], right.shape[1:])
    return left.expand(-1, *shape), right.expand(-1, *shape)


def _all_rows(parts: Sequence[Tensor], held: Support, wanted: Support, like: Tensor) -> Tensor:
    stack = torch.cat([part.expand(-1, *like.shape[1:]) for part in parts])
    return stack if held == wanted else _rows(stack, held, wanted)


def _rows(stack: Tensor, held: Support, wanted: Support) -> Tensor:
    return torch.stack([stack[held.index(row)] if row in held else torch.zeros_like(stack[0]) for row in wanted])


def _beside_points(stacks: tuple[Tensor, ...], dims: tuple[int | None, ...]) -> tuple[Tensor, ...]:
    """Stacks (K, B, n, ...) with vmap's axis before that of the points; B is one where there is none."""
    return tuple(x.unsqueeze(1) if dim is None else x.movedim(dim, 1) for x, dim in zip(stacks, dims, strict=True))
