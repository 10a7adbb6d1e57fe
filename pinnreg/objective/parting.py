"""Points in parts, to bound the memory that their rows take."""

from __future__ import annotations

from collections.abc import Iterator

from pinnreg.equations import Points

SEEN_AT_ONCE = 20_000
"""Points of rows with integrals, whose Jacobian by points is far larger than that by rows."""


def at_once(seen: int, chunk: int | None) -> int | None:
    """How many points to take at once of which the network sees so many for each row; None for all."""
    if seen <= 2:
        return chunk  # its own, or a pair
    return max((SEEN_AT_ONCE if chunk is None else chunk) // seen, 1)


def parts(points: Points, chunk: int | None) -> Iterator[tuple[Points, slice]]:
    """Points in parts of at most `chunk`, each with the range of its rows."""
    count = points.rows
    size = count if chunk is None else max(chunk // points.points_per_row, 1)
    if size >= count:
        yield points, slice(0, count)
        return
    for start in range(0, count, size):
        at = slice(start, min(start + size, count))
        yield points.part(at), at
