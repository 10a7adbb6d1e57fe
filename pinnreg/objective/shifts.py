"""Parameters with a perturbation."""

from __future__ import annotations

from pinnreg.objective.model import Parameters
from pinnreg.regularisers import Shift


def shifted(parameters: Parameters, shift: Shift) -> Parameters:
    """Parameters with a perturbation, leaves of their own; the parameters themselves where there is none."""
    if shift.offset is None:
        return parameters
    moved = {name: values.detach().clone() for name, values in parameters.items()}
    for name, offset in shift.offset.items():
        moved[name] += offset
    return {name: values.requires_grad_() for name, values in moved.items()}
