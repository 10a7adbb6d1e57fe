"""A solution as an `xarray.Dataset`, and as the NetCDF file that it writes.

NetCDF-4 by h5netcdf, a pure Python layer over h5py, with compression and texts in any language, where SciPy's NetCDF-3
has neither compression nor Unicode names, and netCDF4 brings a second C library.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinnreg import files
from pinnreg.exports.needed import needed
from pinnreg.exports.sampled import Sampled

if TYPE_CHECKING:
    import xarray

POINT = "point"
"""The dimension of scattered points."""


def to_xarray(sampled: Sampled) -> xarray.Dataset:
    """Variables by field on the dimensions that are the axes; of scattered points coordinates along one dimension.

    What is known of units and meanings stands in their attributes, the rest in the dataset's.

    Raises:
        InputError: xarray is not installed.
    """
    (made,) = needed("to_xarray", "xarray")
    dimensions: Any = tuple(sampled.axes) if sampled.is_grid else (POINT,)
    coordinates = {
        name: ((name,) if sampled.is_grid else (POINT,), values, _about(sampled, name))
        for name, values in sampled.axes.items()
    }
    variables = {name: (dimensions, values, _about(sampled, name)) for name, values in sampled.fields.items()}
    attributes = {key: _plain(value) for key, value in {**sampled.about, **sampled.fixed}.items()}
    found: xarray.Dataset = made.Dataset(variables, coordinates, attributes)
    return found


def write_netcdf(sampled: Sampled, path: Path) -> list[Path]:
    """Write a NetCDF file, compressed; returns its path.

    Raises:
        InputError: xarray or h5netcdf is not installed.
        OSError: it cannot be written.
    """
    needed("NetCDF", "xarray", "h5netcdf", "h5py")
    dataset = to_xarray(sampled)
    encoding = {name: {"zlib": True} for name in dataset.data_vars}
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder) / "half.nc"
        dataset.to_netcdf(half, engine="h5netcdf", encoding=encoding)
        content = half.read_bytes()
    files.write(path, lambda file: file.write(content))
    return [path]


def _about(sampled: Sampled, name: str) -> dict[str, str]:
    unit = sampled.unit_of(name)
    meaning = name if name in sampled.axes else sampled.meaning_of(name)
    return {"long_name": meaning, **({"units": unit} if unit else {})}


def _plain(value: Any) -> str | float | int:
    """An attribute as NetCDF has it."""
    return value if isinstance(value, str | float | int) and not isinstance(value, bool) else json.dumps(value)
