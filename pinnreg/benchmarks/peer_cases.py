"""What is compared with DeepXDE, and who solves it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from pinnreg.errors import InputError, unknown

PEER_CASES = ("poisson", "heat", "burgers", "helmholtz", "allen_cahn", "heat_inverse", "poisson_lshape")
"""Shipped configs, each of which has a recipe for DeepXDE."""

DEEPXDE = {"DeepXDE float32": "float32", "DeepXDE float64": "float64"}
"""DeepXDE's precision by the name of the solver."""
OWN = "pinnreg"
SCIPY = "SciPy"


def check_peers(cases: Iterable[str]) -> None:
    """Refuse a case that there is not, and a machine without DeepXDE.

    Raises:
        InputError: with the nearest names, and all of them, or with what to install.
    """
    for name in cases:
        if name not in PEER_CASES:
            raise unknown("case", name, PEER_CASES)
    if importlib.util.find_spec("deepxde") is None:
        raise InputError("DeepXDE, which pinnreg is compared with, is not installed: pip install 'pinnreg[peers]'")
