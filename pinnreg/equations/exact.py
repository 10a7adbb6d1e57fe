"""Which conditions the trial function obeys exactly, and which enter the loss.

By default every Dirichlet condition on a box, ball, annulus or ellipse and every periodic one is exact and all others
are soft, initial conditions too unless time is the only axis. They can be exact, and were by default. But then u = g +
t N, where g keeps the initial data for ever, and where the solution travels N has to take them away again. Relative
errors after 120 steps (100 of heat and Klein-Gordon), one seed, all else as by default (20-20 neurons and 1500 points,
oscillators 16-16 and 200):

| | exact | soft |
|---|---|---|
| Korteweg-de Vries, two solitons | 0.71 | 5.8e-4 |
| heat | 9.3e-12 | 1.6e-14, at rest after 54 steps |
| wave | 2.2e-5 | 2.9e-5 |
| transport, β = 30 | 3.7e-4 | 3.4e-4 |
| Allen-Cahn | 1.8e-3 | 1.8e-3 |
| Klein-Gordon | 1.3e-13, after 40 steps | 5.4e-12 |
| Duffing's oscillator | 1.1e-8 | 2.3e-6 |
| van der Pol's, μ = 1 | 2.0e-8 | 4.9e-8 |

Before outputs had a size of their own (see `scale`), exact transport ended at 1.4 and an exact wave at 0.3: N, of the
size of β or of the squared speed, was too small by as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pinnreg.domain import Domain, Face, Shape, Side, flat
from pinnreg.equations.call import Data, evaluate_data
from pinnreg.equations.conditions import FaceCondition, Periodic
from pinnreg.equations.edges import data_derivative, edge
from pinnreg.equations.general import Condition, Equation
from pinnreg.equations.kinks import why_not_smooth
from pinnreg.equations.linearity import Linearity
from pinnreg.equations.measured import Measurements
from pinnreg.equations.problem import Problem, named_conditions
from pinnreg.equations.settings import ConditionMode, Unknown
from pinnreg.equations.sides import AxisData, RoundData, SideData, shared
from pinnreg.equations.trial import MANY, Trial
from pinnreg.equations.unknown import trained_conditions
from pinnreg.errors import InputError, with_article

CORNER = 1e-3
"""By how much data, or their slope times the length, may differ at the ends of a period, of their size."""


@final
@dataclass(frozen=True)
class Split:
    """The conditions of a problem, divided: those in `trial` are exact, `soft` are loss terms.

    `reasons` says by name why a condition that is exact by default is soft here.
    """

    trial: Trial
    soft: tuple[Condition, ...]
    exact: tuple[Condition, ...]
    reasons: dict[str, str]


@final
@dataclass(frozen=True)
class _FaceData:
    """The data of one output on one face; `slope` for a time derivative."""

    condition: FaceCondition
    output: str
    face: Side
    slope: bool


def split_conditions(
    problem: Problem,
    mode: ConditionMode,
    extra: Sequence[Measurements] = (),
    unknown: Mapping[str, Unknown] | None = None,
) -> Split:
    """Divide a problem's conditions into exact and soft ones.

    Args:
        problem: whose conditions.
        mode: which are to be exact.
        extra: measurements besides the problem's own conditions: soft in every mode.
        unknown: coefficients that are trained: conditions that they are in cannot be exact.

    Raises:
        InputError: mode "exact" and a condition that cannot be exact, or one that is asked to be and cannot.
    """
    conditions = named_conditions(problem, extra)
    own = conditions[: len(conditions) - len(extra)]
    trained = trained_conditions(problem, unknown or {})
    known = tuple(c for c in own if c.name not in trained)
    reasons = {} if mode == "soft" else _reasons_against(problem, known, mode)
    if mode != "soft":
        reasons |= {name: "its data depend on an unknown coefficient" for name in trained}
    exact = tuple(c for c in own if mode != "soft" and c.name not in reasons)
    if mode == "exact" and reasons:
        raise InputError("conditions: exact is impossible: " + "; ".join(f"{n}: {why}" for n, why in reasons.items()))
    if asked := [c.name for c in own if mode != "soft" and _asks(c) and c.name in reasons]:
        raise InputError("exact=True is impossible: " + "; ".join(f"{name}: {reasons[name]}" for name in asked))
    trial = Trial(
        axes=problem.domain.axes,
        outputs=tuple(problem.outputs),
        data=tuple(_side_data(problem.domain, exact, output) for output in problem.outputs),
        periodic=tuple(dict.fromkeys(c.on for c in exact if isinstance(c, Periodic))),
        parameters=tuple(problem.parameters),
    )
    soft = tuple(c for c in conditions if c not in exact)
    by_nature = {c.name for c in conditions if not _may_be_exact(c, mode, problem.domain)}
    return Split(trial, soft, exact, {name: why for name, why in reasons.items() if name not in by_nature})


def _asks(condition: Condition) -> bool:
    """Whether a condition itself says that it is to be exact."""
    return isinstance(condition, FaceCondition | Periodic) and bool(condition.exact)


def _may_be_exact(condition: Condition, mode: ConditionMode, domain: Domain) -> bool:
    if isinstance(condition, Measurements | Equation) or condition.why_soft:
        return False
    if mode == "exact" or condition.exact is not None:
        return mode == "exact" or bool(condition.exact)
    return condition.exact_by_default(domain)


def _why_soft(condition: Condition) -> str:
    return condition.why_soft or f"{with_article(f'{condition.kind} condition')} is soft unless it is asked for"


def _reasons_against(problem: Problem, conditions: Iterable[Condition], mode: ConditionMode) -> dict[str, str]:
    """Why conditions cannot be exact, by name; judged in order, so that of two that disagree the later one is soft."""
    conditions = list(conditions)
    reasons = {c.name: _why_soft(c) for c in conditions if not _may_be_exact(c, mode, problem.domain)}
    candidates = [c for c in conditions if c.name not in reasons]
    held: set[tuple[str | None, bool, Side]] = set()
    for each in candidates:
        if isinstance(each, FaceCondition | Periodic) and (why := _without_formula(problem.domain, each)):
            reasons[each.name] = why
        if isinstance(each, FaceCondition):
            here = {(each.of, each.slope, side) for side in each.faces(problem.domain)}
            if each.name in reasons and (twice := held & here):
                reasons[each.name] = f"{min(str(side) for *_, side in twice)} already has a condition"
            held |= here
    candidates = [c for c in candidates if c.name not in reasons]
    reasons |= _partial_periodicity(problem, candidates)
    for each in candidates:
        if not isinstance(each, Periodic) or mode == "exact" or each.exact:
            continue  # who asks for it gets it: it is possible
        if why := _corner(problem, conditions, each):
            reasons.setdefault(each.name, why)
    periodic = {c.on: c.name for c in candidates if isinstance(c, Periodic) and c.name not in reasons}
    accepted: list[_FaceData] = []
    linearity = Linearity(problem)
    # time last, and values before slopes, as the trial function is built
    ordered = sorted((c for c in candidates if isinstance(c, FaceCondition)), key=lambda c: (c.kind, c.slope))
    for condition in ordered:
        data = [
            _FaceData(condition, str(condition.of), face, condition.slope) for face in condition.faces(problem.domain)
        ]
        why = _obstacle(problem.domain, data, accepted, periodic)
        why = why or _without_derivatives(problem.domain, condition)
        why = why or why_not_smooth(problem.domain, condition, linearity.order)
        if why:
            reasons[condition.name] = why
        else:
            accepted += data
    return reasons


def _without_formula(domain: Domain, condition: FaceCondition | Periodic) -> str | None:
    """Why no trial function is known that obeys a condition where it holds."""
    known = () if domain.quadric is None else tuple(name for name, _ in domain.quadric.levels)
    if isinstance(domain, Shape) and all(
        isinstance(side, Face) or str(side) in known for side in condition.faces(domain)
    ):
        return None
    return "only boxes, balls, annuli and ellipses have exact conditions"


def _partial_periodicity(problem: Problem, candidates: Iterable[Condition]) -> dict[str, str]:
    """Periodic input features act on all outputs: a condition on some of them only cannot use them."""
    periodics = [c for c in candidates if isinstance(c, Periodic)]
    reasons: dict[str, str] = {}
    for axis in {c.on for c in periodics}:
        here = [c for c in periodics if c.on == axis]
        covered = {output for c in here for output in (problem.outputs if c.of is None else (c.of,))}
        if covered != set(problem.outputs):
            missing = ", ".join(sorted(set(problem.outputs) - covered))
            reasons |= {c.name: f"periodic input features would make {missing} periodic too" for c in here}
    return reasons


def _corner(problem: Problem, conditions: Iterable[Condition], periodic: Periodic) -> str | None:
    """Why periodic input features could not follow data: their functions are smooth where a period ends.

    Allen and Cahn's equation from x² cos πx, with a kink at x = ±1, ended at 4e-4 with the period exact, whatever the
    loss, and at 1.5e-5 with it as a term of the loss, in fewer steps.
    """
    domain = problem.domain
    for each in conditions:
        if not isinstance(each, FaceCondition) or each.slope or not callable(each.value) or not each.part.whole:
            continue
        across = [face for face in flat(each.faces(domain)) if face.axis != periodic.on]
        if not across or _without_derivatives(domain, each) is not None:
            continue
        lower, upper = domain.bounds[periodic.on]
        inside = data_derivative(each, domain, edge(domain, across[:1]), (0,) * domain.dimension)
        size = float(inside.max() - inside.min())
        if size <= 1e-8 * float(inside.abs().max()):
            continue  # constant to rounding
        for order, said in enumerate(("jump", "have a kink")):
            index = tuple(order * int(name == periodic.on) for name in domain.axes)
            low, high = (
                data_derivative(each, domain, edge(domain, (across[0], Face(periodic.on, side))), index)
                for side in ("min", "max")
            )
            if float((high - low).abs().max()) * (upper - lower) ** order > CORNER * size:
                return f"the data of {each.name!r} {said} where {periodic.on} begins again"
    return None


def _obstacle(domain: Domain, data: list[_FaceData], accepted: list[_FaceData], periodic: dict[str, str]) -> str | None:
    if why := _too_many(data, accepted):
        return why
    for new in data:
        if new.face.axis in periodic:
            return f"the axis {new.face.axis!r} is periodic"
        if new.face == Face("t", "max"):
            return "exact data in time are given at its start only"
        same_output = [old for old in accepted if old.output == new.output]
        if any((old.face, old.slope) == (new.face, new.slope) for old in same_output):
            return f"{new.face} already has a condition"
        if new.slope and not any(old.face == new.face for old in same_output):
            return "an initial condition of order 1 needs one of order 0 that is exact"
        for old in same_output:
            same = old.condition is new.condition and not new.slope
            if old.face.axis != new.face.axis and not same and not _agree(domain, old, new):
                return f"its data disagree with {old.condition.name!r} where {old.face} meets {new.face}"
        for axis in periodic:
            if not _periodic_data(domain, new, axis):
                return f"its data are not periodic in {axis!r}"
    return None


def _too_many(data: Sequence[_FaceData], accepted: Sequence[_FaceData]) -> str | None:
    """Why data of one output on many axes cannot be exact together: then only what all faces share can."""
    one = data[0].output
    mine = [each for each in (*accepted, *data) if each.output == one]
    if len({each.face.axis for each in mine}) <= MANY:
        return None
    if not all(isinstance(each.face, Face) for each in mine):
        return f"curved sides and flat ones across more than {MANY - 1} axes cannot be exact together"
    own = [AxisData(0, 0.0, 1.0, at_min=each.condition.value) for each in mine]
    if any(each.slope for each in mine) or len(shared(own)) > 1:
        return f"on more than {MANY} axes only one function or number for all faces can be exact"
    return None


def _without_derivatives(domain: Domain, condition: FaceCondition) -> str | None:
    """Why data that vary but carry no derivative cannot be exact: the trial function's would silently be wrong."""
    points = edge(domain, condition.faces(domain)[:1]).requires_grad_()
    values = evaluate_data(condition.value, domain.axes, points, f"condition {condition.name!r}")
    if not values.requires_grad and bool((values != values[0]).any()):
        return "its data vary but have no derivatives (a step, or computed outside of torch)"
    return None


def _close(a: Tensor, b: Tensor) -> bool:
    return bool(torch.allclose(a, b, rtol=1e-8, atol=1e-8))


def _agree(domain: Domain, old: _FaceData, new: _FaceData) -> bool:
    """Whether two conditions say the same on the edge that their faces share."""
    points = edge(domain, (old.face, new.face))
    # a slope in time has to match the time derivative of what the other face prescribes
    index = tuple(int(new.slope and axis == new.face.axis) for axis in domain.axes)
    prescribed = data_derivative(old.condition, domain, points, index)
    return _close(prescribed, data_derivative(new.condition, domain, points, (0,) * domain.dimension))


def _periodic_data(domain: Domain, data: _FaceData, axis: str) -> bool:
    """Whether data and their first two derivatives along a periodic axis agree on its two faces."""
    ends = [edge(domain, (data.face, Face(axis, side))) for side in ("min", "max")]
    indices = [tuple(order * int(name == axis) for name in domain.axes) for order in range(3)]
    low, high = ([data_derivative(data.condition, domain, end, index) for index in indices] for end in ends)
    return all(_close(a, b) for a, b in zip(low, high, strict=True))


def _side_data(domain: Domain, exact: Iterable[Condition], output: str) -> tuple[SideData, ...]:
    """The exact data of one output, those on curved sides first, then axis by axis, time last."""
    own = [each for each in exact if isinstance(each, FaceCondition) and each.of == output]
    return (*_round_data(domain, own), *_axis_data(domain, own))


def _round_data(domain: Domain, exact: Iterable[FaceCondition]) -> tuple[RoundData, ...]:
    if domain.quadric is None:
        return ()
    levels, values = dict(domain.quadric.levels), dict[bool, Data]()
    for condition in exact:
        for side in condition.faces(domain):
            if not isinstance(side, Face):
                values[levels[str(side)] < 1] = condition.value
    return (RoundData(domain.quadric, values.get(True), values.get(False)),) if values else ()


def _axis_data(domain: Domain, exact: Iterable[FaceCondition]) -> tuple[AxisData, ...]:
    table: dict[str, AxisData] = {}
    for condition in exact:
        for face in flat(condition.faces(domain)):
            lower, upper = domain.bounds[face.axis]
            old = table.get(face.axis, AxisData(domain.axes.index(face.axis), lower, upper))
            table[face.axis] = _with_data(old, face, condition.slope, condition.value)
    return tuple(table[axis] for axis in domain.axes if axis in table)


def _with_data(data: AxisData, face: Face, slope: bool, value: Data) -> AxisData:
    if slope:
        return replace(data, slope_at_min=value)
    return replace(data, at_min=value) if face.side == "min" else replace(data, at_max=value)
