"""Functions of the coordinates that a problem gives its network besides them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import pinnreg
from pinnreg import Box, Problem, dirichlet, initial, periodic
from pinnreg.cli import main
from pinnreg.config import resolve
from pinnreg.differentiation import nested, sweep
from pinnreg.equations import input_features
from pinnreg.errors import InputError
from pinnreg.run.prepare import prepare
from pinnreg.taylor import Algebra

SMALL: dict[str, Any] = {
    "network": {"hidden": [6]},
    "points": {"interior": 100, "boundary": 20, "resample_every": None},
    "train": [{"optimiser": "gauss_newton", "steps": 30}],
    "evaluate": {"grid": 101},
    "device": "cpu",
}


@dataclass(frozen=True)
class Layer(Problem):
    """-ε u'' + u' = 1, u(0) = u(1) = 0, with a layer of width ε at x = 1."""

    epsilon: float = 0.03
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    @property
    def features(self) -> Any:
        return (lambda x: torch.exp((x - 1) / self.epsilon),)

    def residual(self, u: Any) -> Any:
        return u.x - self.epsilon * u.xx - 1

    def reference(self) -> Any:
        e = self.epsilon
        return lambda x: x - (np.exp((x - 1) / e) - np.exp(-1 / e)) / (1 - np.exp(-1 / e))


@dataclass(frozen=True)
class Plain(Layer):
    features: ClassVar[Any] = ()


@dataclass(frozen=True)
class Plane(Problem):
    domain = Box(x=(-1, 2), y=(0, 3))
    features: ClassVar[Any] = (lambda x, y: torch.sin(x) * y, lambda y: 300 + y**2)
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return u.laplacian + 1


@pytest.mark.slow
def test_what_is_known_of_a_solution_need_not_be_found() -> None:
    errors = {}
    for problem in (Layer(), Plain()):
        report = pinnreg.solve({"problem": problem, "conditions": "soft", **SMALL}, out=False).report
        assert report is not None
        errors[type(problem)] = report.errors["u"].rel_l2
    assert errors[Layer] < 1e-5 < 1e-1 * errors[Plain]


@pytest.mark.parametrize("features", [{}, {"fourier": {"count": 3}}])
@pytest.mark.parametrize("kind", ["mlp", "quadratic"])
def test_they_are_differentiated_like_the_coordinates(
    features: dict[str, Any], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    network = {"kind": kind, "hidden": [5], "features": features}
    ready = prepare(resolve({"problem": Plane(), **SMALL, "network": network}), with_reference=False)
    points = torch.rand(7, 2, dtype=torch.float64)
    algebra = Algebra.of([(2, 0), (1, 1), (0, 3)], 2)
    wanted = [(0, 0), (2, 0), (1, 1), (0, 3)]
    found = sweep(ready.network, points, algebra).derivatives(wanted)
    for one, other in zip(found, nested(ready.network, points, algebra).derivatives(wanted), strict=True):
        assert one.detach().numpy() == pytest.approx(other.detach().numpy(), rel=1e-8, abs=1e-10)
    assert "no Taylor rule" not in caplog.text


def test_they_are_mapped_onto_the_range_of_coordinates() -> None:
    corners = torch.tensor([[-1.0, 0.0], [2.0, 3.0], [0.0, 3.0], [pi / 2, 3.0]], dtype=torch.float64)
    first, second = input_features(Plane())
    assert second(corners)[:, 0].tolist() == pytest.approx([-1, 1, 1, 1], rel=0.02)
    assert float(first(corners).abs().max()) < 1.1
    assert first(corners).shape == (4, 1)
    # what they give is the user's, but for the range
    values = torch.sin(corners[:, 0]) * corners[:, 1]
    assert first(corners)[:, 0].tolist() == pytest.approx(((values - first.centre) / first.half_width).tolist())


def test_what_is_no_axis_may_have_a_default() -> None:
    @dataclass(frozen=True)
    class Waves(Plane):
        features: ClassVar[Any] = tuple(lambda x, n=n: torch.sin(n * x) for n in (1, 2))

    one, two = input_features(Waves())
    at = torch.tensor([[0.3, 0.5], [0.7, 0.1]], dtype=torch.float64)
    for number, feature in enumerate((one, two), 1):
        given = torch.sin(number * at[:, :1])
        assert torch.equal(feature(at), (given - feature.centre) / feature.half_width)


def test_a_run_goes_on_and_is_loaded_with_them(tmp_path: Path) -> None:
    whole = pinnreg.solve({"problem": Layer(), **SMALL}, {"train.0.steps": 4}, out=tmp_path / "run")
    loaded = pinnreg.load(tmp_path / "run", problem=Layer())
    at = np.linspace(0, 1, 9)[:, None]
    assert np.array_equal(loaded(at), whole(at))
    weights = [each.shape for name, each in whole.parameters.items() if name.endswith("weight")]
    assert weights[0] == (6, 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.sin, "`features` must be a tuple of functions"),
        ((1.0,), "`features` must be a tuple of functions"),
        ((lambda z: z,), "axis in the arguments of features.0 of problem Wrong: 'z'"),
        ((torch.sin,), "its arguments have no names; wrap it in a lambda"),
    ],
)
def test_what_is_no_function_of_axes_is_refused_at_once(given: Any, message: str) -> None:
    @dataclass(frozen=True)
    class Wrong(Plane):
        features: ClassVar[Any] = given

    with pytest.raises(InputError, match=message):
        Wrong()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda x: 0 * x + 2, r"features\.0 of Wrong: it is 2 everywhere"),
        (lambda x: torch.sqrt(x - 0.5), "it is NaN or Inf in the domain"),
        (lambda x: x[:, 0], r"coordinates are columns \(n, 1\), .* got \(1024,\)"),
        (lambda x: 3.0, "got float"),
        (lambda x: torch.exp(1j * x), "of real numbers"),
        (lambda x: 1 / None, r"features\.0 of Wrong.*TypeError"),
    ],
)
def test_functions_that_are_of_no_use_are_refused(given: Any, message: str) -> None:
    @dataclass(frozen=True)
    class Wrong(Plane):
        features: ClassVar[Any] = (given,)

    with pytest.raises(InputError, match=message):
        pinnreg.solve({"problem": Wrong(), **SMALL}, out=False)


@pytest.mark.parametrize(
    ("given", "sound"),
    [(lambda x: torch.cos(pi * x) ** 3, True), (lambda x: x, False), (lambda x: x**2, False), (lambda t: t**2, True)],
)
def test_along_a_period_they_have_to_be_periodic(given: Any, sound: bool) -> None:
    @dataclass(frozen=True)
    class Ring(Problem):
        domain = Box(x=(-1, 1), t=(0, 1))
        conditions = (periodic("x"), initial(lambda x: torch.sin(pi * x)))
        features: ClassVar[Any] = (given,)

        def residual(self, u: Any) -> Any:
            return u.t + u.x

    if sound:
        assert len(input_features(Ring(), ("x",))) == 1
    else:
        with pytest.raises(InputError, match="it is not periodic in 'x', as the network is, and its slope"):
            pinnreg.solve({"problem": Ring(), **SMALL}, out=False)


SOURCE = '''
from dataclasses import dataclass
import torch
from pinnreg import Box, Problem, dirichlet

@dataclass(frozen=True)
class Layered(Problem):
    """With a layer."""

    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(0.0),)
    features = (lambda x, y: torch.exp(-10 * x) * y,)

    def residual(self, u):
        return u.laplacian + 1
'''


def test_describe_says_that_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "layered.py").write_text(SOURCE)
    with pytest.raises(SystemExit, match="0"):
        main(["describe", "layered", "--json", "described.json"])
    assert "features    f(x, y), which the network gets besides" in capsys.readouterr().out
    assert json.loads(Path("described.json").read_text())["features"] == ["f(x, y)"]
