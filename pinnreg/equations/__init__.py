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
from pinnreg.equations.field import Field, Sweep, Table
from pinnreg.equations.points import Points
from pinnreg.equations.problem import Problem, named_conditions, reference_of
from pinnreg.equations.residual import check_residual, evaluate_residual, evaluate_rows, residual_gradient
from pinnreg.equations.trial import Trial
from pinnreg.equations.unknown import Unknown, check_unknown, with_values

__all__ = [
    "Condition",
    "ConditionMode",
    "Field",
    "Points",
    "Problem",
    "Split",
    "Sweep",
    "Table",
    "Trial",
    "Unknown",
    "check_residual",
    "check_unknown",
    "dirichlet",
    "evaluate_residual",
    "evaluate_rows",
    "initial",
    "measurements",
    "named_conditions",
    "neumann",
    "periodic",
    "reference_of",
    "residual_gradient",
    "robin",
    "split_conditions",
    "with_values",
]
