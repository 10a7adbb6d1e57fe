"""`report.json` and `fields.npz`: written atomically, since their presence says that training has ended by itself."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinnreg import files
from pinnreg.errors import InputError
from pinnreg.estimates import EstimatedErrors
from pinnreg.files import is_file
from pinnreg.report.compare import Errors, ReferenceReport, Report, Validation
from pinnreg.report.views import View, packed, unpacked

Array = NDArray[np.float64]


def summary(report: Report) -> dict[str, Any]:
    """The content of `report.json`: errors, reference, and the run's other facts.

    `validation` is in it only where measurements were held out.
    """
    reference = report.reference and _reference(report.reference)
    errors = {name: _plain(errors) for name, errors in report.errors.items()}
    validation = {name: asdict(each) for name, each in report.validation.items()}
    held_out = {"validation": validation} if validation else {}
    estimates = {name: asdict(each) for name, each in report.estimates.items()}
    known = {"errors": errors, "estimated_errors": estimates, "reference": reference}
    plain: dict[str, Any] = finite({**known, **held_out, **report.facts})
    return plain


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` as JSON, atomically; makes the folder that it lies in.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, files.json_text(data))


def write_report(folder: Path, report: Report) -> None:
    """Write `measurements.npz`, `outline.npz`, `views.npz`, `fields.npz` and, last, `report.json` into a run's folder.

    The first is written only where there are measurements: for the loss term `m` an array `m.<column>` for each column.
    The second is there only of a domain that is no box, the third where figures show more than the grid.
    """
    columns = {f"{name}.{key}": column for name, each in report.measurements.items() for key, column in each.items()}
    if columns:
        write_arrays(folder / "measurements.npz", columns)
    if report.outline:
        write_arrays(folder / "outline.npz", report.outline)
    if report.views:
        write_arrays(folder / "views.npz", packed(report.views))
    write_arrays(folder / "fields.npz", {**report.axes, **report.fields})
    write_json(folder / "report.json", summary(report))


def read_report(folder: Path) -> Report:
    """The report of a finished run.

    Raises:
        InputError: a run that has not ended by itself, or files that cannot be read.
    """
    path = folder / "report.json"
    if not is_file(path):
        raise InputError(f"{folder}: no report.json: the run has not ended; go on with --resume")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        found, errors, held_out = facts.pop("reference"), facts.pop("errors"), facts.pop("validation", {})
        reference = found and _read_reference(found, errors)
        validation = {name: Validation(each["count"], _number(each["rmse"])) for name, each in held_out.items()}
        estimates = {name: _read_estimate(each) for name, each in facts.pop("estimated_errors", {}).items()}
        axes, fields = _read_fields(folder, list(facts["axes"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable report: {error}") from None
    measurements, outline, views = _read_measurements(folder), _read_outline(folder), _read_views(folder)
    return Report(axes, fields, reference, validation, measurements, facts, outline, estimates, views)


def _read_views(folder: Path) -> tuple[View, ...]:
    path = folder / "views.npz"
    if not path.is_file():
        return ()
    try:
        return unpacked(_read_arrays(path))
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not readable: {error}") from None


def _read_outline(folder: Path) -> dict[str, Array]:
    path = folder / "outline.npz"
    if not path.is_file():
        return {}
    arrays = _read_arrays(path)
    if missing := [name for name in ("first", "second", "distance") if name not in arrays]:
        raise InputError(f"{path}: not readable: no array {missing[0]!r}")
    return arrays


def _read_measurements(folder: Path) -> dict[str, dict[str, Array]]:
    """The columns in a run's `measurements.npz` by loss term; none if it has no such file."""
    measured: dict[str, dict[str, Array]] = {}
    if (folder / "measurements.npz").is_file():
        for key, column in _read_arrays(folder / "measurements.npz").items():
            name, _, column_name = key.rpartition(".")
            measured.setdefault(name, {})[column_name] = column
    return measured


def _read_fields(folder: Path, axes: list[str]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The axes and the fields in a run's `fields.npz`."""
    path = folder / "fields.npz"
    arrays = _read_arrays(path)
    try:
        return {name: arrays.pop(name) for name in axes}, arrays
    except KeyError as error:
        raise InputError(f"{path}: not readable: {error}") from None


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name as an NPZ file, atomically."""
    files.write(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def _read_arrays(path: Path) -> dict[str, Array]:
    try:
        # NumPy leaves a file that it opened itself open when it is a broken archive
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
    except (OSError, EOFError, ValueError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not readable: {error}") from None
    # a member that does not begin as an array does is given as its bytes
    if wrong := [name for name, array in arrays.items() if array.dtype.kind not in "biuf"]:
        raise InputError(f"{path}: not readable: {wrong[0]} holds no numbers")
    return arrays


def _plain(errors: Errors) -> dict[str, float]:
    return {name: value for name, value in asdict(errors).items() if value is not None}


def _reference(report: ReferenceReport) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": report.kind, "error_estimate": report.error_estimate}
    if report.scipy is not None:
        scipy = report.scipy
        data["scipy"] = {
            "kind": scipy.kind,
            "error_estimate": scipy.error_estimate,
            "errors": {name: _plain(errors) for name, errors in scipy.errors.items()},
        }
    return data


def _read_reference(data: Mapping[str, Any], errors: Mapping[str, Any]) -> ReferenceReport:
    def read(values: Mapping[str, Any]) -> dict[str, Errors]:
        return {
            output: Errors(**{name: _number(value) for name, value in each.items()}) for output, each in values.items()
        }

    inner = data.get("scipy")
    scipy = inner and ReferenceReport(inner["kind"], inner["error_estimate"], read(inner["errors"]), None)
    return ReferenceReport(data["kind"], data["error_estimate"], read(errors), scipy)


def _read_estimate(data: Mapping[str, Any]) -> EstimatedErrors:
    return EstimatedErrors(_number(data["rel_l2"]), _number(data["max_abs"]), data["reliability"], data["kind"])


def _number(value: float | None) -> float:
    """A number of a report; null is NaN, which JSON lacks."""
    return math.nan if value is None else value


def finite(value: Any) -> Any:
    """`value`, of dicts and lists, with NaN and Inf, which JSON lacks, as null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
