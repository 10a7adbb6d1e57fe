"""Names for what the user gave none."""

from __future__ import annotations

import itertools
from collections.abc import Container

WEIGHTED, FOUND = "_weighted", "_weight"
"""What columns of a history end with: a term times its weight, and a weight that is found."""


def free_name(stem: str, taken: Container[str]) -> str:
    """`stem`, or with the first number from 2 on that makes it one that is not taken."""
    numbered = (f"{stem}_{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([stem], numbered) if name not in taken)
