"""The experiments by name, each imported when it is made."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinnreg.reproductions.model import Experiment, Progress, Reproduction


def _named(name: str) -> Experiment:
    """The experiment of a name: the function of this name in the module of this name."""

    def experiment(full: bool, progress: Progress) -> Reproduction:
        function: Experiment = getattr(importlib.import_module(f"pinnreg.reproductions.{name}"), name)
        return function(full, progress)

    return experiment


EXPERIMENTS: Mapping[str, Experiment] = {
    name: _named(name) for name in ("ktv", "noise_stability", "noise_injection", "quadratic", "jacobian")
}
"""By the name of the method."""
