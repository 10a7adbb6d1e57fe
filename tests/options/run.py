"""What the keys of evaluation and of the run as a whole change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pinnreg
from options.cases import all_values, case, config, differ, first, prepared, same, solved
from pinnreg import InputError
from pinnreg.compilation import recorded
from pinnreg.config import resolve
from pinnreg.objective import Evaluator, Objective, compiled
from pinnreg.parallel import Team
from pinnreg.run import line


@case("start")
def start(folder: Path) -> None:
    """What it takes over is in test_start."""
    solved_before = pinnreg.solve(config(), {"seed": 1}, out=folder / "before")
    alone, continued = differ(config(), "start", None, str(solved_before.folder))
    assert continued.history["loss"][0] == pytest.approx(solved_before.history["loss"][-1], rel=0.5)
    assert alone.history["loss"][0] != pytest.approx(continued.history["loss"][0], rel=0.5)


@case("evaluate.grid")
def evaluate_grid(_: Path) -> None:
    runs = [solved(config(), evaluate__grid=grid) for grid in (4, [6, 3], None)]
    shapes = [run.report.fields["u_error"].shape for run in runs if run.report]
    assert shapes == [(4, 4), (6, 3), (256, 100)]
    assert same(runs[0], runs[1])
    with pytest.raises(InputError, match="expected one number or 2, for the axes x, t"):
        solved(config(), evaluate__grid=[4, 4, 4])


@case("evaluate.estimate")
def evaluate_estimate(_: Path) -> None:
    found = {how: solved(config(), evaluate__estimate=how) for how in all_values("evaluate.estimate")}
    kinds = {how: {each.kind for each in run.report.estimates.values()} for how, run in found.items()}
    assert kinds == {"auto": {"defect"}, "defect": {"defect"}, "twin": {"twin"}, "none": set()}
    assert all(same(found["none"], run) for run in found.values())


@case("evaluate.every")
def evaluate_every(_: Path) -> None:
    base = config({"optimiser": "adam", "steps": 10})
    often, never = solved(base, evaluate__every=2), solved(base, evaluate__every=100)
    evaluated = [run.history["step"][np.isfinite(run.history["error_u"])].tolist() for run in (often, never)]
    assert evaluated == [[0, 2, 4, 6, 8, 10], [0, 10]]
    assert same(often, never)
    newton = solved(config({"optimiser": "gauss_newton", "steps": 12}))  # by default more often, since steps are few
    assert newton.history["step"][np.isfinite(newton.history["error_u"])].tolist() == [0, 10, 12]


@case("evaluate.reference")
def evaluate_reference(folder: Path) -> None:
    axes = {"x": np.linspace(0, 1, 5), "t": np.linspace(0, 1, 5)}
    np.savez(folder / "other.npz", u=np.full((5, 5), 2.0), **axes)
    own, other = solved(config()), solved(config(), evaluate__reference=str(folder / "other.npz"))
    assert own.report is not None
    assert other.report is not None
    assert (other.report.fields["u_reference"] == 2.0).all()
    assert own.report.errors["u"] != other.report.errors["u"]
    assert other.report.reference is not None
    assert other.report.reference.kind == "data file"
    assert same(own, other)
    with pytest.raises(InputError, match=r"missing\.npz"):
        solved(config(), evaluate__reference=str(folder / "missing.npz"))


@case("seed")
def seed(_: Path) -> None:
    runs = differ(config(), "seed", 0, 1, 2)
    assert len({run.history["loss"][0] for run in runs}) == 3


@case("device")
def device(_: Path) -> None:
    assert prepared(config(), device="cpu").device.type == "cpu"
    if torch.cuda.is_available():
        assert prepared(config(), device="auto").device.type == prepared(config(), device="cuda").device.type == "cuda"
    else:
        assert prepared(config(), device="auto").device.type == "cpu"
        with pytest.raises(InputError, match="no CUDA device; use 'cpu' or 'auto'"):
            prepared(config(), device="cuda")


@case("dtype")
def dtype(_: Path) -> None:
    single, double = solved(config(), dtype="float32"), solved(config(), dtype="float64")
    assert {value.dtype for value in single.parameters.values()} == {torch.float32}
    assert {value.dtype for value in double.parameters.values()} == {torch.float64}
    one, two = (first(config(), dtype=name) for name in ("float32", "float64"))
    drawn = {name: value.double() for name, value in one.parameters.items()}
    found, expected = one.losses(one.parameters)["residual"].item(), two.losses(drawn)["residual"].item()
    assert 0 < abs(found / expected - 1) < 1e-4


@case("compile")
def compile_(_: Path) -> None:
    """What it does is in test_compilation; here, that the key arrives, and gives the same gradient to rounding."""
    arrived: list[bool] = []

    def noted(objective: Objective, *, compile: bool, team: Team | None) -> Evaluator:
        arrived.append(compile)
        return Evaluator(objective, compile=compile, team=team)

    base = config({"optimiser": "sgd", "steps": 1, "learning_rate": 1.0})
    start = prepared(base).objective.model.initial()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "Evaluator", noted)
        patch.setattr(compiled, "compiled", recorded)  # all of it but the compiler
        plain, fast = solved(base), solved(base, compile=True)
    assert arrived == [False, True]
    for name, values in start.items():
        found, expected = ((values - each.parameters[name]).detach() for each in (fast, plain))
        assert torch.allclose(found, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


@case("provenance")
def provenance(_: Path) -> None:
    """The one key that changes nothing: it is written for the reader, and ignored on loading."""
    noted = {**config(), "provenance": {"pinnreg": "0.0", "seed": 5}}
    assert same(solved(noted), solved(config()))
    assert resolve(noted).config == resolve(config()).config
