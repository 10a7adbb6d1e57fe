"""Unknown coefficients: parameters of a problem that are trained together with the network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from pinnreg.equations.problem import Problem, named_conditions
from pinnreg.equations.settings import Unknown
from pinnreg.errors import InputError, unknown

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
        InputError: a parameter that the problem lacks, that takes no real number, or that is used outside of the
            residual (domain, conditions), which training would not see.
    """
    parameters = {field.name: getattr(problem, field.name) for field in dataclasses.fields(problem)}  # type: ignore[arg-type]
    for name, each in wanted.items():
        if name not in parameters:
            raise unknown("coefficient in unknown:", name, parameters)
        try:
            found = dataclasses.replace(problem, **{name: each.start})  # type: ignore[type-var]
        except InputError as error:
            raise InputError(f"unknown.{name}.start: {error}") from None
        if not isinstance(getattr(found, name), float):
            raise InputError(f"unknown.{name}: only a real number can be trained, and {name} is no real number")
        if _outside_of_the_residual(problem, name, each.start):
            raise InputError(
                f"unknown.{name}: the domain, the conditions, the symmetry or the defaults of {type(problem).__name__} "
                f"depend on {name}; only coefficients of the residual can be trained"
            )


def _outside_of_the_residual(problem: Problem, name: str, start: float) -> bool:
    """Whether domain, conditions or defaults change, or fail, with other values of a parameter, NaN among them."""
    expected = _surroundings(problem, problem)
    for value in (start, 2 * start + 1, -start, math.nan):
        try:
            found = _surroundings(with_values(problem, {name: value}), problem)
        except Exception:  # whatever a user's code makes of such values
            return True
        same = len(found[0]) == len(expected[0]) and all(map(torch.equal, found[0], expected[0]))
        if not same or found[1:] != expected[1:]:
            return True
    return False


def _surroundings(problem: Problem, where: Problem) -> tuple[list[Tensor], object, object, object]:
    """The data of all conditions at some points of another problem's domain; the domain, defaults and symmetries."""
    data = []
    for condition in named_conditions(problem):
        at = condition.sample(where.domain, SOME_POINTS, "sobol", 0)
        data.append(condition.data(at, where.domain.axes))
    return data, problem.domain.bounds, problem.defaults, problem.symmetry
