"""Noise on the parameters: the whole loss is taken at perturbed ones, and so prefers flat minima.

A scheme turns the loss L(W) into Σ_j s_j L(W + U_j) with shares s_j that sum to 1. It has no term of its own:
residuals, conditions and penalties are all taken at W + U_j. Only the network's tensors are perturbed, no unknown
coefficient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from pinnreg.regularisers.interface import UNSHIFTED, Shift
from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, Count, NonNegative, no_boolean

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@final
@dataclass(frozen=True, config=STRICT)
class NoiseStability:
    """Noise stability: λ L(W) + (1 - λ)/2k Σ_j [L(W + U_j) + L(W - U_j)], U_j ~ N(0, σ² I) drawn afresh.

    In expectation this is L + (1 - λ) σ²/2 tr ∇²L + O(σ⁴): minima with a small Hessian trace are preferred. U_j and
    -U_j together cancel what is of first order in σ. For Gauss-Newton the rows are those of the residuals at W + U_j
    and W - U_j, with U_j the same for the Jacobian and all trial steps.

    Attributes:
        sigma: σ, the standard deviation, the same for all weights and biases.
        samples: k, the number of pairs; each costs as much as two plain steps.
        unperturbed: λ, the share of the loss at W itself.
        sides: "two", or "one": 2k independent U_j without their negatives, for comparison at the same cost. Of first
            order in σ, that noise is an error of the gradient; a nearly exact solve for fixed U_j would only undo it,
            so it runs with first-order optimisers.
        schedule: how σ falls; as for `ktv`.

    Source: Ju, Li & Zhang 2023, arXiv:2306.08553.
    """

    kind: Literal["noise_stability"] = "noise_stability"
    sigma: NonNegative = 0.01
    samples: Count = 1
    unperturbed: Annotated[float, Field(ge=0, lt=1), BeforeValidator(no_boolean)] = 0.0
    sides: Literal["two", "one"] = "two"
    schedule: Schedule = "constant"

    role: ClassVar[Literal["noise"]] = "noise"

    @property
    def copies(self) -> int:
        """At how many parameters the loss is taken."""
        return 2 * self.samples + bool(self.unperturbed)

    @property
    def first_order_only(self) -> bool:
        """Whether a quasi-Newton or Gauss-Newton step would undo the noise."""
        return self.sides == "one"

    def shifts(self, like: Mapping[str, Tensor], factor: float, draws: torch.Generator, step: int) -> Sequence[Shift]:
        """Where the loss is taken.

        Args:
            like: the tensors to perturb.
            factor: of σ, from its schedule.
            draws: one step's random numbers.
            step: not needed here.
        """
        if not self.sigma * factor:
            return UNSHIFTED
        count = self.samples if self.sides == "two" else 2 * self.samples
        drawn = [_normal(like, self.sigma * factor, draws) for _ in range(count)]
        if self.sides == "two":
            drawn = [each for plus in drawn for each in (plus, {name: -values for name, values in plus.items()})]
        shifted = [Shift((1 - self.unperturbed) / len(drawn), each) for each in drawn]
        return [*([Shift(self.unperturbed)] if self.unperturbed else []), *shifted]


@final
@dataclass(frozen=True, config=STRICT)
class WeightNoise:
    """Weight noise: the gradient is taken at W + U and applied at W, U drawn afresh; layer by layer, or all at once.

    "layer": at step t the tensor number t mod G of all G gets noise N(0, σ²). "all": every tensor gets N(0, σ²/G), of
    the same mean energy; in wide networks the noise of different layers multiplies, and its variance grows with the
    width, which layer-wise noise avoids.

    One-sided noise is an error of the gradient that a nearly exact solve for fixed U would undo: it runs with
    first-order optimisers (adam, sgd) only.

    Attributes:
        sigma: σ, the standard deviation.
        scheme: "layer" or "all".
        schedule: how σ falls; as for `ktv`.

    Source: Orvieto, Raj, Kersting & Bach 2022, arXiv:2206.04613.
    """

    kind: Literal["weight_noise"] = "weight_noise"
    sigma: NonNegative = 0.01
    scheme: Literal["layer", "all"] = "layer"
    schedule: Schedule = "constant"

    role: ClassVar[Literal["noise"]] = "noise"

    @property
    def copies(self) -> int:
        """At one."""
        return 1

    @property
    def first_order_only(self) -> bool:
        """Always."""
        return True

    def shifts(self, like: Mapping[str, Tensor], factor: float, draws: torch.Generator, step: int) -> Sequence[Shift]:
        """Where the loss is taken. Arguments as for `NoiseStability`; `step` chooses the layer."""
        sigma = self.sigma * factor
        if not sigma:
            return UNSHIFTED
        if self.scheme == "all":
            return [Shift(1.0, _normal(like, sigma / math.sqrt(len(like)), draws))]
        name = list(like)[step % len(like)]
        return [Shift(1.0, _normal({name: like[name]}, sigma, draws))]


def _normal(like: Mapping[str, Tensor], sigma: float, draws: torch.Generator) -> dict[str, Tensor]:
    import torch  # noqa: PLC0415, since a config needs no torch

    return {
        name: sigma * torch.randn(each.shape, generator=draws, device=each.device, dtype=each.dtype)
        for name, each in like.items()
    }
