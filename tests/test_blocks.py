"""The Jacobian of an objective in blocks: `points.chunk` with Gauss-Newton."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import placed
from row_kinds import HEAT, KINDS, KTV, objective
from torch import Tensor

import pinnreg
from pinnreg.config import resolve
from pinnreg.errors import InputError
from pinnreg.estimates.intervals import required_uncertainty
from pinnreg.objective import InBlocks, Linearised, blocks, linearise
from pinnreg.objective.in_blocks import blocks_of, goes_in_blocks, in_blocks
from pinnreg.optimisers import gauss_newton
from pinnreg.run import Solution
from pinnreg.run.prepare import prepare
from pinnreg.training import Hooks


def solved(kind: str, chunk: int | None, **changes: Any) -> Solution:
    return pinnreg.solve(HEAT, {**KINDS[kind], "points.chunk": chunk, **changes}, out=False, progress=False)


def vector(solution: Solution) -> Tensor:
    assert solution.trained is not None
    return torch.cat([each.detach().reshape(-1) for each in solution.trained[1].values()])


@pytest.mark.first(4)
@pytest.mark.parametrize("chunk", [7, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_have_each_row_once(kind: str, chunk: int) -> None:
    of = objective(kind, chunk)
    whole = linearise(of.objective, of.batch, of.parameters)
    at = in_blocks(of.objective, of.batch, of.parameters)
    assert at.jacobian.shape == whole.jacobian.shape
    assert at.rows == whole.rows
    assert torch.allclose(at.residuals, whole.residuals, rtol=1e-12, atol=1e-14)
    for name, value in whole.losses.items():
        assert float(at.losses[name]) == pytest.approx(float(value), rel=1e-12)
    seen, most = torch.zeros(len(whole.residuals)), 3 * chunk if kind == "noise" else chunk
    for block in at.jacobian:
        seen[block.rows] += 1
        assert torch.allclose(block.jacobian, whole.jacobian[block.rows], rtol=1e-11, atol=1e-13)
        for name, own in block.terms.items():
            here = block.rows[own]
            assert whole.rows[name].start <= int(here.min()) <= int(here.max()) < whole.rows[name].stop
            assert len(here) <= most or name in of.objective.sizes or "ktv" in name
    assert (seen == 1).all()
    step = torch.linspace(-1, 1, at.jacobian.shape[1], dtype=torch.float64)
    assert torch.allclose(at.jacobian @ step, whole.jacobian @ step, rtol=1e-10, atol=1e-12)
    right = torch.linspace(-1, 2, at.jacobian.shape[0], dtype=torch.float64)
    assert torch.allclose(at.jacobian.transposed(right), whole.jacobian.T @ right, rtol=1e-9, atol=1e-10)
    misfit = whole.jacobian.T @ (right + whole.jacobian @ step)
    assert torch.allclose(at.jacobian.misfit(right, step), misfit, rtol=1e-9, atol=1e-10)
    both, r = torch.cat([whole.jacobian, right[:, None]], dim=1), at.jacobian.triangle(right)
    assert torch.allclose(r.T @ r, both.T @ both, rtol=1e-9, atol=1e-10)


def test_a_whole_jacobian_is_one_block() -> None:
    of = objective("ktv", None)
    at = linearise(of.objective, of.batch, of.parameters)
    (block,) = blocks_of(at)
    assert torch.equal(block.rows, torch.arange(len(at.residuals)))
    assert block.jacobian is at.jacobian


def test_it_is_taken_in_blocks_where_that_was_asked_for_and_saves_memory() -> None:
    whole, parts = objective("exact", None), objective("exact", 20)
    assert not goes_in_blocks(whole.objective, whole.batch, whole.parameters)
    assert isinstance(whole.fixed.linearise(whole.parameters), Linearised)
    assert isinstance(parts.fixed.linearise(parts.parameters), InBlocks)
    # no larger than the triangle of it that would be kept
    changes = {"points.interior": 8, "points.chunk": 5, "conditions": "exact"}
    few = placed(prepare(resolve(HEAT, changes), with_reference=False).objective)
    assert isinstance(few.fixed.linearise(few.parameters), Linearised)


def test_passes_count_as_sweeps() -> None:
    of = objective("exact", 20)
    before, evaluator = of.evaluator.sweeps, of.evaluator
    at = of.fixed.linearise(of.parameters)
    points = evaluator.sweeps - before
    assert points == len(at.residuals)  # its own values
    assert isinstance(at, InBlocks)
    assert sum(len(block.rows) for block in at.jacobian) == points
    assert evaluator.sweeps == before + 2 * points


@pytest.mark.first(3)
@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_the_same_way(kind: str) -> None:
    whole, parts = solved(kind, None), solved(kind, 25)
    assert torch.allclose(vector(parts), vector(whole), rtol=1e-9, atol=1e-10)
    assert parts.history["loss"][-1] == pytest.approx(whole.history["loss"][-1], rel=1e-8)
    assert parts.history["loss"][-1] < parts.history["loss"][0]


def test_a_subspace_is_taken_in_blocks() -> None:
    whole, parts = (solved("exact", chunk, **{"train.0.sketch": 12}) for chunk in (None, 7))
    assert torch.allclose(vector(parts), vector(whole), rtol=1e-9, atol=1e-10)


def test_other_optimisers_take_no_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks.Blocks, "__iter__", lambda self: pytest.fail("a block was asked for"))
    for optimiser in ("adam", "lbfgs", "ssbroyden"):
        pinnreg.solve(
            HEAT,
            {"points.chunk": 7, "train": [{"optimiser": optimiser, "steps": 2}]},
            out=False,
            progress=False,
        )


def test_a_resumed_run_repeats_the_bits(tmp_path: Path) -> None:
    changes = {**KINDS["resampled"], "points.chunk": 25, "train.0.steps": 4, "regularisers": [KTV]}
    whole = pinnreg.solve(HEAT, changes, out=False, progress=False)
    calls = iter(range(100))
    stop = Hooks(interrupted=lambda: 15 if next(calls) == 2 else None)
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(HEAT, changes, out=tmp_path / "run", hooks=stop, figures=False)
    resumed = pinnreg.solve(out=tmp_path / "run", resume=True, figures=False, progress=False)
    assert torch.equal(vector(resumed), vector(whole))
    assert (resumed.history["sweeps"] == whole.history["sweeps"]).all()


def test_intervals_are_the_same() -> None:
    found = []
    for chunk in (None, 7):
        of = objective("coefficient", chunk)
        at = required_uncertainty(of.objective, of.batch, of.parameters)
        found.append((at.noise["measurements"], at.root @ at.root.T))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-9)
    assert torch.allclose(found[1][1], found[0][1], rtol=1e-5, atol=1e-8 * float(found[0][1].abs().max()))


def test_terms_whose_slopes_are_not_finite_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    of = objective("soft", 7)
    at = in_blocks(of.objective, of.batch, of.parameters)
    fill = blocks.linearised

    def broken(what: Any, *given: Any, **more: Any) -> Linearised:
        found = fill(what, *given, **more)
        if "initial" in found.rows:
            found.jacobian[-1, 2] = torch.inf
        return found

    monkeypatch.setattr(blocks, "linearised", broken)
    named = gauss_newton._with_bad_slopes(at)
    assert {name for name, value in named.items() if not value.isfinite()} == {"initial"}


def test_single_factors_are_refused() -> None:
    with pytest.raises(InputError, match=r"train\.0\.mixed_precision has no effect with points\.chunk"):
        solved("exact", 7, **{"train.0.mixed_precision": True})


PEAK = """
import resource, sys, pinnreg
import pinnreg.optimisers.gauss_newton, scipy.linalg
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pinnreg.solve({
    "problem": {"name": "poisson", "dimension": 2},
    "network": {"hidden": [15, 15]},
    "points": {"interior": 200_000, "chunk": 2000, "resample_every": None},
    "train": [{"optimiser": "gauss_newton", "steps": 1, "corrections": 0, "acceleration": False}],
    "evaluate": {"grid": 10, "estimate": "none"},
}, out=False, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_memory_is_that_of_a_block() -> None:
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    # kB: without chunk it was 1.76 GB, with copies of a Jacobian of 482 MB, and with it 0.23 to 0.44
    assert int(done.stdout) < 600_000
