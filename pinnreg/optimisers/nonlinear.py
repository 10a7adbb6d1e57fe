"""Nonlinear least squares for any function: the trust region that trains networks, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, final

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from pinnreg import memory
from pinnreg.errors import InputError
from pinnreg.optimisers.function import Given, Result, UserFunction
from pinnreg.optimisers.interface import JACOBIANS, Parameters
from pinnreg.optimisers.settings import GaussNewton
from pinnreg.optimisers.step import Info, Known, Options, State, init, step
from pinnreg.optimisers.trust_region import Rules, Trial, square
from pinnreg.optimisers.vectors import as_vector

FAILURES = 5
"""So many failed steps in a row, each in a subspace of its own, end a sketched search."""


@final
@dataclass(frozen=True)
class LeastSquares(Generic[Given]):
    """What `least_squares` found.

    Attributes:
        parameters: where, in the form in which the start was given.
        loss: Σ r² there.
        residuals: r there, (n,): all that the function returns, one after the other.
        steps: how many were made.
        residual_evaluations: how often the function was called for its value.
        jacobian_evaluations: how often its Jacobian was computed.
        converged: whether it ended because it is at a minimum, to the tolerances or to rounding.
        reason: why it ended.
    """

    parameters: Given
    loss: float
    residuals: Tensor
    steps: int
    residual_evaluations: int
    jacobian_evaluations: int
    converged: bool
    reason: str


def least_squares(
    residuals: Callable[[Given], Result],
    parameters: Given,
    *,
    jacobian: Callable[[Given], object] | None = None,
    steps: int = 500,
    ratio: float = 0.075,
    acceleration: bool = True,
    corrections: int = 1,
    sketch: int | None = None,
    mixed_precision: bool = False,
    scaled: bool = True,
    gradient_tolerance: float | None = None,
    step_tolerance: float | None = None,
    loss_tolerance: float | None = None,
    seed: int = 0,
    callback: Callable[[int, float, Given], object] | None = None,
) -> LeastSquares[Given]:
    """A minimum of a sum of squares, min_x Σᵢ rᵢ(x)², by Gauss-Newton in a target-ratio trust region.

    Each step solves min_s |J s + r|² + λ |D s|² for the smallest λ whose step keeps what its model promises in part. It
    ends at x with Jacobian columns Jⱼ, or after a step s that lowered the loss by `actual` where its model promised
    `predicted`, where

        |Jⱼᵀ r| ≤ gradient_tolerance |Jⱼ| |r| for all j,    |D s| ≤ step_tolerance |D x|,
        max(actual, predicted) ≤ loss_tolerance Σ r²,    |r|² ≤ ε² Σⱼ |Jⱼ|² max |xⱼ|², the largest that xⱼ has been,

    the last where a change of the parameters by no more than their rounding would change r by more than all of it. Of
    the first three, after a step in a random subspace only the first counts.

    A step asks for r once for each λ that it tries, once more for the acceleration, and at most `corrections` times
    more. On the functions of Moré, Garbow & Hillstrom that is few Jacobians and many residuals beside MINPACK; the
    command `pinnreg bench least_squares` counts them.

    Args:
        residuals: of one tensor, or of one dict of tensors; returns a tensor of any shape, or a dict of them.
        parameters: where to start, in that form: float64 or float32, of any shapes; not changed.
        jacobian: r's derivatives, a tensor (n, *shape) for each tensor of parameters, in that form: what
            `torch.func.jacrev(residuals)` returns for residuals (n,). None differentiates: forward where there are no
            more parameters than residuals, else in reverse; row by row where `torch.func` cannot.
        steps: at most so many.
        ratio: the share of the predicted decrease that a step must reach; the boldest step that does is taken.
        acceleration: whether steps follow the curvature of the residuals to second order.
        corrections: at most so many at the end of a trial step. The benchmark takes about 480 Jacobians and 2350
            residuals with 0, 460 and 3400 with 1, 560 and 5400 with 3, the stage's default: better for networks.
        sketch: the dimension of the random subspace of a step; None for all parameters up to 3000, 1500 beyond.
        mixed_precision: whether to factorise in float32 while λ is large enough for that; for float64 only.
        scaled: whether D is the largest norm that each column of J has had (Moré 1978); otherwise 1. It matters where
            parameters differ by orders of magnitude: Jennrich & Sampson's function takes 15 Jacobians with it and
            46 without, Meyer's 17 and 27, but Brown & Dennis' 54 and 28.
        gradient_tolerance: None for ε^(2/3), with ε the precision of the parameters: 4e-11 in float64.
        step_tolerance: None for ε^(2/3).
        loss_tolerance: None for 4 ε.
        seed: of the subspaces.
        callback: called after each step with its number, the loss and the parameters; what is true ends the search.

    Returns:
        Where it ended, and why. A loss that cannot be lowered though the model promises so is no convergence: the
        residuals are rough, or their Jacobian is wrong. A step that promises less than √ε of the loss, or of the
        parameters, and does not keep that, is one that rounding has swallowed, and is convergence.

    Raises:
        InputError: an option out of range; parameters that are no finite floating tensors of one precision on one
            device; residuals that are empty, change their number, are of another precision or device, cannot be
            squared at the start, do not depend on the parameters as far as torch sees, or cannot be differentiated; a
            Jacobian of another form, or not finite at the start. What the given functions raise goes through.

    Source: Webb, Jerad & Cartis 2026, arXiv:2607.02194; Moré 1978, doi:10.1007/BFb0067700, for D and the tests of
        convergence.

    >>> import torch
    >>> def rosenbrock(x):
    ...     return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])
    >>> found = least_squares(rosenbrock, torch.tensor([-1.2, 1.0], dtype=torch.float64))
    >>> found.converged, [round(value, 6) for value in found.parameters.tolist()]
    (True, [1.0, 1.0])
    """
    _check_options(
        steps=steps,
        ratio=ratio,
        acceleration=acceleration,
        corrections=corrections,
        sketch=sketch,
        mixed_precision=mixed_precision,
        scaled=scaled,
        seed=seed,
    )
    function = UserFunction(residuals, parameters, jacobian)
    dtype = next(iter(function.start.values())).dtype
    tolerances = _Tolerances.of(dtype, gradient_tolerance, step_tolerance, loss_tolerance)
    if mixed_precision and dtype == torch.float32:
        raise InputError("mixed_precision has no effect on float32 parameters, which are single anyway")
    rules = Rules(ratio, acceleration, corrections, worth=tolerances.loss)
    # sums of rows with random signs would drown the slope of residuals that do not vanish
    options = Options(rules, sketch, mixed_precision, scaled, seed, sum_rows=False)
    search = _Search.begin(function)
    while not search.reason:
        search = _advanced(search, function, steps, options, tolerances)
        if callback is not None and search.moved:
            stop = callback(search.state.number, search.loss, function.given(search.parameters))
            if stop is not None and bool(stop) and not search.reason:
                search = search.ended("stopped by the callback")
    return LeastSquares(
        function.given(search.parameters),
        search.loss,
        search.residuals,
        search.state.number,
        function.residual_evaluations,
        function.jacobian_evaluations,
        search.converged,
        search.reason,
    )


@final
@dataclass(frozen=True)
class _Tolerances:
    gradient: float
    step: float
    loss: float
    rounding: float

    @staticmethod
    def of(dtype: torch.dtype, gradient: float | None, step: float | None, loss: float | None) -> _Tolerances:
        eps = torch.finfo(dtype).eps
        defaults = {"gradient": eps ** (2 / 3), "step": eps ** (2 / 3), "loss": 4 * eps}
        given = {"gradient": gradient, "step": step, "loss": loss}
        for name, value in given.items():
            if value is not None and not (_is_number(value) and 0 <= value < 1):
                raise InputError(f"{name}_tolerance: expected a number of at least 0 and below 1, got {value!r}")
        chosen = {name: defaults[name] if value is None else float(value) for name, value in given.items()}
        return _Tolerances(**chosen, rounding=eps)


@final
@dataclass(frozen=True)
class _Search:
    """Where the search is; `reason` says why it has ended, if it has."""

    parameters: Parameters
    residuals: Tensor
    loss: float
    reach: Tensor  # max |xⱼ| so far, (p,)
    state: State
    failures: tuple[bool, ...] = ()  # of the steps since, whether each says that this is a minimum
    moved: bool = False
    converged: bool = False
    reason: str = ""

    @staticmethod
    def begin(function: UserFunction[Given]) -> _Search:
        residuals = function.residuals(function.start)
        loss = square(residuals)
        if not residuals.numel():
            raise InputError("residuals: there are none")
        if not math.isfinite(loss):
            raise InputError("residuals: NaN or Inf at the start, or too large to be squared")
        if residuals.any() and loss < torch.finfo(residuals.dtype).tiny:
            raise InputError("residuals: too small to be squared at the start; scale them")
        start = as_vector(function.start)
        what = f"least_squares: a Jacobian of {len(residuals)} rows and {len(start)} parameters"
        needed = int(JACOBIANS * len(residuals) * len(start) * start.element_size())
        memory.check({what: needed}, "take fewer residuals or parameters", start.device)
        search = _Search(function.start, residuals, loss, start.abs(), init())
        return search if loss else search.ended("the residuals vanish at the start", converged=True)

    def ended(self, reason: str, *, converged: bool = False) -> _Search:
        return replace(self, reason=reason, converged=converged)


def _advanced(
    search: _Search, function: UserFunction[Given], steps: int, options: Options, tolerances: _Tolerances
) -> _Search:
    """The search one step on, or at its end."""
    search = replace(search, moved=False)
    if search.state.number >= steps:
        return search.ended(f"all {steps} steps done")
    at = function.linearise(search.parameters, search.residuals)
    norms = torch.linalg.vector_norm(at.jacobian, dim=0)
    if math.sqrt(search.loss) <= tolerances.rounding * float((norms * search.reach).norm()):
        return search.ended("the residuals vanish, to the rounding of the parameters", converged=True)
    if _largest_cosine(at, norms) <= tolerances.gradient:
        reason = f"the gradient vanishes: no cosine of a column with the residuals is above {tolerances.gradient:.1e}"
        return search.ended(reason, converged=True)
    parameters, state, info = step(function, at, search.parameters, search.state, options)
    if not info.finite:
        if search.state.number == 0:
            raise InputError("the Jacobian of the residuals is NaN or Inf at the start, or too large to be squared")
        return search.ended("the Jacobian is NaN or Inf where the search has come to")
    if info.found is None:
        return _failed(replace(search, state=state), info, tolerances)
    after = replace(
        search,
        parameters=parameters,
        residuals=info.found.residuals,
        loss=info.found.loss,
        reach=torch.maximum(search.reach, as_vector(parameters).abs()),
        state=state,
        failures=(),
        moved=True,
    )
    reason = _minimum(after, info, info.found, tolerances)
    return after.ended(reason, converged=True) if reason else after


def _minimum(after: _Search, info: Info, found: Trial, tolerances: _Tolerances) -> str:
    """Why the end of a successful step is a minimum; "" if that is not known."""
    if after.loss == 0:
        return "the residuals vanish"
    if info.sketched:
        return ""  # a subspace may hold little, whatever the rest does
    if max(found.predicted, info.loss - found.loss) <= tolerances.loss * info.loss:
        return f"a step lowers the loss by less than {tolerances.loss:.1e} of it"
    if _length(found) <= tolerances.step * _size(after):
        return f"a step changes the parameters by less than {tolerances.step:.1e} of them"
    return ""


def _failed(search: _Search, info: Info, tolerances: _Tolerances) -> _Search:
    """The search after a step that was not found."""
    small, first = tolerances.rounding**0.5, info.first
    assert first is not None  # a finite Jacobian promises something
    converged = True
    if first.predicted <= tolerances.loss * info.loss:
        reason = f"no step promises to lower the loss by {tolerances.loss:.1e} of it"
    elif first.predicted <= small * info.loss or _length(first) <= small * _size(search):
        reason = "no step lowers the loss by more than rounding"
    else:
        reason = "no step lowers the loss, though the Jacobian promises to: it is wrong, or the residuals are rough"
        converged = False
    if not info.sketched:
        return search.ended(reason, converged=converged)
    search = replace(search, failures=(*search.failures, converged))
    if len(search.failures) < FAILURES:
        return search  # the next subspace may hold one
    return search.ended(f"in {FAILURES} random subspaces in a row {reason}", converged=all(search.failures))


def _largest_cosine(at: Known, norms: Tensor) -> float:
    """maxⱼ |Jⱼᵀ r| / (|Jⱼ| |r|), over columns that are not zero, whose norms are given."""
    slopes = (at.jacobian.T @ at.residuals).abs()
    sizes = norms * torch.linalg.vector_norm(at.residuals)
    return float(torch.where(sizes == 0, torch.zeros_like(sizes), slopes / sizes).max())


def _length(trial: Trial) -> float:
    return float(torch.linalg.vector_norm(trial.step))


def _size(search: _Search) -> float:
    """|D x|."""
    x, units = as_vector(search.parameters), search.state.units
    return float(torch.linalg.vector_norm(x if units is None else units * x))


def _check_options(**options: object) -> None:
    """Refuse what is out of range, as the stage does."""
    scaled, seed = options.pop("scaled"), options.pop("seed")
    if not isinstance(scaled, bool):
        raise InputError(f"scaled: expected True or False, got {scaled!r}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"seed: expected a whole number of at least 0, got {seed!r}")
    try:
        TypeAdapter(GaussNewton).validate_python(options)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}, got {each['input']!r}" for each in error.errors()]
        raise InputError("\n".join(lines)) from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
