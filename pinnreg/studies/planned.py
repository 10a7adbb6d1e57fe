"""A run of a study before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from pinnreg.config import Resolved
from pinnreg.studies.model import SEED, text_of


@final
@dataclass(frozen=True)
class Plan:
    """A run to be made.

    Attributes:
        labels: by varied key the name of its value.
        candidates: by dotted key the numbers that were chosen from lists of candidates.
        resolved: its whole config and problem.
        hash: what it is known by: runs of the same hash have the same results.
        problem_hash: SHA-256 of the problem file when the hash was made.
        part_hashes: those of the files of the user's own parts, by path.
        data_hashes: those of the data files, by path.
        analyse: whether its Hessian and its variations are measured.
        folders: where another process finds problem and parts, besides the shipped folder.
    """

    labels: dict[str, str]
    candidates: dict[str, float]
    resolved: Resolved
    hash: str
    problem_hash: str | None
    part_hashes: dict[str, str]
    data_hashes: dict[str, str]
    analyse: bool = True
    folders: tuple[str, ...] = ()

    @property
    def seed(self) -> str:
        """Which repetition it is."""
        return self.labels.get(SEED, str(self.resolved.config.seed))

    @property
    def group(self) -> tuple[str, ...]:
        """What it is a repetition of: the names of all values but the seed's."""
        return tuple(label for key, label in self.labels.items() if key != SEED)

    @property
    def holds_out(self) -> bool:
        """Whether measurements are held out from its training."""
        return any(each.held_out for each in self.resolved.config.measurements)

    @property
    def title(self) -> str:
        """Its values in a line."""
        shown = self.labels | {key: text_of(value) for key, value in self.candidates.items()}
        return ", ".join(f"{key} {value}" for key, value in shown.items())
