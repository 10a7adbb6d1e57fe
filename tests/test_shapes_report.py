"""Reports and figures on shapes: what counts is inside, and nothing is drawn outside."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.patches import PathPatch

import pinnreg
from pinnreg import Annulus, Ball, Box, Ellipse, InputError, Polygon, Problem, Split, Star, dirichlet, plots
from pinnreg.cli import picture
from pinnreg.reference import Reference, Solved, as_reference, closed_form
from pinnreg.report import (
    compare,
    grid_axes,
    grid_points,
    inside_of,
    main_error,
    read_report,
    scattered_points,
    solved_inside,
    summary,
)
from pinnreg.run import redraw
from pinnreg.run.line import write_figures as drawn

DISC = Ball(x=0, y=0, radius=1)
PLATE = Box(x=(0, 2), y=(0, 1)) - Ball(x=1, y=0.5, radius=0.2, name="hole")
AXES = grid_axes(DISC, [21])
R2 = AXES["x"][:, None] ** 2 + AXES["y"] ** 2
INSIDE = R2 <= 1 + 1e-12
STEPS = {"train": [{"optimiser": "gauss_newton", "steps": 2}], "network": {"hidden": [6]}}
SMALL: dict[str, Any] = {**STEPS, "points": {"interior": 30, "boundary": 20}, "evaluate": {"grid": [21], "every": 1}}


@dataclass(frozen=True)
class Disc(Problem):
    """-Δu = 4 in the unit disc."""

    domain = DISC
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return -u.laplacian - 4

    def reference(self) -> Any:
        # no number outside, where it would be refused
        return {"u": lambda x, y: np.log(np.exp(1 - x**2 - y**2)) + 0 * np.sqrt(1.0001 - x**2 - y**2)}


@dataclass(frozen=True)
class Unknown(Disc):
    """The same without a reference."""

    def reference(self) -> Any:
        return None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pinnreg.Solution:
    return pinnreg.solve({"problem": Disc(), **SMALL}, out=tmp_path_factory.mktemp("runs") / "disc", figures=False)


def test_which_points_of_the_grid_are_inside() -> None:
    np.testing.assert_array_equal(inside_of(DISC, AXES), INSIDE)
    assert inside_of(Box(x=(0, 1)), {"x": np.linspace(0, 1, 3)}) is None
    ball = Ball(p=0, q=0, r=0, v=0, w=0, radius=1)
    plane = grid_axes(ball, None)  # through the middle of the others
    assert list(plane) == ["p", "q"]
    np.testing.assert_array_equal(inside_of(ball, plane), plane["p"][:, None] ** 2 + plane["q"] ** 2 <= 1 + 1e-12)
    points = scattered_points(ball, None)
    assert points is not None
    assert points.shape == (10_000, 5)
    assert ((points**2).sum(axis=1) <= 1 + 1e-12).all()


def test_the_grid_has_square_cells_around_a_shape() -> None:
    axes = grid_axes(PLATE, None)
    steps = [axis[1] - axis[0] for axis in axes.values()]
    assert steps[0] == pytest.approx(steps[1], rel=0.02)
    assert [len(axis) for axis in grid_axes(Box(x=(0, 2), y=(0, 1)), None).values()] == [256, 100]


def test_errors_are_those_at_the_points_inside(run: pinnreg.Solution) -> None:
    report = run.report
    assert report is not None
    points = grid_points(AXES)[INSIDE.reshape(-1)]
    predicted, exact = run(points)[:, 0], 1 - (points**2).sum(axis=1)
    errors = report.errors["u"]
    assert errors.rel_l2 == pytest.approx(np.linalg.norm(predicted - exact) / np.linalg.norm(exact), rel=1e-12)
    assert errors.rel_l1 == pytest.approx(np.abs(predicted - exact).sum() / exact.sum(), rel=1e-12)
    assert errors.max_abs == pytest.approx(np.abs(predicted - exact).max())
    assert errors.rmse == pytest.approx(np.sqrt(np.mean((predicted - exact) ** 2)))
    history = run.history["error_u"]
    assert history[-1] == pytest.approx(errors.rel_l2, rel=1e-9)
    assert np.isfinite(history[np.isin(run.history["step"], (0, 1, 2))]).all()


def test_fields_are_nan_outside_and_the_report_has_no_nan(run: pinnreg.Solution) -> None:
    assert run.folder is not None
    report = read_report(run.folder)
    assert set(report.fields) == {"u", "u_reference", "u_error", "u_estimate"}
    for field in report.fields.values():
        np.testing.assert_array_equal(np.isfinite(field), INSIDE)
    assert "NaN" not in (run.folder / "report.json").read_text()
    assert np.isfinite(run([[2.0, 2.0]])).all()  # a network has values everywhere
    again = pinnreg.evaluate(run.folder, grid=[31], problem=Disc()).report
    assert again is not None
    assert np.isnan(again.fields["u"][0, 0])
    assert again.errors["u"].rel_l2 == pytest.approx(report.errors["u"].rel_l2, rel=0.2)


@pytest.mark.estimates
def test_residuals_are_nan_outside() -> None:
    report = pinnreg.solve({"problem": Unknown(), **SMALL}, out=False).report
    assert report is not None
    assert set(report.fields) == {"u", "residual", "u_estimate"}
    for field in report.fields.values():
        np.testing.assert_array_equal(np.isfinite(field), INSIDE)


def test_a_grid_that_misses_the_domain_is_refused() -> None:
    with pytest.raises(InputError, match=r"evaluate.grid \(3 x 3\): 5 of its 9 points lie in Ball"):
        pinnreg.solve({"problem": Disc(), **SMALL, "evaluate": {"grid": [3]}}, out=False)


def test_a_formula_is_asked_only_inside() -> None:
    asked = []

    def function(x: Any, y: Any) -> Any:
        asked.append(x)
        return np.log(1.0001 - x**2 - y**2)

    solved = solved_inside(closed_form(function), AXES, INSIDE)
    assert [each.shape for each in asked] == [(INSIDE.sum(),)]
    np.testing.assert_allclose(solved.values["u"][INSIDE], np.log(1.0001 - R2[INSIDE]))
    assert np.isnan(solved.values["u"][~INSIDE]).all()
    with pytest.raises(InputError, match=r"NaN or Inf at \d+ of 31\d points"):  # on the circle itself
        solved_inside(closed_form(lambda x, y: np.log(1 - x**2 - y**2)), AXES, INSIDE)
    with pytest.raises(InputError, match="expected real numbers"):
        solved_inside(closed_form(lambda x, y: x + 1j), AXES, INSIDE)
    with pytest.raises(InputError, match="does not broadcast"):
        solved_inside(closed_form(lambda x, y: np.ones(3)), AXES, INSIDE)


def test_a_solve_on_the_grid_is_cut() -> None:
    solved = solved_inside(Reference("lines", lambda axes: Solved({"u": R2}, 1e-9)), AXES, INSIDE)
    np.testing.assert_array_equal(solved.values["u"][INSIDE], R2[INSIDE])
    assert np.isnan(solved.values["u"][~INSIDE]).all()
    holes = Reference("lines", lambda axes: Solved({"u": np.where(R2 < 0.5, R2, np.nan)}, 1e-9))
    with pytest.raises(
        InputError, match=r"reference \(lines\) of 'u': is NaN or Inf at \d+ of 31\d points, the first x="
    ):
        solved_inside(holes, AXES, INSIDE)


def test_the_scipy_check_counts_inside_only() -> None:
    scipy = Reference("lines", lambda axes: Solved({"u": np.where(INSIDE, R2 + 1e-3, np.nan)}, 1e-9))
    reference = dataclasses.replace(closed_form(lambda x, y: x**2 + y**2), scipy=scipy)
    solved = solved_inside(reference, AXES, INSIDE)
    report = compare({"u": np.where(INSIDE, R2, np.nan)}, AXES, reference, solved, None, INSIDE)
    assert report.errors["u"].max_abs == 0
    assert report.reference is not None
    assert report.reference.scipy is not None
    assert report.reference.scipy.errors["u"].rmse == pytest.approx(1e-3)
    broken = dataclasses.replace(reference, scipy=Reference("lines", lambda axes: Solved({"u": np.nan * R2}, None)))
    report = compare({"u": np.where(INSIDE, R2, np.nan)}, AXES, broken, solved, None, INSIDE)
    assert report.reference is not None
    assert report.reference.scipy is None  # and the trained network is not lost


def test_a_reference_that_is_zero_inside() -> None:
    reference = as_reference(lambda x, y: 0 * x, ["u"])
    assert reference is not None
    solved = solved_inside(reference, AXES, INSIDE)
    report = compare({"u": np.where(INSIDE, 1.0, np.nan)}, AXES, reference, solved, None, INSIDE)
    assert report.errors["u"].main == 1.0
    assert main_error(np.ones(4), np.zeros(4)) == 1.0
    facts = {"problem": {"name": "disc"}, "axes": ["x", "y"]}
    figure = plots.draw(dataclasses.replace(report, facts=facts), {})["error_field"]
    assert any("RMSE 1.0e+00" in ax.get_title() for ax in figure.axes)
    assert summary(report)["errors"]["u"]["rel_l2"] is None


def test_the_outline_is_where_the_boundary_is() -> None:
    star = Star(lambda theta: 1 + 0.2 * torch.cos(5 * theta), x=0, y=0)
    for domain in (
        DISC,
        PLATE,
        star,
        Annulus(x=0, y=0, inner=0.5, outer=1),
        Polygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]),
    ):
        found = plots.Outline.of(plots.outline_of(domain, grid_axes(domain, [5]), {}))
        assert found is not None
        vertices = torch.from_numpy(found.path.vertices[found.path.codes != matplotlib.path.Path.CLOSEPOLY].copy())
        assert float(domain.signed_distance(vertices).abs().max()) < 4e-3
        points, _ = domain.boundary().sample(50)
        apart = np.linalg.norm(points.numpy()[:, None] - vertices.numpy(), axis=2).min(axis=1)
        assert apart.max() < 2e-2
    assert plots.outline_of(Box(x=(0, 1), y=(0, 1)), AXES, {}) == {}


def _error_field(domain: Any, names: str, cut: dict[str, float]) -> Any:
    axes = grid_axes(domain, [15])
    inside = inside_of(domain, axes)
    values = np.where(inside, axes["x"].reshape(-1, *(1,) * (len(names) - 1)), np.nan)
    values[~inside] = np.nan
    fields = {"u": values + 1e-3, "u_reference": values, "u_error": 0 * values + 1e-3}
    outline = plots.outline_of(domain, axes, cut)
    return plots.error_field(axes, fields, title="", errors={"u": 1e-3}, outline=outline), values


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("domain", "names", "cut", "rows"),
    [
        (DISC, "xy", {}, 1),
        (PLATE, "xy", {}, 1),
        (DISC.over(t=(0, 1)), "xyt", {"t": 1.0}, 3),
        (Ball(x=0, y=0, z=0, radius=1), "xyz", {"z": 0.0}, 1),
    ],
    ids=["disc", "plate", "in time", "ball"],
)
def test_maps_end_at_the_outline(domain: Any, names: str, cut: dict[str, float], rows: int) -> None:
    figure, values = _error_field(domain, names, cut)
    maps = [ax for ax in figure.axes if ax.collections]
    assert len(maps) == 3 * rows
    for ax in maps:
        patches = [patch for patch in ax.patches if isinstance(patch, PathPatch)]
        assert len(patches) == 2  # the ground, and the line above the map
        mesh = ax.collections[0]
        clip, found = patches[1].get_path(), mesh.get_clip_path().get_fully_transformed_path()
        np.testing.assert_allclose(found.vertices, ax.transData.transform(clip.vertices))
        corner = [lower for lower, _ in list(domain.bounds.values())[:2]]
        assert not clip.contains_point(np.array(corner) - 1e-2)
        assert ax.get_xlim()[0] < corner[0]  # the line is seen whole
        assert ax.get_facecolor()[:3] == (1, 1, 1)
    norm = maps[0].collections[0].norm
    assert norm.vmax == pytest.approx(np.nanmax(values) + 1e-3)


SPLIT = Split(Box(x=(-1, 1), y=(-1, 1)), Ball(x=0, y=0, radius=0.5))
SPLITS: dict[str, tuple[Any, str, dict[str, float], int]] = {
    "circle": (SPLIT, "xy", {}, 3),
    "in time": (SPLIT.over(t=(0, 1)), "xyt", {"t": 1.0}, 9),
    "line": (Split(Box(x=(0, 1), y=(0, 2)), Box(x=(0, 1), y=(0, 1))), "xy", {}, 3),
    "two circles": (Split(SPLIT, Ball(x=0, y=0, radius=0.8), name="coat"), "xy", {}, 3),
    "layer in time": (Split(Box(x=(0, 1)), Box(x=(0.2, 0.6))).over(t=(0, 3)), "xt", {}, 3),
    "in a disc": (Split(DISC, Ball(x=0, y=0, radius=0.5)), "xy", {}, 3),
    "across a plate": (Split(PLATE, Box(x=(0, 0.5), y=(0, 1))), "xy", {}, 3),
}


@pytest.mark.first(2)
@pytest.mark.parametrize("kind", SPLITS)
def test_maps_show_where_materials_meet(kind: str) -> None:
    domain, names, cut, count = SPLITS[kind]
    figure, _ = _error_field(domain, names, cut)
    assert "where materials meet" in [text.get_text() for each in figure.legends for text in each.get_texts()]
    lines = [
        points
        for ax in figure.axes
        for line in ax.lines
        if np.isnan(points := line.get_xydata()).any() and line.get_color() == "0.15"
    ]
    assert len(lines) == count
    for points in lines:
        known = torch.from_numpy(points[np.isfinite(points).all(axis=1)].copy())
        known = known.flip(1) if names == "xt" else known
        rest = [torch.full((len(known), 1), 0.5, dtype=torch.float64)] * (domain.dimension - 2)
        at = torch.cat([known, *rest], dim=1)
        # on one of the interfaces, within the domain, and along the whole of them
        away = torch.stack([kink(at).abs() for kink in domain.kinks]).amin(dim=0)
        assert float(away.max()) < 1e-9
        assert bool(domain.contains(at).all())
        for side in domain.interfaces:
            there, _ = domain.boundary(str(side)).sample(20)
            assert float(torch.cdist(there[:, :2], known).amin(dim=1).max()) < 1e-2


def test_planes_through_a_space_with_interfaces_are_drawn() -> None:
    ball = Split(Box.cube(3), Ball(x1=0.5, x2=0.5, x3=0.5, radius=0.2))
    found = plots.outline_of(ball, grid_axes(ball, [5]), {"x3": 0.5})
    assert "interfaces" not in found
    assert plots.outline_of(Split(Box(x=(0, 1)), Box(x=(0, 0.5))), {"x": np.linspace(0, 1, 5)}, {}) == {}


def test_values_inside_that_are_no_numbers_stay_blank() -> None:
    axes = grid_axes(DISC, [15])
    values = np.where(inside_of(DISC, axes), 1.0, np.nan)
    values[7, 7] = np.nan
    figure = plots.error_field(axes, {"u": values}, title="", errors=None, outline=plots.outline_of(DISC, axes, {}))
    shown = figure.axes[0].collections[0].get_array().reshape(15, 15)
    assert shown.mask[7, 7]
    assert not shown.mask[7, 0]
    assert shown.mask[0, 0]  # far from the disc


@pytest.mark.slow
@pytest.mark.figures
def test_figures_drawn_again_are_the_same(run: pinnreg.Solution) -> None:
    assert run.folder is not None
    assert run.report is not None
    (first, _) = drawn(run.folder, run.report, run.history, "png")
    before = first.read_bytes()
    assert redraw(run.folder, "png")[0].read_bytes() == before
    (run.folder / "outline.npz").rename(run.folder / "kept.npz")
    assert redraw(run.folder, "png")[0].read_bytes() != before  # without the outline, but drawn
    (run.folder / "kept.npz").rename(run.folder / "outline.npz")


def test_studies_end_at_the_outline() -> None:
    axes = grid_axes(DISC, [15])
    values = np.where(inside_of(DISC, axes), 1e-3, np.nan)
    outline = plots.outline_of(DISC, axes, {})
    figure = plots.study_fields(axes, {"a": values, "b": "no run"}, kind="|error|", title="", outline=outline)
    assert len(figure.axes[0].patches) == 2
    assert figure.axes[0].get_title().endswith("max 1.0e-03")


def _write(name: str, domain: str, conditions: str = "(dirichlet(0.0),)") -> None:
    Path("problems").mkdir(exist_ok=True)
    lines = (
        "from dataclasses import dataclass",
        "from pinnreg import *",
        "@dataclass(frozen=True)",
        f"class {name.title()}(Problem):",
        f"    domain = {domain}",
        f"    conditions = {conditions}",
        "    def residual(self, u):",
        "        return u.value",
    )
    Path(f"problems/{name}.py").write_text("\n".join(lines))


def test_describe_says_the_parts_of_the_boundary(cli: Any) -> None:
    _write("washer", "Annulus(x=0, y=0, inner=0.5, outer=1).over(t=(0, 2))", "(dirichlet(0.0), initial(1.0))")
    code, out, err = cli("describe", "washer", "--json", "washer.json")
    assert (code, err) == (0, "")
    assert "the box around Annulus(x=0, y=0, inner=0.5, outer=1).over(t=(0, 2)), area 2.356" in out
    assert "inner (length 3.142), outer (length 6.283), t=min (area 2.356), t=max (area 2.356)" in out
    data = json.loads(Path("washer.json").read_text())
    assert data["boundary"]["inner"] == pytest.approx(np.pi)
    assert cli("describe", "poisson", "--json", "poisson.json")[0] == 0
    assert not {"boundary", "shape"} & set(json.loads(Path("poisson.json").read_text()))


def test_describe_draws_the_domain(cli: Any) -> None:
    _write("washer", "Annulus(x=0, y=0, inner=0.5, outer=1).over(t=(0, 2))", "(dirichlet(0.0), initial(1.0))")
    for call, name in ((("--plot",), "washer_domain.png"), (("--plot", "own.svg"), "own.svg")):
        for _ in range(2):  # which it may replace
            code, out, err = cli("describe", "washer", *call)
            assert (code, err) == (0, "")
            assert out.splitlines()[-1] == name
            assert plots.is_marked(Path(name))
    Path("mine.png").write_bytes(b"a photograph")
    code, _, err = cli("describe", "washer", "--plot", "mine.png")
    assert code == 2
    assert "mine.png: exists, and pinnreg has not drawn it" in err
    assert Path("mine.png").read_bytes() == b"a photograph"
    assert cli("describe", "washer", "mine.png")[0] == 2
    assert cli("describe", "washer", "--plot", "mine.jpeg")[0] == 2


@pytest.mark.parametrize(("domain", "what"), [("Box(x=(0, 1))", "one axis"), ("Box.cube(4)", "4 axes")])
def test_describe_draws_two_or_three_axes(cli: Any, domain: str, what: str) -> None:
    _write("other", domain)
    code, _, err = cli("describe", "other", "--plot")
    assert code == 2
    assert what in err
    assert not Path("other_domain.png").exists()


def test_a_picture_has_each_part_and_condition() -> None:
    domain = PLATE
    sides = {side: str(side) for side in picture.parts_of(domain)}
    held = [plots.Held("hot", domain.boundary("hole").sample(100)[0].numpy(), inside=False, share=0.2)]
    figure = plots.domain_picture(domain, sides, held, title="plate")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["x=min", "x=max", "y=min", "y=max", "hole", "hot"]
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())
    colours = [line.get_color() for line in ax.lines[:5]]
    assert len(set(colours)) == 5
    for line, side in zip(ax.lines, sides, strict=False):
        points = np.stack(line.get_data(), axis=1)
        known = torch.from_numpy(points[np.isfinite(points).all(axis=1)])
        assert float(domain.signed_distance(known).abs().max()) < 1e-9
        length = np.nansum(np.linalg.norm(np.diff(points, axis=0), axis=1))
        assert length == pytest.approx(domain.measure(side), rel=1e-2)
    # marks lie on the hole, and normals point out of the domain
    marks = torch.from_numpy(np.stack(ax.lines[5].get_data(), axis=1))
    assert torch.allclose((marks - torch.tensor([1.0, 0.5])).norm(dim=1), torch.tensor(0.2, dtype=torch.float64))
    for arrows in ax.collections:
        tips = torch.from_numpy(np.stack([arrows.X + 0.1 * arrows.U, arrows.Y + 0.1 * arrows.V], axis=1))
        assert not domain.contains(tips).any()


def test_pictures_in_space_and_of_time() -> None:
    for domain in (Ball(x=0, y=0, z=0, radius=1), Ellipse(2, 1, x=0, y=0).over(z=(0, 1)), Box(x=(0, 1), t=(0, 2))):
        sides = {side: str(side) for side in picture.parts_of(domain)}
        figure = plots.domain_picture(domain, sides, [], title="")
        assert len(figure.legends[0].get_texts()) == len(sides)
        figure.draw_without_rendering()


SOLVES: list[int] = []


@dataclass(frozen=True)
class Counted(Disc):
    """The same with a reference that solves before it has values."""

    def reference(self) -> Reference:
        def solve(axes: Any) -> Solved:
            SOLVES.append(1)
            x, y = np.meshgrid(axes["x"], axes["y"], indexing="ij")
            return Solved({"u": np.where(x**2 + y**2 < 1.01, 1 - x**2 - y**2, np.nan)}, 1e-9)

        def scattered(points: Any) -> Solved:
            SOLVES.append(1)
            return Solved({"u": 1 - points["x"] ** 2 - points["y"] ** 2}, 1e-9)

        return Reference("finite elements", solve, scattered=scattered)


def test_a_solve_is_kept_for_the_next_run_on_a_shape() -> None:
    SOLVES.clear()
    first, again = (pinnreg.solve({"problem": Counted(), **SMALL, "seed": seed}, out=False) for seed in (0, 1))
    assert len(SOLVES) == 1
    for solution in (first, again):
        assert solution.report is not None
        assert np.isfinite(solution.report.errors["u"].rel_l2)
        np.testing.assert_array_equal(np.isnan(solution.report.fields["u_reference"]), ~INSIDE)
