"""Unknown coefficients: parameters of a problem that are trained together with the network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from pinnreg.equations.conditions import constants_of
from pinnreg.equations.general import Condition, Equation
from pinnreg.equations.problem import Problem, named_conditions
from pinnreg.equations.settings import Unknown
from pinnreg.errors import InputError, unknown, user_code

SOME_POINTS = 512
"""Enough to see a step of the data move."""

AnyProblem = TypeVar("AnyProblem", bound=Problem)


def with_values(problem: AnyProblem, values: Mapping[str, Any]) -> AnyProblem:
    """The problem with other values of some parameters, which may be tensors; they are not validated.

    It has the parameters and nothing else: what a problem has computed from them and kept would be of the old values.
    """
    if not values:
        return problem
    changed = object.__new__(type(problem))
    for field in dataclasses.fields(problem):  # type: ignore[arg-type]
        value = values.get(field.name, getattr(problem, field.name))
        object.__setattr__(changed, field.name, value)  # a frozen dataclass
    return changed


def check_unknown(problem: Problem, wanted: Mapping[str, Unknown]) -> None:
    """Refuse coefficients that cannot be trained.

    Raises:
        InputError: a parameter that the problem lacks, that takes no real number, or that its domain, symmetry or
            defaults depend on, which training would not see.
    """
    parameters = constants_of(problem)
    for name, each in wanted.items():
        if name not in parameters:
            raise unknown("coefficient in unknown:", name, parameters)
        try:
            found = dataclasses.replace(problem, **{name: each.start})  # type: ignore[type-var]
        except InputError as error:
            raise InputError(f"unknown.{name}.start: {error}") from None
        if not isinstance(getattr(found, name), float):
            raise InputError(f"unknown.{name}: only a real number can be trained, and {name} is no real number")
        if _shapes(problem, name, each.start):
            raise InputError(
                f"unknown.{name}: the domain, the symmetry or the defaults of {type(problem).__name__} depend on "
                f"{name}; only coefficients of the residual and of conditions can be trained"
            )
    trained_conditions(problem, wanted)


def trained_conditions(problem: Problem, wanted: Mapping[str, Unknown]) -> frozenset[str]:
    """The names of the conditions that change, or may change, with unknown coefficients.

    Raises:
        InputError: other conditions, or other points, for other values; data that change but carry no derivative.
    """
    if not wanted:
        return frozenset()
    own = named_conditions(problem)
    found = {each.name for each in own if isinstance(each, Equation)}
    for name, each in wanted.items():
        for value in _others(each.start):
            tensor = torch.tensor(value, dtype=torch.float64, requires_grad=True)
            found |= _changed(problem, own, name, tensor)
    return frozenset(found)


def _changed(problem: Problem, own: Sequence[Condition], name: str, value: Tensor) -> set[str]:
    title, found = f"unknown.{name}", set()
    with user_code(f"conditions of {type(problem).__name__} with a tensor as {name}"):
        others = named_conditions(with_values(problem, {name: value}))
    if [(each.name, each.kind, each.of) for each in own] != [(each.name, each.kind, each.of) for each in others]:
        raise InputError(
            f"{title}: which conditions {type(problem).__name__} has depends on {name}; their data may only"
        )
    for one, other in zip(own, others, strict=True):
        if isinstance(one, Equation) or isinstance(other, Equation):
            continue  # what it does with it shows when there is a network
        at = one.sample(problem.domain, SOME_POINTS, "sobol", 0)
        if not torch.equal(at.x, other.sample(problem.domain, SOME_POINTS, "sobol", 0).x):
            raise InputError(f"{title}: where {one.name!r} holds depends on {name}; only its data may")
        before, after = (each.data(at, problem.domain.axes) for each in (one, other))
        if torch.equal(before, after):
            continue
        if not after.requires_grad:
            raise InputError(
                f"{title}: the data of {one.name!r} depend on {name}, but have no derivative by it; they must use it "
                "as a tensor, in torch.* functions"
            )
        found.add(one.name)
    return found


def _others(start: float) -> tuple[float, ...]:
    return (2 * start + 1, -start, math.nan)


def _shapes(problem: Problem, name: str, start: float) -> bool:
    """Whether domain, symmetry or defaults change, or fail, with other values of a parameter, NaN among them."""
    expected = _surroundings(problem)
    for value in (start, *_others(start)):
        try:
            found = _surroundings(with_values(problem, {name: value}))
        except Exception:  # whatever a user's code makes of such values
            return True
        if found != expected:
            return True
    return False


def _surroundings(problem: Problem) -> tuple[object, object, object]:
    return problem.domain.bounds, problem.defaults, problem.symmetry
