"""Self-scaled Broyden: a quasi-Newton method with a dense approximation of the inverse Hessian."""

from __future__ import annotations

import math
from typing import Any, Literal, final

import torch
from torch import Tensor

from pinnreg.errors import InputError
from pinnreg.objective import Target
from pinnreg.optimisers.interface import Advance, Parameters, Update
from pinnreg.optimisers.line_search import Found, Point, wolfe_search
from pinnreg.optimisers.vectors import as_parameters, as_vector, assign

MOST_PARAMETERS = 20_000


@final
class SSBroydenSteps:
    """The optimiser of `SSBroyden`: a few iterations at a time, so that a run can stop between them.

    The matrix is kept as H = Z Zᵀ, see `update_`. Without a Z the step tried is the negative gradient, shortened as in
    torch's L-BFGS to a sum norm of at most 1, and its pair gives H = (sᵀy / yᵀy) I before BFGS's update. When no step
    lowers the loss, Z is dropped and the gradient tried before it gives up. Nothing here depends on the loss's scale.
    """

    ITERATIONS = 10

    def __init__(self, parameters: Parameters, update: Update) -> None:
        """Begin with no matrix.

        Raises:
            InputError: more parameters than a dense matrix is good for.
        """
        count = sum(values.numel() for values in parameters.values())
        if count > MOST_PARAMETERS:
            gigabytes = count**2 * next(iter(parameters.values())).element_size() / 1e9
            raise InputError(
                f"ssbroyden: {count} parameters need a dense matrix of {gigabytes:.1f} GB; it takes at most "
                f"{MOST_PARAMETERS} parameters, use lbfgs beyond"
            )
        self._parameters = parameters
        self._update: Update = update
        self._factor: Tensor | None = None
        self._previous_loss: float | None = None

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        point, losses = self._evaluate(objective, as_vector(self._parameters))
        if not math.isfinite(point.loss):
            return Advance(1, losses)  # the training loop sees which term it is
        made, exhausted = 0, False
        while made < min(limit, self.ITERATIONS) and not exhausted:
            after = self._iterate(objective, point)
            if after is not None:
                point, made = after, made + 1
            else:
                exhausted = self._factor is None
                self._factor, self._previous_loss = None, None
        assign(self._parameters, as_parameters(point.parameters, self._parameters))
        stop = f"ssbroyden found no further decrease in {point.parameters.dtype}".replace("torch.", "")
        return Advance(max(made, 1), losses, stop if exhausted and not objective.annealing else None)

    def _evaluate(self, objective: Target, at: Tensor) -> tuple[Point, dict[str, Tensor]]:
        assign(self._parameters, as_parameters(at, self._parameters))
        losses, gradient = objective.gradient(self._parameters)
        return Point(at, float(objective.total(losses)), as_vector(gradient)), losses

    def _iterate(self, objective: Target, at: Point) -> Point | None:
        """One step and what it teaches; None if no step lowers the loss."""
        if self._factor is None:
            whitened = -at.gradient
            direction = whitened / max(1.0, float(whitened.abs().sum()))
        else:
            whitened = -(self._factor.T @ at.gradient)
            direction = self._factor @ whitened
        found = wolfe_search(lambda x: self._evaluate(objective, x)[0], at, direction, self._previous_loss)
        if found is None:
            return None
        self._learn(at, found, whitened)
        self._previous_loss = at.loss
        return found.point

    def _learn(self, before: Point, found: Found, whitened: Tensor) -> None:
        """Update Z by the pair of step and change of the gradient, if it is convex by more than rounding."""
        step = found.point.parameters - before.parameters
        change = found.point.gradient - before.gradient
        if not float(step @ change) > torch.finfo(step.dtype).eps * float(step.norm() * change.norm()):
            return
        if self._factor is None:
            root = math.sqrt(float(step @ change) / float(change @ change))
            self._factor = root * torch.eye(len(step), dtype=step.dtype, device=step.device)
            update_(self._factor, step, change, step / root, "bfgs")
        else:
            update_(self._factor, step, change, found.length * whitened, self._update)

    def forget(self) -> None:
        """Keep the matrix, which is positive definite by construction; the last decrease is of no use.

        Burgers, points drawn anew every 100 of 600 iterations: a loss of 6e-5, against 1e-3 where H was dropped.
        """
        self._previous_loss = None

    def state(self) -> dict[str, Any]:
        return {"factor": self._factor, "previous_loss": self._previous_loss}

    def load_state(self, state: dict[str, Any]) -> None:
        self._factor, self._previous_loss = state["factor"], state["previous_loss"]


def update_(
    factor: Tensor, step: Tensor, change: Tensor, whitened_step: Tensor, update: Update | Literal["bfgs"]
) -> None:
    """Update H = Z Zᵀ by a pair s, y: in place, Z becomes a Z₊ with

        H₊ = Z₊ Z₊ᵀ = (H - H y yᵀH / yᵀH y + φ v vᵀ) / τ + s sᵀ / sᵀy,   v = √(yᵀH y) (s / sᵀy - H y / yᵀH y),

    so that H₊ y = s; `scaling` chooses τ and φ. With ỹ = Zᵀy, s̃ = Z⁻¹s, e₁ = ỹ / |ỹ| and e₂ the direction of s̃
    orthogonal to e₁, the two matrices differ in the plane of e₁ and e₂ only:

        Z₊ = τ^(-1/2) Z (I - e₁ e₁ᵀ - e₂ e₂ᵀ) + s e₁ᵀ / √(sᵀy) + √((1 + φ a) / τ) Z e₂ e₂ᵀ,

    where 1 + a = |s̃|² |ỹ|² / (sᵀy)².

    The plane's basis costs one product with a matrix more than H itself would, and H₊ stays positive definite: with
    H itself, 2-D Poisson with 205 parameters lost that to rounding within 4000 iterations with each of three seeds, had
    to begin anew, and ended at losses of 3e-15 to 4e-14, against 6e-16 to 2e-15; in float32 it ended at 1e-7 against
    6e-9.

    Args:
        factor: Z, (p, p), any with Z Zᵀ = H.
        step: s, (p,).
        change: y, the change of the gradient, (p,), sᵀy > 0.
        whitened_step: s̃, (p,); for a step s = -α H g it is -α Zᵀg.
        update: how to choose τ and φ.

    Source: Brodlie, Gourlay & Greenstadt 1973 for updates of such factors.
    """
    whitened_change = factor.T @ change
    curvature = float(step @ change)
    size = float(whitened_change.norm())
    first = whitened_change / size
    along = curvature / size
    second = whitened_step - (whitened_step @ first) * first
    second -= (second @ first) * first  # again: what rounding left
    across = float(second.norm())
    first_image = factor @ first
    if across > torch.finfo(step.dtype).eps * along:
        second, second_image = second / across, (step - along * first_image) / across
    else:  # s̃ and ỹ are parallel: there is no plane
        second, second_image = torch.zeros_like(second), torch.zeros_like(step)
    a = (across / along) ** 2
    tau, phi = scaling(size**2 / curvature, (along**2 + across**2) / curvature, a, len(step), update)
    kept = tau**-0.5
    columns = torch.stack(
        [step / math.sqrt(curvature) - kept * first_image, (math.sqrt((1 + phi * a) / tau) - kept) * second_image]
    )
    factor.addmm_(columns.T, torch.stack([first, second]), beta=kept)


def scaling(h: float, b: float, a: float, parameters: int, update: Update | Literal["bfgs"]) -> tuple[float, float]:
    """The scale τ and the member φ of Broyden's family (1: BFGS, 0: DFP) of an update.

    "ssbfgs": τ = min(1, 1/b), φ = 1. "ssbroyden", with c = √(a / (1 + a)), n parameters:

        ρ⁻ = min(1, h (1 - c)),   θ = max((ρ⁻ - 1) / a, min(1 / ρ⁻, (1 - b) / b)),   σ = 1 + a θ,   φ = (1 - θ) / σ,
        τ = min(ρ σ^(1/(1-n)), σ) if θ ≤ 0 else ρ min(σ^(1/(1-n)), 1 / θ),   ρ = min(1, 1/b).

    Args:
        h: yᵀH y / sᵀy.
        b: sᵀH⁻¹s / sᵀy.
        a: h b - 1, at least 0.
        parameters: n.
        update: which rule; "bfgs" is τ = φ = 1.

    Source: Al-Baali 1998; Urban, Stefanou & Pons 2024, arXiv:2405.04230, as in their code ("SSBroyden2").
    """
    if update == "bfgs":
        return 1.0, 1.0
    rho = min(1.0, 1 / b)
    if update == "ssbfgs":
        return rho, 1.0
    c = math.sqrt(a / (1 + a))
    rho_minus = min(1.0, h / ((1 + a) * (1 + c)))  # 1 - c² = 1 / (1 + a)
    theta = max((rho_minus - 1) / max(a, 1e-300), min(1 / rho_minus, (1 - b) / b))
    sigma = max(1 + a * theta, rho_minus)  # where θ is its lower limit, without cancellation
    root = sigma ** (-1 / max(parameters - 1, 1))
    tau = min(rho * root, sigma) if theta <= 0 else rho * min(root, 1 / theta)
    return tau, (1 - theta) / sigma
