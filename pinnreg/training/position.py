"""Where a run is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

HOOK = "stopped by a hook"
LIMITS = "steps done", "reached", HOOK
"""How the reason of a stage ends that a limit has ended, of steps, or of seconds or sweeps, or a hook."""


def is_limit(reason: str) -> bool:
    """Whether it was a limit that ended a stage, which would have gone on otherwise."""
    return reason.endswith(LIMITS)


@final
@dataclass
class Position:
    """Where a run is.

    Attributes:
        stage: the number of the stage, with steps, seconds and sweeps (times points) in it.
        step: steps in all, with seconds and sweeps.
        stop_reason: why the last stage ended, empty before.
        window: the number of the time window, of so many `windows`, which began after the share `begun` of the stage.
        first: the loss at the first step of the first window, 0 before.
        note: what has happened besides, empty for nothing.
        wrong: how large the residual was before the stage began again in windows, 0 if it has not.
        planned: the steps, seconds and sweeps that the stage was allowed.
    """

    stage: int = 0
    stage_step: int = 0
    stage_seconds: float = 0.0
    stage_sweeps: int = 0
    step: int = 0
    seconds: float = 0.0
    sweeps: int = 0
    stop_reason: str = ""
    window: int = 1
    windows: int = 1
    begun: float = 0.0
    first: float = 0.0
    note: str = ""
    wrong: float = 0.0
    planned: tuple[int, float | None, float | None] = (0, None, None)
