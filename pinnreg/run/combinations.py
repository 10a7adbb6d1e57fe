"""Parts of a config that do not go together: refused before training, with the reason."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pinnreg.config import Config, as_dict
from pinnreg.equations import Problem
from pinnreg.errors import InputError
from pinnreg.networks import QuadraticSettings
from pinnreg.objective import Objective
from pinnreg.optimisers import GaussNewton
from pinnreg.regularisers import acts

logger = logging.getLogger("pinnreg")

NEARLY_ALL = 0.99


def check_combinations(config: Config, problem: Problem) -> None:
    """Refuse regularisers that an optimiser cannot use, and options that would have no effect.

    Raises:
        InputError: says which, whether they are defaults of the problem, and what would do instead.
    """
    try:
        for check in (
            *(_check_smoothing, _check_squares, _check_noise, _check_precision),
            *(_check_compiled, _check_orthogonality, _check_batches, _check_tuned),
        ):
            check(config)
    except InputError as error:
        section, _, _ = str(error).partition(".")
        default = problem.defaults.get(section)
        if default is None or not _holds(as_dict(config)[section], default):
            raise
        raise InputError(f"{error}; {section}: is a default of {type(problem).__name__}") from error


def _holds(whole: Any, part: Any) -> bool:
    """Whether settings are as some of them are said to be."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _holds(whole[key], each) for key, each in part.items())
    if isinstance(part, list | tuple) and isinstance(whole, list | tuple):
        return len(part) == len(whole) and all(map(_holds, whole, part))
    return bool(whole == part)


def _check_smoothing(config: Config) -> None:
    for number, regulariser in enumerate(config.regularisers):
        smoothed = regulariser.role == "points" and regulariser.smoothing is not None
        if smoothed and not any(stage.needs_smooth for stage in config.train):
            raise InputError(
                f"regularisers.{number}.smoothing has no effect: only quasi-Newton stages (lbfgs, ssbroyden) smooth |s|"
            )


def _check_squares(config: Config) -> None:
    names = [stage.optimiser for stage in config.train if stage.needs_squares]
    for number, regulariser in enumerate(config.regularisers):
        if names and regulariser.role == "points" and regulariser.power != 2:
            raise InputError(
                f"regularisers.{number}.power: {names[0]} minimises sums of squares and needs power 2, got "
                f"{regulariser.power}; or train with adam, lbfgs or ssbroyden"
            )


def _check_noise(config: Config) -> None:
    names = [stage.optimiser for stage in config.train if not stage.first_order]
    for number, regulariser in enumerate(config.regularisers):
        if names and regulariser.role == "noise" and regulariser.first_order_only:
            raise InputError(
                f"regularisers.{number}: {regulariser.kind} on one side of the parameters runs with adam and sgd only: "
                f"{names[0]} solves nearly exactly for the noise of the moment, and so undoes it; noise_stability with "
                "sides: two works with every optimiser"
            )


def _check_precision(config: Config) -> None:
    for number, stage in enumerate(config.train):
        if isinstance(stage, GaussNewton) and stage.mixed_precision and config.dtype == "float32":
            raise InputError(
                f"train.{number}.mixed_precision has no effect with dtype: float32, which is single anyway"
            )
        if isinstance(stage, GaussNewton) and stage.mixed_precision and config.points.chunk is not None:
            raise InputError(
                f"train.{number}.mixed_precision has no effect with points.chunk, where no Jacobian is factorised as "
                "a whole; leave one of them out"
            )


def _check_compiled(config: Config) -> None:
    if config.compile and all(stage.needs_squares for stage in config.train):
        raise InputError(
            f"compile: true has no effect: {config.train[0].optimiser} does not use the gradient that would be "
            "compiled; adam, sgd, lbfgs and ssbroyden do"
        )
    if config.compile and config.points.most is not None:
        raise InputError(
            "points.most has no effect with compile: true, which keeps the points: another number of them would be "
            "compiled anew"
        )


def _check_orthogonality(config: Config) -> None:
    network, penalised = config.network, _penalised(config)
    if isinstance(network, QuadraticSettings) and network.variant == "orth" and not penalised:
        raise InputError(
            "network.variant: orth is orthogonal weights at the start and the penalty that keeps them so; it needs "
            "regularisers: [{kind: orthogonality}] of positive weight; without a penalty choose plain or norm"
        )


def _penalised(config: Config) -> bool:
    return any(each.kind == "orthogonality" and acts(each) for each in config.regularisers)


def _check_batches(config: Config) -> None:
    names = [stage.optimiser for stage in config.train if not stage.first_order]
    for number, each in enumerate(config.measurements):
        if names and each.batch is not None:
            raise InputError(
                f"measurements.{number}.batch runs with adam and sgd only: {names[0]} solves nearly exactly for the "
                "values of the moment; leave it out"
            )


def _check_tuned(config: Config) -> None:
    """Weights that are found need the Jacobian of all rows at every step, and nothing else that changes the weight."""
    names = [stage.optimiser for stage in config.train if not isinstance(stage, GaussNewton)]
    noise = next((each.kind for each in config.regularisers if each.role == "noise" and acts(each)), None)
    for number, regulariser in enumerate(config.regularisers):
        if regulariser.role == "noise" or regulariser.weight != "auto":
            continue
        where = f"regularisers.{number}.weight: auto"
        if names:
            raise InputError(
                f"{where} runs with gauss_newton only, by whose Jacobian it is found, and {names[0]} has none: give one"
            )
        if regulariser.schedule != "constant":
            raise InputError(
                f"{where} follows no schedule: it falls by itself where there is nothing to smooth; leave out "
                f"schedule: {regulariser.schedule}"
            )
        if noise is not None:
            raise InputError(f"{where} does not go with {noise}: noise on the parameters is no term of the loss")


def note_unfinished_annealing(objective: Objective, progress: float) -> None:
    """Say so if training ended before a strength that is to be annealed to zero got there."""
    if objective.scheduled and progress < NEARLY_ALL:
        logger.warning(
            "regularisers: training ended at %.0f %% of their schedule: weights change at redraws only, and a stage "
            "with one redraw keeps what it begins with; more steps, or a smaller redraw_every of lbfgs and ssbroyden, "
            "lets them reach zero",
            100 * progress,
        )
