"""What is seen of a training: a bar on a terminal, a line at each evaluation elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from pinnreg import bar
from pinnreg.training import Row

PARTS = 1000
"""Into which a bar divides a training: the nearest of its limits, which need not be that of steps, moves it."""


def seen(*, quiet: bool, zero: Collection[str] = ()) -> AbstractContextManager[Callable[[Row], None]]:
    """A function to call at every row of the history.

    Args:
        quiet: whether nothing is to be seen.
        zero: outputs whose reference is zero, whose error is the RMSE.
    """
    known = Row(0, 0, 0.0, 0.0)

    def shown(row: Row) -> tuple[str, int, int]:
        nonlocal known
        known = row if _measured(row) else known
        return text(row, known, zero), PARTS, round(PARTS * row.share)

    def printed(row: Row) -> None:
        if row.errors is not None:
            bar.line(text(row, row, zero))

    return bar.progress(quiet, shown, printed, counted=False)


def text(row: Row, known: Row, zero: Collection[str] = ()) -> str:
    """A row in words, with the errors of the last one that has any.

    >>> text(Row(60, 100, 0.6, 1e-5), Row(50, 100, 0.5, 1e-4, {"u": 1e-3}))
    'step 60/100  loss 1.00e-05  error of u 1.00e-03 (step 50)'
    """
    of = f" (step {known.step})" if known.step != row.step else ""
    named = {f"{name} (RMSE)" if name in zero else name: value for name, value in (known.errors or {}).items()}
    found = [f"error of {name} {value:.2e}{of}" for name, value in named.items()]
    found += [] if known.residual is None else [f"residual at fresh points {known.residual:.1e} of its terms{of}"]
    return "  ".join([f"step {row.step}/{row.steps}", f"loss {row.loss:.2e}", *found])


def _measured(row: Row) -> bool:
    return bool(row.errors) or row.residual is not None
