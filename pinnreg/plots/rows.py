"""What an error figure shows, checked once: the axes, and one row of arrays for each output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from pinnreg.equations.problem import SUFFIXES
from pinnreg.errors import InputError
from pinnreg.plots import style

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Row:
    """One output: its prediction, its reference if there is one, and the misfit |error| or |residual|.

    `measured` holds the points (n, d) that it was fitted to besides, and the values (n,) there; `band` has its standard
    error. `residual` is that of its equation where the misfit is another.
    """

    name: str
    predicted: Array | None
    reference: Array | None
    misfit: Array | None
    misfit_name: str
    error: float | None = None
    error_name: str = "relative L2 error"
    measured: tuple[Array, Array] | None = None
    band: Array | None = None
    residual: Array | None = None
    residual_name: str = "|residual|"

    def shown(self, panels: Sequence[str]) -> Row:
        """The same row without what is in none of the panels `solution`, `reference`, `error` and `residual`."""
        row = self
        if "error" not in panels and self.misfit_kind == "|residual|":  # which stands for an error that is not known
            row = replace(self, residual=self.misfit, residual_name=self.misfit_name)
        return replace(
            row,
            predicted=self.predicted if "solution" in panels else None,
            reference=self.reference if "reference" in panels else None,
            misfit=self.misfit if "error" in panels else None,
            residual=row.residual if "residual" in panels else None,
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return all(each is None for each in (*self.arrays, self.residual))

    def panel(self, kind: str) -> Array | None:
        """What is shown in one of these panels."""
        return {
            "solution": self.predicted, "reference": self.reference, "error": self.misfit, "residual": self.residual
        }[kind]  # fmt: skip

    @property
    def arrays(self) -> tuple[Array | None, Array | None, Array | None]:
        """Predicted, reference and misfit, in the order of the panels."""
        return self.predicted, self.reference, self.misfit

    @property
    def misfit_kind(self) -> str:
        """'|error|' or '|residual|', for where the title names the equation."""
        return self.misfit_name.split(" of ")[0]

    @property
    def label(self) -> str:
        """What the output is called in a figure."""
        return style.label(self.name)

    @property
    def misfit_label(self) -> str:
        """The name of the misfit, with what the output is called."""
        return labelled(self.misfit_name)

    @property
    def headline(self) -> str:
        """The line of the misfit panel's title that states the error; empty without one."""
        return "" if self.error is None else f"{self.error_name} {self.error:.1e}"

    def at(self, index: tuple[int | slice, ...]) -> Row:
        """The same row on a part of the grid; scattered points are shown on the whole grid only."""
        predicted, reference, misfit, residual = (
            None if a is None else a[index] for a in (*self.arrays, self.residual)
        )
        whole = all(isinstance(part, slice) for part in index)
        measured, band = self.measured if whole else None, None if self.band is None else self.band[index]
        found = replace(self, predicted=predicted, reference=reference, misfit=misfit, residual=residual)
        return replace(found, measured=measured, band=band)

    def with_measured(self, axes: Iterable[str], measured: Sequence[Mapping[str, Array]]) -> Row:
        """The same row with those of the measurements, columns by name, that are of its output and were trained on."""
        own = [columns for columns in measured if self.name in columns]
        if not own:
            return self
        used = np.concatenate([columns["held_out"] for columns in own]) == 0
        *points, values = (np.concatenate([columns[name] for columns in own])[used] for name in (*axes, self.name))
        return replace(self, measured=(np.stack(points, axis=1), values))


def rows_shown(rows: Iterable[Row], panels: Sequence[str]) -> list[Row]:
    """The rows with what the panels show, without those of which these show nothing."""
    return [shown for row in rows if not (shown := row.shown(panels)).is_empty]


def labelled(name: str) -> str:
    """'|error| of u', with what the output is called."""
    kind, of, output = name.partition(" of ")
    return f"{kind}{of}{style.label(output)}"


def checked_axes(axes: Mapping[str, NDArray[np.floating]]) -> dict[str, Array]:
    """The axes as float64; an `InputError` unless each increases strictly and time, if any, stands last."""
    if not axes:
        raise InputError("axes: at least one axis is needed, got none")
    if "t" in axes and list(axes)[-1] != "t":
        raise InputError(f"axes: time 't' must stand last, got {', '.join(axes)}")
    checked = {name: np.asarray(axis, dtype=np.float64) for name, axis in axes.items()}
    for name, axis in checked.items():
        if axis.ndim != 1 or axis.size < 2:
            raise InputError(f"axes[{name!r}]: expected a 1-D array of two or more points, got {axis.shape}")
        if not (np.isfinite(axis).all() and (np.diff(axis) > 0).all()):
            raise InputError(f"axes[{name!r}]: expected finite, strictly increasing coordinates")
    return checked


def rows_of(
    axes: Mapping[str, Array],
    fields: Mapping[str, NDArray[np.floating]],
    errors: Mapping[str, float] | None,
    estimates: Mapping[str, tuple[float, bool]] | None = None,
) -> list[Row]:
    """One `Row` for each output; without a reference it has the estimated error, or a residual: by name, in order."""
    arrays = _checked_fields(axes, fields)
    residuals = {key: a for key, a in arrays.items() if key == "residual" or key.startswith("residual_")}
    outputs = [key for key in arrays if key not in residuals and not key.endswith(SUFFIXES)]
    if not outputs:
        raise InputError(f"fields: no output among the keys {', '.join(arrays) or '(none)'}")
    for key in arrays:
        if key.endswith(SUFFIXES) and key.rpartition("_")[0] not in outputs:
            raise InputError(f"fields: {key!r} needs the prediction {key.rpartition('_')[0]!r}, which is missing")
    for name in errors or {}:
        if name not in outputs:
            raise InputError(f"errors: {name!r} is not an output (outputs: {', '.join(outputs)})")
    known = {name: _verified(name, arrays, errors) for name in outputs if name + "_reference" in arrays}
    alone = [name for name in outputs if name not in known]
    unverified = _unverified(alone, arrays, residuals, estimates or {})
    rows = [known[name] if name in known else unverified.pop(name) for name in outputs] + [*unverified.values()]
    rows = [replace(row, band=arrays.get(f"{row.name}_band")) for row in rows]
    return _with_residuals(rows, residuals)


def _with_residuals(rows: Sequence[Row], residuals: Mapping[str, Array]) -> list[Row]:
    """The rows with the residuals that none has for its misfit: paired by name, else in order; the rest by themselves.

    A row without a misfit but a residual is one that nothing was compared with.
    """
    own = [row.name for row in rows if row.misfit is not None and row.misfit_kind != "|residual|"]
    if not own:
        return list(rows)
    used = {row.misfit_name for row in rows}
    free = {name: np.abs(each) for key, each in residuals.items() if (name := labelled_residual(key)) not in used}
    by_name = {output: name for output in own if (name := labelled_residual(f"residual_{output}")) in free}
    others = iter([name for name in free if name not in by_name.values()])
    paired = {output: name for output in own if (name := by_name.get(output) or next(others, ""))}
    found = [
        replace(row, residual=free[paired[row.name]], residual_name=paired[row.name]) if row.name in paired else row
        for row in rows
    ]
    return [*found, *(Row("", None, None, None, "", residual=free[name], residual_name=name) for name in others)]


def labelled_residual(key: str) -> str:
    """What a field of a residual is called in a figure."""
    return "|residual|" if key == "residual" else f"|residual| of {key.removeprefix('residual_')}"


def _checked_fields(axes: Mapping[str, Array], fields: Mapping[str, NDArray[np.floating]]) -> dict[str, Array]:
    shape = tuple(axis.size for axis in axes.values())
    arrays = {key: np.asarray(field, dtype=np.float64) for key, field in fields.items()}
    for key, array in arrays.items():
        if key in axes:
            raise InputError(f"fields: {key!r} is an axis; an output needs a name of its own")
        if array.shape != shape:
            raise InputError(f"fields[{key!r}]: expected shape {shape} ({', '.join(axes)}), got {array.shape}")
    for key in arrays:
        stem, _, kind = key.rpartition("_")
        other = {"reference": "error", "error": "reference"}.get(kind)
        if other and f"{stem}_{other}" not in arrays:
            raise InputError(f"fields: {key!r} is given, but {stem + '_' + other!r} is missing")
    return arrays


def _verified(name: str, arrays: Mapping[str, Array], errors: Mapping[str, float] | None) -> Row:
    if errors is not None and name not in errors:
        raise InputError(f"errors: {name!r} has a reference but no error (given: {', '.join(errors) or 'none'})")
    reference, misfit = arrays[name + "_reference"], np.abs(arrays[name + "_error"])
    return Row(
        name,
        predicted=arrays[name],
        reference=reference,
        misfit=misfit,
        misfit_name=f"|error| of {name}",
        error=None if errors is None else float(errors[name]),
        error_name="relative L2 error" if reference[np.isfinite(reference)].any() else "RMSE",
    )


def _unverified(
    names: list[str],
    arrays: Mapping[str, Array],
    residuals: dict[str, Array],
    estimates: Mapping[str, tuple[float, bool]],
) -> dict[str, Row]:
    """Rows without a reference; residuals beyond the number of outputs follow in rows of their own."""
    if not names:
        return {}
    if all(f"{name}_estimate" in arrays for name in names):
        return {name: _estimated_row(name, arrays, estimates.get(name)) for name in names}
    by_name = {name: f"residual_{name}" for name in names if f"residual_{name}" in residuals}
    others = iter([key for key in residuals if key not in by_name.values()])
    rows = {}
    for name in names:
        key = by_name.get(name) or next(others, None)
        rows[name] = _unverified_row(name, arrays[name], key, residuals)
    return rows | {key: _unverified_row("", None, key, residuals) for key in others}


def _estimated_row(name: str, arrays: Mapping[str, Array], estimate: tuple[float, bool] | None) -> Row:
    """The output with the size of its error by its own account."""
    size, trusted = estimate or (None, True)
    said = "estimated L2 error" if trusted else "uncertain: estimated L2 error"
    misfit = np.abs(arrays[f"{name}_estimate"])
    if (band := arrays.get(f"{name}_band")) is not None:  # what noise in the measurements leaves open
        misfit = np.hypot(misfit, band)
    return Row(name, arrays[name], None, misfit, f"|estimated error| of {name}", size, said)


def _unverified_row(name: str, predicted: Array | None, key: str | None, residuals: Mapping[str, Array]) -> Row:
    label = labelled_residual(key or "residual")
    return Row(name, predicted, None, None if key is None else np.abs(residuals[key]), label)
