"""`pinnreg describe --sketch`: the reference in letters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import pinnreg
from pinnreg.cli import main
from pinnreg.plots import sketch as sketched
from pinnreg.plots.sketch import HEIGHT, ROWS, WIDTH, curve, shading


def test_a_curve_is_as_high_as_its_values() -> None:
    lines = curve(np.linspace(0, 1, 9))
    assert len(lines) == ROWS
    heights = [sum(len(line) > column and line[column] != " " for line in lines) for column in range(9)]
    assert heights == sorted(heights)
    assert (heights[0], heights[-1]) == (1, ROWS)
    assert curve(np.ones(4))[-1] == "▁▁▁▁"


def test_shades_go_from_the_lowest_to_the_highest_and_the_first_row_is_the_lowest() -> None:
    assert shading(np.array([[0.0, 0.5], [1.0, np.nan]])) == ["█·", " ▒"]
    assert shading(np.zeros((1, 3))) == ["   "]


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("logistic", {}, "; t 0 to 10 →"),
        ("heat", {}, "; t 0 to 1 →, x 0 to 1 ↑"),
        ("poisson", {}, "; x 0 to 1 →, y 0 to 1 ↑"),
        ("poisson", {"dimension": 3}, "; x 0 to 1 →, y 0 to 1 ↑"),
        ("poisson_nd", {"dimension": 6}, "; x1 0 to 1 →, x2 0 to 1 ↑"),
    ],
)
def test_a_problem_is_shown_by_its_reference(name: str, parameters: dict[str, int], said: str) -> None:
    *lines, legend = sketched(pinnreg.problem(name, **parameters))
    assert said in legend
    assert len(lines) == (ROWS if name == "logistic" else HEIGHT)
    assert max(map(len, lines)) <= WIDTH


def test_a_problem_without_a_reference_has_no_sketch() -> None:
    class_ = type("Bare", (type(pinnreg.problem("heat")),), {"reference": lambda self: None})
    assert sketched(class_()) == []


def test_describe_shows_it_if_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    def out(*more: str) -> str:
        with pytest.raises(SystemExit) as caught:
            main(["describe", "logistic", *more])
        assert caught.value.code == 0
        return capsys.readouterr().out

    shown: Callable[[str], bool] = lambda text: "█" in text  # noqa: E731
    assert shown(out("--sketch"))
    assert not shown(out())  # no terminal
    assert not shown(out("--no-sketch"))
