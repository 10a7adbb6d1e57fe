"""Which problems the zoo has, apart from what is made of them: a wrong name is refused before torch is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinnreg import registry
from pinnreg.config import Problems, problem_folders
from pinnreg.errors import unknown
from pinnreg.studies.published import PUBLISHED


def zoo_study(names: Sequence[str] = (), seeds: int = 3, problems: Problems = None) -> dict[str, Any]:
    """The study of these problems or configs; without names of all shipped problems, and configs with published errors.

    Raises:
        InputError: an unknown name.
    """
    known = [*registry.shipped_configs(), *registry.find(problem_folders(problems))]
    for name in names:
        if name not in known:
            raise unknown("problem", name, list(dict.fromkeys(known)))
    return {
        "cases": list(dict.fromkeys(names)) or sorted({*registry.find(), *PUBLISHED}),
        "set": {"evaluate": {"estimate": "auto"}},
        "vary": {"seed": list(range(seeds))},
    }
