"""What ParaView is given, read and drawn by VTK itself: needs `pip install pyvista`, and no screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_studies import Cli

import pinnreg
from pinnreg import Solution

pyvista = pytest.importorskip("pyvista", reason="pyvista is not installed")
# VTK is half a gigabyte, and takes seconds to load and to draw
pytestmark = pytest.mark.slow

TRAINED: dict[str, Any] = {
    "network": {"hidden": [10]},
    "points": {"interior": 100, "boundary": 50},
    "train": [{"optimiser": "gauss_newton", "steps": 8}],
    "device": "cpu",
}
SIZE = (480, 360)
BACKGROUND = "white"


def written(cli: Cli, problem: str, grid: list[int]) -> tuple[Solution, Path]:
    """A run that has ended, and the first file of its export."""
    given = {**TRAINED, "problem": problem, "evaluate": {"grid": grid, "estimate": "none"}}
    solution = pinnreg.solve(given, out="mine", figures=False, progress=False)
    code, out, err = cli("export", "mine", "--to", "vtk", "--derivative", "x")
    assert code == 0, err
    return solution, Path(out.split()[0])


def assert_the_network_s(mesh: Any, solution: Solution, time: float | None = None) -> None:
    """Values at the mesh's points are the solution's."""
    points = np.asarray(mesh.points, dtype=np.float64)[:, : len(solution.problem.space_axes)]
    if time is not None:
        points = np.column_stack([points, np.full(len(points), time)])
    assert mesh.n_cells > 20
    np.testing.assert_allclose(mesh["u"], solution(points)[:, 0], atol=1e-12)
    np.testing.assert_allclose(mesh["u_x"], solution.derivative(points, "x")[:, 0], atol=1e-11)


def drawn(mesh: Any, path: Path) -> np.ndarray[Any, Any]:
    """A picture (height, width, 3) of it, off screen."""
    plotter = pyvista.Plotter(off_screen=True, window_size=SIZE)
    plotter.background_color = BACKGROUND
    plotter.add_mesh(mesh, scalars="u", show_edges=True)
    plotter.view_xy() if mesh.bounds[5] == mesh.bounds[4] else plotter.view_isometric()
    picture: np.ndarray[Any, Any] = plotter.screenshot(path, return_img=True)
    plotter.close()
    return picture


def assert_seen(picture: np.ndarray[Any, Any]) -> None:
    """Much of it is not background, in many colours."""
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    colours = np.unique(picture.reshape(-1, 3), axis=0)
    assert (picture < 250).any(axis=2).mean() > 0.1
    assert len(colours) > 50


def test_a_shape_in_time_is_a_series(cli: Cli, tmp_path: Path) -> None:
    solution, first = written(cli, "heat_annulus", [20, 20, 4])
    assert first.suffix == ".pvd"
    reader = pyvista.get_reader(first)
    np.testing.assert_allclose(reader.time_values, solution.report.axes["t"])  # type: ignore[union-attr]
    for time in reader.time_values:
        reader.set_active_time_value(time)
        (mesh,) = reader.read()
        assert_the_network_s(mesh, solution, time)
    assert_seen(drawn(mesh, tmp_path / "annulus.png"))


def test_a_ball_has_a_volume(cli: Cli, tmp_path: Path) -> None:
    solution, first = written(cli, "poisson_ball", [16, 16, 16])
    mesh = pyvista.read(first)
    assert_the_network_s(mesh, solution)
    sizes = mesh.compute_cell_sizes()["Volume"]
    assert (sizes > 0).all()
    # in steps of the grid, inside of the ball
    assert 0.5 < mesh.volume / solution.problem.domain.volume < 1
    assert_seen(drawn(mesh.clip("x"), tmp_path / "ball.png"))
    # what VTK interpolates between points is near to the network
    line = mesh.sample_over_line((-0.4, 0.05, 0.05), (0.4, 0.05, 0.05), resolution=20)
    np.testing.assert_allclose(line["u"], solution(np.asarray(line.points, dtype=np.float64))[:, 0], atol=0.02)
