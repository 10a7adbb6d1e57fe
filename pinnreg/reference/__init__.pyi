from .analytic import as_reference, closed_form
from .base import Axes, Reference, Solved, Values
from .cole_hopf import burgers_cole_hopf
from .datafile import from_file
from .evolution import method_of_lines
from .spectral import poisson

__all__ = [
    "Axes",
    "Reference",
    "Solved",
    "Values",
    "as_reference",
    "burgers_cole_hopf",
    "closed_form",
    "from_file",
    "method_of_lines",
    "poisson",
]
