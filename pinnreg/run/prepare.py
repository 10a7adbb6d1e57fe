"""Everything that stands before training: problem, conditions, network, objective, reference."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinnreg import networks
from pinnreg.config import Config, Resolved, differences, fingerprint, read_yaml, resolve, validate
from pinnreg.equations import Problem, Split, reference_of, split_conditions
from pinnreg.equations.conditions import Measurements
from pinnreg.errors import InputError, user_code
from pinnreg.objective import Objective
from pinnreg.observations.drawing import Observed, observe
from pinnreg.reference import Reference, Solved, from_file
from pinnreg.report import Solution, grid_axes
from pinnreg.run.combinations import check_combinations
from pinnreg.run.folder import RunFolder
from pinnreg.run.provenance import data_hashes
from pinnreg.training import read_checkpoint

logger = logging.getLogger("pinnreg")

Given = str | Path | Mapping[str, Any]
Problems = Sequence[str | Path] | str | Path | None
Array = NDArray[np.float64]

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@final
@dataclass(frozen=True)
class Prepared:
    """A run that is ready to be trained.

    Attributes:
        resolved: its config and problem.
        split: which conditions are exact and which soft.
        network: the architecture.
        objective: what is minimised.
        axes: the evaluation grid.
        reference: what to compare with, or to draw measurements from; None if there is nothing.
        solved: the reference's values on the grid.
        observed: the measurements of the config.
    """

    resolved: Resolved
    split: Split
    network: nn.Module
    objective: Objective
    axes: dict[str, Array]
    reference: Reference | None
    solved: Solved | None
    observed: tuple[Observed, ...]

    @property
    def problem(self) -> Problem:
        """The problem to solve."""
        return self.resolved.problem

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(iter(self.objective.parameters.values())).device

    @property
    def compared_outputs(self) -> tuple[str, ...]:
        """The outputs whose error is known."""
        return () if self.solved is None else tuple(self.problem.outputs)

    def solution(self, parameters: Mapping[str, Tensor], history: Mapping[str, Array]) -> Solution:
        """The trial function at `parameters`."""
        evaluation = self.objective.evaluation
        own, unknown = evaluation.network_part(dict(parameters)), evaluation.coefficient_values(parameters)
        return Solution(self.problem, self.split.trial, self.network, own, history, unknown=unknown)


def prepare(resolved: Resolved, *, with_reference: bool = True) -> Prepared:
    """Build and check everything that a run needs; writes nothing.

    Args:
        resolved: config and problem.
        with_reference: whether to compute the reference on the evaluation grid.

    Raises:
        InputError: no such device, or a problem, condition, measurement, weight, regulariser or reference that cannot
            be used.
    """
    config, problem = resolved.config, resolved.problem
    needed = with_reference or any(each.samples for each in config.measurements)
    reference = _reference(resolved) if needed else None
    observed = observe(config.measurements, problem, reference, config.seed)
    split = split_conditions(problem, config.conditions, [each.condition for each in observed])
    for name, reason in split.reasons.items():
        logger.warning("condition %r is soft here: %s", name, reason)
    network = networks.build(
        config.network,
        problem.domain.bounds,
        len(problem.outputs),
        periodic=split.trial.periodic,
        seed=config.seed,
        dtype=DTYPES[config.dtype],
        device=choose_device(config.device),
    )
    check_combinations(config)
    if config.unknown and not any(isinstance(condition, Measurements) for condition in split.soft):
        logger.warning("unknown: there are no measurements, without which many coefficients may fit as well")
    objective = Objective(
        problem,
        split,
        network,
        points=config.points,
        weights=config.weights,
        regularisers=config.regularisers,
        unknown=config.unknown,
        seed=config.seed,
        balance=config.balance,
        compile=config.compile,
    )
    axes = grid_axes(problem.domain, config.evaluate.grid)
    solved = _solve(reference, problem, axes) if with_reference else None
    return Prepared(resolved, split, network, objective, axes, reference, solved, observed)


def problem_folders(problems: Problems) -> list[Path]:
    """The folders of problem files that a call was given: none, one, or several."""
    if problems is None:
        return []
    return [Path(problems)] if isinstance(problems, str | Path) else [Path(folder) for folder in problems]


def choose_device(name: str) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means here.

    Raises:
        InputError: `cuda` where there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("device: 'cuda' was asked for, but this machine has no CUDA device; use 'cpu' or 'auto'")
    return torch.device("cuda" if available and name in ("auto", "cuda") else "cpu")


def resolve_resumed(
    folder: RunFolder,
    given: Given | None,
    overrides: Mapping[str, Any],
    folders: Sequence[Path],
    problem: Problem | None = None,
) -> Resolved:
    """The config to go on with: the run's own, with the steps, seconds, evaluation and device that `given` changes.

    Raises:
        InputError: a config that differs in anything else.
    """
    saved = read_yaml(folder.config)
    provenance = saved.pop("provenance", None) or {}
    old = validate(saved, str(folder.config))
    file = provenance.get("problem_file")
    if file and Path(file).is_file():
        folders = [*folders, Path(file).parent]
    if given is None and problem is not None:
        given = saved | {"problem": problem}
    if given is None and file is None:
        raise InputError(
            f"{folder.path}: the run's problem was given as an object of Python, which no file holds; give it again: "
            "load(run, problem=...), evaluate(run, problem=...), or solve({'problem': ..., ...}, resume=True)"
        )
    resolved = resolve(saved if given is None else given, overrides, folders)
    if (resolved.problem_file is None) != (file is None):
        raise InputError(f"{folder.path}: the run's problem is {file or 'an object of Python'}, not the one given")
    if fingerprint(resolved.config) != fingerprint(old):
        changed = ", ".join(differences(old, resolved.config))
        raise InputError(
            f"{folder.path}: the config is not that of the run, which differs in {changed}; a run goes on with other "
            "train.*.steps, train.*.max_seconds, train.*.max_sweeps, evaluate and device only"
        )
    if resolved.problem_hash != provenance.get("problem_sha256"):
        logger.warning("the code of problem %r has changed since the run began", resolved.config.problem["name"])
    for file in _changed_data(resolved.config, provenance):
        logger.warning("the measurements in %s have changed since the run began", file)
    return resolved


def _changed_data(config: Config, provenance: Mapping[str, Any]) -> list[str]:
    """The files of measurements that are not what they were when a run began."""
    now = data_hashes(config)
    return [file for file, known in (provenance.get("data_sha256") or {}).items() if now.get(file, known) != known]


def saved_state(folder: RunFolder, prepared: Prepared) -> dict[str, Any]:
    """The state in a run's checkpoint.

    Raises:
        InputError: a corrupt checkpoint, or one of another config.
    """
    state = read_checkpoint(folder.checkpoint, prepared.device)
    if state.get("fingerprint") != fingerprint(prepared.resolved.config):
        raise InputError(f"{folder.checkpoint}: the checkpoint belongs to another config than {folder.config}")
    if missing := {"position", "parameters", "optimiser", "objective"} - state.keys():
        raise InputError(f"{folder.checkpoint}: corrupt checkpoint: it lacks {', '.join(sorted(missing))}")
    return state


def resumed_state(folder: RunFolder, prepared: Prepared) -> dict[str, Any]:
    """The state to go on with; notes another number of CPU threads, with which sums are rounded differently.

    Raises:
        InputError: as `saved_state`, or steps or seconds of a stage that cannot be kept any more.
    """
    state = saved_state(folder, prepared)
    saved = read_yaml(folder.config)
    provenance = saved.pop("provenance", None) or {}
    for file in _changed_data(prepared.resolved.config, provenance):
        raise InputError(f"{file}: the measurements have changed since {folder.path} began; a run goes on with its own")
    began, now = provenance.get("threads"), torch.get_num_threads()
    if began != now:
        logger.warning("the run began with %s CPU threads and goes on with %s: not the same bit for bit", began, now)
    _check_stages(folder, state["position"], validate(saved, str(folder.config)), prepared.resolved.config)
    return state


def _check_stages(folder: RunFolder, position: Mapping[str, Any], before: Config, now: Config) -> None:
    """Refuse steps or seconds that cannot be kept any more: the config would not repeat the run."""
    last = len(now.train) - 1
    current = min(position["stage"] + bool(position["stop_reason"]), last)
    for number in range(current):
        if now.train[number] != before.train[number]:
            raise InputError(f"{folder.path}: train.{number} has ended and cannot be given other steps or seconds")
    made = position["stage_step"] if position["stage"] == current else 0
    if now.train[current].steps < min(made, before.train[current].steps):
        raise InputError(
            f"{folder.path}: train.{current}.steps: {made} steps are made, fewer cannot be asked for, got "
            f"{now.train[current].steps}"
        )


def _reference(resolved: Resolved) -> Reference | None:
    problem, file = resolved.problem, resolved.config.evaluate.reference
    if file is not None:
        return from_file(Path(file), problem.domain.axes, problem.outputs)
    if resolved.hidden:
        return None  # it would be that of the coefficients' start
    return reference_of(problem)


def _solve(reference: Reference | None, problem: Problem, axes: Mapping[str, Array]) -> Solved | None:
    if reference is None:
        logger.warning("no reference: the solution will not be verified against anything")
        return None
    with user_code(f"reference of {type(problem).__name__}"):
        solved = reference.solve(axes)
    for output in problem.outputs:
        if output not in solved.values:
            raise InputError(f"reference of {type(problem).__name__}: no values for the output {output!r}")
    return solved
