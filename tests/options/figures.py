"""What the keys of the figures change: how a run is drawn, and nothing of its results."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import pinnreg
from options.cases import Held, case, config, solved
from pinnreg import Box, InputError, Problem, dirichlet, plots
from pinnreg.config import FigureSettings, resolve
from pinnreg.run import Solution
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.run.viewing import viewed


@dataclass(frozen=True)
class Cube(Problem):
    """Three axes of space."""

    domain = Box(x=(0, 1), y=(0, 2), z=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return u.laplacian

    def reference(self) -> Any:
        return lambda x, y, z: x * y * z


@cache
def run(problem: Problem) -> tuple[Solution, Prepared]:
    """A tiny one, which tests only read."""
    given = config({"optimiser": "adam", "steps": 1}, problem=problem, evaluate={"grid": 5, "estimate": "none"})
    return pinnreg.solve(given, out=False, figures=False, progress=False), prepare(resolve(given))


def drawn(problem: Problem | None = None, **figures: Any) -> Figure:
    """Its figure."""
    chosen = FigureSettings(**figures)
    report = viewed(*run(problem or Held()), chosen).report
    assert report is not None
    return plots.draw(report, {}, figures=chosen)["error_field"]


def titles(figure: Figure) -> list[str]:
    return [ax.get_title().replace("\n", " ") for ax in figure.axes if ax.get_title()]


@case("figures.times")
def times(_: Path) -> None:
    for given, expected in ((None, ("0", "0.25", "0.5", "0.75", "1")), ((0.1, 0.35), ("0.1", "0.35"))):
        slices = [ax for ax in drawn(times=given).axes if ax.get_title().startswith("t = ")]
        assert [ax.get_title() for ax in slices] == [f"t = {each}" for each in expected]
        line = slices[1].lines[0]  # at the very times, not at points of the grid near by
        at = float(expected[1])
        points = np.stack([line.get_xdata(), np.full(len(line.get_xdata()), at)], axis=1)
        np.testing.assert_allclose(line.get_ydata(), run(Held())[0](points)[:, 0], rtol=0, atol=1e-12)
    with pytest.raises(InputError, match=r"figures\.times: expected numbers from 0 to 1, got 2"):
        solved(config(), figures__times=[0.5, 2])
    with pytest.raises(InputError, match=r"figures\.times: they cut a problem of space and time"):
        solved(config(problem=Cube()), figures__times=[0.5])


@case("figures.planes")
def planes(_: Path) -> None:
    said = [title for title in titles(drawn(Cube())) if title.startswith("predicted")]
    assert said == ["predicted u, z = 0.5", "predicted u, y = 1", "predicted u, x = 0.5"]
    figure = drawn(Cube(), planes={"z": 0.25, "y": (0.5, 1.5)})
    assert [title for title in titles(figure) if title.startswith("predicted")] == [
        "predicted u, z = 0.25",
        "predicted u, y = 0.5",
        "predicted u, y = 1.5",
    ]
    reference = next(ax for ax in figure.axes if ax.get_title() == "reference u, y = 1.5")
    assert (reference.get_xlabel(), reference.get_ylabel()) == ("x", "z")
    values = reference.collections[0].get_array()
    assert min(values.shape) > 100  # finer than the grid of five
    assert float(values.max()) == pytest.approx(1.5)
    for wrong, message in (
        ({"t": [0.5]}, r"unknown axis in figures\.planes: 't'"),
        ({"z": [1.5]}, r"figures\.planes\.z: expected numbers from 0 to 1, got 1\.5"),
        ({"z": "middle"}, r"figures\.planes\.z: expected a number, or a list of numbers, got 'middle'"),
    ):
        with pytest.raises(InputError, match=message):
            solved(config(problem=Cube()), figures__planes=wrong)
    with pytest.raises(InputError, match=r"figures\.planes: they cut three axes of space or more"):
        solved(config(), figures__planes={"x": 0.5})


@case("figures.size")
def size(_: Path) -> None:
    widths = {"screen": 266.7, "single-column": 85, "double-column": 175, (120.0, 150.0): 120}
    for given, width in widths.items():
        figure = drawn(size=given)
        assert figure.get_figwidth() * 25.4 == pytest.approx(width)
    assert figure.get_figheight() * 25.4 == pytest.approx(150)
    with pytest.raises(InputError, match=r"\[60, 40\] mm are too small for the 9 panels"):
        drawn(size=(60, 40))
    for wrong in ("single", 85, [85], [3, 2], [True, 50]):
        with pytest.raises(InputError, match=r"figures\.size: expected screen, .*or \[width, height\] in millimetres"):
            solved(config(), figures__size=wrong)


@case("figures.titles")
def with_titles(_: Path) -> None:
    for given in (True, False):
        figure = drawn(titles=given)
        assert bool(figure.get_suptitle()) == given
        assert any("relative L2 error" in title for title in titles(figure)) == given
        assert "predicted u" in titles(figure)


@case("figures.labels")
def labels(_: Path) -> None:
    figure = drawn(labels={"u": "T [K]", "x": "height [m]", "t": "$t$"})
    assert {"predicted T [K]", "reference T [K]", "$t$ = 0.25"} < set(titles(figure))
    assert {ax.get_xlabel() for ax in figure.axes} == {"height [m]", "$t$"}
    assert "T [K]" in {bar.get_ylabel() for ax in figure.axes for bar in ax.child_axes}
    with pytest.raises(InputError, match=r"unknown output or axis in figures\.labels: 'v' \(known: u, x, t\)"):
        solved(config(), figures__labels={"v": "speed"})
    with pytest.raises(InputError, match=r"figures\.labels\.u: no mathematics that can be set"):
        solved(config(), figures__labels={"u": r"$\nothing$"})


@case("figures.panels")
def panels(_: Path) -> None:
    maps = [title for title in titles(drawn(panels=("residual", "error", "solution"))) if "t =" not in title]
    assert [title.split()[0] for title in maps] == ["|residual|", "relative", "predicted"]
    figure = drawn(panels=("error",))
    assert not any("predicted" in title for title in titles(figure))
    shown = drawn(panels=("residual",)).axes[0].collections[0].get_array()
    solution, prepared = run(Held())
    expected = np.abs(solution.residual_on_grid(prepared.axes)["residual"])
    np.testing.assert_allclose(np.asarray(shown), np.maximum(expected, shown.min()), rtol=1e-9)
    with pytest.raises(InputError, match=r"figures\.panels\.0: unknown value 'errors'; did you mean 'error'"):
        solved(config(), figures__panels=["errors"])
    with pytest.raises(InputError, match=r"expected each only once"):
        solved(config(), figures__panels=["error", "error"])
