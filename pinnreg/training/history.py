"""The record of a training run, in memory and as a CSV file that is whole after every line."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from pinnreg.errors import InputError
from pinnreg.files import append_text, write_text
from pinnreg.training.position import Position

logger = logging.getLogger("pinnreg")


@final
class History:
    """Rows of step, seconds, sweeps, loss, each term raw and weighted, unknown coefficients, weights that are found,
    and errors when evaluated.

    Sweeps are network sweeps times points. The error is the relative L2 error of each output, the RMSE where
    its reference is zero.

    Args:
        terms: names of the loss terms.
        outputs: names of the outputs whose error is evaluated; none without a reference.
        unknown: names of the unknown coefficients.
        tuned: names of the loss terms whose weights are found.
        path: the CSV file, made with the first row; `cut` continues an existing one. None keeps the record in memory.
    """

    def __init__(
        self,
        terms: Sequence[str],
        outputs: Sequence[str],
        path: Path | None,
        unknown: Sequence[str] = (),
        tuned: Sequence[str] = (),
    ) -> None:
        term_columns = [column for term in terms for column in (term, f"{term}_weighted")]
        self.names = ["step", "seconds", "sweeps", "loss", *term_columns]
        self.names += [*(f"unknown_{name}" for name in unknown), *(f"{name}_weight" for name in tuned)]
        self.names += [f"error_{output}" for output in outputs]
        self._rows: list[list[float]] = []
        self._path = path

    def add(
        self,
        position: Position,
        losses: Mapping[str, float],
        weighted: Mapping[str, float],
        errors: Mapping[str, float],
        unknown: Mapping[str, float],
        tuned: Mapping[str, float],
    ) -> float:
        """Append one row and return the weighted loss.

        Args:
            position: where the run is.
            losses: the terms' values.
            weighted: their shares of the loss.
            errors: by output; empty where they were not evaluated.
            unknown: the unknown coefficients.
            tuned: the weights that are found, by loss term.
        """
        values = {"step": position.step, "seconds": position.seconds, "sweeps": position.sweeps}
        values |= {"loss": sum(weighted.values())}
        values |= {f"unknown_{name}": value for name, value in unknown.items()}
        values |= {f"{name}_weight": value for name, value in tuned.items()}
        values |= dict(losses) | {f"{name}_weighted": value for name, value in weighted.items()}
        values |= {f"error_{output}": error for output, error in errors.items()}
        row = [values.get(name, math.nan) for name in self.names]
        self._rows.append(row)
        if self._path is not None:
            if len(self._rows) == 1:
                write_text(self._path, _csv([self.names, _as_text(row, self.names)]))
            else:
                append_text(self._path, _csv([_as_text(row, self.names)]))
        return float(values["loss"])

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """The record as one array a column; NaN where an error was not evaluated."""
        table = np.array(self._rows, dtype=np.float64).reshape(-1, len(self.names))
        return {name: table[:, index] for index, name in enumerate(self.names)}

    def cut(self, step: int) -> None:
        """Read an existing file and drop its rows beyond `step`, which a resumed run makes again."""
        if self._path is None:
            return
        if is_lost(self._path):
            logger.warning("%s is lost, and begins again at step %s", self._path, step)
            return
        self.check()
        columns = read_history(self._path)
        # a run may go on with a reference that it lacked, or without the one that it had
        unknown = np.full_like(columns["step"], math.nan)
        table = np.stack([columns.get(name, unknown) for name in self.names], axis=1)
        self._rows = [[float(value) for value in row] for row in table if row[0] <= step]
        write_text(self._path, _csv([self.names, *(_as_text(row, self.names) for row in self._rows)]))

    def check(self) -> None:
        """Refuse to continue a file that is not the history of this run.

        Raises:
            InputError: a broken file, or other loss terms.
        """
        if self._path is not None and not is_lost(self._path):
            columns = read_history(self._path)
            if _without_errors(columns) != _without_errors(self.names):
                raise InputError(f"{self._path}: columns {list(columns)} are not those of this run, {self.names}")

    def last_step(self) -> int:
        """The step of the last row, -1 if there is none."""
        return int(self._rows[-1][0]) if self._rows else -1


def is_lost(path: Path) -> bool:
    """Whether there is no history, or one without a whole line: a full disk or a crash can leave nothing of it.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return b"\n" not in path.read_bytes()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise InputError(f"{path}: not a readable history: {error.strerror}") from None


def read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    """The columns of a `history.csv`; NaN where a cell is empty. A last line that is torn does not count.

    Raises:
        InputError: a file that is missing or is no history.
    """
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        names, *rows = list(csv.reader(io.StringIO(whole.decode(), newline="")))
        table = np.array([[float(cell or "nan") for cell in row] for row in rows]).reshape(len(rows), len(names))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a readable history: {error}") from None
    return {name: table[:, index] for index, name in enumerate(names)}


def _without_errors(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith("error_")]


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _as_text(row: Sequence[float], names: Sequence[str]) -> list[str]:
    def cell(name: str, value: float) -> str:
        if name in ("step", "sweeps"):
            return str(int(value))
        return "" if name.startswith("error_") and math.isnan(value) else repr(float(value))

    return [cell(name, value) for name, value in zip(names, row, strict=True)]
