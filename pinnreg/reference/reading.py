"""Files of data: arrays of finite real numbers by name, from .npz and .csv files."""

from __future__ import annotations

import csv
import math
import zipfile
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pinnreg import memory
from pinnreg.errors import InputError, shortened, unknown
from pinnreg.reference.base import Array

COPIES = 3
"""Of arrays: as read, checked, and in the order of points."""
TEXT = 4
"""Bytes for each of a CSV file, whose shortest number and comma become the eight of a float."""


def read_columns(path: Path, wanted: Sequence[str], *, what: str) -> dict[str, Array]:
    """Columns of one length by name, each (n,), n > 0, from a .csv file with a header or an .npz file of 1-D arrays.

    Args:
        path: the file; what else it holds is ignored.
        wanted: the names of the columns.
        what: a row is, for messages.

    Raises:
        InputError: naming the file, and the line and column or the key.
    """
    _check_regular(path)
    kind = path.suffix.lower()
    if kind not in (".csv", ".npz"):
        raise InputError(f"{path}: {what}s are read from a .csv or an .npz file")
    columns = _read_csv(path, wanted) if kind == ".csv" else _read_npz(path, wanted, what)
    if not len(columns[wanted[0]]):
        raise InputError(f"{path}: no {what}s in it")
    return columns


def read_arrays(path: Path, keys: Sequence[str], some: Sequence[str] = ()) -> dict[str, Array]:
    """Arrays of finite numbers by key, from an .npz file.

    Args:
        path: the file.
        keys: which have to be there.
        some: of which one has to.

    Raises:
        InputError: naming file and key.
    """
    _check_regular(path)
    try:
        # NumPy leaves a file that it opened itself open when it is a broken archive.
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: expected an .npz archive, found a single array")
            found = [key for key in some if key in archive]
            for key in (*keys, *(some if not found else ())):
                if key not in archive:
                    raise unknown(f"key in {path}:", key, archive.files)
            keys = [*keys, *found]
            # what a member says of itself is only believed as far as it has bytes
            sizes = {each.filename.removesuffix(".npy"): each.file_size for each in zipfile.ZipFile(stream).infolist()}
            memory.check({str(path): COPIES * sum(sizes[key] for key in keys)}, "take a smaller file")
            return {key: _numbers(path, key, archive[key]) for key in keys}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise InputError(f"{path}: cannot be read as an .npz file ({shortened(str(error))})") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        # NumPy takes whatever it does not know for pickled data, and advises to run it
        why = "" if "pickle" in str(error) else f" ({shortened(str(error))})"
        raise InputError(f"{path}: cannot be read as an .npz file of plain numbers{why}") from error


def _check_regular(path: Path) -> None:
    """Refuse what would be waited for without end, such as a pipe."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: no regular file; data are read from a .csv or an .npz file")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # a NUL in the name, or what has been raised here
        raise error if isinstance(error, InputError) else InputError(f"{str(path)!r}: {error}") from None


def _numbers(path: Path, key: str, array: Array) -> Array:
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}, key {key!r}: expected real numbers, got dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise InputError(f"{path}, key {key!r}: contains NaN or Inf")
    return array.astype(np.float64)


def _read_npz(path: Path, wanted: Sequence[str], what: str) -> dict[str, Array]:
    arrays = read_arrays(path, wanted)
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or len(shapes[wanted[0]]) != 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"{path}: expected 1-D arrays of one length, a value for each {what}, got {listed}")
    return arrays


def _read_csv(path: Path, wanted: Sequence[str]) -> dict[str, Array]:
    found = array("d")
    try:
        memory.check({str(path): COPIES * TEXT * path.stat().st_size}, "take a smaller file")
        # spreadsheets mark UTF-8 by an invisible first character
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)  # a torn file may end inside a quotation
            header = [cell.strip() for cell in next(reader, [])]
            for name in wanted:
                if name not in header:
                    raise unknown(f"column in {path}:", name, header)
                if header.count(name) > 1:
                    raise InputError(f"{path}: two columns are named {name!r}")
            for row in reader:
                if any(map(str.strip, row)):
                    found.extend(_row(row, header, wanted, f"{path}, line {reader.line_num}"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV file ({error})") from None
    return dict(zip(wanted, np.array(found, dtype=np.float64).reshape(-1, len(wanted)).T, strict=True))


def _row(row: Sequence[str], header: Sequence[str], wanted: Sequence[str], where: str) -> list[float]:
    if len(row) != len(header):
        raise InputError(f"{where}: expected {len(header)} values, one for each column of the header, got {len(row)}")
    return [_cell(row[header.index(name)], f"{where}, column {name!r}") for name in wanted]


def _cell(text: str, where: str) -> float:
    try:
        value = float(text if "_" not in text else "no number, though Python takes it for one")
    except ValueError:
        raise InputError(f"{where}: expected a number, got {shortened(text)}") from None
    if not math.isfinite(value):
        raise InputError(f"{where}: expected a finite number, got {shortened(text)}")
    return value
