"""Somebody's residuals, a function of a tensor or of a dict of tensors, as the trust region sees them."""

from __future__ import annotations

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

Given = TypeVar("Given", Tensor, dict[str, Tensor])
Result = Tensor | Mapping[str, Tensor]

ALONE = ""
"""The name of the one tensor where it is not in a dict."""
AGREE = {torch.float64: 1e-8, torch.float32: 1e-2}


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
        self.residual_evaluations = 0
        self.jacobian_evaluations = 0

    def given(self, parameters: Parameters) -> Given:
        """Parameters in the form of the start."""
        return self._wrap(parameters)

    def residuals(self, parameters: Parameters) -> Tensor:
        """r, (n,): all that the function returns, one after the other."""
        self.residual_evaluations += 1
        return self._flat(self._of(self.given(parameters))).detach()

    def linearise(self, parameters: Parameters, residuals: Tensor) -> Known:
        """The residuals, which are known, and their Jacobian, one column after the other in memory."""
        self.jacobian_evaluations += 1
        x = as_vector(parameters)
        jacobian = self._derived(x, len(residuals)) if self._own is None else self._asked(parameters, len(residuals))
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

        if self._forward is None:
            self._forward = len(x) <= count and _forward_works(of, x)
        if self._forward:
            found: Tensor = torch.func.jacfwd(of)(x)
            return found
        try:
            return jacobian_of(lambda at: {ALONE: of(at[ALONE])}, {ALONE: x})[ALONE]
        except (RuntimeError, TypeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise InputError(
                f"residuals: torch cannot differentiate them ({type(error).__name__}: {error}); give their jacobian="
            ) from error

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
            if table.numel() == count * like.numel() and (table.dtype, table.device) == (like.dtype, like.device):
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
        if not values.isfinite().all():
            raise InputError(f"parameters{_of(name)}: NaN or Inf at the start")
        found[name] = values.detach().clone()
    kinds = dict.fromkeys(f"{values.dtype} on {values.device}" for values in found.values())
    if len(kinds) > 1:
        raise InputError(f"parameters: expected one precision and one device, got {' and '.join(kinds)}")
    if not sum(values.numel() for values in found.values()):
        raise InputError("parameters: there are none")
    return found


def _forward_works(of: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether forward mode gives Jᵀ c as reverse mode does, for some c: it misses what nested derivatives depend on."""
    try:
        with warnings.catch_warnings():
            # torch's own use of torch.jit, when forward mode is first used
            warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)
            jacobian = torch.func.jacfwd(of)(x).detach()
    except (RuntimeError, TypeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return False
    leaf = x.clone().requires_grad_()
    c = torch.linspace(1, 2, len(jacobian), dtype=x.dtype, device=x.device)
    try:
        with torch.enable_grad():
            (expected,) = torch.autograd.grad(c @ of(leaf), leaf, materialize_grads=True)
    except RuntimeError:
        return bool((jacobian == 0).all())  # it does not depend on x, as far as autograd knows
    difference, size = (jacobian.T @ c - expected).abs().max(), (jacobian.abs().T @ c).max()
    return not bool(difference > AGREE[x.dtype] * size)  # NaN is not its fault
