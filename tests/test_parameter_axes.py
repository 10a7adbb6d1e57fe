"""Axes of a domain that are parameters of the equation: coordinates like others, but no space."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import pinnreg
from pinnreg import Box, Problem, condition, dirichlet, initial, integral, neumann, odd, periodic, robin
from pinnreg.cli import main
from pinnreg.equations import Points, Split, Sweep, evaluate_rows, named_conditions, split_conditions, symmetric
from pinnreg.errors import InputError
from pinnreg.regularisers import GPINN, KTV, Jacobian

QUICK: dict[str, Any] = {
    "network": {"hidden": [12, 12]},
    "points": {"interior": 200, "boundary": 60, "resample_every": None},
    "train": [{"optimiser": "gauss_newton", "steps": 60}],
    "evaluate": {"grid": [21, 11]},
}


@dataclass(frozen=True)
class Loaded(Problem):
    """-u'' = α on (0, 1) for all α in (1, 2)."""

    domain = Box(x=(0, 1), alpha=(1, 2))
    parameters = ("alpha",)
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any, alpha: Any) -> Any:
        return -u.laplacian - alpha

    def reference(self) -> Any:
        return lambda x, alpha: alpha * x * (1 - x) / 2


@dataclass(frozen=True)
class Many(Problem):
    """Of everything something."""

    domain = Box(x=(0, 1), alpha=(1, 2), y=(0, 1), beta=(1, 2), t=(0, 1))
    parameters = ("alpha", "beta")
    conditions: ClassVar[Any] = (initial(0.0), dirichlet(0.0))

    def residual(self, u: Any) -> Any:
        return u.t - u.laplacian


def sweep_of(problem: Problem, function: Any) -> Sweep:
    """The derivatives of a function of points (n, d) at some points of a problem."""
    split: Split = split_conditions(problem, "soft")
    unit = torch.rand(20, problem.domain.dimension, dtype=torch.float64)
    return Sweep(split.trial, function, Points(problem.domain.interior(unit)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "penalty", [pytest.param([], marks=pytest.mark.slow), [{"kind": "ktv", "order": 3, "weight": 1e-2}]]
)
def test_a_family_of_solutions_is_found_at_once(penalty: list[dict[str, Any]]) -> None:
    """The penalty vanishes at the solution, whose third derivative along x does."""
    solution = pinnreg.solve({"problem": Loaded(), "regularisers": penalty, **QUICK}, out=False)
    assert solution.report is not None
    assert solution.report.errors["u"].rel_l2 < 1e-6
    at = [[0.5, 1.0], [0.5, 1.5], [0.25, 2.0]]
    assert solution(at)[:, 0] == pytest.approx([1 / 8, 3 / 16, 3 / 16], rel=1e-5)
    assert solution.derivative(at, "alpha")[:, 0] == pytest.approx([1 / 8, 1 / 8, 3 / 32], rel=1e-4)


def test_derivatives_in_space_leave_parameters_out() -> None:
    def function(points: Any) -> Any:
        x, alpha, y, beta, t = points.unbind(dim=1)
        return (torch.exp(x + 2 * alpha + 3 * y + 5 * beta) * (1 + t))[:, None]

    sweep = sweep_of(Many(), function)

    def rows(u: Any) -> Any:
        assert u.grad.shape == (20, 2)
        return {"Δ": u.laplacian / u, "Δ²": u.biharmonic / u, "∇": u.grad.sum(dim=1) / u, "α": u.alpha / u}

    found = evaluate_rows(rows, sweep, "rows")
    for name, expected in {"Δ": 10.0, "Δ²": 100.0, "∇": 4.0, "α": 2.0}.items():
        assert found[name].detach().numpy() == pytest.approx(expected)


@pytest.mark.parametrize(
    "given",
    [dirichlet(0.0), neumann(0.0), robin(1.0, 1.0, 0.0), dirichlet(0.0, where=lambda x: x >= 0)],
    ids=lambda given: given.kind,
)
def test_all_faces_of_space_are_not_those_of_parameters(given: Any) -> None:
    @dataclass(frozen=True)
    class One(Many):
        conditions = (given,)

    (named,) = named_conditions(One())
    assert [str(face) for face in named.faces(One.domain)] == ["x=min", "x=max", "y=min", "y=max"]


def test_faces_of_parameters_can_be_named_and_all_else_is_as_it_was() -> None:
    @dataclass(frozen=True)
    class Named(Many):
        conditions = (
            dirichlet(0.0, on="alpha"),
            periodic("beta"),
            initial(0.0),
            condition(lambda u: u.value),
            integral(lambda u: u, over="x", equals=1.0),
        )

    found = [[str(face) for face in each.faces(Named.domain)] for each in named_conditions(Named())]
    assert found == [["alpha=min", "alpha=max"], ["beta=min", "beta=max"], ["t=min"], [], []]


@pytest.mark.parametrize("kind", [KTV, Jacobian, GPINN])
def test_penalties_leave_parameters_out_unless_they_are_named(kind: Any) -> None:
    def function(points: Any) -> Any:
        return torch.sin(points * torch.arange(1, 6)).prod(dim=1, keepdim=True)

    problem, sweep = Many(), sweep_of(Many(), function)
    counts = {
        axes: len(kind(axes=axes).rows(problem, sweep)) for axes in ("all", "space", ("x", "y", "t"), ("alpha", "beta"))
    }
    assert counts == {"all": 3, "space": 2, ("x", "y", "t"): 3, ("alpha", "beta"): 2}
    for one, other in zip(kind().rows(problem, sweep), kind(axes=("x", "y", "t")).rows(problem, sweep), strict=True):
        assert torch.equal(one, other)


def test_a_symmetry_is_one_of_space() -> None:
    @dataclass(frozen=True)
    class Odd(Many):
        symmetry = odd("alpha")

    with pytest.raises(InputError, match=r"axis of a symmetry of Odd 'alpha'.*x, y"):
        symmetric(torch.nn.Linear(5, 1), Odd())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("alpha", r"`parameters` must be a tuple of axes, as in parameters = \('alpha',\) with a comma, got 'alpha'"),
        ((1,), r"`parameters` must be a tuple of axes"),
        (("alfa",), "axis in `parameters` of problem Wrong: 'alfa'; did you mean 'alpha'"),
        (("t",), "`parameters`: the axis 't' is time, and no parameter"),
    ],
)
def test_parameters_that_are_none_are_refused(given: Any, message: str) -> None:
    @dataclass(frozen=True)
    class Wrong(Many):
        parameters = given

    with pytest.raises(InputError, match=message):
        Wrong()


def test_one_axis_is_no_parameter() -> None:
    @dataclass(frozen=True)
    class Wrong(Loaded):
        parameters = ("alpha", "x")

    with pytest.raises(InputError, match="`parameters` names all of the axes x, alpha; one has to be space or time"):
        Wrong()


def test_time_and_parameters_alone_have_no_faces_of_space() -> None:
    @dataclass(frozen=True)
    class Decay(Problem):
        domain = Box(k=(1, 2), t=(0, 1))
        parameters = ("k",)
        conditions = (dirichlet(0.0),)

        def residual(self, u: Any, k: Any) -> Any:
            return u.t + k * u

    with pytest.raises(InputError, match="time is the only axis but parameters; initial"):
        Decay()

    def laplacian(u: Any) -> Any:
        return u.laplacian

    @dataclass(frozen=True)
    class Started(Decay):
        conditions = (initial(1.0),)

    with pytest.raises(InputError, match="leaves out time and parameters, and there is no other axis"):
        evaluate_rows(laplacian, sweep_of(Started(), lambda points: points[:, :1]), "rows")


SOURCE = '''
from dataclasses import dataclass
from pinnreg import Box, Problem, dirichlet

@dataclass(frozen=True)
class Loaded(Problem):
    """-u'' = α."""

    domain = Box(x=(0, 1), alpha=(1, 2))
    parameters = ("alpha",)
    conditions = (dirichlet(0.0),)

    def residual(self, u, alpha):
        return -u.laplacian - alpha
'''


def test_describe_says_which_axes_are_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "loaded.py").write_text(SOURCE)
    with pytest.raises(SystemExit, match="0"):
        main(["describe", "loaded", "--json", "described.json"])
    out = capsys.readouterr().out
    assert "of which parameters, not space: alpha" in out
    assert "x=min, x=max (exact)" in out
    assert json.loads(Path("described.json").read_text())["parameter_axes"] == ["alpha"]
