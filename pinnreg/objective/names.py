"""Names, weights and checks of the loss terms."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pinnreg.errors import InputError, unknown
from pinnreg.naming import FOUND, WEIGHTED, free_name
from pinnreg.regularisers import Penalty

logger = logging.getLogger("pinnreg")

COLUMNS = ("step", "seconds", "sweeps", "loss")


def named(penalties: Sequence[Penalty]) -> dict[str, Penalty]:
    """Penalties by the name of their loss term: their kind, with a number from the second of it on."""
    named: dict[str, Penalty] = {}
    for penalty in penalties:
        named[free_name(penalty.kind, named)] = penalty
    return named


def check_names(names: Sequence[str]) -> None:
    """Refuse two terms of one name, and names that are other columns of the history."""
    for name in names:
        if name in COLUMNS or name.startswith(("error_", "unknown_")) or name.endswith((WEIGHTED, FOUND)):
            raise InputError(f"a loss term cannot be named {name!r}, which is another column of the history")
        if names.count(name) > 1:
            raise InputError(f"two loss terms are named {name!r}; give the condition or equation another name")


def weights_of(given: Mapping[str, float], terms: Sequence[str], exact: Sequence[str]) -> dict[str, float]:
    """The weight of each term, 1 if not given; `exact` are conditions without a term."""
    for name in given:
        if name in exact:
            logger.warning("weights.%s has no effect: the condition is exact and has no loss term", name)
        elif name not in terms:
            raise unknown("loss term in weights:", name, [*terms, *exact])
    return {name: given.get(name, 1.0) for name in terms}


def check_finite(losses: Mapping[str, Tensor]) -> None:
    """Refuse terms that are NaN or Inf at the start."""
    for name, value in losses.items():
        if not torch.isfinite(value):
            raise InputError(f"the loss term {name!r} is NaN or Inf at the start")
