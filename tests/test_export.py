"""Solutions for other programs: what is read back is what the network says at the points."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest
import xarray
from small_studies import Cli

import pinnreg
from pinnreg import InputError, Solution
from pinnreg.exports import needed as packages

SMALL = {"network": {"hidden": [5]}, "points": {"interior": 20, "boundary": 10}, "device": "cpu"}
FAST = {**SMALL, "train": [{"optimiser": "adam", "steps": 3}], "evaluate": {"grid": 7, "estimate": "none"}}
GIVEN: Mapping[str, dict[str, Any]] = {
    "heat": {"problem": {"name": "heat"}},
    "disc": {"problem": {"name": "poisson_disc"}, "evaluate": {"grid": 12, "estimate": "none"}},
    "cube": {"problem": {"name": "poisson", "dimension": 3}},
    "line": {"problem": {"name": "poisson", "dimension": 1}},
    "plane": {"problem": {"name": "poisson", "dimension": 2}},
    "two": {"problem": {"name": "schnakenberg"}},
    "membrane": {"problem": {"name": "wave_2d"}},
    "family": {"problem": {"name": "heat_family"}},
}


Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder of a run of each, made when it is asked for."""
    folder: Path = tmp_path_factory.mktemp("exported")

    def run(name: str) -> Path:
        if not (folder / name).exists():
            pinnreg.solve({**FAST, **GIVEN[name]}, out=folder / name, figures=False, progress=False)
        return folder / name

    return run


def at(solution: Solution, axes: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The outputs at coordinates by axis, the others in the middle as a report has them."""
    columns = [np.asarray(axes[name], dtype=np.float64) for name in solution.trial.axes]
    return solution(np.stack(np.broadcast_arrays(*columns), axis=-1).reshape(-1, len(columns)))


@pytest.mark.first(3)
@pytest.mark.parametrize("name", GIVEN)
def test_a_dataset_has_what_the_network_says(made: Made, name: str) -> None:
    solution = pinnreg.load(made(name))
    data = solution.to_xarray(derivatives=["x"])
    report = solution.report
    assert report is not None
    assert list(data.dims) == list(report.axes)
    for field, values in report.fields.items():
        np.testing.assert_array_equal(data[field].values, values)
    stacked = data.stack(all=list(data.dims))
    points = np.stack([stacked[axis].values for axis in solution.trial.axes], axis=1)
    known = np.isfinite(stacked[solution.trial.outputs[0]].values)
    assert known.any()
    for number, output in enumerate(solution.trial.outputs):
        np.testing.assert_allclose(stacked[output].values[known], solution(points[known])[:, number], atol=1e-13)
        slope = solution.derivative(points[known], "x")[:, number]
        np.testing.assert_allclose(stacked[f"{output}_x"].values[known], slope, atol=1e-12)


def test_a_dataset_on_a_grid_of_one_s_own_and_what_it_says_of_itself(made: Made) -> None:
    solution = pinnreg.load(made("heat"))
    data = solution.to_xarray({"x": [0.25, 0.5], "t": [0.0, 0.1, 1.0]}, units={"u": "K", "x": "m"})
    assert data.sizes == {"x": 2, "t": 3}
    assert float(data.u.sel(x=0.25, t=0.1)) == solution([[0.25, 0.1]])[0, 0]
    assert (data.u.attrs["units"], data.x.attrs["units"], "units" in data.t.attrs) == ("K", "m", False)
    assert solution.to_xarray([4]).sizes == {"x": 4, "t": 4}
    whole = solution.to_xarray(units={"u": "K"})
    assert whole.u_reference.attrs == {"long_name": "reference of u", "units": "K"}
    assert json.loads(whole.attrs["problem"])["name"] == "heat"
    assert whole.attrs["source"].startswith("pinnreg ")
    assert whole.attrs["relative_l2_error_of_u"] == solution.report.errors["u"].rel_l2  # type: ignore[union-attr]
    for wrong, words in (
        ({"axes": {"y": [0.0]}}, "unknown axis: 'y'"),
        ({"units": {"v": "K"}}, "unknown axis or output: 'v'"),
        ({"derivatives": ["z"]}, "derivative 'z'"),
        ({"axes": [10**7]}, "of memory"),
    ):
        with pytest.raises(InputError, match=words):
            solution.to_xarray(**wrong)  # type: ignore[arg-type]


@pytest.mark.first(3)
@pytest.mark.parametrize("name", GIVEN)
def test_netcdf_reads_back_as_the_dataset(made: Made, name: str, tmp_path: Path) -> None:
    solution = pinnreg.load(made(name))
    (path,) = pinnreg.export(made(name), "netcdf", tmp_path / "a.nc", derivatives=["x"])
    with xarray.open_dataset(path, engine="h5netcdf") as found:
        xarray.testing.assert_equal(found.load(), solution.to_xarray(derivatives=["x"]))


@pytest.mark.first(3)
@pytest.mark.parametrize("name", GIVEN)
def test_vtk_reads_back_as_the_network_s_values_at_its_points(made: Made, name: str, tmp_path: Path) -> None:
    solution = pinnreg.load(made(name))
    first, *rest = pinnreg.export(made(name), "vtk", tmp_path / "a.vtu", derivatives=["x"])
    times = {first: None}
    if "t" in solution.trial.axes:
        entries = ET.parse(first).getroot().findall("Collection/DataSet")
        times = {first.parent / str(each.get("file")): float(str(each.get("timestep"))) for each in entries}
        assert list(times) == rest
        report = solution.report
        assert report is not None
        np.testing.assert_array_equal(list(times.values()), report.axes["t"])
    space, kinds = solution.problem.space_axes, {1: "line", 2: "quad", 3: "hexahedron"}
    for path, time in times.items():
        mesh = meshio.read(path)
        assert set(mesh.cells_dict) == {kinds[len(space)]}
        points = {name: mesh.points[:, number] for number, name in enumerate(space)}
        middle = {axis: sum(ends) / 2 for axis, ends in solution.problem.domain.bounds.items()}
        values = at(solution, {**middle, **points, **({} if time is None else {"t": time})})
        for number, output in enumerate(solution.trial.outputs):
            np.testing.assert_allclose(mesh.point_data[output], values[:, number], atol=1e-13)
            assert np.isfinite(mesh.point_data[f"{output}_x"]).all()
    # cells fill the box around them, or of a disc most of it, and none is turned inside out
    sizes = [measure(mesh.points[cell][:, : len(space)]) for cell in mesh.cells[0].data]
    assert min(sizes) > 0
    whole = np.prod([np.ptp(each) for each in points.values()])
    assert sum(sizes) == pytest.approx(whole, rel=0.35 if name == "disc" else 1e-12)


def measure(corners: np.ndarray[Any, Any]) -> float:
    """Of a cell that is a box, signed: by its edges from the first corner, in VTK's order."""
    count = corners.shape[1]
    edges = corners[[1, 3, 4][:count]] - corners[0]
    return float(np.linalg.det(edges))


def test_scattered_points_lie_inside_and_are_repeated(made: Made, tmp_path: Path) -> None:
    solution = pinnreg.load(made("disc"))
    (path,) = pinnreg.export(made("disc"), "csv", tmp_path / "a.csv", points=40, derivatives=["xx"])
    table = np.genfromtxt(path, delimiter=",", names=True)
    points = np.stack([table["x"], table["y"]], axis=1)
    assert len(points) == 40
    assert (np.hypot(*points.T) < 1).all()
    np.testing.assert_array_equal(table["u"], solution(points)[:, 0])
    np.testing.assert_array_equal(table["u_xx"], solution.derivative(points, "xx")[:, 0])
    # a file of points in any order of its columns, further ones left out; outside there is nothing
    given = tmp_path / "given.csv"
    given.write_text("label,y,x\n1,0.25,0.5\n2,0,3\n")
    (path,) = pinnreg.export(made("disc"), out=tmp_path / "b.csv", points=given)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert float(rows[0]["u"]) == solution([[0.5, 0.25]])[0, 0]
    assert rows[1]["u"] == "nan"
    (path,) = pinnreg.export(made("cube"), "vtk", tmp_path / "cloud.vtu", points=30)
    assert meshio.read(path).cells_dict["vertex"].shape == (30, 1)


def test_another_grid_is_compared_anew(made: Made, tmp_path: Path) -> None:
    (path,) = pinnreg.export(made("heat"), "npz", tmp_path / "a.npz", grid=[9, 5])
    with np.load(path) as found:
        assert found["u"].shape == (9, 5)
        exact = np.exp(-0.4 * np.pi**2 * found["t"])[None] * np.sin(np.pi * found["x"])[:, None]
        np.testing.assert_allclose(found["u_reference"], exact, atol=1e-10)
        np.testing.assert_array_equal(found["u_error"], found["u"] - found["u_reference"])


def test_tables_have_no_points_outside(made: Made, tmp_path: Path) -> None:
    (path,) = pinnreg.export(made("disc"), "csv", tmp_path / "a.csv")
    table = np.genfromtxt(path, delimiter=",", names=True)
    assert np.isfinite(table["u"]).all()
    assert (np.hypot(table["x"], table["y"]) <= 1 + 1e-12).all()


def test_nothing_is_replaced_and_nothing_half_written(made: Made, cli: Cli, tmp_path: Path) -> None:
    run = made("heat")
    assert cli("export", run, "--to", "csv")[0] == 0
    before = Path("heat.csv").read_bytes()
    Path("old_0003.vtu").write_text("mine")
    for arguments, words in (
        (["--to", "csv"], "heat.csv: exists already"),
        (["--out", "old.pvd"], "old_0003.vtu: exists already"),
        (["--out", "a.foo"], "unknown suffix of 'a.foo'"),
        (["--to", "vtk", "--out", "a.csv"], ".csv is not a file of vtk"),
        ([], "say to what"),
        (["--to", "csv", "--out", "b.csv", "--derivative", "y"], "derivative 'y'"),
        (["--to", "csv", "--out", "b.csv", "--unit", "K"], "--unit K"),
        (["--to", "csv", "--out", "b.csv", "--points", "0"], "--points 0"),
        (["--to", "csv", "--out", "b.csv", "--points", "3", "--grid", "5"], "choose one"),
        (["--to", "csv", "--out", "b.csv", "--points", "none.csv"], "none.csv"),
        (["--out", str(run / "fields.npz")], "keeps a file of its own"),
    ):
        code, out, err = cli("export", run, *arguments)
        assert (code, out) == (2, ""), arguments
        assert words in err
    assert {path.name for path in Path().iterdir()} == {"mine.yaml", "heat.csv", "old_0003.vtu"}
    assert Path("heat.csv").read_bytes() == before


def test_a_package_that_is_missing_is_named(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(packages.importlib, "import_module", missing)
    for kind in ("vtk", "netcdf"):
        with pytest.raises(InputError, match=r"pip install 'pinnreg\[export\]'"):
            pinnreg.export(made("line"), kind, tmp_path / ("a.vtu" if kind == "vtk" else "a.nc"))  # type: ignore[arg-type]
    pinnreg.export(made("line"), "npz", tmp_path / "a.npz")


def test_a_run_that_has_not_ended_is_exported_as_far_as_it_is(made: Made, tmp_path: Path) -> None:
    calls = iter(range(99))
    hooks = pinnreg.Hooks(interrupted=lambda: 15 if next(calls) == 2 else None)
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve({**FAST, **GIVEN["line"]}, out=tmp_path / "cut", hooks=hooks, progress=False)
    (path,) = pinnreg.export(tmp_path / "cut", "npz", tmp_path / "a.npz", grid=None)
    with np.load(path) as found:
        assert set(found) == {"x", "u"}


# values at points


def test_values_and_derivatives_at_points(made: Made, cli: Cli) -> None:
    solution = pinnreg.load(made("heat"))
    code, out, _ = cli(
        *("evaluate", made("heat"), "--at", "x=.5,t=.1", "--at", "t=0, x=0.25", "--derivative", "xx", "--json", "-")
    )
    assert code == 0
    values = json.loads(out)["values"]
    points = [[0.5, 0.1], [0.25, 0.0]]
    assert values["x"] == [0.5, 0.25]
    np.testing.assert_array_equal(values["u"], solution(points)[:, 0])
    np.testing.assert_array_equal(values["u_xx"], solution.derivative(points, "xx")[:, 0])
    Path("points.csv").write_text("t,x\n0.1,0.5\n5,0\n")
    code, out, _ = cli("evaluate", made("heat"), "--at", "points.csv")
    assert code == 0
    assert f"{solution([[0.5, 0.1]])[0, 0]:.10g}" in out
    assert "1 of 2 points lie outside of the domain" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "x=.5"], ["no t", "x=0.5,t=0.5"]),
        (["--at", "y=.5,t=1"], ["'y'", "known: x, t"]),
        (["--at", "x=.5,t=one"], ["t: expected a number", "'one'"]),
        (["--at", "x=1,x=2,t=0"], ["x is there twice"]),
        (["--at", "0.5"], ["expected a point such as x=0.5,t=0.5"]),
        (["--at", "points.csv"], ["points.csv"]),
        (["--at", "x=0,t=0", "--derivative", "xz"], ["'xz'"]),
        (["--at", "x=0,t=0", "--grid", "5"], ["--grid"]),
        (["--derivative", "x"], ["--at"]),
    ],
)
def test_points_that_are_none_are_refused(made: Made, cli: Cli, arguments: list[str], words: list[str]) -> None:
    code, out, err = cli("evaluate", made("heat"), *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert all(word in err for word in words)
