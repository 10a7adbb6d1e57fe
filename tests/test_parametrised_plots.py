"""Figures of problems with axes that are parameters: slices at their values, each as a solution of the other axes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_plots import assert_legible, grid, heading, maps, panels, solved

import pinnreg
from pinnreg import Ball, Box, Problem, dirichlet, plots
from pinnreg.plots.cuts import of_parameters
from pinnreg.report import read_report


def drawn(names: tuple[str, ...], parameters: tuple[str, ...], points: int = 9, **changes: Any) -> tuple[Any, Figure]:
    axes, mesh = grid(names, points)
    fields = solved(mesh)
    given = {"title": "family", "errors": {"u": 3.2e-5}, **changes}
    return (axes, fields), plots.error_field(axes, fields, parameters=parameters, **given)


def titles(figure: Figure, start: str = "") -> list[str]:
    return [ax.get_title().replace("\n", " ") for ax in figure.axes if ax.get_title().startswith(start)]


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("names", "plane"), [(("x", "alpha", "t"), ("t", "x")), (("x", "y", "alpha"), ("x", "y"))], ids="".join
)
def test_maps_of_the_other_axes_are_drawn_at_low_middle_and_high_values(
    names: tuple[str, ...], plane: tuple[str, ...]
) -> None:
    (axes, fields), figure = drawn(names, ("alpha",))
    shown = maps(figure)
    values = [f"alpha = {axes['alpha'][number]:.3g}" for number in (0, (len(axes["alpha"]) - 1) // 2, -1)]
    assert titles(figure, "predicted") == [f"predicted u, {value}" for value in values]
    assert [len(shown[kind]) for kind in ("predicted", "reference", "|error|")] == [3, 3, 3]
    assert len({id(each.norm) for each in shown["predicted"] + shown["reference"]}) == 1
    assert len({id(each.norm) for each in shown["|error|"]}) == 1
    assert all((ax.get_xlabel(), ax.get_ylabel()) == plane for ax in panels(figure)["predicted"])
    where = names.index("alpha")
    low = np.take(fields["u"], 0, axis=where)
    np.testing.assert_array_equal(shown["predicted"][0].get_array(), low if names[-1] == "t" else low.T)
    assert "plane" not in heading(figure)
    assert sum("relative L2 error 3.2e-05 in all" in title for title in titles(figure)) == 1
    assert_legible(figure)


def test_of_space_and_time_the_end_of_time_is_shown_wherever_the_parameter_stands() -> None:
    (_, fields), figure = drawn(("k", "x", "y", "t"), ("k",), 5)
    assert heading(figure) == "family\nplane t = 1"
    np.testing.assert_array_equal(maps(figure)["predicted"][2].get_array(), fields["u"][-1, :, :, -1].T)
    assert len(maps(figure)["|error|"]) == 3


@pytest.mark.first(1)
@pytest.mark.parametrize("names", [("alpha", "t"), ("x", "alpha"), ("alpha", "x")], ids="".join)
def test_one_other_axis_gives_a_map_over_both_and_curves_at_values(names: tuple[str, ...]) -> None:
    (axes, fields), figure = drawn(names, ("alpha",), 11)
    (other,) = set(names) - {"alpha"}
    assert len(maps(figure)["predicted"]) == 1
    slices = [ax for ax in figure.axes if ax.get_title().startswith("alpha = ")]
    assert len(slices) == 3
    assert {ax.get_xlabel() for ax in slices} == {other}
    assert len({ax.get_ylim() for ax in slices}) == 1
    curves = np.moveaxis(fields["u"], names.index("alpha"), 0)
    for ax, number in zip(slices, (0, (len(axes["alpha"]) - 1) // 2, -1), strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), curves[number])
    predicted = panels(figure)["predicted"][0]
    assert predicted.get_aspect() == "auto"  # a parameter is no length
    middle = axes["alpha"][(len(axes["alpha"]) - 1) // 2]
    # the middle one is marked, along the axis on which the parameter is drawn
    along = [line.get_ydata() if names != ("alpha", "x") else line.get_xdata() for line in predicted.lines]
    assert [list(each) for each in along] == [[middle, middle]] * 2
    assert_legible(figure)


def test_of_several_parameters_one_is_varied_at_a_time() -> None:
    axes, _ = grid(("x", "alpha", "beta"), 5)
    blocks = of_parameters(axes, ("alpha", "beta"))
    assert blocks == [[{"alpha": a, "beta": 3} for a in (0, 2, 5)], [{"alpha": 2, "beta": b} for b in (0, 3, 6)]]
    _, figure = drawn(("x", "alpha", "beta"), ("alpha", "beta"), 5)
    assert len(titles(figure, "alpha = ")) == 6
    assert not maps(figure)["predicted"]
    curves = [ax for ax in figure.axes if ax.get_yscale() == "linear"]
    errors = [ax for ax in figure.axes if ax.get_yscale() == "log"]
    assert len(curves) == len(errors) == 6
    for row in (curves, errors):
        assert len({ax.get_ylim() for ax in row}) == 1
    assert titles(figure, "relative") == ["relative L2 error 3.2e-05 in all"]
    assert_legible(figure)


@pytest.mark.slow
def test_of_several_parameters_maps_are_drawn_once_each_and_name_all_of_them() -> None:
    _, figure = drawn(("x", "alpha", "beta", "t"), ("alpha", "beta"), 5)
    named = titles(figure, "predicted")
    assert len(named) == len(set(named)) == 5
    assert all("alpha = " in each and "beta = " in each for each in named)
    assert all("=\n" not in ax.get_title() and "\n=" not in ax.get_title() for ax in figure.axes)
    assert_legible(figure)


def test_several_outputs_each_have_slices_of_their_own() -> None:
    axes, mesh = grid(("x", "alpha", "beta"), 4)
    fields = solved(mesh) | solved(mesh, offset=2e4, name="heat")
    figure = plots.error_field(
        axes, fields, title="", errors={"u": 1e-3, "heat": 2e-4}, parameters=("alpha", "beta")
    )  # fmt: skip
    assert len(titles(figure, "relative")) == 2
    assert len(titles(figure, "alpha = ")) == 12


def test_without_a_reference_the_residual_or_the_estimate_is_shown() -> None:
    axes, mesh = grid(("x", "alpha", "t"), 5)
    fields = {"u": mesh[0], "residual": mesh[0] * mesh[1]}
    figure = plots.error_field(axes, fields, title="", errors=None, parameters=("alpha",))
    assert len(panels(figure)["|residual|"]) == len(panels(figure)["predicted"]) == 3
    assert not panels(figure)["reference"]


def test_a_plane_of_parameters_alone_is_a_map_and_unknown_names_change_nothing() -> None:
    _, both = drawn(("alpha", "beta"), ("alpha", "beta"))
    assert len(maps(both)["predicted"]) == 1
    _, other = drawn(("x", "y"), ("alpha",))
    assert len(maps(other)["predicted"]) == 1
    assert "alpha" not in "".join(titles(other))


def test_error_fields_of_a_study_lie_in_the_plane_of_the_axes_that_are_no_parameters() -> None:
    axes, mesh = grid(("x", "alpha", "t"), 5)
    field = mesh[0] + 2 * mesh[1] + 3 * mesh[2] + 1
    figure = plots.study_fields(axes, {"none": field}, kind="|error|", title="study", parameters=("alpha",))
    assert "plane alpha = 0.4" in heading(figure)
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_array(), field[:, 2])


@dataclass(frozen=True)
class Loaded(Problem):
    """-Δu = k on a disc for all k."""

    domain = Ball(x=0, y=0, radius=1).over(k=(1, 2))
    parameters = ("k",)
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any, k: Any) -> Any:
        return u.laplacian + k

    def reference(self) -> Any:
        return lambda x, y, k: k * (1 - x**2 - y**2) / 4


@dataclass(frozen=True)
class Plain(Problem):
    """-u'' = 1."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return u.xx + 1


def run(problem: Problem, folder: Path) -> pinnreg.Solution:
    config = {
        "problem": problem,
        "network": {"hidden": [6]},
        "points": {"interior": 40},
        "evaluate": {"grid": 14, "estimate": "none"},
        "train": [{"optimiser": "gauss_newton", "steps": 2}],
    }
    return pinnreg.solve(config, out=folder)


@pytest.mark.slow
def test_a_run_says_which_axes_are_parameters_so_that_its_figures_are_drawn_again_alike(tmp_path: Path) -> None:
    solution = run(Loaded(), tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "report.json").read_text())
    assert facts["parameter_axes"] == ["k"]
    for report in (solution.report, read_report(tmp_path / "run")):
        assert report is not None
        figure = plots.draw(report, {})["error_field"]
        assert titles(figure, "predicted") == [f"predicted u, k = {value}" for value in ("1", "1.46", "2")]
        assert all(ax.get_aspect() == 1.0 for ax in panels(figure)["predicted"])
        assert all(ax.patches for ax in panels(figure)["predicted"])  # which end at the disc's outline
    assert "parameter_axes" not in run(Plain(), tmp_path / "other").report.facts
