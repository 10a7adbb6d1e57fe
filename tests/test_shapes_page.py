"""The problems of docs/shapes.md are as they are written, and train."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("name", ["Washer", "Pressed"])
def test_a_problem_trains(names: dict[str, Any], name: str) -> None:
    train = [{"optimiser": "gauss_newton", "steps": 3}]
    history = pinnreg.solve({"problem": names[name](), **SMALL, "train": train}, out=False).history
    assert history["loss"][-1] < history["loss"][0]


def test_materials_that_meet_are_solved(names: dict[str, Any]) -> None:
    solution = pinnreg.solve({"problem": names["Lined"]()}, out=False)
    assert solution.report.errors["u"].rel_l2 < 1e-6
    assert solution.report.facts["converged"]
