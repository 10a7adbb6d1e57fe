"""SciPy solves that are kept by problem and axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import pinnreg
from pinnreg import Box, Problem
from pinnreg.equations import reference_of
from pinnreg.reference import Reference, Solved, closed_form, forget_solves, remembered
from pinnreg.reference.remembered import _MOST_SOLVES, _MOST_VALUES

AXES = {"x": np.linspace(0, 1, 5)}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_solves()
    yield
    forget_solves()


class Solver:
    """A solve that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, axes: Any) -> Solved:
        self.calls += 1
        return Solved({"u": np.asarray(axes["x"]) + self.calls}, 1e-9)

    @property
    def reference(self) -> Reference:
        return Reference("method of lines", self)


def test_a_solve_is_made_once_for_an_owner_and_axes() -> None:
    solver = Solver()
    first, again = (remembered(solver.reference, "a").solve(dict(AXES)) for _ in range(2))
    assert solver.calls == 1
    np.testing.assert_array_equal(first.values["u"], AXES["x"] + 1)
    np.testing.assert_array_equal(again.values["u"], first.values["u"])
    assert again.error_estimate == first.error_estimate == 1e-9


@pytest.mark.parametrize(
    ("owner", "axes"),
    [
        ("b", AXES),
        ("a", {"x": AXES["x"][:-1]}),
        ("a", {"x": np.nextafter(AXES["x"], 2)}),
        ("a", {**AXES, "t": AXES["x"]}),
    ],
    ids=["owner", "fewer points", "the last bit", "another axis"],
)
def test_another_owner_or_other_axes_are_solved_anew(owner: str, axes: Any) -> None:
    solver = Solver()
    remembered(solver.reference, "a").solve(AXES)
    assert remembered(solver.reference, owner).solve(axes).values["u"][0] >= 2


def test_the_order_of_axes_is_not_lost() -> None:
    solver = Solver()
    for axes in ({"x": AXES["x"], "t": AXES["x"]}, {"t": AXES["x"], "x": AXES["x"]}):
        remembered(solver.reference, "a").solve(axes)
    assert solver.calls == 2


def test_what_a_caller_does_to_the_arrays_is_not_kept() -> None:
    solver = Solver()
    for _ in range(3):
        values = remembered(solver.reference, "a").solve(AXES).values["u"]
        np.testing.assert_array_equal(values, AXES["x"] + 1)
        values[:] = 7


def test_a_reference_and_its_independent_solve_are_kept_apart() -> None:
    inner, outer = Solver(), Solver()
    inner.calls = 5
    both = remembered(replace(outer.reference, scipy=inner.reference), "a")
    assert both.scipy is not None
    for _ in range(2):
        assert both.solve(AXES).values["u"][0] == 1
        assert both.scipy.solve(AXES).values["u"][0] == 6


def test_formulas_files_and_solves_by_hand_are_not_kept() -> None:
    calls: list[int] = []

    def formula(x: Any) -> Any:
        calls.append(1)
        return x

    given = (closed_form(formula), Reference("data file", closed_form(formula).solve))
    for reference in (*given, Reference("by hand", closed_form(formula).solve)):
        remembered(reference, "a").solve(AXES)
        remembered(reference, "a").solve(AXES)
    assert len(calls) == 6
    assert remembered(given[0], "a").pointwise


def test_the_oldest_solves_go_and_large_ones_are_not_kept() -> None:
    solver = Solver()
    for number in range(_MOST_SOLVES + 1):
        remembered(solver.reference, number).solve(AXES)
    remembered(solver.reference, 1).solve(AXES)
    assert solver.calls == _MOST_SOLVES + 1
    remembered(solver.reference, 0).solve(AXES)
    assert solver.calls == _MOST_SOLVES + 2
    large = {"x": np.linspace(0, 1, _MOST_VALUES + 1)}
    for _ in range(2):
        remembered(solver.reference, "a").solve(large)
    assert solver.calls == _MOST_SOLVES + 4


def test_a_failed_solve_is_tried_again() -> None:
    def fails(_: Any) -> Solved:
        raise RuntimeError("no convergence")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no convergence"):
            remembered(Reference("method of lines", fails), "a").solve(AXES)


SOLVER = Solver()


@dataclass(frozen=True)
class Counted(Problem):
    """A problem whose reference counts its solves."""

    size: float = 1.0
    powers: tuple[int, ...] = (1, 2)
    domain = Box(x=(0, 1))

    def residual(self, u: Any) -> Any:
        return u.x

    def reference(self) -> Reference:
        return SOLVER.reference


@dataclass(frozen=True)
class Other(Counted):
    """The same parameters in another class."""


@dataclass(frozen=True)
class Listed(Counted):
    """A parameter that may change."""

    items: list[int] | None = None


def value(problem: Problem) -> float:
    reference = reference_of(problem)
    assert reference is not None
    return float(reference.solve(AXES).values["u"][0])


def test_equal_problems_share_their_solve_and_no_others_do() -> None:
    first = value(Counted())
    assert value(Counted()) == value(Counted(size=1.0, powers=(1, 2))) == first
    others = [Counted(size=2.0), Counted(size=0.0), Counted(size=-0.0), Counted(powers=(1,)), Other()]
    assert len({value(other) for other in others}) == len(others)
    assert first not in {value(other) for other in others}


def test_a_parameter_that_may_change_is_never_an_equal_one() -> None:
    problem = Listed(items=[1])
    assert value(problem) != value(problem)


def test_shipped_problems_are_compared_with_the_kept_solve() -> None:
    axes = {"x": np.linspace(0, 1, 4), "t": np.linspace(0, 1, 3)}
    for _ in range(2):
        heat = pinnreg.problem("heat", alpha=0.2)
        kept, fresh = reference_of(heat), heat.reference()
        assert kept is not None
        assert kept.scipy is not None
        np.testing.assert_array_equal(kept.scipy.solve(axes).values["u"], fresh.scipy.solve(axes).values["u"])
        np.testing.assert_array_equal(kept.solve(axes).values["u"], fresh.solve(axes).values["u"])
