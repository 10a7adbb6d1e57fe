"""The problems of docs/cookbook.md are solved as they are written, to the errors that its table names."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import pinnreg

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cookbook.md"
TEXT = PAGE.read_text(encoding="utf-8")
LIMITS = {name: float(limit) for name, limit in re.findall(r"^\| \[`(\w+)`\].*\| (\S+) \|$", TEXT, re.MULTILINE)}
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
FOUND = {"Mode": ("eigenvalue", 1e-8), "Cooling": ("h", 0.1)}
"""Coefficients that are found besides, and how far they may be from the truth."""


QUICK = ("History",)
"""Solved in two seconds; of the others the quick suite sees that they begin."""
FEW = {"points.interior": 40, "evaluate.grid": 7} | {
    f"train.0.{key}": value for key, value in {"steps": 2, "corrections": 0, "acceleration": False}.items()
}


def defined(folder: Path, solve: Callable[..., Any]) -> dict[str, Any]:
    """What the blocks define; the runs of a block are made where nothing is in their way."""
    names: dict[str, Any] = {"__name__": "cookbook"}
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("pinnreg.run.line.write_figures", lambda *_: [])
        patch.setattr(pinnreg, "solve", solve)
        for block in BLOCKS:
            exec(compile(block, os.fspath(PAGE), "exec", dont_inherit=True), names)
    return names


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the blocks define, with runs of a few steps."""
    return defined(tmp_path_factory.mktemp("cookbook"), partial(pinnreg.solve, overrides=FEW))


@pytest.mark.first(6)
@pytest.mark.parametrize("name", LIMITS)
def test_a_problem_begins_to_be_solved(names: dict[str, Any], name: str) -> None:
    solution = names["solution"] if name == "Layer" else pinnreg.solve({"problem": names[name]()}, FEW, out=False)
    assert solution.history["loss"][-1] < solution.history["loss"][0]
    assert all(0 < each.rel_l2 < math.inf for each in solution.report.errors.values())
    assert set(solution.unknown) == ({FOUND[name][0]} if name in FOUND else set())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in LIMITS]
)
def test_a_problem_is_solved_to_the_error_of_the_table(names: dict[str, Any], tmp_path: Path, name: str) -> None:
    # that of continuation is solved by its block
    solution = (
        defined(tmp_path, pinnreg.solve)["solution"]
        if name == "Layer"
        else pinnreg.solve({"problem": names[name]()}, out=False)
    )
    assert max(each.rel_l2 for each in solution.report.errors.values()) < LIMITS[name]
    if name in FOUND:
        coefficient, error = FOUND[name]
        assert solution.unknown[coefficient] == pytest.approx(getattr(names[name](), coefficient), abs=error)


def test_the_table_names_all_problems_and_their_sections(names: dict[str, Any]) -> None:
    kinds = [each for each in names.values() if isinstance(each, type) and issubclass(each, pinnreg.Problem)]
    assert [each.__name__ for each in kinds if each is not pinnreg.Problem] == list(LIMITS)
    anchors = re.findall(r"^\| \[`\w+`\]\(#(\S+)\)", TEXT, re.MULTILINE)
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    assert anchors == [heading.lower().replace(" ", "-") for heading in headings]


def test_a_problem_has_at_most_thirty_lines() -> None:
    assert max(len(block.splitlines()) for block in BLOCKS) <= 30


# the page on conditions

CONDITIONS = (PAGE.parent / "conditions.md").read_text(encoding="utf-8")
PARTS = re.findall(r"^```python\n(.*?)^```$", CONDITIONS, re.DOTALL | re.MULTILINE)
IMPORTS, *EXAMPLES = PARTS


def laplace(self: Any, u: Any) -> Any:
    return u.d(self.domain.axes[0], 2)


@pytest.mark.first(2)
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_conditions_of_an_example_are_those_of_a_problem(number: int) -> None:
    defined: dict[str, Any] = {}
    exec(compile(IMPORTS + EXAMPLES[number], "conditions.md", "exec", dont_inherit=True), defined)
    own = {key: defined[key] for key in ("domain", "outputs", "conditions") if key in defined}
    body = {**own, "__annotations__": {"h": float}, "h": 2.0, "residual": defined.get("residual", laplace)}
    problem = dataclass(frozen=True)(type("Example", (pinnreg.Problem,), body))()
    config = {"problem": problem, "network": {"hidden": [4, 4]}, "points": {"interior": 20}, "evaluate": {"grid": 5}}
    history = pinnreg.solve(config, {"train.0.steps": 2}, out=False).history
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("what", ["condition(", "integral(", "at={", "where=", "order=2", ".at(", "over={", "nodes="])
def test_the_examples_show_all_there_is(what: str) -> None:
    assert what in "".join(EXAMPLES)
