"""compile: true: the same gradients, new points without compiling again, and a plain run where it fails.

Two tests compile, one of them in the slow suite; others are content with the recorded operations.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import Placed, placed

from pinnreg import Box, InputError, Problem, dirichlet, initial, measurements, neumann, solve
from pinnreg.config import resolve
from pinnreg.objective import compiled as module
from pinnreg.run.prepare import prepare


@dataclass(frozen=True)
class Everything(Problem):
    """Exact and soft conditions, measurements, two equations and a coefficient."""

    domain = Box(x=(0, 1), t=(0, 1))
    outputs = ("u", "v")
    conditions = (
        initial(lambda x: torch.sin(pi * x), of="u"),
        dirichlet(0.0, on="x=min", of="u"),
        neumann(0.0, on="x=max", of="u"),
        measurements([[0.5, 0.5], [0.2, 0.3]], [0.3, 0.1], of="v"),
    )

    def residual(self, u: Any, v: Any, x: Any) -> Any:
        return {"heat": u.t - (1 + x) * u.xx + v, "wave": v.x - torch.where(x < 0.5, u, 2 * u)}


def objective(problem: Problem, *, compile: bool = True, **sections: Any) -> Placed:
    config = {
        "problem": problem,
        "network": {"hidden": [5], "activation": "tanh"},
        "points": {"interior": 16, "boundary": 8, "resample": "fresh"},
        "train": [{"optimiser": "adam"}],
        "compile": compile,
        **sections,
    }
    return placed(prepare(resolve(config), with_reference=False).objective, compile=compile)


def close(found: tuple[dict[str, Any], ...], expected: tuple[dict[str, Any], ...]) -> bool:
    return all(
        torch.allclose(one[name], values, rtol=1e-12, atol=1e-12 * float(values.abs().max()))
        for one, other in zip(found, expected, strict=True)
        for name, values in other.items()
    )


@pytest.mark.slow
def test_the_compiled_gradient_is_the_plain_one_at_new_points_and_weights_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compilations = []
    compiled = module.compiled
    monkeypatch.setattr(module, "compiled", lambda *given: (compilations.append(1), compiled(*given))[1])
    ktv = [{"kind": "ktv", "weight": 1e-2, "samples": 8, "schedule": "linear"}]
    fast = objective(Everything(), regularisers=ktv)
    plain = objective(Everything(), regularisers=ktv, compile=False)
    for step in range(3):
        assert close(fast.gradient(fast.parameters), plain.gradient(plain.parameters))
        fast, plain = (each.redraw(step, progress=0.3 * step).resample(each.parameters, step) for each in (fast, plain))
        with torch.no_grad():
            for parameter in (*fast.parameters.values(), *plain.parameters.values()):
                parameter.add_(0.01)
    assert len(compilations) == 1
    assert not [record for record in caplog.records if record.name == "pinnreg"]


def test_a_run_goes_on_plainly_where_compiling_fails(caplog: pytest.LogCaptureFixture) -> None:
    @dataclass(frozen=True)
    class Looking(Problem):
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0),)

        def residual(self, u: Any) -> Any:
            return u.xx + float(torch.max(abs(u)) < 1e9)

    expected = solve({"problem": Looking(), **SMALL}, out=False)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        found = solve({"problem": Looking(), **SMALL, "compile": True}, out=False)
    notes = [record.message for record in caplog.records if "compile" in record.message]
    assert len(notes) == 1
    assert notes[0].startswith("compile: true has no effect, the run goes on without: ")
    assert all(torch.equal(found.parameters[name], values) for name, values in expected.parameters.items())


def test_a_compiled_gradient_that_is_wrong_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(function: Any, *example: Any) -> Any:
        def call(*arguments: Any) -> Any:
            losses, gradient = function(*arguments)
            return losses, {name: 1.0001 * values for name, values in gradient.items()}

        return call

    monkeypatch.setattr(module, "compiled", broken)
    of, plain = objective(Everything()), objective(Everything(), compile=False)
    found, expected = of.gradient(of.parameters), plain.gradient(plain.parameters)
    assert all(torch.equal(found[1][name], values) for name, values in expected[1].items())
    assert "the compiled gradient differs from the plain one" in caplog.text


SMALL: dict[str, Any] = {
    "network": {"hidden": [5]},
    "points": {"interior": 16, "boundary": 8},
    "train": [{"optimiser": "adam", "steps": 6}, {"optimiser": "lbfgs", "steps": 12}],
    "evaluate": {"grid": 9},
}


def test_one_function_serves_both_stages_unless_a_penalty_is_smoothed(monkeypatch: pytest.MonkeyPatch) -> None:
    for power, expected in ((2, 1), (1, 2)):
        compilations: list[int] = []
        monkeypatch.setattr(module, "compiled", lambda function, *_, seen=compilations: (seen.append(1), function)[1])
        of = objective(Everything(), regularisers=[{"kind": "ktv", "power": power}])
        for smooth in (False, True):
            of.redraw(0, progress=0.0, smooth=smooth).gradient(of.parameters)
        assert len(compilations) == expected


def test_chunks_are_not_compiled() -> None:
    with pytest.raises(InputError, match=r"compile: true would join the chunks again and undo points\.chunk"):
        objective(Everything(), points={"interior": 16, "boundary": 8, "chunk": 5})


def test_compiling_needs_a_stage_that_uses_the_gradient() -> None:
    gauss_newton = {"optimiser": "gauss_newton", "steps": 1}
    with pytest.raises(InputError, match="compile: true has no effect: gauss_newton does not use the gradient"):
        objective(Everything(), train=[gauss_newton, gauss_newton])
    for other in ("adam", "sgd", "lbfgs", "ssbroyden"):
        assert objective(Everything(), train=[gauss_newton, {"optimiser": other}]).names


@pytest.mark.slow
def test_a_compiled_run_in_single_precision_that_is_stopped_and_resumed_is_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each run compares the compiled gradient with the plain one anew, far from convergence also where it resumes."""
    config = {"problem": {"name": "poisson", "dimension": 1}, **SMALL, "dtype": "float32", "compile": True}
    whole = solve(config, out=False)
    solve(config, {"train.1.steps": 5}, out=tmp_path / "run", figures=False)
    resumed = solve(config, out=tmp_path / "run", resume=True, figures=False)
    assert all(torch.equal(resumed.parameters[name], values) for name, values in whole.parameters.items())
    assert not [record for record in caplog.records if record.name == "pinnreg"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_captured_step_on_cuda_is_the_plain_one_at_new_points() -> None:
    fast, plain = (objective(Everything(), device="cuda", compile=compile) for compile in (True, False))
    for step in range(5):
        assert close(fast.gradient(fast.parameters), plain.gradient(plain.parameters))
        fast, plain = (each.resample(each.parameters, step) for each in (fast, plain))
