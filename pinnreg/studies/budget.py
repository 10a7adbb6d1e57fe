"""One budget for all runs of a study: network sweeps times points, as the engine counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinnreg.config import Config
from pinnreg.errors import InputError
from pinnreg.studies.measures import Run

UNLIMITED_STEPS = 1_000_000  # which no budget allows


def within(budget: float, config: Config) -> dict[str, Any]:
    """The overrides that let a run train until the budget is spent, and no limit of its own stop it before.

    Raises:
        InputError: several stages, among which a budget cannot be divided without being asked how.
    """
    if len(config.train) != 1:
        raise InputError(
            f"budget: the base has {len(config.train)} training stages, and how to divide the budget is yours to say; "
            "leave budget out and set train.0.max_sweeps, train.1.max_sweeps, ... under `set`"
        )
    return {"train.0.max_sweeps": budget, "train.0.steps": UNLIMITED_STEPS, "train.0.max_seconds": None}


def statement(budget: float | None, runs: Sequence[Run]) -> str:
    """What was spent, in a sentence or two."""
    spent = [run.measures["sweeps"] for run in runs if run.done and run.measures.get("sweeps") is not None]
    known = [value for value in spent if value is not None]
    limits = "each run stopped by the limits of its own config"
    if not known:
        return f"The budget was not equal: {limits}, and what they spent was not counted."
    low, high = (f"{value:.3g}" for value in (min(known), max(known)))
    range_ = f"{low} network sweeps times points" if low == high else f"{low} to {high} network sweeps times points"
    if budget is None and min(known) == max(known):
        return f"{limits[0].upper()}{limits[1:]}, and each spent {range_}."
    if budget is None:
        return f"The budget was not equal: {limits}. Each spent {range_}."
    early = "" if min(known) >= budget else "; those below it stopped by themselves, since their loss fell no more"
    return (
        f"Each run had a budget of {budget:.3g} network sweeps times points, equal for all; each spent {range_}{early}."
    )
