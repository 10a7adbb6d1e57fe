from .coefficients import jumping_coefficients
from .conditions import (
    FaceCondition,
    dirichlet,
    initial,
    neumann,
    periodic,
    robin,
)
from .edges import disagreements
from .evaluate import evaluate_rows
from .exact import Split, split_conditions
from .features import input_features
from .field import Field, View
from .general import Condition, Equation, condition, integral, interface
from .linearity import Linearity
from .measured import Measurements, measurements
from .points import Points
from .problem import Problem, condition_at, named_conditions, reference_of
from .relative import relative_residual
from .residual import check_residual, evaluate_residual, residual_gradient
from .scale import scaled
from .settings import ConditionMode, Unknown
from .sweep import Asked, Elsewhere, Sweep, Table, own_operators
from .symmetry import check_symmetry, even, odd, shift, symmetric, without_mean
from .trial import Trial
from .unknown import check_unknown, trained_conditions, with_values

__all__ = [
    "Asked",
    "Condition",
    "ConditionMode",
    "Elsewhere",
    "Equation",
    "FaceCondition",
    "Field",
    "Linearity",
    "Measurements",
    "Points",
    "Problem",
    "Split",
    "Sweep",
    "Table",
    "Trial",
    "Unknown",
    "View",
    "check_residual",
    "check_symmetry",
    "check_unknown",
    "condition",
    "condition_at",
    "dirichlet",
    "disagreements",
    "evaluate_residual",
    "evaluate_rows",
    "even",
    "initial",
    "input_features",
    "integral",
    "interface",
    "jumping_coefficients",
    "measurements",
    "named_conditions",
    "neumann",
    "odd",
    "own_operators",
    "periodic",
    "reference_of",
    "relative_residual",
    "residual_gradient",
    "robin",
    "scaled",
    "shift",
    "split_conditions",
    "symmetric",
    "trained_conditions",
    "with_values",
    "without_mean",
]
