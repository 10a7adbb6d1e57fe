"""Training replicas through the common loop, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.errors import Diverged
from pinnreg.objective import Batch, Objective, Replicas
from pinnreg.optimisers import Stage
from pinnreg.reproductions.model import Progress
from pinnreg.training import History, Hooks, train

Measure = Callable[[dict[str, Tensor]], Mapping[str, float]]


@final
@dataclass(frozen=True, eq=False)
class Replica:
    """One of several that were trained side by side.

    Attributes:
        objective: what was minimised.
        batch: its last.
        parameters: the trained ones.
    """

    objective: Objective
    batch: Batch
    parameters: dict[str, Tensor]

    @property
    def network(self) -> Callable[[Tensor], Tensor]:
        """The trained network."""
        return self.objective.model.network_at(self.parameters)


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """Trained replicas.

    Attributes:
        each: the replicas.
        history: columns by name; measures as `error_<name>`, NaN where none was taken.
        steps: optimiser steps of all replicas together.
    """

    each: tuple[Replica, ...]
    history: dict[str, NDArray[np.float64]]
    steps: int


def fit(
    objectives: Sequence[Objective],
    stages: Sequence[Stage],
    progress: Progress,
    label: str,
    *,
    measure: Measure | None = None,
    names: Sequence[str] = (),
    every: int | None = None,
) -> Fitted:
    """Train objectives side by side by adam or sgd.

    Args:
        objectives: of one structure, one for each replica.
        stages: one after the other.
        progress: told how many steps are done.
        label: what is being trained, for `progress`.
        measure: numbers at the stacked parameters, to be recorded.
        names: of these numbers.
        every: steps between them.

    Raises:
        Diverged: a replica became NaN or Inf.
    """
    replicas = Replicas(objectives)
    history = History(replicas.names, names, None)
    hooks = Hooks(
        errors=measure or (lambda _: {}),
        evaluate_every=every,
        progress=lambda row: progress(label, row.step, row.steps),
    )
    try:
        outcome = train(replicas, stages, history, hooks=hooks)
    except Diverged as error:
        seeds = sorted({objectives[number].seed for number in replicas.diverged})
        raise Diverged(f"{label}: {error}; of {len(objectives)} replicas {replicas.diverged}, seeds {seeds}") from None
    own = (replicas.of_replica(number, outcome.parameters) for number in range(len(objectives)))
    each = tuple(map(Replica, objectives, outcome.batch.each, own))
    return Fitted(each, history.columns(), outcome.steps * len(objectives))
