from .analytic import as_reference, closed_form
from .base import Axes, Reference, Solved, Values
from .cavity import driven_cavity
from .cole_hopf import burgers_cole_hopf
from .datafile import from_file
from .evolution import method_of_lines
from .finite_elements import finite_elements
from .fourier import fourier
from .lightning import lightning
from .polar import polar
from .remembered import SCIPY_KINDS, forget_solves, remembered
from .runge_kutta import ordinary
from .sines import heat_sines
from .spectral import poisson

__all__ = [
    "SCIPY_KINDS",
    "Axes",
    "Reference",
    "Solved",
    "Values",
    "as_reference",
    "burgers_cole_hopf",
    "closed_form",
    "driven_cavity",
    "finite_elements",
    "forget_solves",
    "fourier",
    "from_file",
    "heat_sines",
    "lightning",
    "method_of_lines",
    "ordinary",
    "poisson",
    "polar",
    "remembered",
]
