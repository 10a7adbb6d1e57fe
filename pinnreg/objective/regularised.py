"""The regularisers of an objective: which are terms, how strong they are, where they take the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

from torch import Tensor

from pinnreg.equations import Problem, Trial
from pinnreg.errors import InputError
from pinnreg.objective.terms import named
from pinnreg.randomness import generator
from pinnreg.regularisers import (
    KTV,
    UNSHIFTED,
    Noise,
    NoiseStability,
    Orthogonality,
    Penalty,
    PointPenalty,
    Regulariser,
    Ridge,
    Shift,
    WeightNoise,
    annealed,
)


@final
class Regularised:
    """Regularisers, sorted.

    Attributes:
        at_points: the penalties that are taken at points, by the name of their term.
        on_parameters: those that are taken on the parameters themselves.

    Raises:
        InputError: a penalty that does not fit the problem, several kinds of noise.
    """

    def __init__(self, regularisers: Sequence[Regulariser], problem: Problem, trial: Trial) -> None:
        penalties: list[Penalty] = []
        noises: list[Noise] = []
        for each in regularisers:
            if isinstance(each, NoiseStability | WeightNoise):
                noises.append(each)
            else:
                penalties.append(each)
        if len(noises) > 1:
            raise InputError(
                f"regularisers: {noises[0].kind} and {noises[1].kind} both perturb the parameters; independent noise "
                "adds up to noise of a larger sigma: give one"
            )
        self._noise = noises[0] if noises else None
        terms = named(penalties)
        self.on_parameters = {name: each for name, each in terms.items() if isinstance(each, Ridge | Orthogonality)}
        self.at_points: dict[str, PointPenalty] = {
            name: each for name, each in terms.items() if not isinstance(each, Ridge | Orthogonality)
        }
        for penalty in self.at_points.values():
            penalty.check(problem, trial)
        self._all: Sequence[Regulariser] = regularisers

    @property
    def names(self) -> tuple[str, ...]:
        """The terms, in the order of their rows."""
        return (*self.at_points, *self.on_parameters)

    @property
    def stochastic(self) -> bool:
        """Whether anything is drawn anew from step to step."""
        drawn = (each.samples is not None or _projected(each) for each in self.at_points.values())
        return self._noise is not None or any(drawn)

    @property
    def scheduled(self) -> bool:
        """Whether a strength that is not zero follows a schedule."""
        return any(strength(each) > 0 and each.schedule != "constant" for each in self._all)

    @property
    def powers(self) -> set[int]:
        """The powers of the terms."""
        return {each.power if isinstance(each, KTV) else 2 for each in self.at_points.values()} | {2}

    @property
    def but_weights(self) -> tuple[Regulariser, ...]:
        """All of them, penalties with weight zero."""
        noises = [each for each in self._all if isinstance(each, NoiseStability | WeightNoise)]
        penalties = (*self.at_points.values(), *self.on_parameters.values())
        return (*noises, *(replace(each, weight=0.0) for each in penalties))

    def weights(self, progress: float) -> dict[str, float]:
        """The weight of each term after the share `progress` of the training."""
        terms: Mapping[str, Penalty] = {**self.at_points, **self.on_parameters}
        return {name: each.weight * annealed(each.schedule, progress) for name, each in terms.items()}

    def shifts(self, network: Mapping[str, Tensor], seed: int, step: int, progress: float) -> Sequence[Shift]:
        """Where the network's tensors are perturbed to at a step."""
        if self._noise is None:
            return UNSHIFTED
        draws = generator(seed, self._noise.kind, step, device=next(iter(network.values())).device)
        return self._noise.shifts(network, annealed(self._noise.schedule, progress), draws, step)


def strength(regulariser: Regulariser) -> float:
    """The weight of a penalty, the sigma of noise."""
    return regulariser.sigma if isinstance(regulariser, NoiseStability | WeightNoise) else regulariser.weight


def _projected(penalty: PointPenalty) -> bool:
    return penalty.kind == "jacobian" and penalty.projections is not None
