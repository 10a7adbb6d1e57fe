"""Solutions drawn, in a line of text, and in notebooks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_runs import finished

import pinnreg
from pinnreg import Solution
from pinnreg.report import cut, relative_l2

SMALL: dict[str, Any] = {
    "curve": {"problem": {"name": "poisson", "dimension": 1}, "evaluate": {"grid": 9, "estimate": "none"}},
    "map": {"problem": {"name": "poisson", "dimension": 2}, "evaluate": {"grid": 6, "estimate": "none"}},
    "solid": {"problem": {"name": "poisson", "dimension": 3}, "evaluate": {"grid": 5, "estimate": "none"}},
    "many": {"problem": {"name": "poisson_nd", "dimension": 6}, "evaluate": {"estimate": "none"}},
    "shape": {"problem": {"name": "poisson_disc"}, "evaluate": {"grid": 14, "estimate": "none"}},
    "pair": {"problem": {"name": "lotka_volterra"}, "evaluate": {"grid": 9, "estimate": "none"}},
    "heat": {"evaluate": {"grid": [7, 6], "estimate": "none"}},
}


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Solution]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: pinnreg.load(finished(folder / name, **more)) for name, more in SMALL.items()}


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_a_solution_is_a_line_without_tensors(solutions: dict[str, Solution]) -> None:
    heat = solutions["heat"]
    assert heat.report is not None
    size = f"{heat.report.errors['u'].rel_l2:.1e}"
    assert repr(heat) == f"Solution(heat: u(x, t), relative L2 error {size}, not converged, {heat.folder})"
    assert repr(replace(heat, report=None, folder=None)) == "Solution(Heat: u(x, t), not compared)"
    pair = solutions["pair"]
    assert pair.report is not None
    name, worst = max(pair.report.errors.items(), key=lambda each: each[1].rel_l2)
    assert f"relative L2 error {worst.rel_l2:.1e} of {name}, " in repr(pair)
    unverified = replace(heat, report=replace(heat.report, reference=None))
    assert ", not verified, " in repr(unverified)


@pytest.mark.parametrize("name", SMALL)
def test_every_domain_is_drawn_with_its_report_and_without(solutions: dict[str, Solution], name: str) -> None:
    solution = solutions[name]
    whole = solution.plot()
    assert any("|error|" in title for title in titles(whole))
    alone = replace(solution, report=None).plot()
    assert alone.get_suptitle().startswith(type(solution.problem).__name__)
    assert "no reference: not verified" in alone.get_suptitle()
    assert not any("error" in title for title in titles(alone))
    output = solution.problem.outputs[0]
    one = solution.plot(panel="error", output=output)
    assert [title for title in titles(one) if title.startswith(f"|error| of {output}")]


def test_one_time_is_the_nearest_of_the_grid(solutions: dict[str, Solution]) -> None:
    heat = solutions["heat"]
    assert heat.report is not None
    figure = heat.plot(time=0.57)
    assert "at t = 0.6" in figure.get_suptitle()
    (ax,) = (ax for ax in figure.axes if len(ax.lines) == 2)
    for line, field in zip(ax.lines, ("u", "u_reference"), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), heat.report.fields[field][:, 3])
    error = relative_l2(heat.report.fields["u"][:, 3], heat.report.fields["u_reference"][:, 3])
    assert any(f"relative L2 error {error:.1e}" in title for title in titles(figure))
    exact = replace(heat, report=None).plot(time=0.57)
    assert "at t = 0.57" in exact.get_suptitle()


def test_panels_go_into_axes_of_the_users(solutions: dict[str, Solution]) -> None:
    heat, fields = solutions["heat"], solutions["heat"].report.fields  # type: ignore[union-attr]
    figure = Figure()
    shown = dict(zip(("solution", "reference", "error", "all"), figure.subplots(1, 4), strict=True))
    for panel, ax in shown.items():
        assert heat.plot(ax, panel=panel) is figure  # type: ignore[arg-type]
    for panel, field in {"solution": "u", "all": "u", "reference": "u_reference"}.items():
        np.testing.assert_array_equal(shown[panel].collections[0].get_array(), fields[field])
    drawn = shown["error"].collections[0]
    np.testing.assert_array_equal(drawn.get_array(), np.maximum(np.abs(fields["u_error"]), drawn.norm.vmin))


def test_planes_beside_the_grid_are_of_the_solution_alone(solutions: dict[str, Solution]) -> None:
    many = solutions["many"]
    axes = list(many.problem.domain.axes)
    figure = many.plot(panel="solution", plane={axes[2]: 0.25, axes[3]: 0.5})
    values = figure.axes[0].collections[0].get_array()
    low, high = many.problem.domain.bounds[axes[0]]
    middle, along = (low + high) / 2, np.linspace(low, high, len(values))
    assert values[40, 90] == pytest.approx(many([[along[90], along[40], 0.25, 0.5, middle, middle]])[0, 0], rel=1e-12)
    with pytest.raises(pinnreg.InputError, match="nothing is known for the panel 'error' of u; there is solution"):
        many.plot(panel="error", plane={axes[2]: 0.25})


def test_a_plane_through_a_solid(solutions: dict[str, Solution]) -> None:
    solid = solutions["solid"]
    assert solid.report is not None
    z = list(solid.report.axes)[2]
    figure = solid.plot(plane={z: 0.3})
    assert f"plane {z} = 0.25" in figure.get_suptitle()
    part = cut(solid.report, {z: 0.3})
    np.testing.assert_array_equal(part.fields["u"], solid.report.fields["u"][:, :, 1])
    assert part.facts["plane"] == {z: 0.25}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("heat", {"panel": "eror"}, "unknown panel: 'eror'; did you mean 'error'"),
        ("heat", {"panel": "estimate"}, "the panel 'estimate' of u; there is solution, reference, error"),
        ("heat", {"output": "v"}, r"unknown output: 'v' \(known: u\)"),
        ("heat", {"time": 3.0}, "t: expected a number from 0 to 1, got 3.0"),
        ("heat", {"time": True}, "t: expected a number from 0 to 1, got True"),
        ("heat", {"plane": {"y": 0.5}}, r"unknown axis: 'y'"),
        ("heat", {"plane": {"x": float("nan")}}, "x: expected a number"),
        ("heat", {"plane": {"x": 0.5}, "time": 0.5}, "nothing is left to draw along"),
        ("map", {"time": 0.5}, r"unknown axis: 't'"),
        ("pair", {"panel": "solution"}, "a panel shows one output: say output="),
    ],
)
def test_what_cannot_be_drawn(
    solutions: dict[str, Solution], name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(pinnreg.InputError, match=message):
        solutions[name].plot(**arguments)


def test_a_notebook_gets_a_picture_and_a_table(solutions: dict[str, Solution], tmp_path: Path) -> None:
    heat = solutions["heat"]
    assert heat.report is not None
    shown = heat._repr_html_()
    assert shown.count("data:image/png;base64,") == 1
    assert f"{heat.report.errors['u'].rel_l2:.2e}" in shown
    assert "<script" not in shown
    assert "<table>" not in replace(heat, report=None)._repr_html_()
    assert heat.plot(panel="solution")._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
