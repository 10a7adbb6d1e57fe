"""The experiments by name, each imported when it is made."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinnreg.reproductions.model import Experiment, Progress, Reproduction


def _named(name: str) -> Experiment:
    """The experiment of a name: the function of this name in the module of this name."""

    def experiment(full: bool, progress: Progress) -> Reproduction:
        function: Experiment = getattr(importlib.import_module(f"pinnreg.reproductions.{name}"), name)
        return function(full, progress)

    return experiment


def summary(name: str) -> str:
    """What an experiment is, without importing it: the first line of its module."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


EXPERIMENTS: Mapping[str, Experiment] = {
    name: _named(name) for name in ("ktv", "noise_stability", "noise_injection", "quadratic", "jacobian")
}
"""By the name of the method."""
