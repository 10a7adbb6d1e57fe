"""`Model`: what parameters mean, the trial function and the coefficients of a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from pinnreg.equations import Asked, Points, Problem, Sweep, Trial, Unknown, with_values
from pinnreg.networks import bound, trained

COEFFICIENT = "unknown."
"""What the names of the trained coefficients begin with among the parameters."""

Parameters = dict[str, Tensor]
Network = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False)
class Model:
    """A problem whose solution and unknown coefficients are functions of one dict of named tensors.

    Attributes:
        problem: what is solved.
        trial: how a network becomes the solution.
        network: its architecture; its own parameters are those that training begins with.
        unknown: the coefficients of the problem that are trained, by name.
        chunk: how many points the network sees at once; None for all.
    """

    problem: Problem
    trial: Trial
    network: nn.Module
    unknown: Mapping[str, Unknown]
    chunk: int | None = None

    def initial(self) -> Parameters:
        """The first parameters, leaf tensors: the network's, then `unknown.<name>` each coefficient."""
        own = {name: each.detach().clone().requires_grad_() for name, each in trained(self.network).items()}
        thetas = {
            COEFFICIENT + name: self.like.new_tensor(each.first).requires_grad_() for name, each in self.unknown.items()
        }
        return own | thetas

    @property
    def like(self) -> Tensor:
        """A tensor where the parameters are, and in their precision."""
        return next(iter(self.network.parameters())).detach()

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The names of the parameters that are unknown coefficients."""
        return tuple(COEFFICIENT + name for name in self.unknown)

    def network_part(self, parameters: Mapping[str, Tensor]) -> Parameters:
        """The parameters of the network only, those that are trained."""
        return {name: parameters[name] for name in trained(self.network)}

    def network_at(self, parameters: Mapping[str, Tensor]) -> Network:
        """The network as a function of points."""
        return bound(self.network, self.network_part(parameters))

    def problem_at(self, parameters: Mapping[str, Tensor]) -> Problem:
        """The problem with its unknown coefficients as the parameters have them."""
        values = {name: each.value(parameters[COEFFICIENT + name]) for name, each in self.unknown.items()}
        return with_values(self.problem, values)

    def coefficient_values(self, parameters: Mapping[str, Tensor]) -> dict[str, float]:
        """The unknown coefficients by name."""
        return {name: float(each.value(parameters[COEFFICIENT + name].detach())) for name, each in self.unknown.items()}

    def sweep(
        self,
        parameters: Mapping[str, Tensor],
        points: Points,
        operators: Iterable[Asked] = (),
        *,
        whole: bool = False,
    ) -> Sweep:
        """Derivatives of the solution at points; all of these at once if `whole`, else in chunks."""
        chunk = None if whole else self.chunk
        return Sweep(self.trial, self.network_at(parameters), points, operators, chunk=chunk)
