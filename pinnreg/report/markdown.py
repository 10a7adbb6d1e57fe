"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table.

    >>> markdown_table(["a", "b"], [["1", "x | y"]])
    ['| a | b |', '| --- | --- |', '| 1 | x \\\\| y |']
    """
    return [_row(columns), _row(["---"] * len(columns)), *map(_row, rows)]


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"
