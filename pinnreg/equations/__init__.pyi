from .coefficients import jumping_coefficients
from .conditions import (
    Condition,
    FaceCondition,
    Measurements,
    dirichlet,
    initial,
    measurements,
    neumann,
    periodic,
    robin,
)
from .exact import Split, split_conditions
from .field import Field, Sweep, Table
from .points import Points
from .problem import Problem, named_conditions, reference_of
from .relative import relative_residual
from .residual import check_residual, evaluate_residual, evaluate_rows, residual_gradient
from .scale import scaled
from .settings import ConditionMode, Unknown
from .symmetry import check_symmetry, even, odd, shift, symmetric, without_mean
from .trial import Trial
from .unknown import check_unknown, with_values

__all__ = [
    "Condition",
    "ConditionMode",
    "FaceCondition",
    "Field",
    "Measurements",
    "Points",
    "Problem",
    "Split",
    "Sweep",
    "Table",
    "Trial",
    "Unknown",
    "check_residual",
    "check_symmetry",
    "check_unknown",
    "dirichlet",
    "evaluate_residual",
    "evaluate_rows",
    "even",
    "initial",
    "jumping_coefficients",
    "measurements",
    "named_conditions",
    "neumann",
    "odd",
    "periodic",
    "reference_of",
    "relative_residual",
    "residual_gradient",
    "robin",
    "scaled",
    "shift",
    "split_conditions",
    "symmetric",
    "with_values",
    "without_mean",
]
