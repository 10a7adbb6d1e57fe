"""Parts of a config that do not go together: refused before training, with the reason."""

from __future__ import annotations

import logging

from pinnreg.config import Config
from pinnreg.errors import InputError
from pinnreg.optimisers import GaussNewton
from pinnreg.regularisers import KTV, NoiseStability, WeightNoise

logger = logging.getLogger("pinnreg")


def check_combinations(config: Config) -> None:
    """Refuse regularisers that an optimiser cannot use, and options that would have no effect.

    Raises:
        InputError: says which, and what would do instead.
    """
    _check_smoothing(config)
    _check_squares(config)
    _check_noise(config)
    _check_precision(config)
    _check_compiled(config)


def _check_smoothing(config: Config) -> None:
    for number, regulariser in enumerate(config.regularisers):
        smoothed = isinstance(regulariser, KTV) and regulariser.smoothing is not None
        if smoothed and not any(stage.needs_smooth for stage in config.train):
            raise InputError(
                f"regularisers.{number}.smoothing has no effect: only quasi-Newton stages (lbfgs, ssbroyden) smooth |s|"
            )


def _check_squares(config: Config) -> None:
    names = [stage.optimiser for stage in config.train if stage.needs_squares]
    for number, regulariser in enumerate(config.regularisers):
        if names and isinstance(regulariser, KTV) and regulariser.power != 2:
            raise InputError(
                f"regularisers.{number}.power: {names[0]} minimises sums of squares and needs power 2, got "
                f"{regulariser.power}; or train with adam, lbfgs or ssbroyden"
            )


def _check_noise(config: Config) -> None:
    names = [stage.optimiser for stage in config.train if not stage.first_order]
    for number, regulariser in enumerate(config.regularisers):
        if names and isinstance(regulariser, NoiseStability | WeightNoise) and regulariser.first_order_only:
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


def _check_compiled(config: Config) -> None:
    if config.compile and all(stage.needs_squares for stage in config.train):
        raise InputError(
            f"compile: true has no effect: {config.train[0].optimiser} does not use the gradient that would be "
            "compiled; adam, sgd, lbfgs and ssbroyden do"
        )


def note_unfinished_annealing(config: Config) -> None:
    """Say so if a weight that is to be annealed to zero cannot get there, since it changes at redraws only."""
    last = config.train[-1]
    if last.steps > last.redraw_every or last.max_seconds is not None or last.max_sweeps is not None:
        return
    for number, regulariser in enumerate(config.regularisers):
        if regulariser.schedule != "constant":
            logger.warning(
                "regularisers.%d: the last stage draws penalty points once, at its start, and so keeps the weight that "
                "it begins with; with a redraw_every below its %d steps the weight reaches zero",
                number,
                last.steps,
            )
