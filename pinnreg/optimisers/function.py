"""Somebody's residuals, a function of a tensor or of a dict of tensors, as the trust region sees them."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar, final

import torch
from torch import Tensor

from pinnreg.errors import InputError
from pinnreg.jacobians import jacobian_of
from pinnreg.optimisers.interface import Parameters
from pinnreg.optimisers.step import Known
from pinnreg.optimisers.vectors import as_parameters, as_vector

logger = logging.getLogger("pinnreg")

Given = TypeVar("Given", Tensor, dict[str, Tensor])
Result = Tensor | Mapping[str, Tensor]

ALONE = ""
"""The name of the one tensor where it is not in a dict."""
AGREE = {torch.float64: 1e-8, torch.float32: 1e-2}
CHUNK = 32
"""Derivatives by so many parameters, or of so many residuals, are taken at once. All of them at once hold everything
that the function computes as often as there are parameters: 800 MB where the Jacobian has 4 (1500 residuals of a layer
of 100), and take four times as long."""


@final
class UserFunction(Generic[Given]):
    """Residuals with their Jacobian, and how often each was asked for.

    Args:
        of: the residuals.
        start: where they will be asked for first; says what the parameters are.
        jacobian: of the residuals, as `torch.func.jacrev` returns it; None differentiates them.

    Raises:
        InputError: the parameters are not real floating tensors of one precision on one device, finite and not empty.
    """

    def __init__(self, of: Callable[[Given], Result], start: Given, jacobian: Callable[[Given], object] | None) -> None:
        self._of: Callable[[Given], Result] = of
        self._own: Callable[[Given], object] | None = jacobian
        self._wrap: Callable[[Parameters], Given] = _alone if isinstance(start, Tensor) else _same
        self.start: Parameters = _checked(start)
        self._dtype = next(iter(self.start.values())).dtype
        self._device = next(iter(self.start.values())).device
        self._forward: bool | None = None  # decided at the first use
        self._count: int | None = None  # known after the first
        self.residual_evaluations = 0
        self.jacobian_evaluations = 0

    def given(self, parameters: Parameters) -> Given:
        """Parameters in the form of the start, a copy: what becomes of it in the user's hands is the user's affair."""
        return self._wrap({name: values.clone() for name, values in parameters.items()})

    def residuals(self, parameters: Parameters) -> Tensor:
        """r, (n,): all that the function returns, one after the other."""
        self.residual_evaluations += 1
        found = self._flat(self._of(self.given(parameters))).detach()
        self._check_count(len(found))
        return found

    def _check_count(self, count: int) -> None:
        if self._count not in {None, count}:
            raise InputError(f"residuals: expected {self._count} as at the start, got {count}")
        self._count = count

    def linearise(self, parameters: Parameters, residuals: Tensor) -> Known:
        """The residuals, which are known, and their Jacobian, one column after the other in memory."""
        self.jacobian_evaluations += 1
        x = as_vector(parameters)
        jacobian = self._derived(x, len(residuals)) if self._own is None else self._asked(parameters, len(residuals))
        self._check_count(len(jacobian))
        return Known(residuals, jacobian.detach().T.contiguous().T)

    def _flat(self, result: object) -> Tensor:
        tensors = list(result.values()) if isinstance(result, Mapping) else [result]
        flat = [each.reshape(-1) for each in tensors if isinstance(each, Tensor)]
        if len(flat) < len(tensors) or not flat:
            kinds = ", ".join(type(each).__name__ for each in tensors) or "an empty dict"
            raise InputError(f"residuals: expected a tensor or a dict of tensors, got {kinds}")
        if any(each.dtype != self._dtype or each.device != self._device for each in flat):
            found = ", ".join(dict.fromkeys(f"{each.dtype} on {each.device}" for each in flat))
            raise InputError(f"residuals: expected {self._dtype} on {self._device} like the parameters, got {found}")
        return torch.cat(flat)

    def _derived(self, x: Tensor, count: int) -> Tensor:
        """Forward mode where there are no more parameters than residuals, else reverse mode."""

        def of(x: Tensor) -> Tensor:
            return self._flat(self._of(self.given(as_parameters(x, self.start))))

        if self._forward:
            return _forward(of, x)
        known = None
        if self._forward is None:
            known = _forward_if_right(of, x) if len(x) <= count else None
            self._forward = known is not None
            known = self._reversed(of, x) if known is None else known
            self._check_dependence(known, of, x)
        return self._reversed(of, x) if known is None else known

    def _reversed(self, of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        try:
            return jacobian_of(lambda at: {ALONE: of(at[ALONE])}, {ALONE: x}, chunk=CHUNK)[ALONE]
        except (RuntimeError, TypeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise InputError(
                f"residuals: torch cannot differentiate them ({type(error).__name__}: {error}); give their jacobian="
            ) from error

    def _check_dependence(self, jacobian: Tensor, of: Callable[[Tensor], Tensor], x: Tensor) -> None:
        """Refuse residuals that no parameter has an influence on, as far as torch sees, and name idle parameters."""
        idle = (jacobian == 0).all(dim=0)
        if idle.all() and not _depends(of, x):
            raise InputError(
                "residuals: as far as torch can see they do not depend on the parameters; compute them by torch's "
                "functions of the parameters (no .item(), .detach() or numpy), or give their jacobian="
            )
        for name, each in as_parameters(idle, self.start).items():
            if each.any():
                where = (
                    "" if each.all() else f" at {', '.join(str(at) for at in each.nonzero()[:3].squeeze(1).tolist())}"
                )
                logger.warning(
                    "least_squares: at the start no residual changes with parameters%s%s, as far as torch can see",
                    _of(name),
                    where,
                )

    def _asked(self, parameters: Parameters, count: int) -> Tensor:
        """The user's own Jacobian as a matrix, (n, p)."""
        assert self._own is not None
        found = self._own(self.given(parameters))
        tables = found if isinstance(found, Mapping) else {ALONE: found}
        if tables.keys() != self.start.keys():
            raise InputError(f"jacobian: expected {_described(self.start)}, got {_described(tables)}")
        return torch.cat([self._table(name, tables[name], count) for name in self.start], dim=1)

    def _table(self, name: str, table: object, count: int) -> Tensor:
        like: Tensor = self.start[name]
        got = type(table).__name__
        if isinstance(table, Tensor):
            rows, rest = table.shape[: table.ndim - like.ndim], table.shape[table.ndim - like.ndim :]
            fits = table.ndim >= like.ndim and math.prod(rows) == count and rest == like.shape
            if fits and (table.dtype, table.device) == (like.dtype, like.device):
                return table.reshape(count, like.numel())
            got = f"{tuple(table.shape)} of {table.dtype} on {table.device}"
        expected = f"{(count, *like.shape)} of {like.dtype} on {like.device}"
        raise InputError(f"jacobian{_of(name)}: expected {expected}, got {got}")


def _alone(parameters: Parameters) -> Tensor:
    return parameters[ALONE]


def _same(parameters: Parameters) -> Parameters:
    return parameters


def _of(name: str) -> str:
    return f" of {name!r}" if name != ALONE else ""


def _described(tensors: Mapping[str, object]) -> str:
    return "one tensor" if tensors.keys() == {ALONE} else f"a dict of {', '.join(map(repr, tensors))}"


def _checked(start: object) -> Parameters:
    """The start as a dict of tensors that share nothing with it."""
    named: Mapping[str, object] = start if isinstance(start, Mapping) else {ALONE: start}
    found: Parameters = {}
    for name, values in named.items():
        if not isinstance(values, Tensor):
            raise InputError(f"parameters{_of(name)}: expected a tensor or a dict of tensors, got {values!r}")
        if values.dtype not in AGREE:
            raise InputError(f"parameters{_of(name)}: expected float64 or float32, got {values.dtype}")
        found[name] = values.detach().clone()
    kinds = dict.fromkeys(f"{values.dtype} on {values.device}" for values in found.values())
    if len(kinds) > 1:
        raise InputError(f"parameters: expected one precision and one device, got {' and '.join(kinds)}")
    if not sum(values.numel() for values in found.values()):
        raise InputError("parameters: there are none")
    for name, values in found.items():
        if values.layout != torch.strided or values.is_meta:
            raise InputError(f"parameters{_of(name)}: expected a dense tensor with values, got {values!r}")
        if not values.isfinite().all():
            raise InputError(f"parameters{_of(name)}: NaN or Inf at the start")
    return found


def _forward(of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Jacobian in forward mode, (n, p)."""

    def column(direction: Tensor) -> Tensor:
        found: Tensor = torch.func.jvp(of, (x,), (direction,))[1]
        return found

    units = torch.eye(len(x), dtype=x.dtype, device=x.device)
    columns: Tensor = torch.func.vmap(column, chunk_size=CHUNK)(units)
    # torch makes float64 of the derivative of a float32 number times a Python float
    return columns.detach().to(x.dtype).T


def _forward_if_right(of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    """The Jacobian in forward mode if Jᵀ c is as in reverse mode for some c, else None.

    Forward mode misses what nested derivatives depend on.
    """
    try:
        with warnings.catch_warnings():
            # torch's own use of torch.jit, when forward mode is first used
            warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)
            jacobian = _forward(of, x)
    except (RuntimeError, TypeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return None
    leaf = x.clone().requires_grad_()
    c = torch.linspace(1, 2, len(jacobian), dtype=x.dtype, device=x.device)
    try:
        with torch.enable_grad():
            (expected,) = torch.autograd.grad(c @ of(leaf), leaf, materialize_grads=True)
    except RuntimeError:
        # it does not depend on x, as far as autograd knows
        return jacobian if bool((jacobian == 0).all()) else None
    difference, size = (jacobian.T @ c - expected).abs().max(), (jacobian.abs().T @ c).max()
    # NaN is not its fault
    return None if bool(difference > AGREE[x.dtype] * size) else jacobian


def _depends(of: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether autograd sees a way from x to the result."""
    with torch.enable_grad():
        return of(x.clone().requires_grad_()).requires_grad
