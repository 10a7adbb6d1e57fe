"""Partial derivatives of a network at points, all wanted ones in one sweep.

A truncated Taylor series is carried forward through the network (`pinnreg.taylor`): a few streams for all derivatives
together and one ordinary backward pass to the parameters, where nesting reverse mode doubles its graph with each order.
A function or module that does something for which series have no rule is differentiated by nested reverse mode, with
the same results; a note says so once. Points must not interact in it (no batch normalisation), since row i of the
gradient of a sum is then the gradient at point i.
"""

from __future__ import annotations

import logging
import numbers
import operator
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache, lru_cache, partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from pinnreg.errors import InputError
from pinnreg.taylor import Algebra, Laplacian, MultiIndex, Operator, Series

logger = logging.getLogger("pinnreg")

POWERS = {"laplacian": 1, "biharmonic": 2}
"""Names of powers of the Laplacian over the axes other than `t`."""

Key = TypeVar("Key", bound=Hashable)
Function = Callable[[Tensor], Tensor]


def derivatives(
    network: Function,
    points: Tensor,
    wanted: Iterable[Key],
    *,
    axes: Sequence[str] | None = None,
    chunk: int | None = None,
) -> dict[Key, Tensor]:
    """Partial derivatives D^α of a network's outputs at points, differentiable in parameters and points.

    Args:
        network: maps (n, d) to (n, outputs), each row from its own point only.
        points: (n, d); gradients flow to them if they require it.
        wanted: multi-indices α such as (2, 0), (0, 0) for the value, or `Laplacian(axes, power)`; or, with `axes`,
            names such as "xx", "", "laplacian" and "biharmonic", the last two over the axes other than `t`.
        axes: the names of the d columns, when `wanted` holds names.
        chunk: at most so many points at once, to bound memory; the result is the same. Gradients then cost a second
            forward pass, since what they need is computed again chunk by chunk; under `torch.func` they fail.

    Returns:
        One (n, outputs) tensor per key, in the order of `wanted`.

    Raises:
        InputError: an index of the wrong length, a negative one, a name that is no sequence of axes, points or
            outputs that are no matrices.

    A part of the network under `torch.no_grad` is differentiated like the rest. Softplus is the identity from 40 on.
    """
    operators = operators_of(wanted, points, axes)
    if not operators:
        return {}
    series = sweep(network, points, Algebra.of(operators.values(), points.shape[1]), chunk=chunk)
    return dict(zip(operators, series.derivatives(list(operators.values())), strict=True))


def sweep(network: Function, points: Tensor, algebra: Algebra, *, chunk: int | None = None) -> Series:
    """The series of a network's outputs at points, with all derivatives of an algebra. Arguments as in `derivatives`.

    Raises:
        InputError: a chunk that is not positive.
    """
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, numbers.Integral) or chunk < 1):
        raise InputError(f"derivatives: chunk must be a positive integer, got {chunk}")
    if chunk is None or points.shape[0] <= chunk:
        return _taylor_or_nested(network, points, algebra)
    stacked = partial(_stack, network, algebra)
    # in the backward pass each chunk is computed again, so that no more than one is ever held; to its end, since what
    # torch throws to stop early would look like a missing rule
    with set_checkpoint_early_stop(False):
        pieces = [
            checkpoint(stacked, piece, use_reentrant=False) if torch.is_grad_enabled() else stacked(piece)
            for piece in points.split(int(chunk))
        ]
    return Series(algebra, algebra.everything, (torch.cat(pieces, dim=1),))


def nested(
    function: Function,
    points: Tensor,
    algebra: Algebra,
    survives: Callable[[MultiIndex], bool] = lambda _: True,
) -> Series:
    """The series of any differentiable function, by nested reverse mode.

    Each derivative is the gradient of a lower one, and lower ones are shared: u_xx and u_xt both start from u_x.

    Args:
        function: maps (n, d) to (n, outputs), each row from its own point only.
        points: (n, d).
        algebra: which derivatives.
        survives: False for a multi-index whose derivative vanishes; it is left out.
    """
    expansions = {
        row: [(index, weight) for index, weight in expansion if survives(index)]
        for row, expansion in enumerate(algebra.expansions)
    }
    wanted = {index for expansion in expansions.values() for index, _ in expansion}
    keep = torch.is_grad_enabled()
    # inference mode would make every gradient zero
    with torch.inference_mode(False), torch.enable_grad():
        inputs = points if keep and points.requires_grad else points.detach().clone().requires_grad_()
        outputs = _checked(function(inputs), points)
        columns = [_table(column, inputs, wanted) for column in outputs.unbind(dim=1)]
        table = {index: torch.stack([column[index] for column in columns], dim=1) for index in wanted}
    support = tuple(row for row, expansion in expansions.items() if expansion) or (0,)
    zero = points.new_zeros((points.shape[0], len(columns)))  # a length would be a fixed one in a program
    rows = [sum((weight * table[index] for index, weight in expansions[row]), start=zero) for row in support]
    stack = torch.stack(rows)
    return Series(algebra, support, (stack if keep else stack.detach(),))


def nested_derivative(function: Function, points: Tensor, index: MultiIndex) -> Tensor:
    """One derivative by nested reverse mode, (n, outputs): for data that a user wrote in any of torch's functions."""
    (values,) = nested(function, points, Algebra.of([index], len(index))).derivatives([index])
    return values


def slope(function: Callable[..., Any], at: Sequence[Tensor], along: Sequence[Tensor]) -> Any:
    """The derivative of a function of tensors at `at` in the direction `along`, by forward mode; differentiable again.

    Its result has the structure of the function's own.
    """
    _load_forward_mode()
    return torch.func.jvp(function, tuple(at), tuple(along))[1]


@cache
def _load_forward_mode() -> None:
    with warnings.catch_warnings():
        # torch compiles some of its own rules with a deprecated tool when it first needs forward mode
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


def parse_name(name: str, axes: Sequence[str]) -> MultiIndex | None:
    """The multi-index of a name such as "xxt", or None if it is not a sequence of axis names."""
    counts = dict.fromkeys(axes, 0)
    rest = name
    while rest:
        # the longest name first, so that x10 is not read as x1 and a stray 0
        axis = max((axis for axis in axes if rest.startswith(axis)), key=len, default=None)
        if axis is None:
            return None
        counts[axis] += 1
        rest = rest[len(axis) :]
    return tuple(counts.values())


def space_laplacian(axes: Sequence[str], power: int, parameters: Sequence[str] = ()) -> Laplacian | None:
    """Δ, or Δ² for power 2, over the axes other than `t` and parameters; None if there are none."""
    space = tuple(number for number, axis in enumerate(axes) if axis not in ("t", *parameters))
    return Laplacian(space, 2 if power == 2 else 1) if space else None


def operators_of(wanted: Iterable[Key], points: Tensor, axes: Sequence[str] | None) -> dict[Key, Operator]:
    """The operators that keys mean at points. Arguments and what is raised as in `derivatives`."""
    if points.ndim != 2:
        raise InputError(f"derivatives: expected points (n, d), got {tuple(points.shape)}")
    return {key: _operator(key, points.shape[1], axes) for key in wanted}


def _operator(key: Hashable, dimension: int, axes: Sequence[str] | None) -> Operator:
    if isinstance(key, str):
        if axes is None or len(axes) != dimension:
            raise InputError(f"derivatives: the name {key!r} needs axes=, one name for each of the {dimension} columns")
        named = _named(key, axes)
        if named is None:
            reason = "leaves out t" if key in POWERS else "is not a sequence"
            raise InputError(f"derivatives: {key!r} {reason} of the axes {', '.join(axes)}")
        return named
    if isinstance(key, Laplacian):
        if key.power not in (1, 2):
            raise InputError(f"derivatives: {key!r}: power must be 1 or 2")
        if not key.axes or list(key.axes) != sorted(set(key.axes) & set(range(dimension))):
            raise InputError(f"derivatives: {key!r}: expected ascending numbers of the {dimension} columns")
        return key
    try:
        orders = tuple(operator.index(order) for order in key) if isinstance(key, tuple) else ()
    except TypeError:
        orders = ()
    if len(orders) != dimension or min(orders) < 0:
        raise InputError(f"derivatives: expected {dimension} orders of at least 0 as a tuple, got {key!r}")
    return orders


def _named(name: str, axes: Sequence[str]) -> Operator | None:
    return space_laplacian(axes, POWERS[name]) if name in POWERS else parse_name(name, axes)


def _stack(network: Function, algebra: Algebra, points: Tensor) -> Tensor:
    return _taylor_or_nested(network, points, algebra).on(algebra.everything)


def _taylor_or_nested(network: Function, points: Tensor, algebra: Algebra) -> Series:
    if len(algebra) == 1:
        return Series(algebra, (0,), (_checked(network(points), points)[None],))
    try:
        # whatever a module does is run on the series in place of the points; static types do not see through that
        result: Series | Tensor = network(Series.of_points(points, algebra))  # type: ignore[arg-type]
    except torch.OutOfMemoryError:
        raise  # nesting would need more
    except (TypeError, RuntimeError) as error:
        # no rule, or compiled code that takes nothing but tensors; an error of the module's own comes again below
        _say_slow(f"{type(error).__name__}: {error}"[:200])
        return nested(network, points, algebra)
    _checked(result, points)
    return result if isinstance(result, Series) else Series(algebra, (0,), (result[None],))


def _checked(outputs: Any, points: Tensor) -> Any:
    """The outputs of a network, if they are a tensor or a series (n, outputs)."""
    if not isinstance(outputs, Tensor | Series):
        raise InputError(f"the network must map points (n, d) to (n, outputs), got {type(outputs).__name__}")
    if outputs.ndim != 2 or outputs.shape[0] != points.shape[0]:
        shapes = f"points {tuple(points.shape)} to {tuple(outputs.shape)}"
        raise InputError(f"the network must map points (n, d) to (n, outputs); it maps {shapes}")
    return outputs


@lru_cache(maxsize=100)
def _say_slow(reason: str) -> None:
    logger.warning(
        "derivatives by nested automatic differentiation, which is slow at high order: no Taylor rule (%s)", reason
    )


def _table(values: Tensor, points: Tensor, wanted: set[MultiIndex]) -> dict[MultiIndex, Tensor]:
    table = {(0,) * points.shape[1]: values}
    gradients: dict[MultiIndex, tuple[Tensor, ...]] = {}
    # no recursive function: as a part of its own closure it would keep the graph of all derivatives alive
    for last in sorted(wanted):
        index, steps = last, []
        while index not in table:
            # lower the last axis: all pure and mixed derivatives of one axis then share their chain
            axis = max(i for i, order in enumerate(index) if order)
            steps.append((index, axis))
            index = tuple(order - (i == axis) for i, order in enumerate(index))
        while steps:
            if index not in gradients:
                gradients[index] = _gradient(table[index], points).unbind(dim=1)
            child, axis = steps.pop()
            table[child] = gradients[index][axis]
            index = child
    return {index: table[index] for index in sorted(wanted)}


def _gradient(values: Tensor, points: Tensor) -> Tensor:
    if not values.requires_grad:  # constant in the points, hence so are all its derivatives
        return torch.zeros_like(points)
    (gradient,) = torch.autograd.grad(values.sum(), points, create_graph=True, materialize_grads=True)
    return gradient
