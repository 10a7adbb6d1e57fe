"""The problems of docs/shapes.md are as they are written, and train."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import only

import pinnreg

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "shapes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
SMALL: dict[str, Any] = {
    "network": {"hidden": [6]},
    "points": {"interior": 40, "boundary": 20},
    "evaluate": {"grid": 15},
}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    defined: dict[str, Any] = {"__name__": "shapes"}
    for block in BLOCKS:
        exec(compile(block, "shapes.md", "exec", dont_inherit=True), defined)
    return defined


@pytest.mark.parametrize("name", only(["Washer", "Pressed", "Cooled"], "Pressed"))
def test_a_problem_trains(names: dict[str, Any], name: str) -> None:
    train = [{"optimiser": "gauss_newton", "steps": 3}]
    history = pinnreg.solve({"problem": names[name](), **SMALL, "train": train}, out=False).history
    assert history["loss"][-1] < history["loss"][0]


def test_what_shapes_are_asked_is_as_it_is_said(names: dict[str, Any]) -> None:
    assert names["inside"].shape == (1000, 2)
    assert names["points"].shape == names["normals"].shape == (100, 2)
    assert bool((names["away"] < 0).all())
    assert names["known"].tolist() == [True, False]
    assert (names["size"], names["around"]) == pytest.approx((4 - 0.16, 1.6))


@pytest.mark.slow
def test_signs_of_weak_forms_are_those_of_conditions(names: dict[str, Any]) -> None:
    problem = names["Cooled"]()
    solution, step = problem.reference(), 0.01
    for name, expected in (
        ("hole", lambda u, slope, y: slope - 0.5),
        ("y=max", lambda u, slope, y: 2 * u + slope - 1 - y),
    ):
        points, normals = (each.numpy() for each in problem.domain.boundary(name).sample(40, "grid"))
        here, near, far = (
            solution.at(dict(zip("xy", (points - k * step * normals).T, strict=True)))["u"] for k in range(3)
        )
        slope = (3 * here - 4 * near + far) / (2 * step)
        assert np.abs(expected(here, slope, points[:, 1])).max() < 0.01


@pytest.mark.slow
def test_materials_that_meet_are_solved(names: dict[str, Any]) -> None:
    solution = pinnreg.solve({"problem": names["Lined"]()}, out=False)
    assert solution.report.errors["u"].rel_l2 < 1e-6
    assert solution.report.facts["converged"]
