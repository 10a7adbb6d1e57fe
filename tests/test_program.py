"""A solution as a program for PyTorch alone: the same values and slopes, in a process that has no pinnreg."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import finished
from small_studies import Cli
from test_readme import blocks
from torch import nn

import pinnreg
from pinnreg import Box, InputError, Problem, Solution, dirichlet, initial

BRIEF: dict[str, Any] = {
    "network": {"hidden": [5]},
    "points": {"interior": 20, "boundary": 10},
    "train": [{"optimiser": "adam", "steps": 2}],
    "evaluate": {"grid": 5, "estimate": "none"},
    "device": "cpu",
}
QUADRATIC = [{"kind": "quadratic", "hidden": [4], "variant": each} for each in ("plain", "norm")]
GIVEN: Mapping[str, dict[str, Any]] = {
    "a box with exact conditions": {"problem": "heat"},
    "periodic": {"problem": "advection"},
    "a disc": {"problem": "poisson_disc"},
    "harmonics": {"problem": "advection", "network": {"hidden": [5], "features": {"periodic": {"x": 3}}}},
    "fourier features": {"problem": "poisson", "network": {"hidden": [5], "features": {"fourier": {"count": 4}}}},
    "symmetric": {"problem": "burgers"},
    "a ball": {"problem": "poisson_ball"},
    "an annulus": {"problem": "heat_annulus"},
    "a polygon": {"problem": "poisson_lshape"},
    "holes": {"problem": "poisson_holes"},
    "interfaces": {"problem": "stacked_plates"},
    "two outputs": {"problem": "schroedinger"},
    "parametrised": {"problem": "heat_family"},
    "unknown": {"problem": "inverse_heat", "regularisers": []},
    "many dimensions": {"problem": {"name": "poisson_nd", "dimension": 6}},
    "order one": {"problem": "wave"},
    "windows": {"problem": "duffing"},
    "float32": {"problem": "heat", "dtype": "float32"},
    **{f"quadratic {each['variant']}": {"problem": "poisson", "network": each} for each in QUADRATIC},
    **{name: {"problem": "poisson", "network": {"activation": name}} for name in ("sin", "gelu", "softplus", "swish")},
}


@dataclass(frozen=True)
class Driven(Problem):
    """A wave whose ends move as sin t: the initial slope is exact on top of theirs."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (
        initial(lambda x: torch.sin(3 * x)),
        initial(lambda x: 1 * torch.cos(x), order=1),
        dirichlet(lambda t: 1 * torch.sin(t), on="x=min"),
        dirichlet(lambda t: math.sin(3) + math.cos(1) * torch.sin(t) * torch.exp(t**2), on="x=max"),
    )

    def residual(self, u: Any) -> Any:
        return u.tt - u.xx


def solved(given: Mapping[str, Any]) -> Solution:
    return pinnreg.solve({**BRIEF, **given}, out=False, figures=False, progress=False)


def check(solution: Solution, path: Path) -> None:
    """Values to 1e-14, first derivatives to 1e-12, of their size, for several numbers of points."""
    exact = next(iter(solution.parameters.values())).dtype == torch.float64
    close, slope = (1e-14, 1e-12) if exact else (1e-6, 1e-5)
    program = torch.export.load(solution.save_network(path)[0]).module()
    for count in (1, 2, 7, 300):
        at = solution.problem.domain.sample(count, "sobol", 3)
        points = at.to(torch.float64 if exact else torch.float32).requires_grad_()
        values, known = program(points), solution(at)
        np.testing.assert_allclose(values.detach(), known, atol=close * abs(known).max())
        for output in range(values.shape[1]):
            (slopes,) = torch.autograd.grad(values[:, output].sum(), points, create_graph=True)
            for number, axis in enumerate(solution.trial.axes):
                wanted = solution.derivative(at, axis)[:, output]
                np.testing.assert_allclose(slopes[:, number].detach(), wanted, atol=slope * max(1, abs(wanted).max()))


@pytest.mark.first(5)
@pytest.mark.parametrize("name", GIVEN)
def test_a_program_is_the_solution(name: str, tmp_path: Path) -> None:
    check(solved(GIVEN[name]), tmp_path / "mine.pt2")


@pytest.mark.slow
def test_slopes_of_exact_data_are_differentiated_on(tmp_path: Path) -> None:
    solution = solved({"problem": Driven(), "conditions": "exact"})
    assert [axis.slope_at_min is not None for axis in solution.trial.data[0]] == [False, True]  # type: ignore[union-attr]
    check(solution, tmp_path / "mine.pt2")


def test_weights_are_those_of_the_network_and_the_file_says_what_they_are_of(tmp_path: Path) -> None:
    solution = solved({"problem": "heat"})
    path, weights = solution.save_network(tmp_path / "mine.pt2")
    with np.load(weights) as found:
        assert set(solution.parameters) <= set(found)
        for name, value in solution.parameters.items():
            np.testing.assert_array_equal(found[name], value.detach())
    said = {"about.json": ""}
    torch.export.load(path, extra_files=said)
    about = json.loads(said["about.json"])
    assert (about["axes"], about["outputs"], about["bounds"]["x"]) == (["x", "t"], ["u"], [0.0, 1.0])
    assert about["source"].startswith("pinnreg ")
    # nothing of the machine that wrote it
    assert str(Path(pinnreg.__file__).parent).encode() not in path.read_bytes()


@pytest.mark.slow
def test_the_example_of_the_page_needs_no_pinnreg(cli: Cli, tmp_path: Path) -> None:
    run = finished(tmp_path / "mine")
    code, out, err = cli("export", run, "--to", "program")
    assert code == 0, err
    assert out == "mine.pt2 and 1 file beside it\n"
    (block,) = [each for each in blocks("docs/export.md") if "torch.export.load" in each.text]
    script = "import sys\nsys.modules['pinnreg'] = None  # importing it raises\n" + block.text
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[0] == "['x', 't']"
    assert f"{pinnreg.load(run)([[0.5, 0.1]])[0, 0]:.4f}" in answer.stdout


def test_nothing_is_replaced_and_what_cannot_be_is_refused(cli: Cli, tmp_path: Path) -> None:
    run = finished(tmp_path / "mine")
    Path("old_weights.npz").write_text("mine")
    Path("there.pt2").write_text("mine")
    for arguments, words in (
        (["--out", "old.pt2"], "old_weights.npz: exists already"),
        (["--out", "there.pt2"], "there.pt2: exists already"),
        (["--to", "program", "--grid", "5"], "no grid, points, derivatives or units"),
        (["--to", "program", "--points", "5"], "no grid, points, derivatives or units"),
        (["--to", "program", "--derivative", "x"], "no grid, points, derivatives or units"),
        (["--to", "program", "--unit", "x=m"], "no grid, points, derivatives or units"),
        (["--to", "program", "--out", "a.csv"], ".csv is not a file of program"),
    ):
        code, out, err = cli("export", run, *arguments)
        assert (code, out) == (2, ""), arguments
        assert words in err
        assert len(err.splitlines()) == 1
    assert {path.name for path in Path().iterdir()} == {"mine.yaml", "mine", "old_weights.npz", "there.pt2"}
    with pytest.raises(InputError, match=r"ends in \.pt2, as in a\.pt2"):
        pinnreg.load(run).save_network("a.pt")


class OneLayer(nn.Module):
    """A network of the user's own, which `what` makes one that no program for any number of points can follow."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1, dtype=torch.float64)
        self.what = what

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = torch.tanh(self.layer(points))
        if self.what == "values":
            return values if values.abs().sum() > 0 else 2 * values
        return values + torch.zeros((len(points), 1), dtype=torch.float64) if self.what == "length" else values


def test_a_network_of_one_s_own_is_written(tmp_path: Path) -> None:
    check(solved({"problem": "heat", "network": OneLayer("")}), tmp_path / "mine.pt2")


@pytest.mark.parametrize(
    ("what", "words"), [("values", r"GuardOnDataDependent\w+: "), ("length", "one number of points")]
)
def test_a_network_that_torch_cannot_follow_is_refused(tmp_path: Path, what: str, words: str) -> None:
    solution = solved({"problem": "heat", "network": OneLayer(what)})
    with pytest.raises(InputError, match=rf"mine\.pt2: torch cannot write this as a program: .*{words}") as caught:
        solution.save_network(tmp_path / "mine.pt2")
    assert len(str(caught.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())
