"""What is solved by a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final


@final
@dataclass(frozen=True)
class Case:
    """A problem with its defaults.

    Attributes:
        label: what it is called here.
        config: the name of a shipped config or of a problem.
        changes: values by dotted key that make it another problem, or one that says less of itself.
    """

    label: str
    config: str
    changes: Mapping[str, Any] = field(default_factory=dict)
