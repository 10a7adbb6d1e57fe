from . import networks, reference
from .differentiation import derivatives
from .domain import Annulus, Ball, Box, Domain, Ellipse, Polygon, Split, Star, Surface
from .equations import (
    Field,
    Problem,
    condition,
    dirichlet,
    even,
    initial,
    integral,
    interface,
    measurements,
    neumann,
    odd,
    periodic,
    robin,
    shift,
)
from .errors import Diverged, InputError, Interrupted
from .optimisers.nonlinear import least_squares
from .reproductions import reproduce
from .run import Solution, analyse, compare, evaluate, export, load, load_config, problem, solve
from .studies import study
from .taylor import Laplacian
from .training import Hooks

__version__: str

__all__ = [
    "Annulus",
    "Ball",
    "Box",
    "Diverged",
    "Domain",
    "Ellipse",
    "Field",
    "Hooks",
    "InputError",
    "Interrupted",
    "Laplacian",
    "Polygon",
    "Problem",
    "Solution",
    "Split",
    "Star",
    "Surface",
    "analyse",
    "compare",
    "condition",
    "derivatives",
    "dirichlet",
    "evaluate",
    "even",
    "export",
    "initial",
    "integral",
    "interface",
    "least_squares",
    "load",
    "load_config",
    "measurements",
    "networks",
    "neumann",
    "odd",
    "periodic",
    "problem",
    "reference",
    "reproduce",
    "robin",
    "shift",
    "solve",
    "study",
]
