"""pinnreg: partial differential equations by physics-informed neural networks, regularised and checked.

>>> import pinnreg
>>> config = {"problem": {"name": "poisson", "dimension": 1}, "points": {"interior": 50},
...           "network": {"hidden": [8]}, "train": [{"optimiser": "lbfgs", "steps": 100}]}
>>> solution = pinnreg.solve(config, out=False)
>>> bool(solution.report.errors["u"].rel_l2 < 0.01)
True
>>> solution([[0.0], [0.5]]).shape
(2, 1)
"""

from pinnreg import networks, reference
from pinnreg.differentiation import derivatives
from pinnreg.domain import Box
from pinnreg.equations import (
    Field,
    Problem,
    dirichlet,
    initial,
    measurements,
    neumann,
    periodic,
    robin,
)
from pinnreg.errors import Diverged, InputError, Interrupted
from pinnreg.optimisers.nonlinear import least_squares
from pinnreg.reproductions import reproduce
from pinnreg.run import analyse, evaluate, load, load_config, problem, solve
from pinnreg.studies import study
from pinnreg.taylor import Laplacian

__version__ = "0.1.0"

__all__ = [
    "Box",
    "Diverged",
    "Field",
    "InputError",
    "Interrupted",
    "Laplacian",
    "Problem",
    "analyse",
    "derivatives",
    "dirichlet",
    "evaluate",
    "initial",
    "least_squares",
    "load",
    "load_config",
    "measurements",
    "networks",
    "neumann",
    "periodic",
    "problem",
    "reference",
    "reproduce",
    "robin",
    "solve",
    "study",
]
