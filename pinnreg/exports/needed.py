"""Packages that only exports need."""

from __future__ import annotations

import importlib
from types import ModuleType

from pinnreg.errors import InputError


def needed(what: str, *packages: str) -> list[ModuleType]:
    """The packages, imported now.

    Args:
        what: needs them.
        packages: their names.

    Raises:
        InputError: one is not installed.
    """
    found = []
    for package in packages:
        try:
            found.append(importlib.import_module(package))
        except ImportError:
            raise InputError(f"{what}: it needs {package}: pip install 'pinnreg[export]'") from None
    return found
