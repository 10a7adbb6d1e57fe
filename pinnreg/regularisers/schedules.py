"""How the strength of a regulariser falls while the network is trained."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def annealed(schedule: Schedule, progress: float) -> float:
    """The factor of a weight after the fraction `progress` in [0, 1] of all training steps.

    A fixed weight on u itself biases the solution of a well-posed problem: its error stalls at a floor proportional to
    the weight. `linear` and `cosine` take the weight from its full value to zero and so remove the floor.
    """
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - progress
        case "cosine":
            return (1.0 + math.cos(math.pi * progress)) / 2
