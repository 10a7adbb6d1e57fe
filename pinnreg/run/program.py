"""A solution as a program for plain PyTorch, into files that are not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from pinnreg.errors import InputError
from pinnreg.exports.program import weights_of, write_program
from pinnreg.files import why_not
from pinnreg.run.folder import is_own
from pinnreg.run.sampling import Solution, about

SUFFIX = ".pt2"
TRIED = 64
"""Points of the domain at which the program is compared with the solution."""


class Trained(Solution, Protocol):
    """What is asked of a solution here."""

    @property
    def network(self) -> nn.Module: ...

    @property
    def parameters(self) -> Mapping[str, Tensor]: ...


def save_program(solution: Trained, path: str | Path) -> list[Path]:
    """Write the program and the weights; described at `Solution.save_network`."""
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise InputError(f"{path}: a program's name ends in {SUFFIX}, as in {path.stem or 'solution'}{SUFFIX}")
    for each in (path, weights_of(path)):
        check_new(each)
    domain, trial = solution.problem.domain, solution.trial
    says = {
        "axes": list(trial.axes),
        "outputs": list(trial.outputs),
        "bounds": {axis: list(ends) for axis, ends in domain.bounds.items()},
        **about(solution),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_program(trial, solution.network, solution.parameters, domain.sample(TRIED, "sobol", 0), says, path)


def check_new(path: Path) -> None:
    """Refuse a file that is there, that pinnreg keeps for itself, or that cannot be written.

    Raises:
        InputError: it is one of these.
    """
    if (reason := why_not(path)) is not None:
        raise InputError(f"{path}: cannot be written: {reason}")
    if is_own(path):
        raise InputError(f"{path}: pinnreg keeps a file of its own there; choose another name")
    if path.exists():
        raise InputError(f"{path}: exists already; choose another name, or move it away")
