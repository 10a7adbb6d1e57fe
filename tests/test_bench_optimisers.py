"""`pinnreg bench optimisers`: what counts as time, how results are summed up, what is printed, written and refused."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from pinnreg import benchmarks
from pinnreg.benchmarks import OptimiserRow, OptimiserRun, OptimiserSetting, ScipyRow, bench_optimisers
from pinnreg.benchmarks.recipes import RECIPES, resolved
from pinnreg.benchmarks.trace import DECADES, Trace, first_below
from pinnreg.cli import main
from pinnreg.errors import Diverged, InputError

Bench = Callable[..., tuple[int, str, str]]

SHORT: dict[str, list[dict[str, Any]]] = {
    "gauss_newton": [{"optimiser": "gauss_newton", "steps": 2}],
    "lbfgs": [{"optimiser": "adam", "steps": 3}, {"optimiser": "lbfgs", "steps": 20}],
    "adam": [{"optimiser": "adam", "steps": 30, "learning_rate": 1e-2}],
}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps."""
    for name, stages in SHORT.items():
        monkeypatch.setitem(RECIPES, name, stages)


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Bench:
    """Runs the command: its exit code, and what it wrote."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        threads = torch.get_num_threads()
        with pytest.raises(SystemExit) as caught:
            main(["bench", "optimisers", *map(str, arguments)])
        torch.set_num_threads(threads)
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capfd.readouterr()

    return run


def made(seed: int, curve: Mapping[float, float]) -> OptimiserRun:
    return OptimiserRun(seed, tuple(curve), tuple(curve.values()), 10 * (seed + 1), 5, "stopped", 9.0 + seed, ({},))


def test_the_first_crossing_counts() -> None:
    seconds, errors = [0.1, 1.0, 2.0, 4.0, 8.0], [1.0, 9e-3, 5e-2, 1e-6, 2e-8]
    found = [first_below(seconds, errors, decade) for decade in DECADES]
    assert found == [1.0, 4.0, 4.0, 4.0, 4.0, 8.0, *[math.inf] * 7]
    assert first_below([1.0], [math.nan], 2) == math.inf
    assert first_below([1.0], [1e-12], 12) == 1.0


def test_a_row_has_the_median_seed_which_may_never_arrive() -> None:
    runs = (made(0, {1.0: 1e-3}), made(1, {1.0: 0.5, 5.0: 1e-5}), made(2, {1.0: 0.5, 7.0: math.nan}))
    row = OptimiserRow("heat", "adam", runs)
    assert row.median(lambda run: run.seconds_to(2)) == 5.0
    assert row.median(lambda run: run.seconds_to(4)) == math.inf
    assert row.median(lambda run: run.error) == 1e-3
    assert runs[2].error == math.inf


def test_a_trace_measures_often_and_keeps_its_own_time_apart() -> None:
    errors = iter([1.0, 0.5])

    def slow(_: object) -> float:
        time.sleep(0.05)
        return next(errors)

    trace = Trace(slow, setup=0.5)
    assert trace.observe(0, 0.0, {}) == pytest.approx(0.01)
    assert trace.observe(7, 1.5, {}) == pytest.approx(1.5 + 0.04)
    assert (trace.seconds, trace.errors, trace.step) == ([0.5, 2.0], [1.0, 0.5], 7)
    assert trace.spent >= 0.1


@pytest.mark.slow
@pytest.mark.serial
def test_measuring_takes_no_time_from_a_run(monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    monkeypatch.setattr("pinnreg.benchmarks.clocked._error", lambda *_: lambda _: time.sleep(0.05) or 0.5)
    setting = OptimiserSetting(("poisson1d",), ("adam",), seeds=1, max_seconds=1.0)
    row, _ = bench_optimisers(setting).rows
    assert isinstance(row, OptimiserRow)
    (run,) = row.runs
    assert len(run.errors) > 20  # more than a second, which would have ended the run and shown in its times
    assert (run.steps, run.stop_reason) == (30, "adam: all 30 steps done")
    assert run.seconds[-1] < 0.6
    assert run.total_seconds < 1.2


@pytest.mark.serial
def test_the_steps_of_a_falling_learning_rate_fit_into_the_time(monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    falling = [{"optimiser": "adam", "steps": 100_000, "schedule": "exponential"}]
    monkeypatch.setitem(RECIPES, "adam", falling)
    row, _ = bench_optimisers(OptimiserSetting(("poisson1d",), ("adam",), seeds=1, max_seconds=0.3)).rows
    assert isinstance(row, OptimiserRow)
    assert 1 <= row.runs[0].train[0]["steps"] < 5000


def test_a_run_that_diverges_is_a_row_like_others(monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    calls: list[dict[str, Any]] = []

    def solve(config: dict[str, Any], **options: Any) -> None:
        calls.append(config)
        if "hooks" in options:
            options["hooks"].observe(0, 0.0, {})
            options["hooks"].observe(8, 1.0, {})
            raise Diverged("training diverged by step 9: 'residual' became NaN or Inf; try something else")

    for module in ("optimisers", "clocked"):  # which warms up, and which makes the runs
        monkeypatch.setattr(f"pinnreg.benchmarks.{module}.solve", solve)
    monkeypatch.setattr("pinnreg.benchmarks.clocked._error", lambda *_: lambda _: math.nan)
    row, scipy = bench_optimisers(OptimiserSetting(("heat",), ("lbfgs",), seeds=1)).rows
    assert isinstance(row, OptimiserRow)
    assert row.runs[0].steps == 8
    assert row.runs[0].stop_reason == "training diverged by step 9: 'residual' became NaN or Inf"
    assert row.runs[0].error == math.inf
    assert isinstance(scipy, ScipyRow)


def test_stages_share_the_seconds_and_nothing_else_differs_between_optimisers() -> None:
    runs = {name: resolved("burgers_nu001", name, 4, 50.0).config for name in RECIPES}
    for name, config in runs.items():
        assert config.train[-1].optimiser == name
        assert config.seed == 4
        assert config.problem["nu"] == 0.01
        seconds = [stage.max_seconds for stage in config.train]
        assert all(part is not None and part > 0 for part in seconds)
        assert math.fsum(part or 0 for part in seconds) == pytest.approx(50.0)
        assert config.network == runs["adam"].network
        assert config.points == runs["adam"].points


@pytest.mark.parametrize("name", [*benchmarks.PROBLEMS, "heat_joint", "poisson"])
def test_every_problem_goes_with_every_optimiser(name: str) -> None:
    assert len({resolved(name, optimiser, 0, 1.0).stem for optimiser in RECIPES}) == 1


def test_the_problems_own_gauss_newton_stages_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"problem": {"name": "heat"}, "train": [{"optimiser": "gauss_newton", "steps": 17}]}
    monkeypatch.setattr("pinnreg.benchmarks.recipes._given", lambda _: own)
    (stage,) = resolved("heat", "gauss_newton", 0, 5.0).config.train
    assert (stage.steps, stage.max_seconds) == (17, 5.0)
    assert resolved("heat", "adam", 0, 5.0).config.train[0].optimiser == "adam"


def test_the_command_prints_a_table_and_writes_json_and_a_figure(bench: Bench, short: None, tmp_path: Path) -> None:
    file, figure = tmp_path / "new" / "bench.json", tmp_path / "new" / "bench.png"
    arguments = ["--problem", "poisson1d", "--optimiser", "lbfgs", "--optimiser", "adam", "--seeds", "2"]
    arguments += ["--max-seconds", "1", "--threads", "1", "--json", str(file), "--figure", str(figure)]
    code, out, err = bench(*arguments)
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 120
    assert [line.split()[:2] for line in lines[2:5]] == [[
        "poisson1d", "lbfgs"], ["poisson1d", "adam"], ["poisson1d", "scipy"]]  # fmt: skip
    assert lines[-1].startswith("seeds 2, max_seconds 1, device ")
    assert "threads 1" in lines[-1]
    # the optimisers take turns
    assert re.findall(r"poisson1d (\w+) seed (\d)", err) == [
        ("lbfgs", "0"),
        ("adam", "0"),
        ("lbfgs", "1"),
        ("adam", "1"),
    ]
    assert figure.read_bytes().startswith(b"\x89PNG")
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["command"] == f"pinnreg bench optimisers {' '.join(arguments)}"
    assert {"version", "date"} <= set(written)
    assert written["machine"]["threads"] == 1
    assert written["setting"]["configs"]["poisson1d"]["network"]["kind"] == "mlp"
    assert [row["optimiser"] for row in written["rows"]] == ["lbfgs", "adam"]
    for row in written["rows"]:
        assert list(row["median"]["seconds_to"]) == [f"1e-{n}" for n in range(2, 15)]
        assert row["median"]["seconds_to"]["1e-14"] is None
        assert [run["seed"] for run in row["runs"]] == [0, 1]
        for run in row["runs"]:
            trace = run["trace"]
            assert len(trace["seconds"]) == len(trace["error"]) > 2
            assert trace["seconds"] == sorted(trace["seconds"])
            assert trace["error"][-1] == run["error"] < trace["error"][0]
            assert run["total_seconds"] > trace["seconds"][-1]
            assert run["steps"] == sum(stage["steps"] for stage in run["train"])
            assert run["parameters"] > 10
            assert "steps done" in run["stop_reason"]
    (scipy,) = written["scipy"]
    assert (scipy["method"], scipy["reference"]) == ("Chebyshev collocation", "closed form")
    assert 0 < scipy["seconds"] < 1
    assert scipy["error"] < 1e-12


@pytest.mark.slow
def test_rows_that_are_done_are_kept_when_the_command_is_interrupted(
    bench: Bench, short: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(problem: str, *_: Any) -> None:
        if problem == "heat":
            raise KeyboardInterrupt

    monkeypatch.setattr("pinnreg.cli.optimisers._print_run", interrupt)
    file = tmp_path / "bench.json"
    arguments = ["--problem", "poisson1d", "--problem", "heat", "--optimiser", "adam", "--seeds", "1"]
    code, out, _ = bench(*arguments, "--json", file)
    assert code == 130
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["poisson1d", "poisson1d"]
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [row["problem"] for row in written["rows"] + written["scipy"]] == ["poisson1d", "poisson1d"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--problem", "burgrs"], ["unknown problem 'burgrs'", "did you mean 'burgers'", "burgers_joint"]),
        (["--optimiser", "ssbroydn"], ["unknown optimiser 'ssbroydn'", "did you mean 'ssbroyden'"]),
        (["--seeds", "0"], ["--seeds"]),
        (["--max-seconds", "0"], ["--max-seconds", "positive"]),
        (["--max-seconds", "nan"], ["--max-seconds", "positive"]),
        (["--figure", "bench.jpg"], ["bench.jpg", "png, pdf, svg"]),
        (["--figure", "/dev/null/x.png"], ["--figure", "cannot be written"]),
        (["--json", "/dev/null/x.json"], ["--json", "cannot be written"]),
    ],
)
def test_bad_options_are_refused_before_anything_is_measured(
    bench: Bench, arguments: list[str], parts: list[str]
) -> None:
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for part in parts:
        assert part in err


def test_a_problem_without_reference_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinnreg.run.prepare._reference", lambda _: None)
    with pytest.raises(InputError, match="'heat' has no reference"):
        bench_optimisers(OptimiserSetting(("heat",), ("adam",)))
