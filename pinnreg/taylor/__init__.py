"""Arithmetic of truncated Taylor series, which carries derivatives forward through a network in one sweep.

`Algebra` says which derivatives a series carries and how they multiply; a `Series` passes through torch's functions and
modules like the tensor of its values; `recurrences` has the mathematics of tanh and the like, `functions` their
gradients.
"""

from pinnreg.taylor import rules  # noqa: F401 - which functions of torch take series
from pinnreg.taylor.algebra import Algebra
from pinnreg.taylor.forward import by_forward_mode
from pinnreg.taylor.operators import Laplacian, MultiIndex, Operator
from pinnreg.taylor.recording import LinearCall, LinearRecord
from pinnreg.taylor.recurrences import SOFTPLUS_THRESHOLD
from pinnreg.taylor.series import Series, Unsupported

__all__ = [
    "SOFTPLUS_THRESHOLD",
    "Algebra",
    "Laplacian",
    "LinearCall",
    "LinearRecord",
    "MultiIndex",
    "Operator",
    "Series",
    "Unsupported",
    "by_forward_mode",
]
