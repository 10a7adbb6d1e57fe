"""Whether matplotlib can set a label."""

from __future__ import annotations


def flaw_in_mathematics(label: str) -> str:
    """Why a label with dollar signs cannot be set; "" if it can."""
    from matplotlib.mathtext import MathTextParser  # noqa: PLC0415

    try:
        MathTextParser("path").parse(label)
    except ValueError as error:
        return str(error).strip().splitlines()[-1]
    return ""
