"""Reference solutions that know their own error: closed forms, SciPy solves, data files.

A reference never evaluates a problem's residual, so that a sign error in the one cannot hide in the other.
"""

from pinnreg.reference.analytic import as_reference, closed_form
from pinnreg.reference.base import Axes, Reference, Solved, Values
from pinnreg.reference.cole_hopf import burgers_cole_hopf
from pinnreg.reference.datafile import from_file
from pinnreg.reference.evolution import method_of_lines
from pinnreg.reference.remembered import SCIPY_KINDS, forget_solves, remembered
from pinnreg.reference.spectral import poisson

__all__ = [
    "SCIPY_KINDS",
    "Axes",
    "Reference",
    "Solved",
    "Values",
    "as_reference",
    "burgers_cole_hopf",
    "closed_form",
    "forget_solves",
    "from_file",
    "method_of_lines",
    "poisson",
    "remembered",
]
