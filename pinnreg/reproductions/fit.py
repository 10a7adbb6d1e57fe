"""Training replicas through the common loop, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.errors import Diverged
from pinnreg.objective import Objective, Replicas
from pinnreg.optimisers import Stage
from pinnreg.reproductions.model import Progress
from pinnreg.training import History, Hooks, train

Measure = Callable[[dict[str, Tensor]], Mapping[str, float]]


@final
class Fitted:
    """Trained replicas.

    Attributes:
        replicas: with the trained parameters; those of each of its objectives are views of them.
        history: columns by name; measures as `error_<name>`, NaN where none was taken.
        steps: optimiser steps of all replicas together.
    """

    def __init__(self, replicas: Replicas, history: dict[str, NDArray[np.float64]], steps: int) -> None:
        self.replicas = replicas
        self.history = history
        self.steps = steps


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
        progress=lambda step, total, loss, errors: progress(label, step, total),
    )
    try:
        outcome = train(replicas, stages, history, hooks=hooks)
    except Diverged as error:
        seeds = sorted({objectives[number].seed for number in replicas.diverged})
        raise Diverged(f"{label}: {error}; of {len(objectives)} replicas {replicas.diverged}, seeds {seeds}") from None
    return Fitted(replicas, history.columns(), outcome.steps * len(objectives))
