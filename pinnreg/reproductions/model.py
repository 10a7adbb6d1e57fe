"""What a reproduction is: tables, claims that are judged by their own numbers, and the panels of a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, final

from pinnreg.plots import Panel

Cell = str | int | float
Columns = Sequence[str]
Rows = Sequence[Sequence[Cell]]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


@final
@dataclass(frozen=True)
class Table:
    """Numbers as printed: a heading, names of columns, and rows."""

    title: str
    columns: Columns
    rows: Rows


@final
@dataclass(frozen=True)
class Claim:
    """A statement of a paper as a comparison of a measured number with a bound.

    Attributes:
        text: the statement.
        value: what was measured.
        relation: how it must compare.
        bound: with what; the number to reproduce with slack for noise, none for direction.
        decisive: whether the verdict depends on it; what is known to differ is shown all the same.
        expected: the number to reproduce, where there is one: of the paper, or of an earlier run of its experiment.
    """

    text: str
    value: float
    relation: Literal[">", "<", ">=", "<="]
    bound: float
    expected: str = ""
    decisive: bool = True

    @property
    def holds(self) -> bool:
        """Whether it was reproduced; NaN reproduces nothing."""
        match self.relation:
            case ">":
                return self.value > self.bound
            case "<":
                return self.value < self.bound
            case ">=":
                return self.value >= self.bound
            case "<=":
                return self.value <= self.bound


@final
@dataclass(frozen=True)
class Reproduction:
    """The outcome of an experiment.

    Attributes:
        title: what was done.
        paper: whose experiment it is.
        tables: all that claims refer to.
        claims: what had to come out.
        panels: of the figure.
        notes: what differs from the paper, what was not reproduced.
        seeds: the seeds of the runs.
        steps: optimiser steps of all replicas together.
    """

    title: str
    paper: str
    tables: Sequence[Table]
    claims: Sequence[Claim]
    panels: Sequence[Panel]
    notes: Sequence[str]
    seeds: Sequence[int]
    steps: int

    @property
    def reproduced(self) -> bool:
        """Whether all decisive claims hold."""
        return all(claim.holds for claim in self.claims if claim.decisive)

    def data(self) -> dict[str, Any]:
        """All but the figure, for JSON; None in place of NaN and Inf."""
        return {
            "title": self.title,
            "paper": self.paper,
            "reproduced": self.reproduced,
            "seeds": list(self.seeds),
            "steps": self.steps,
            "tables": [
                {**asdict(each), "rows": [[_plain(cell) for cell in row] for row in each.rows]} for each in self.tables
            ],
            "claims": [
                {**{key: _plain(value) for key, value in asdict(each).items()}, "text": text, "holds": each.holds}
                for each, text in zip(self.claims, _whole([each.text for each in self.claims]), strict=True)
            ],
            "notes": list(self.notes),
        }


def _whole(texts: Sequence[str]) -> list[str]:
    """Texts that stand alone: one that begins with "..." goes on from the last that does not."""
    whole, stem = [], ""
    for text in texts:
        stem = stem if text.startswith("...") else text
        whole.append(f"{stem} {text}" if text.startswith("...") else text)
    return whole


def _plain(cell: Cell) -> Cell | None:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


Experiment = Callable[[bool, Progress], Reproduction]
"""Makes the experiment, quick or (True) as in the paper; calls progress(what, done, of all) along the way."""
