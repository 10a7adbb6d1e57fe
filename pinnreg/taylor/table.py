"""Which functions of torch take series: each has a rule, which `rules` enters here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RULES: dict[Any, Callable[..., Any]] = {}
"""A function of series by the function of tensors whose place it takes."""
