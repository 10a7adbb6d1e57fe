"""`Estimate`: how wrong a solution is, without a reference, and whether that is to be trusted."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pinnreg.domain.given import points_of
from pinnreg.equations import Points
from pinnreg.errors import InputError
from pinnreg.estimates.defect import Correction, correction, features_of
from pinnreg.estimates.intervals import NORMAL, BandSize
from pinnreg.objective import Model, Objective
from pinnreg.randomness import derive

logger = logging.getLogger("pinnreg")

Array = NDArray[np.float64]
Parameters = Mapping[str, Tensor]
Reliability = Literal["good", "poor"]
Way = Literal["defect", "twin"]
Kind = Literal["defect", "twin", "defect and noise", "twin and noise"]
WITH_NOISE: Mapping[Way, Kind] = {"defect": "defect and noise", "twin": "twin and noise"}

COLUMNS = (40, 120, 360, 360, 1080)
"""Coefficients of random features, of all outputs together, of one resolution after the other; one is tried again with
other features, as its own error, and not that of a coarser one, is what tells."""
AGREE, AGREE_OF_BENT = 0.9, 0.3
"""By these shares two resolutions may differ for the estimate to be good,"""
LEFT, LEFT_OF_BENT = 1.0, 0.2
"""and these shares of the residual may be left: where it is as good as linear, and where it is not.

The first of each was 0.5 and 0.6: of runs trained to their end, whose residual is of waves finer than the features, 8 %
were called good then, though 88 % were right within a factor of 3. Now these are 25 %, right in 97 of 100 outputs of
the zoo, and of the runs that are stopped early; what is beyond is right in 4 of 5. At 1.0 the coarser of two may have
found nothing: of 5 more of the runs stopped early 2 were right. Of a residual that bends, at an error of 0.2 of van der
Pol's oscillator, a tenth was found by two resolutions with 0.3 of the residual left; near the end of Duffing's, a fifth
with 0.46."""
SETTLED = 0.5, 0.6
"""The same shares below which no finer resolution is tried: 99 of 100 are right."""
SMALL = 0.3
"""Of the noise that measurements leave, what need not be known well."""
NOTHING = 1e-6
"""Of the size that an output was expected to have, by the root of its mean square: it is zero."""
COMPARED_AT = 2048
"""Points at which two resolutions are compared."""
CHUNK = 8192


@final
@dataclass(frozen=True)
class EstimatedErrors:
    """How wrong an output is by an estimate e of its error.

    Attributes:
        rel_l2: ‖e‖₂ / ‖u - e‖₂ over points; NaN where u - e is nothing beside the size of the output, as of a zero.
        max_abs: the largest |e|.
        reliability: "good", or "poor": then the error may be larger or smaller by far.
        kind: how e was found: by the linearised "defect", or as the difference to a "twin", another run; "and noise"
            where the standard error that noise in the measurements leaves is added to its size.
    """

    rel_l2: float
    max_abs: float
    reliability: Reliability
    kind: Kind


@final
@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate of the error of a solution, which can be asked at any points.

    Attributes:
        kind: "defect", or "twin": the difference to another run.
        reliability: "good" or "poor" by output.
        reason: what that is judged by, in words.
        own: the solution's trial function and parameters.
        other: those of what it is compared with, which is taken to be nearer to the solution.
        but_for_noise: reliability and reason where it is poor only because it knows nothing of the measurements' noise.
    """

    kind: Way
    reliability: Mapping[str, Reliability]
    reason: str
    own: tuple[Model, Parameters] = field(repr=False)
    other: tuple[Model, Parameters] = field(repr=False)
    but_for_noise: tuple[Mapping[str, Reliability], str] | None = None

    def at(self, points: ArrayLike) -> dict[str, Array]:
        """The error u - u* by output at points (n, d), (n,), as far as it is known.

        Raises:
            InputError: points that are no numbers, or of other columns than axes.
        """
        at = self._checked(points)
        error = _values(*self.own, at) - _values(*self.other, at)
        return dict(zip(self.reliability, error.T, strict=True))

    def errors(self, points: ArrayLike) -> dict[str, EstimatedErrors]:
        """Its size by output, over points (n, d); raises as `at`."""
        at = self._checked(points)
        return self.sizes(dict(zip(self.reliability, _values(*self.own, at).T, strict=True)), self.at(at))

    def of_an_open_solution(self) -> Estimate:
        """The same where equations and conditions have several solutions, of which it knows one."""
        poor: dict[str, Reliability] = dict.fromkeys(self.reliability, "poor")
        reason = "equations and conditions leave the solution open"
        return replace(self, reliability=poor, reason=reason, but_for_noise=None)

    def _checked(self, points: ArrayLike) -> Array:
        found: Array = points_of("estimate", self.own[0].trial.axes, points).detach().double().cpu().numpy()
        return found

    def sizes(self, values: Mapping[str, Array], errors: Mapping[str, Array]) -> dict[str, EstimatedErrors]:
        """The same of values and errors that are known at some points, (n,) each, by output."""
        found = {}
        expected = self.own[0].trial.sizes or (1.0,) * len(self.reliability)
        for (name, reliability), scale in zip(self.reliability.items(), expected, strict=True):
            size = float(np.linalg.norm(values[name] - errors[name]))
            zero = size <= NOTHING * scale * len(values[name]) ** 0.5
            rel_l2 = float("nan") if zero else float(np.linalg.norm(errors[name])) / size
            found[name] = EstimatedErrors(rel_l2, float(np.abs(errors[name]).max()), reliability, self.kind)
        return found

    def with_noise(
        self, sizes: Mapping[str, EstimatedErrors], bands: Mapping[str, BandSize]
    ) -> tuple[dict[str, EstimatedErrors], str]:
        """Its size where noise in the measurements is known too, √(e² + s²) with one standard error s; and the reason.

        As that of a random number the true error is below twice s 95 times of 100, and may be far below s. Beside a
        far larger s it does not matter how well e is known: data with noise leave a residual in any case.

        Args:
            sizes: as `errors` gives them.
            bands: of all outputs, at the same points.
        """
        known, reason = (self.reliability, self.reason) if self.but_for_noise is None else self.but_for_noise
        found, small = {}, True
        for name, each in sizes.items():
            relative, largest = bands[name].rel_l2 / NORMAL, bands[name].max_abs / NORMAL
            is_small = each.max_abs <= SMALL * largest
            small = small and is_small
            reliability: Reliability = "good" if is_small else known[name]
            both = math.hypot(each.rel_l2, relative), math.hypot(each.max_abs, largest)
            found[name] = EstimatedErrors(*both, reliability, WITH_NOISE[self.kind])
        return found, "nearly all of it is noise of the measurements" if small else reason


def by_defect(objective: Objective, parameters: Parameters, *, seed: int, most: int = COLUMNS[-1]) -> Estimate | None:
    """The estimate by the linearised defect, of the first resolution that agrees with the one before; else the last.

    How right these are, on twenty problems, stopped at errors from 1e-2 to 1e-10: `pinnreg bench estimates`.

    Args:
        objective: what was minimised.
        parameters: where, those of the network and the unknown coefficients.
        seed: of all draws.
        most: coefficients of a resolution at most; two resolutions are always tried.

    Returns:
        The estimate; None for a regression, which has no equations, and where derivatives cannot be taken.
    """
    if not objective.equations:
        return None
    problem, given = objective.model.problem, dict(parameters)
    points = problem.domain.sample(COMPARED_AT, "sobol", derive(seed, "estimates compared")).numpy()
    own = _values(objective.model, given, points)
    found: Correction | None = None
    before: Array | None = None
    apart = dict.fromkeys(problem.outputs, np.inf)
    try:
        for number, columns in enumerate(COLUMNS):
            if number > 1 and (columns > most or _settled(apart, found)):
                break
            count = features_of(objective, columns)
            tried = correction(objective, given, count, seed=derive(seed, "defect", number))
            error, first = (own - _values(tried.model, each, points) for each in (tried.parameters, tried.first))
            if not np.isfinite(error).all():
                raise InputError("the residual is not finite a little away from u")
            if before is not None:
                coarser, linear = (_differences(problem.outputs, each, error) for each in (before, first))
                apart = {name: float(np.maximum(coarser[name], linear[name])) for name in problem.outputs}
                found = tried
                if found.left > 0:  # an error of nothing beside a residual is one that was not found
                    lost = [name for name, each in zip(problem.outputs, error.T, strict=True) if not each.any()]
                    apart |= dict.fromkeys(lost, math.inf)
            before = error
    except (InputError, NotImplementedError, RuntimeError) as refused:
        # such a residual, or one without forward derivatives
        logger.debug("the error cannot be estimated: %s", refused)
    if found is None:  # one resolution alone cannot be judged
        return None
    reliability = {name: _reliability(each, found) for name, each in apart.items()}
    widest = max(apart.values())
    reason = f"two resolutions differ by {widest:.0%} of it, and {found.left:.0%} of the residual is left"
    but_for_noise = (reliability, reason) if objective.measured else None
    if but_for_noise is not None:
        # heat with a coefficient from noisy data: an error of 4e-3, of which 3e-5 was found
        reliability = dict.fromkeys(problem.outputs, "poor")
        reason = "what noise in the measurements does to the solution is not in it"
    corrected = found.model, found.parameters
    return Estimate("defect", reliability, reason, (objective.model, given), corrected, but_for_noise)


def _settled(apart: Mapping[str, float], found: Correction | None) -> bool:
    """Whether a finer resolution has nothing to add."""
    return found is not None and all(_within(each, found, *SETTLED) for each in apart.values())


def _reliability(apart: float, found: Correction) -> Reliability:
    return "good" if _within(apart, found, AGREE, LEFT) else "poor"


def _within(apart: float, found: Correction, agree: float, left: float) -> bool:
    if not found.linear:
        agree, left = AGREE_OF_BENT, LEFT_OF_BENT
    return apart <= agree and found.left <= left


def _differences(outputs: Sequence[str], before: Array, now: Array) -> dict[str, float]:
    """How far two estimates (n, outputs) are apart, of the second's size, by output."""
    apart, size = np.linalg.norm(now - before, axis=0), np.linalg.norm(now, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(apart == 0, 0.0, apart / size)  # NaN where they are no numbers
    return dict(zip(outputs, shares.tolist(), strict=True))


@torch.no_grad()
def _values(model: Model, parameters: Parameters, points: Array) -> Array:
    """The outputs at points (n, d), (n, outputs)."""
    like, index = next(iter(parameters.values())), (0,) * points.shape[1]
    pieces = torch.from_numpy(points).split(CHUNK)
    found = torch.cat([model.sweep(parameters, Points(piece).on(like))(index) for piece in pieces])
    values: Array = found.double().cpu().numpy()
    return values
