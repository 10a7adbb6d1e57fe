"""What a problem file is written in: `Problem`, `Field` and the conditions; and the trial function."""

from pinnreg.equations.conditions import (
    Condition,
    dirichlet,
    initial,
    measurements,
    neumann,
    periodic,
    robin,
)
from pinnreg.equations.exact import ConditionMode, Split, split_conditions
from pinnreg.equations.field import Field, PointSet, Sweep
from pinnreg.equations.problem import Problem, named_conditions, reference_of
from pinnreg.equations.residual import check_residual, evaluate_residual
from pinnreg.equations.trial import Trial

__all__ = [
    "Condition",
    "ConditionMode",
    "Field",
    "PointSet",
    "Problem",
    "Split",
    "Sweep",
    "Trial",
    "check_residual",
    "dirichlet",
    "evaluate_residual",
    "initial",
    "measurements",
    "named_conditions",
    "neumann",
    "periodic",
    "reference_of",
    "robin",
    "split_conditions",
]
