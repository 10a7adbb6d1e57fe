"""What conditions a run lacks, as its equations and conditions are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pinnreg.equations import Condition, own_operators
from pinnreg.equations.conditions import Periodic
from pinnreg.equations.measured import Measurements
from pinnreg.objective import INTERIOR
from pinnreg.run.prepare import Prepared
from pinnreg.taylor import Operator


def unheld(prepared: Prepared) -> Iterator[str]:
    """Whether nothing at all is prescribed, or nothing at any time, of a solution whose derivatives are.

    Only what holds of all outputs together: of a system one may be free. A few equations need nothing more, such as
    t u' + u = cos t, of which one solution is smooth; no count tells them apart, and the notes say so.
    """
    conditions = [*prepared.split.exact, *prepared.split.soft]
    unless = "unless the equation has a single smooth solution, what was found is one of many"
    if any(isinstance(each, Measurements) for each in conditions):
        return
    if not conditions and any(each != (0,) * prepared.problem.domain.dimension for each in _operators(prepared)):
        yield f"nothing is prescribed: the problem has no conditions and no measurements; {unless}"
    elif _order_in_time(prepared) and all(_is_of_space(each, prepared) for each in conditions):
        yield f"nothing is prescribed at any time, as by initial(...): {unless}"


def _is_of_space(condition: Condition, prepared: Prepared) -> bool:
    """Whether a condition holds at faces of space only, at all times alike."""
    if isinstance(condition, Measurements):
        return False
    if not isinstance(condition, Periodic) and "t" in condition.part.over:
        return False
    sides = condition.faces(prepared.problem.domain)
    return bool(sides) and all(side.axis != "t" for side in sides)


def missing(prepared: Prepared, names: Iterable[str]) -> str:
    """What condition of some outputs, which are open, there may be too few of."""
    domain = prepared.problem.domain
    conditions = [each for each in (*prepared.split.exact, *prepared.split.soft) if not isinstance(each, Measurements)]
    order = _order_in_time(prepared)
    sides = [*(domain.faces(None) if domain.space_axes else ()), *(domain.faces("t=min") if order else ())]
    for name in names:
        held = [each for each in conditions if getattr(each, "of", None) in (name, None)]
        free = [str(side) for side in sides if not any(side in each.faces(domain) for each in held)]
        if free:
            return f"no condition of {name!r} holds on {', '.join(free)}"
        if order == 2 and sum(each.kind == "initial" for each in held) == 1:
            return f"of {name!r} there is one initial condition, and second derivatives in time take two"
    return "a condition may be missing"


def _order_in_time(prepared: Prepared) -> int:
    """Of the highest derivative in time of the equations; 0 without time."""
    timed = "t" in prepared.problem.domain.axes
    return max((each[-1] for each in _operators(prepared) if isinstance(each, tuple)), default=0) if timed else 0


def _operators(prepared: Prepared) -> frozenset[Operator]:
    return own_operators(prepared.objective.shapes[INTERIOR].operators)
