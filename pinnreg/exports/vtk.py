"""VTK's XML files for ParaView, by meshio: a mesh of lines, quadrilaterals or hexahedra on the grid of space.

Cells of which a corner lies outside of a domain are left out, so that its edge is in steps of the grid; values are
those of the network at the points, never of an interpolation. Time gives a file each and a collection (.pvd) that
ParaView plays as a series.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from pinnreg import files
from pinnreg.errors import InputError
from pinnreg.exports.needed import needed
from pinnreg.exports.sampled import Array, Sampled

CELLS = {
    1: ("line", ((0,), (1,))),
    2: ("quad", ((0, 0), (1, 0), (1, 1), (0, 1))),
    3: ("hexahedron", (*((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)), *((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)))),
}
"""The cell of a grid in so many dimensions, its corners in VTK's order."""


def write_vtk(sampled: Sampled, path: Path) -> list[Path]:
    """Write one `.vtu` file, or of an evolution one for each time and the collection `path` of them.

    Args:
        sampled: on a grid, or at points; of axes that are neither space nor time each must have one value.
        path: ends with `.vtu`, or with `.pvd` where there is time.

    Returns:
        All files, the one to open first.

    Raises:
        InputError: meshio is not installed, or there is no space, or more than three axes of it.
        OSError: a file cannot be written.
    """
    if not 1 <= len(sampled.space) <= 3:
        raise InputError(f"vtk: expected from one to three axes of space, there are {len(sampled.space)}")
    if "t" not in sampled.axes:
        _write(path, *_mesh(sampled.axes, sampled.fields, sampled))
        return [path]
    times = np.unique(sampled.axes["t"])
    paths = paths_of(path, len(times))[1:]
    for time, each in zip(times, paths, strict=True):
        _write(each, *_mesh(*_at(sampled, float(time)), sampled))
    entries = [
        f'    <DataSet timestep={quoteattr(repr(float(time)))} part="0" file={quoteattr(each.name)}/>'
        for time, each in zip(times, paths, strict=True)
    ]
    head = ['<?xml version="1.0"?>', '<VTKFile type="Collection" version="0.1">', "  <Collection>"]
    files.write_text(path, "\n".join([*head, *entries, "  </Collection>", "</VTKFile>"]) + "\n")
    return [path, *paths]


def paths_of(path: Path, times: int) -> list[Path]:
    """The files that an evolution of so many times is written to, the collection first."""
    return [path, *(path.with_name(f"{path.stem}_{number:04d}.vtu") for number in range(times))]


def _at(sampled: Sampled, time: float) -> tuple[dict[str, Array], dict[str, Array]]:
    """Axes and fields at one time."""
    here = np.flatnonzero(sampled.axes["t"] == time)
    axes = {name: axis if sampled.is_grid else axis[here] for name, axis in sampled.axes.items() if name != "t"}
    if not sampled.is_grid:
        return axes, {name: values[here] for name, values in sampled.fields.items()}
    place = list(sampled.axes).index("t")
    return axes, {name: np.take(values, here[0], axis=place) for name, values in sampled.fields.items()}


def _mesh(
    axes: Mapping[str, Array], fields: Mapping[str, Array], sampled: Sampled
) -> tuple[Array, str, NDArray[np.int64], dict[str, Array]]:
    """Points (n, 3), the kind of the cells, their corners, and the fields at the points."""
    if not sampled.is_grid:
        points = _in_space([axes[name] for name in sampled.space])
        return points, "vertex", np.arange(len(points))[:, None], dict(fields)
    shape = tuple(axes[name].size for name in sampled.space)
    squeezed = {name: values.reshape(shape) for name, values in fields.items()}
    meshes = np.meshgrid(*(axes[name] for name in sampled.space), indexing="ij")
    inside = np.all([np.isfinite(values) for values in squeezed.values()], axis=0)
    kind, corners = CELLS[len(shape)]
    numbers = np.arange(inside.size).reshape(shape)
    cells = np.stack([_shifted(numbers, corner).reshape(-1) for corner in corners], axis=1)
    whole = np.stack([_shifted(inside, corner).reshape(-1) for corner in corners], axis=1).all(axis=1)
    cells = cells[whole]
    used, renumbered = np.unique(cells, return_inverse=True)
    if not used.size:
        raise InputError("vtk: no cell of the grid lies in the domain; take more points along each axis")
    points = _in_space([mesh.reshape(-1)[used] for mesh in meshes])
    values = {name: each.reshape(-1)[used] for name, each in squeezed.items()}
    return points, kind, renumbered.reshape(cells.shape), values


def _shifted(array: NDArray[np.generic], corner: Sequence[int]) -> NDArray[np.generic]:
    """The array at one corner of every cell."""
    cut = tuple(slice(first, first - 1 or None) for first in corner)
    return array[cut]


def _in_space(coordinates: Sequence[Array]) -> Array:
    zeros = itertools.repeat(np.zeros_like(coordinates[0]), 3 - len(coordinates))
    found: Array = np.stack([*coordinates, *zeros], axis=1)
    return found


def _write(path: Path, points: Array, kind: str, cells: NDArray[np.int64], values: Mapping[str, Array]) -> None:
    (meshio,) = needed("vtk", "meshio")
    mesh = meshio.Mesh(points, [(kind, cells)], point_data={name: np.asarray(each) for name, each in values.items()})
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder) / "half.vtu"
        mesh.write(half, file_format="vtu")
        content = half.read_bytes()
    files.write(path, lambda file: file.write(content))
