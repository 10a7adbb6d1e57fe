"""Tables and arrays: a column, or an array, for each axis and each field."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from pinnreg import files
from pinnreg.exports.sampled import Array, Sampled


def columns(sampled: Sampled) -> dict[str, Array]:
    """All points in rows: coordinates, then fields, each (n,)."""
    fields = {name: values.reshape(-1) for name, values in sampled.fields.items()}
    return {**sampled.points, **fields}


def write_csv(sampled: Sampled, path: Path) -> list[Path]:
    """Write a table of all points inside of the domain, with every digit; returns its path.

    Raises:
        OSError: it cannot be written.
    """
    files.write_text(path, text_of(sampled))
    return [path]


def text_of(sampled: Sampled) -> str:
    """The table as CSV."""
    found = columns(sampled)
    inside = np.any([np.isfinite(found[name]) for name in sampled.fields], axis=0) if sampled.is_grid else slice(None)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(found)
    writer.writerows(zip(*(values[inside].tolist() for values in found.values()), strict=True))
    return stream.getvalue()


def write_npz(sampled: Sampled, path: Path) -> list[Path]:
    """Write arrays by name, compressed; returns its path.

    Raises:
        OSError: it cannot be written.
    """
    arrays = {**sampled.axes, **sampled.fields}
    files.write(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
    return [path]
