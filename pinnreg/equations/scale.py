"""The size of each output, found before training, so that the network itself is of size one.

A network begins with values of about one, and its parameters are made for that: u = c + s N, with the offset c and the
size s that the data ask for; with exact data u = g + φ s N. Both stay as they are. Without them uₜ = 0.3125 uₓₓ from
300 + 700 sin πx (kelvin) ended six to ten orders of magnitude above what the same network reaches from sin πx.

- What conditions prescribe tells c, the middle of their values where no exact data are, and s, how far they lie from
  what u is without the network, a prescribed slope counting by the length of its axis.
- A source tells s where it asks for more: the multiple of the network by which its part of the residual is as large as
  what is to be balanced. Each output has an equation for that.
- Where nothing of that tells, as in an eigenvalue problem, a condition that is any equation of u does: the size at
  which it is nearest to hold, as s = 1000 for ∫ u² = 10⁶.
- Data that are one constant, as u(0) = 0.01, say nothing of how far u goes. Where the equation is not linear, s is the
  size at which that shows (1 for u (1 - u)), up to `FARTHEST` constants; otherwise the constant.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pinnreg.equations.conditions import FaceCondition
from pinnreg.equations.general import Condition, Equation
from pinnreg.equations.measured import Measurements
from pinnreg.equations.points import Points
from pinnreg.equations.problem import Problem
from pinnreg.equations.residual import evaluate_residual
from pinnreg.equations.sweep import Asked, Sweep
from pinnreg.equations.trial import Network, Trial
from pinnreg.errors import InputError
from pinnreg.randomness import derive

POINTS = 256
"""So many are looked at, of each condition and inside."""
PROBE = 1e-3
"""The size at which the residual is differenced, relative to what is expected."""
FACTOR, FARTHEST = 2.0, 1e3
FEW, LARGEST = 32, 9
"""Points at which conditions are tried with sizes from 10⁻⁹ to 10⁹."""

NEAR = 0.5
"""How much of them may then be left for that to be the size."""

Rows = Callable[[Sequence[float]], Mapping[str, Tensor]]
"""The equations' residuals with the outputs' networks multiplied by numbers."""


def scaled(
    trial: Trial,
    problem: Problem,
    conditions: Sequence[Condition],
    network: Network,
    like: Tensor,
    centred: Collection[str] = (),
) -> Trial:
    """The trial function with the offset and the size of each output.

    Args:
        trial: without.
        problem: what is solved.
        conditions: all of its conditions, with measurements.
        network: at the parameters that training begins with.
        like: a tensor of its precision where it is.
        centred: the outputs that have no offset, as they are odd.
    """
    values = [_prescribed(problem, conditions, output, like) for output in trial.outputs]
    middles = [_middle(each) for each in values]
    middles = [0.0 if each in centred else middle for each, middle in zip(trial.outputs, middles, strict=True)]
    offsets = tuple(0.0 if data else middle for data, middle in zip(trial.data, middles, strict=True))
    bare = replace(trial, offsets=offsets)
    gaps = [_gap(bare, number, prescribed, middles[number]) for number, prescribed in enumerate(values)]
    gaps = [max(gap, slope) for gap, slope in zip(gaps, _slopes(problem, conditions, trial, like), strict=True)]
    sizes = _by_equations(bare, problem, network, gaps, middles, like)
    if not any(sizes):
        sizes = [_by_conditions(bare, problem, conditions, network, like)] * len(sizes)
    return replace(bare, sizes=tuple(sizes))


def _prescribed(
    problem: Problem, conditions: Sequence[Condition], output: str, like: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Points (n, d) and values (n,) of each condition that says what an output is."""
    own = [each for each in conditions if isinstance(each, FaceCondition | Measurements) and each.of == output]
    found = [each.prescribed(problem, POINTS, like) for each in own]
    return [each for each in found if each is not None]


def _slopes(problem: Problem, conditions: Sequence[Condition], trial: Trial, like: Tensor) -> list[float]:
    """How far u gets along an axis by the largest slope that is prescribed, by output."""
    found = dict.fromkeys(trial.outputs, 0.0)
    for condition in conditions:
        if isinstance(condition, FaceCondition):
            found[str(condition.of)] = max(found[str(condition.of)], condition.steepest(problem, POINTS, like))
    return list(found.values())


def _middle(prescribed: Sequence[tuple[Tensor, Tensor]]) -> float:
    ends = [float(end) for _, values in prescribed for end in (values.min(), values.max())]
    return (min(ends) + max(ends)) / 2 if ends else 0.0


def _gap(bare: Trial, output: int, prescribed: Sequence[tuple[Tensor, Tensor]], middle: float) -> float:
    """How far from u without the network values are, or from their middle where u obeys them already."""
    gap = 0.0
    for points, values in prescribed:
        with torch.no_grad():
            away = (values - bare.g(points)[:, output]).abs().max()
        gap = max(gap, float(away))
    if bare.data[output]:
        ends = [float((values - middle).abs().max()) for _, values in prescribed]
        gap = max([gap, *ends])
    return gap if gap > 1e-9 * abs(middle) else 0.0


def _by_equations(
    bare: Trial,
    problem: Problem,
    network: Network,
    gaps: Sequence[float],
    middles: Sequence[float],
    like: Tensor,
) -> list[float]:
    """The sizes, with what the equations ask for besides."""
    sizes, expected = list(gaps), [gap or abs(middle) for gap, middle in zip(gaps, middles, strict=True)]
    # what is wrong with a residual is said where it is checked
    with contextlib.suppress(InputError):
        rows = _rows(bare, problem, network, like)
        reference = max(expected) or 1.0
        sizes = _by_sources(rows, gaps, PROBE * reference)
        if not any(gaps) and any(middles):
            sizes = _nonlinear(rows, [max(pair) for pair in zip(sizes, map(abs, middles), strict=True)], sizes)
        if not all(bool(each.isfinite().all()) for each in rows(sizes).values()):
            sizes = list(gaps)  # one asks for more of the next, as of a logarithm and its exponential
    found = [size or constant for size, constant in zip(sizes, expected, strict=True)]
    usable = [size for size in found if 0 < size < math.inf]
    return [size if size in usable else max(usable, default=0.0) for size in found]


def _by_conditions(
    bare: Trial, problem: Problem, conditions: Sequence[Condition], network: Network, like: Tensor
) -> float:
    """The size, of those tried, that the equations among the conditions ask for; 1 if none tells.

    That at which they are nearest to hold, as a norm can be by the right size alone. Where none brings them near, as
    u_n = 1 has a slope of the right sign only by chance, that at which the network counts as much as what they hold
    without it. Homogeneous ones say nothing.
    """
    rows = []
    for condition in conditions:
        if isinstance(condition, Equation):
            points = condition.sample(problem.domain, FEW, "sobol", 0).on(like)
            rows.append(partial(_rows_of_condition, bare, problem, condition, points, network))
    if not rows:
        return 1.0
    with contextlib.suppress(InputError):
        sizes = np.logspace(-LARGEST, LARGEST, 4 * LARGEST + 1)
        # each beside what it is without the network, so that units do not count
        without = [each(0.0) for each in rows]
        known = [(each, at_rest) for each, at_rest in zip(rows, without, strict=True) if 0 < _size(at_rest) < math.inf]
        off = [sum(_size(each(size)) / _size(at_rest) for each, at_rest in known) for size in sizes]
        best = int(np.argmin(np.nan_to_num(off, nan=np.inf)))
        if off[best] < NEAR * len(known):
            return float(sizes[best])
        return max((_balancing(each, at_rest, sizes) for each, at_rest in known), default=1.0)
    return 1.0


def _balancing(rows: Callable[[float], Tensor], at_rest: Tensor, sizes: Iterable[float]) -> float:
    """The first of some sizes at which rows are as far from those without the network as these are from zero."""
    return next((float(size) for size in sizes if _size(rows(size) - at_rest) >= _size(at_rest)), 1.0)


def _rows_of_condition(
    bare: Trial, problem: Problem, condition: Equation, points: Points, network: Network, size: float
) -> Tensor:
    with torch.no_grad():
        sweep = Sweep(replace(bare, sizes=(size,) * len(bare.outputs)), network, points)
        return condition.residual(sweep, problem).double()


def _rows(bare: Trial, problem: Problem, network: Network, like: Tensor) -> Rows:
    points = Points(problem.domain.sample(POINTS, "sobol", derive(0, "scale"))).on(like)
    known: frozenset[Asked] = frozenset()

    def rows(sizes: Sequence[float]) -> Mapping[str, Tensor]:
        nonlocal known
        with torch.no_grad():
            sweep = Sweep(replace(bare, sizes=tuple(sizes)), network, points, known)
            found = {name: each.double() for name, each in evaluate_residual(problem, sweep).items()}
        known = sweep.operators  # which are then computed together from the second time on
        return found

    return rows


def _by_sources(rows: Rows, gaps: Sequence[float], probe: float) -> list[float]:
    """The sizes with those by which each output balances its equation, the others being as large as they are."""
    sizes, slopes = list(gaps), [_slope(rows, len(gaps), number, probe) for number in range(len(gaps))]
    assigned = _assigned(slopes)
    for _ in sizes:  # what one asks for may be what the next is to balance
        for output, name in assigned.items():
            without = [size * (number != output) for number, size in enumerate(sizes)]
            sizes[output] = max(gaps[output], _size(rows(without)[name]) / _size(slopes[output][name]))
    return sizes


def _assigned(slopes: Sequence[Mapping[str, Tensor]]) -> dict[int, str]:
    """An equation for each output, as far as there are any: those that answer to it most, on the whole.

    The largest product of slopes, which no units of outputs or equations change (as Duff & Koster 2001,
    doi:10.1137/S0895479899358443, choose pivots).
    """
    names = list(slopes[0])
    table = np.array([[_size(slope[name]) for name in names] for slope in slopes])
    if len(names) == len(slopes) == 1:  # as mostly, which is no reason to import SciPy
        return {0: names[0]} if table[0, 0] > 0 and np.isfinite(table[0, 0]) else {}
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    with np.errstate(divide="ignore"):
        logarithms = np.log(table)
    usable = np.isfinite(logarithms)
    lowest = logarithms[usable].min(initial=0.0) - 1e3
    pairs = zip(*linear_sum_assignment(np.where(usable, logarithms, lowest), maximize=True), strict=True)
    return {int(output): names[equation] for output, equation in pairs if usable[output, equation]}


def _slope(rows: Rows, outputs: int, output: int, probe: float) -> Mapping[str, Tensor]:
    ends = [rows([side * probe * (number == output) for number in range(outputs)]) for side in (1, -1)]
    return {name: (ends[0][name] - ends[1][name]) / (2 * probe) for name in ends[0]}


def _nonlinear(rows: Rows, least: Sequence[float], otherwise: Sequence[float]) -> list[float]:
    """The first multiple of some sizes at which the residual is no longer nearly linear in them."""
    still, factor = rows([0.0] * len(least)), 1.0
    probe = {name: (rows([PROBE * each for each in least])[name] - still[name]) / PROBE for name in still}
    while factor <= FARTHEST:
        moved = rows([factor * each for each in least])
        bent = sum(_size(moved[name] - still[name] - factor * probe[name]) for name in still)
        if bent >= factor * sum(map(_size, probe.values())):
            return [factor * each for each in least]
        factor *= FACTOR
    return list(otherwise)


def _size(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
