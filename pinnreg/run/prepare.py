"""Everything that stands before training: problem, conditions, network, objective, reference."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinnreg import networks
from pinnreg.config import Resolved
from pinnreg.equations import (
    Equation,
    Problem,
    Split,
    Trial,
    check_symmetry,
    check_unknown,
    condition_at,
    input_features,
    jumping_coefficients,
    reference_of,
    scaled,
    split_conditions,
    symmetric,
    with_values,
    without_mean,
)
from pinnreg.equations.measured import Measurements
from pinnreg.equations.settings import Unknown
from pinnreg.errors import InputError, user_code
from pinnreg.objective import Objective, objective_of
from pinnreg.observations.drawing import observe
from pinnreg.optimisers import check_memory
from pinnreg.optimisers.interface import SKETCHED_ABOVE
from pinnreg.reference import Reference, Solved, from_file
from pinnreg.report import (
    Inside,
    check_inside,
    grid_axes,
    grid_points,
    inside_of,
    middle_of,
    scattered_points,
    solved_inside,
    taken,
)
from pinnreg.run.checking import check_figures
from pinnreg.run.combinations import check_combinations
from pinnreg.run.sizes import check_sizes
from pinnreg.run.solution import Solution
from pinnreg.run.starting import Start, read_start

logger = logging.getLogger("pinnreg")

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
        scattered: points at which errors are taken in its place, (n, d), and the reference's values; None for the grid.
        reference: what to compare with, or to draw measurements from; None if there is nothing.
        solved: the reference's values on the grid.
        measurements: those of the config.
        start: what the network starts from; None for parameters of its own.
        inside: which points of the grid lie in the domain; None for all.
        notes: on the problem, as of coefficients that jump.
    """

    resolved: Resolved
    split: Split
    network: nn.Module
    objective: Objective
    axes: dict[str, Array]
    reference: Reference | None
    solved: Solved | None
    measurements: tuple[Measurements, ...]
    scattered: tuple[Array, dict[str, Array]] | None = None
    start: Start | None = None
    inside: Inside = None
    notes: tuple[str, ...] = ()

    @property
    def problem(self) -> Problem:
        """The problem to solve."""
        return self.resolved.problem

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.objective.model.like.device

    def looked_at(self, solution: Solution) -> dict[str, tuple[Array, Array]]:
        """What is predicted and the reference, by output, at the points where errors are taken, each (n,)."""
        truth = self.truth
        if self.scattered is None:
            values = {name: taken(each, self.inside) for name, each in solution.on_grid(self.axes).items()}
        else:
            values = dict(zip(self.problem.outputs, solution(self.scattered[0]).T, strict=True))
        return {name: (values[name], truth[name]) for name in self.compared_outputs}

    @property
    def places(self) -> Array:
        """The points where errors are taken, (n, d), in the order of `truth`."""
        if self.scattered is not None:
            return self.scattered[0]
        domain = self.problem.domain
        points = grid_points(self.axes, domain.axes, middle_of(domain, self.axes))
        return points if self.inside is None else points[self.inside.reshape(-1)]

    @property
    def truth(self) -> dict[str, Array]:
        """The reference by output at the points where errors are taken, each (n,)."""
        assert self.solved is not None
        if self.scattered is not None:
            return self.scattered[1]
        return {name: taken(values, self.inside) for name, values in self.solved.values.items()}

    @property
    def compared_outputs(self) -> tuple[str, ...]:
        """The outputs whose error is known."""
        return () if self.solved is None else tuple(name for name in self.problem.outputs if name in self.solved.values)

    def solution(self, parameters: Mapping[str, Tensor], history: Mapping[str, Array]) -> Solution:
        """The trial function at `parameters`."""
        model = self.objective.model
        own, unknown = model.network_part(parameters), model.coefficient_values(parameters)
        trained = (self.objective, dict(parameters))
        return Solution(self.problem, self.split.trial, self.network, own, history, unknown=unknown, trained=trained)


def prepare(resolved: Resolved, *, with_reference: bool = True, trains: bool = False) -> Prepared:
    """Build and check everything that a run needs; writes nothing.

    Args:
        resolved: config and problem.
        with_reference: whether to compute the reference on the evaluation grid.
        trains: whether it will be trained on this machine, for which there has to be memory.

    Raises:
        InputError: no such device, or a problem, condition, measurement, weight, regulariser, reference or run to
            start from that cannot be used.
    """
    config, problem = resolved.config, resolved.problem
    check_sizes(config, problem, grid=with_reference)
    check_figures(config.figures, problem)
    device = choose_device(config.device)
    start = Start.of_state(resolved.start) if resolved.start is not None else read_start(resolved, device)
    needed = with_reference or any(each.samples for each in config.measurements)
    reference = _reference(resolved) if needed else None
    measurements = observe(config.measurements, problem, reference, config.seed)
    check_unknown(problem, config.unknown)
    split = split_conditions(problem, config.conditions, measurements, config.unknown)
    for name, reason in split.reasons.items():
        logger.warning("condition %r is soft here: %s", name, reason)
    network = network_of(resolved, split, config.seed if start is None else start.seed, device)
    if start is not None:
        start.put_into(network, f"start: {config.start}")
    check_combinations(config, problem)
    split = replace(split, trial=_scaled(split, resolved, network, start))
    if config.network.symmetry and problem.symmetry != ():
        _check_symmetry(resolved, split, network)
    if config.unknown and not any(isinstance(condition, Measurements | Equation) for condition in split.soft):
        logger.warning("unknown: there are no measurements, without which many coefficients may fit as well")
    objective = minimised(resolved, split, network, config.seed, trains=trains)
    # after the residual was checked, which says better what is wrong with it
    notes = tuple(jumping_coefficients(problem, objective.model.like.device)) if trains else ()
    for note in notes:
        logger.warning("%s", note)
    axes = grid_axes(problem.domain, config.evaluate.grid)
    inside = inside_of(problem.domain, axes) if with_reference else None
    if len(axes) == problem.domain.dimension:
        check_inside(problem.domain, inside)
    solved = _solve(reference, problem, axes, inside) if with_reference else None
    scattered = None if solved is None else _at_scattered(reference, resolved)
    return Prepared(
        resolved, split, network, objective, axes, reference, solved, measurements, scattered, start, inside, notes
    )


def network_of(resolved: Resolved, split: Split, seed: int, device: torch.device) -> nn.Module:
    """The network of a run, with the parameters that a seed gives it."""
    config, problem = resolved.config, resolved.problem
    network = networks.build(
        config.network,
        problem.domain.bounds,
        len(problem.outputs),
        periodic=split.trial.periodic,
        seed=seed,
        dtype=DTYPES[config.dtype],
        device=device,
        own=input_features(problem, split.trial.periodic, corners=config.network.features.corner),
    )
    return symmetric(network, problem) if config.network.symmetry else network


def minimised(resolved: Resolved, split: Split, network: nn.Module, seed: int, *, trains: bool) -> Objective:
    """The objective of a run, at the points of a seed."""
    config = resolved.config
    return objective_of(
        resolved.problem,
        split,
        network,
        points=config.points.kept() if config.compile else config.points,
        weights=config.weights,
        regularisers=config.regularisers,
        unknown=config.unknown,
        seed=seed,
        balance=config.balance,
        trains=trains,
    )


def _check_symmetry(resolved: Resolved, split: Split, network: nn.Module) -> None:
    """Refuse symmetries that do not hold wherever unknown coefficients go."""
    problem, unknown, like = resolved.problem, resolved.config.unknown, next(network.parameters()).detach()
    for moved in (0.0, 0.5) if unknown else (0.0,):
        tried = _with_coefficients(problem, unknown, like, moved)
        current = [condition_at(tried, each) for each in (*split.exact, *split.soft)]
        check_symmetry(tried, split.trial, current, network, like)


def check_stages(prepared: Prepared, *, here: bool = True) -> None:
    """Refuse stages that cannot train these parameters, all of them before the first begins; `here`: on this machine.

    Not a part of `prepare`: starting an optimiser imports more of torch than loading and comparing a run needs.

    Raises:
        InputError: for instance more parameters than a dense matrix is good for, or more memory than is free.
    """
    parameters = prepared.objective.model.initial()
    for number, stage in enumerate(prepared.resolved.config.train):
        if stage.windows not in ("auto", 1) and not prepared.objective.in_time:
            raise InputError(
                f"train.{number}.windows has no effect: a problem is solved in parts of its time only where it has an "
                "axis t, and nothing is prescribed at its end"
            )
        stage.start(parameters)
    count = sum(each.numel() for each in parameters.values())
    if prepared.objective.to_tune and count > SKETCHED_ABOVE:
        raise InputError(
            f"weight: auto takes dense matrices of all parameters, of which there are {count:,}, more than "
            f"{SKETCHED_ABOVE:,}: give a weight, or take a smaller network"
        )
    if here:
        objective = prepared.objective
        stages, rows = prepared.resolved.config.train, objective.row_count
        check_memory(stages, rows, parameters, objective.kept, objective.rows_at_once)


def choose_device(name: str) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means here.

    Raises:
        InputError: `cuda` where there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("device: 'cuda' was asked for, but this machine has no CUDA device; use 'cpu' or 'auto'")
    return torch.device("cuda" if available and name in ("auto", "cuda") else "cpu")


def _scaled(split: Split, resolved: Resolved, network: nn.Module, start: Start | None) -> Trial:
    """The trial function with the sizes of its outputs: that the run began with, given, of its start, or found."""
    config, problem = resolved.config, resolved.problem
    if resolved.scale is not None:
        return replace(split.trial, sizes=resolved.scale[0], offsets=resolved.scale[1])
    if not isinstance(config.network.scale, str):
        count = len(problem.outputs)
        return replace(split.trial, sizes=(float(config.network.scale),) * count, offsets=(0.0,) * count)
    if start is not None and start.scale is not None:
        sizes, offsets = start.scale
        own = (0.0 if data else offset for data, offset in zip(split.trial.data, offsets, strict=True))
        return replace(split.trial, sizes=sizes, offsets=tuple(own))
    like = next(network.parameters()).detach()
    started = _with_coefficients(problem, config.unknown, like)
    centred = without_mean(problem) if config.network.symmetry else ()
    current = [condition_at(started, each) for each in (*split.exact, *split.soft)]
    return scaled(split.trial, started, current, network, like, centred)


def _with_coefficients(problem: Problem, wanted: Mapping[str, Unknown], like: Tensor, moved: float = 0.0) -> Problem:
    """The problem with its unknown coefficients as they start, or moved from there."""
    return with_values(
        problem, {name: each.value(like.new_tensor(each.first + moved)) for name, each in wanted.items()}
    )


def _reference(resolved: Resolved) -> Reference | None:
    problem, file = resolved.problem, resolved.config.evaluate.reference
    if file is not None:
        return from_file(Path(file), problem.domain.axes, problem.outputs)
    if resolved.hidden:
        return None  # it would be that of the coefficients' start
    return reference_of(problem)


def _solve(reference: Reference | None, problem: Problem, axes: Mapping[str, Array], inside: Inside) -> Solved | None:
    if reference is None:
        logger.warning("no reference: the solution will not be verified against anything")
        return None
    with user_code(f"reference of {type(problem).__name__}"):
        order = problem.domain.axes
        solved = solved_inside(reference, axes, inside, order, middle_of(problem.domain, axes))
    title, missing = type(problem).__name__, [each for each in problem.outputs if each not in solved.values]
    if len(missing) == len(problem.outputs):
        found = ", ".join(solved.values)
        raise InputError(f"reference of {title}: no values for the output {missing[0]!r} (it has {found or 'none'})")
    if missing:
        logger.warning("reference of %s: no values of %s, which will not be verified", title, ", ".join(missing))
    return solved


def _at_scattered(reference: Reference | None, resolved: Resolved) -> tuple[Array, dict[str, Array]] | None:
    """Points at which errors are taken in the place of a grid, and the reference there; None for the grid."""
    problem = resolved.problem
    points = scattered_points(problem.domain, resolved.config.evaluate.grid)
    if points is None or reference is None:
        return None
    with user_code(f"reference of {type(problem).__name__}"):
        return points, reference.at(dict(zip(problem.domain.axes, points.T, strict=True)))
