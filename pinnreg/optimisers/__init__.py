"""Optimisers behind one small interface.

A settings class (`GaussNewton`, `SSBroyden`, `LBFGS`, `Adam`, `SGD`, or any other `Stage`) is one stage of a training.
`start(parameters)` gives the `Optimiser` that advances those parameters in place on a `Target` of `pinnreg.objective`.
The target does not change within `advance`; `forget` tells the optimiser that it has changed since.
"""

from pinnreg.optimisers.interface import Advance, Optimiser, Stage
from pinnreg.optimisers.settings import LBFGS, SGD, Adam, AnyStage, GaussNewton, SSBroyden, check_memory, learning_rate

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "Advance",
    "AnyStage",
    "GaussNewton",
    "Optimiser",
    "SSBroyden",
    "Stage",
    "check_memory",
    "learning_rate",
]
