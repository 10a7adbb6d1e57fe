"""Reference solutions that know their own error: closed forms, SciPy solves, data files.

A reference never evaluates a problem's residual, so that a sign error in the one cannot hide in the other.
"""

from pinnreg.reference.analytic import as_reference, closed_form
from pinnreg.reference.base import Axes, Reference, Solved, Values
from pinnreg.reference.cole_hopf import burgers_cole_hopf
from pinnreg.reference.datafile import from_file
from pinnreg.reference.evolution import method_of_lines
from pinnreg.reference.spectral import poisson

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
