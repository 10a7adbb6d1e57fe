"""`Batch`: everything that one step sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from torch import Tensor

from pinnreg.equations import Points
from pinnreg.equations.points import Tensors
from pinnreg.regularisers import UNSHIFTED, Shift


@final
@dataclass(frozen=True)
class Tuned:
    """The weight of a penalty as it was found last.

    Attributes:
        weight: the factor.
        step: when it was looked at.
        reach: by at most so many powers of ten it may change at the next look.
        direction: in which it changed: -1, 1, or 0 where it stayed.
    """

    weight: float
    step: int = 0
    reach: float = 1.0
    direction: int = 0


@final
@dataclass(frozen=True, eq=False)
class Placement:
    """What stays from step to step, until the next resampling.

    Attributes:
        points: collocation points, those of soft conditions with all measurements, by term.
        step: at which they were last looked after.
        drawn: at which those of conditions were drawn.
        settled: whether the last look at the residual between the collocation points added none.
        window: the share of the time, from the start, in which they lie.
        balanced: the weights that were found for soft conditions at that step.
        tuned: the weights of penalties that are found, by loss term.
    """

    points: Mapping[str, Points]
    step: int = 0
    drawn: int = 0
    settled: bool = False
    window: float = 1.0
    balanced: Mapping[str, float] = field(default_factory=dict)
    tuned: Mapping[str, Tuned] = field(default_factory=dict)


@final
@dataclass(frozen=True, eq=False)
class Batch:
    """Everything that one step sees: a value, which nothing changes.

    Attributes:
        points: of each term at points, by its name.
        counts: the number of rows of each loss term.
        weights: of each loss term.
        weight_vector: the same as a tensor.
        shifts: where the parameters are perturbed to, with shares; one unperturbed without noise.
        smooth: whether |r| is smoothed.
        step: at which it was drawn.
        progress: the share of the training that the schedules of now are for.
        placement: what it was drawn from.
        cost: network sweeps times points that drawing it took.
    """

    points: Mapping[str, Points]
    counts: Mapping[str, int]
    weights: Mapping[str, float]
    weight_vector: Tensor
    shifts: Sequence[Shift] = UNSHIFTED
    smooth: bool = False
    step: int = 0
    progress: float = 0.0
    placement: Placement = field(default_factory=lambda: Placement({}))
    cost: int = 0

    @property
    def found_weights(self) -> dict[str, float]:
        """The weights of penalties that are found, by loss term."""
        return {name: each.weight for name, each in self.placement.tuned.items()}

    @property
    def settled(self) -> bool:
        """Whether the last look at the residual between the collocation points added none."""
        return self.placement.settled

    def tensors(self, names: Iterable[str]) -> dict[str, Tensors]:
        """The tensors of the points of some terms."""
        return {name: self.points[name].tensors() for name in names}

    def replaced(self, tensors: Mapping[str, Tensors], weight_vector: Tensor) -> Batch:
        """A batch of the same structure with other tensors, those of `tensors()`, and no perturbation."""
        points = {name: each.replaced(tensors[name]) if name in tensors else each for name, each in self.points.items()}
        return replace(self, points=points, weight_vector=weight_vector, shifts=UNSHIFTED)
