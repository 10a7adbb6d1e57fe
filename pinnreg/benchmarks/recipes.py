"""What optimisers are compared on: the problems, and a `train` section for each optimiser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pinnreg.config import Resolved, as_dict, resolve
from pinnreg.errors import unknown
from pinnreg.registry import find, shipped_configs

Settings = dict[str, Any]

PROBLEMS = ("poisson1d", "poisson", "poisson_frequency4", "heat", "burgers", "burgers_nu001")
"""Shipped configs that are compared if no others are asked for."""

_WARM_UP: Settings = {"optimiser": "adam", "steps": 300, "learning_rate": 1e-2, "schedule": "exponential"}

RECIPES: dict[str, list[Settings]] = {
    "gauss_newton": [{"optimiser": "gauss_newton"}],
    "ssbroyden": [_WARM_UP, {"optimiser": "ssbroyden", "steps": 20_000}],
    "lbfgs": [_WARM_UP, {"optimiser": "lbfgs", "steps": 20_000, "history": 100}],
    "adam": [{"optimiser": "adam", "steps": 100_000, "learning_rate": 5e-3, "schedule": "exponential"}],
}
"""Stages by the name of the optimiser; the last stage is the optimiser itself."""

EARLIER_SHARE = 0.1
"""The share of the seconds that each stage before the last may take."""


def check_names(problems: Iterable[str], optimisers: Iterable[str]) -> None:
    """Refuse a problem or an optimiser that there is not.

    Raises:
        InputError: with the nearest names, and all of them.
    """
    known = [*shipped_configs(), *find()]
    for name in problems:
        if name not in known:
            raise unknown("problem", name, known)
    for name in optimisers:
        if name not in RECIPES:
            raise unknown("optimiser", name, RECIPES)


def resolved(problem: str, optimiser: str, seed: int, seconds: float) -> Resolved:
    """The run of a problem with an optimiser; all settings but `train` are the problem's own.

    Args:
        problem: the name of a shipped config or of a problem.
        optimiser: a name in `RECIPES`.
        seed: of the run.
        seconds: for all stages together.

    Raises:
        InputError: settings that do not go together.
    """
    own = resolve(_given(problem))
    stages = RECIPES[optimiser]
    if own.config.train[0].optimiser == optimiser == "gauss_newton":
        stages = as_dict(own.config)["train"]
    return resolve(_given(problem), {"train": _timed(stages, seconds), "seed": seed})


def _given(problem: str) -> Mapping[str, Any] | str:
    path = shipped_configs().get(problem)
    return {"problem": problem} if path is None else str(path)


def _timed(stages: list[Settings], seconds: float) -> list[Settings]:
    """The stages, with seconds for each so that they end in time together."""
    share, last = EARLIER_SHARE * seconds, len(stages) - 1
    return [
        {**stage, "max_seconds": seconds - last * share if number == last else share}
        for number, stage in enumerate(stages)
    ]
