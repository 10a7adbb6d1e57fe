"""`Sweep`: the derivatives of a trial function at a set of points, computed together; `Table`: given ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, final

from torch import Tensor

from pinnreg.differentiation import sweep
from pinnreg.equations.points import Points
from pinnreg.equations.trial import Lift, Network, Trial
from pinnreg.taylor import Algebra, Operator


@final
@dataclass(frozen=True)
class Elsewhere:
    """What is asked for at other points than a sweep's own: at those of its k-th place."""

    place: int
    asked: Asked


Asked = Operator | Elsewhere


def own_operators(asked: Iterable[Asked]) -> frozenset[Operator]:
    """What is asked for at the points themselves."""
    return frozenset(each for each in asked if not isinstance(each, Elsewhere))


def _by_place(asked: Iterable[Asked]) -> dict[int, set[Asked]]:
    found: dict[int, set[Asked]] = {}
    for each in asked:
        if isinstance(each, Elsewhere):
            found.setdefault(each.place, set()).add(each.asked)
    return found


class Derivatives(Protocol):
    """What fields take their values from.

    Attributes:
        trial: which function is differentiated.
        points: where.
    """

    @property
    def trial(self) -> Trial: ...
    @property
    def points(self) -> Points: ...

    def __call__(self, operator: Operator) -> Tensor:
        """The operator applied to u, (n, outputs)."""

    def elsewhere(self, place: int, points: Points) -> Self:
        """The same at the points of a place, a number for each in the order in which they are asked for."""


@final
class Sweep:
    """Derivatives of a trial function at points, computed together.

    What is `asked` for is computed at once. An operator that is first asked for later joins them, and the sweep is
    repeated. `chunk` bounds how many points the network sees at once.
    """

    def __init__(
        self,
        trial: Trial,
        network: Network,
        points: Points,
        asked: Iterable[Asked] = (),
        *,
        chunk: int | None = None,
    ) -> None:
        self.trial = trial
        self.points = points
        self._network = network
        self._chunk = chunk
        self._table: dict[Operator, Tensor] = {}
        asked = frozenset(asked)
        self._expected = _by_place(asked)
        self._places: dict[int, Sweep] = {}
        if wanted := own_operators(asked):
            # now, since a recording of the network's layers does not see inside arithmetic of fields
            self._run(wanted)

    @property
    def operators(self) -> frozenset[Asked]:
        """All that have been computed, those at other places too."""
        there = {Elsewhere(place, each) for place, other in self._places.items() for each in other.operators}
        return frozenset(self._table) | there

    @property
    def seen(self) -> int:
        """How many points the network has seen, those of other places too."""
        return len(self.points) + sum(other.seen for other in self._places.values())

    def __call__(self, operator: Operator) -> Tensor:
        """The operator applied to u, (n, outputs)."""
        if operator not in self._table:
            self._run(frozenset(self._table) | {operator})
        return self._table[operator]

    def elsewhere(self, place: int, points: Points) -> Sweep:
        """The sweep at the points of a place, with what is known to be asked for there."""
        if (known := self.points.there.get(place)) is not None:
            points = replace(points, lifts=known.lifts, there=known.there)
        asked = self._expected.get(place, set())
        found = Sweep(self.trial, self._network, points, asked, chunk=self._chunk)
        self._places[place] = found
        return found

    def places(self) -> Iterator[Points]:
        """The points of all places that were asked for, and of places of these."""
        for other in self._places.values():
            yield other.points
            yield from other.places()

    def located(self, rows: int | None = None) -> Points:
        """The points with those of the places that were asked for, and g and φ at all of them.

        They stay as long as the points do, unless places depend on what is trained, which their points then show by
        requiring gradients. `rows` are those of the sweep that a place, or a place of a place, belongs to.
        """
        rows = self.points.rows if rows is None else rows
        own, there = own_operators(self.operators), {}
        for place, other in self._places.items():
            there[place] = replace(other.located(rows), points_per_row=len(other.points) // rows)
        points = self.points.lifted(self.trial, Algebra.of(own, len(self.trial.axes))) if own else self.points
        return replace(points, there=there)

    def at(self, points: Points) -> Sweep:
        """The same function at other points; nothing is computed yet."""
        return Sweep(self.trial, self._network, points, chunk=self._chunk)

    def g(self, operators: Sequence[Operator]) -> list[Tensor]:
        """The operators applied to the part of u that carries exact data, each (n, outputs).

        Raises:
            ValueError: no exact data but zero.
        """
        series, _ = self._lift(Algebra.of(operators, len(self.trial.axes)))
        if series is None:
            raise ValueError("no exact condition has data but zero")
        return series.derivatives(operators)

    def _run(self, operators: frozenset[Operator]) -> None:
        algebra = Algebra.of(operators, len(self.trial.axes))
        inner = sweep(self._network, self.points.x, algebra, chunk=self._chunk)
        series = self.trial.lifted(inner, self._lift(algebra))
        wanted = list(operators)
        self._table = dict(zip(wanted, series.derivatives(wanted), strict=True))

    def _lift(self, algebra: Algebra) -> Lift:
        known = self.points.lifts.get(algebra)
        return self.trial.lift(self.points.x, algebra) if known is None else known


@final
class Table:
    """Derivatives at points as given values, in the place of a sweep; what is not given comes from it."""

    def __init__(self, sweep: Sweep, points: Points, values: Mapping[Asked, Tensor]) -> None:
        self.trial = sweep.trial
        self.points = points
        self._sweep = sweep
        self._values: dict[Asked, Tensor] = {k: v for k, v in values.items() if not isinstance(k, Elsewhere)}
        self._expected: dict[int, dict[Asked, Tensor]] = {}
        for each, value in values.items():
            if isinstance(each, Elsewhere):
                self._expected.setdefault(each.place, {})[each.asked] = value
        self._places: dict[int, Table] = {}

    @property
    def values(self) -> dict[Asked, Tensor]:
        """All that was given or asked for, those at other places too."""
        found = dict(self._values)
        for place, table in self._places.items():
            found |= {Elsewhere(place, each): value for each, value in table.values.items()}
        return found

    def __call__(self, operator: Operator) -> Tensor:
        """The operator applied to u, (n, outputs)."""
        if operator not in self._values:
            self._values[operator] = self._sweep(operator)
        return self._values[operator]

    def elsewhere(self, place: int, points: Points) -> Table:
        """The table of what was given at the points of a place."""
        found = Table(self._sweep.at(points), points, self._expected.get(place, {}))
        self._places[place] = found
        return found
