"""What a regulariser is to the objective: three small protocols, which a class of a user's own can meet as well.

A penalty is a loss term, `weight` times what its rows come to. Taken at points, its rows are vectors (n,), and the term
is the mean over the points of Σ |row|^power over the vectors, times the volume of the domain where the penalty is an
`integral`. Taken on the parameters, it is Σ |row|² over all entries. With power 2 every optimiser takes the rows as
more least-squares residuals. Noise is no term: the whole loss is taken at perturbed parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, final

from pinnreg.regularisers.schedules import Schedule

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from pinnreg.equations import Problem, Sweep, Trial


class PointPenalty(Protocol):
    """A penalty on the solution, at points.

    Attributes:
        role: says that it is one.
        kind: its name in a config; its loss term has the same.
        weight: the factor; "auto": found while the network is trained.
        schedule: how the weight falls.
        samples: how many points are drawn uniformly at each step; None takes the collocation points.
        power: of the rows.
        integral: whether the mean over the points is multiplied by the domain's volume.
        smoothing: for power 1 the ε of √(s² + ε²), which replaces |s| where an optimiser needs that; None for 1e-3.
        stochastic: whether its rows change with every step though its points do not.
        vanishes: whether the exact solution makes it zero.
    """

    @property
    def role(self) -> Literal["points"]: ...
    @property
    def kind(self) -> str: ...
    @property
    def weight(self) -> float | Literal["auto"]: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def samples(self) -> int | None: ...
    @property
    def power(self) -> Literal[1, 2]: ...
    @property
    def integral(self) -> bool: ...
    @property
    def smoothing(self) -> float | None: ...
    @property
    def stochastic(self) -> bool: ...
    @property
    def vanishes(self) -> bool: ...

    def check(self, problem: Problem, trial: Trial) -> None:
        """Refuse, by an `InputError`, a problem that it does not fit."""

    def draw(self, points: int, outputs: int, draws: torch.Generator, like: Tensor) -> Tensor | None:
        """What is drawn at random for each point, (points, ...); None for nothing."""

    def rows(self, problem: Problem, sweep: Sweep) -> Sequence[Tensor]:
        """The rows at the points of a sweep of the trial function, each (n,); row i depends on point i only."""


class ParameterPenalty(Protocol):
    """A penalty on the network's parameters.

    Attributes:
        role: says that it is one.
        kind: its name in a config; its loss term has the same.
        weight: the factor; "auto": found while the network is trained.
        schedule: how the weight falls.
        diagonal: whether row i is parameter number i.
        vanishes: whether the exact solution makes it zero.
    """

    @property
    def role(self) -> Literal["parameters"]: ...
    @property
    def kind(self) -> str: ...
    @property
    def weight(self) -> float | Literal["auto"]: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def diagonal(self) -> bool: ...
    @property
    def vanishes(self) -> bool: ...

    def rows(self, network: nn.Module, parameters: Mapping[str, Tensor]) -> Tensor:
        """The rows, (n,), of the network's parameters by name."""


class Noise(Protocol):
    """Noise on the network's parameters: L(W) becomes Σ_j s_j L(W + U_j) with shares s_j that sum to 1.

    Attributes:
        role: says that it is one.
        kind: its name in a config.
        sigma: the standard deviation.
        schedule: how sigma falls.
        copies: at how many perturbed parameters the loss is taken, at most.
        first_order_only: whether a quasi-Newton or Gauss-Newton step would undo the noise.
    """

    @property
    def role(self) -> Literal["noise"]: ...
    @property
    def kind(self) -> str: ...
    @property
    def sigma(self) -> float: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def copies(self) -> int: ...
    @property
    def first_order_only(self) -> bool: ...

    def shifts(self, like: Mapping[str, Tensor], factor: float, draws: torch.Generator, step: int) -> Sequence[Shift]:
        """Where the loss is taken, at a step: `like` are the tensors to perturb, `factor` is that of sigma."""


Penalty = PointPenalty | ParameterPenalty
Regulariser = Penalty | Noise


@final
@dataclass(frozen=True)
class Shift:
    """Where the loss is taken with the share `share`: at W + offset, offsets by name of the tensor; None: at W."""

    share: float
    offset: Mapping[str, Tensor] | None = None


UNSHIFTED = (Shift(1.0),)


def acts(regulariser: Regulariser) -> bool:
    """Whether a regulariser changes anything: its weight, or the sigma of noise, is not zero."""
    strength = regulariser.sigma if regulariser.role == "noise" else regulariser.weight
    return strength == "auto" or strength > 0
