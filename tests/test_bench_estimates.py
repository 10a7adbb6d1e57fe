"""`pinnreg bench estimates`: what a state is, what is counted, printed, written and refused; which runs end wrong."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import pinnreg
from pinnreg import InputError, Interrupted, processes
from pinnreg.benchmarks import (
    ESTIMATED,
    FAILURES,
    Case,
    EstimatesBenchmark,
    EstimatesRow,
    FailedRun,
    Failure,
    State,
    Stop,
    bench_estimates,
    chosen,
    estimates,
    runs,
    stopping,
    unfit,
)
from pinnreg.cli import main
from pinnreg.config import problem_folders, resolve
from pinnreg.equations import reference_of

pytestmark = pytest.mark.estimates

Bench = Callable[..., tuple[int, str, str]]

SMALL = {"network.hidden": [8], "points.interior": 40, "evaluate.grid": 30, "train.0.steps": 12}
TINY = Case("tiny", "poisson1d", SMALL)
CUT = Failure("cut", "one step", "poisson1d", {**SMALL, "train.0.steps": 1, "network.hidden": [3]})
FREE = Failure("free", "a constant is free", "Floating", {**SMALL, "evaluate.grid": 10})


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Bench:
    """Runs the command: its exit code, and what it wrote."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        threads = torch.get_num_threads()
        with pytest.raises(SystemExit) as caught:
            main(["bench", "estimates", *map(str, arguments)])
        torch.set_num_threads(threads)
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capfd.readouterr()

    return run


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Runs are made in this process, the last one first; labels, seeds and jobs that were asked for."""
    asked: list[tuple[str, int, int]] = []

    def side_by_side(_: object, tasks: Sequence[Any], jobs: int, *__: object) -> Iterator[tuple[int, Any]]:
        asked.extend((task["given"].label, task["seed"], jobs) for task in tasks)
        threads = torch.get_num_threads()
        for number in reversed(range(len(tasks))):
            yield number, estimates._work(tasks[number])
        torch.set_num_threads(threads)

    monkeypatch.setattr(processes, "side_by_side", side_by_side)
    return asked


def state(ratio: float, reliability: Any = "good", error: float = 1e-3) -> State:
    return State("u", error, None if reliability is None else ratio * error, reliability)


def stop(*states: State, seed: int = 0, trained: float = 10.0, spent: float = 1.0) -> Stop:
    return Stop(seed, 5, trained, spent, "", states)


def row(*stops: Stop, label: str = "tiny") -> EstimatesRow:
    return EstimatesRow(Case(label, "poisson1d"), 1, stops)


def failed(**values: Any) -> FailedRun:
    usual = FailedRun(CUT, 0.5, True, 1e-3, "good", "defect", (), "all 1 steps done")
    return dataclasses.replace(usual, **values)


def found(*rows: EstimatesRow, failed: tuple[FailedRun, ...] = ()) -> EstimatesBenchmark:
    return EstimatesBenchmark(rows, failed, 1, 1, {"device": "abacus"}, "2026-01-02")


# what is measured


def test_every_case_and_failure_can_be_run_and_compared_and_no_clock_ends_it() -> None:
    assert len({each.label for each in (*ESTIMATED, *FAILURES)}) == len(ESTIMATED) + len(FAILURES)
    assert len(ESTIMATED) >= 14
    assert len(FAILURES) >= 12
    for each in (*ESTIMATED, *FAILURES):
        name = each.config if isinstance(each, Case) else each.problem
        own = getattr(unfit, name, None)
        resolved = resolve(name if own is None else {"problem": own()}, each.changes, problem_folders(None))
        assert reference_of(resolved.problem) is not None
        assert all(each.max_seconds is None for each in resolved.config.train)


@pytest.mark.slow
def test_states_are_kept_where_the_error_has_fallen_by_another_factor_of_ten() -> None:
    resolved = resolve("poisson1d", {"seed": 0, **SMALL, "train.0.steps": 40})
    stops = stopping.stops_of(resolved)
    assert len(stops) > 3
    errors = [each.error for each in stops]
    assert 1e-3 < errors[0] <= 1e-2
    decades = [math.floor(-math.log10(each)) for each in errors]
    assert decades == sorted(set(decades))
    assert decades[-1] <= stopping.LAST or len(stops) < 9
    assert [each.step for each in stops] == sorted({each.step for each in stops})
    for each in stops:
        # as if training had been stopped there
        changes = {"seed": 0, **SMALL, "train.0.steps": each.step, "evaluate.estimate": "none"}
        report = pinnreg.solve("poisson1d", changes, out=False, figures=False).report
        assert report is not None
        assert each.error == pytest.approx(report.errors["u"].rel_l2, rel=1e-6)
        assert each.trained_seconds > 0
        assert each.estimate_seconds > 0
        (only,) = each.states
        if only.is_good:
            assert only.ratio == pytest.approx(1, abs=0.5)
    assert stops[0].states[0].is_good


def test_training_ends_once_the_last_error_is_reached_and_a_solution_has_no_states_beyond() -> None:
    assert stopping.LAST == 10
    resolved = resolve("poisson1d", {"seed": 0, **SMALL, "train.0.steps": 500, "network.hidden": [16]})
    stops = stopping.stops_of(resolved)
    assert stops[-1].step < 200


def test_an_error_that_the_reference_does_not_know_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = resolve("poisson1d", {"seed": 0, **SMALL})
    monkeypatch.setattr(stopping, "ABOVE", 1e20)
    stops = stopping.stops_of(resolved)
    assert stops
    assert all(each.states == () for each in stops)


# what is counted


def test_ratios_are_those_of_the_good_or_of_the_poor() -> None:
    both = row(stop(state(1.0), state(2.0), spent=1.0), stop(state(0.5), state(9.0, "poor"), state(0, None), spent=4.0))
    good, poor = both.ratios(trusted=True), both.ratios(trusted=False)
    assert (good.count, good.smallest, good.median, good.largest) == pytest.approx((3, 0.5, 1.0, 2.0))
    assert (poor.count, poor.smallest, poor.largest) == pytest.approx((1, 9.0, 9.0))
    assert both.share == 0.25
    nothing = row()
    assert nothing.ratios(trusted=True).count == 0
    assert math.isnan(nothing.ratios(trusted=True).median)
    assert math.isnan(nothing.share)


def test_totals_are_shares_of_all_states() -> None:
    rows = row(stop(state(1.0), state(0.34), state(2.9))), row(stop(state(0.05), state(9.0, "poor"), state(0, None)))
    totals = found(*rows).totals
    assert (totals.states, totals.good, totals.none) == (6, 4, 1)
    assert (totals.right, totals.far, totals.right_of_poor) == (0.75, 0.25, 0.0)
    assert totals.called_good == pytest.approx(2 / 3)
    assert math.isnan(found().totals.right)
    assert math.isnan(found().totals.called_good)


def test_a_run_warns_by_any_of_four() -> None:
    assert failed().warned == ()
    assert failed(converged=None).warned == ()
    assert failed(converged=False).warned == ("not converged",)
    assert failed(reliability="poor").warned == ("estimate poor",)
    assert failed(estimate=0.06).warned == ("estimate large",)
    assert failed(notes=("a level is not known",)).warned == ("a note",)
    assert failed(estimate=None, reliability=None, kind=None).warned == ()
    assert [failed(error=each).is_wrong for each in (0.04, 0.06, math.inf, math.nan)] == [False, True, True, True]


# runs


@pytest.mark.slow
def test_rows_and_failed_runs_come_in_the_order_given(here: list[tuple[str, int, int]]) -> None:
    seen: list[tuple[str, ...]] = []

    def on_done(so_far: EstimatesBenchmark) -> None:
        seen.append((*(each.case.label for each in so_far.rows), *(each.failure.label for each in so_far.failed)))

    runs: list[tuple[str, int]] = []
    both = bench_estimates(
        [TINY, dataclasses.replace(TINY, label="other")], [CUT, FREE], 2, 3, on_done, on_done,
        lambda label, seed, _: runs.append((label, seed)),
    )  # fmt: skip
    assert here == [("tiny", 0, 3), ("tiny", 1, 3), ("other", 0, 3), ("other", 1, 3), ("cut", 0, 3), ("free", 0, 3)]
    assert runs == [(label, seed) for label, seed, _ in reversed(here)]
    assert seen == [("tiny",), ("tiny", "other"), ("tiny", "other", "cut"), ("tiny", "other", "cut", "free")]
    assert [each.seed for each in both.rows[0].stops] == sorted(each.seed for each in both.rows[0].stops)
    assert {each.seed for each in both.rows[0].stops} == {0, 1}


def test_a_failed_run_is_what_a_user_gets_and_says(here: list[tuple[str, int, int]]) -> None:
    one, other = bench_estimates([], [CUT, FREE]).failed
    report = pinnreg.solve("poisson1d", {"seed": 0, **CUT.changes}, out=False, figures=False).report
    assert report is not None
    assert one.error == report.errors["u"].rel_l2
    assert one.is_wrong
    assert (one.converged, one.stop_reason) == (report.facts["converged"], report.facts["stop_reason"])
    estimate = report.estimates["u"]
    assert (one.estimate, one.reliability, one.kind) == (estimate.rel_l2, estimate.reliability, estimate.kind)
    assert one.warned
    assert other.is_wrong


def test_notes_are_those_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = estimates.solve

    def noting(*given: Any, **options: Any) -> pinnreg.Solution:
        solution = solve(*given, **options)
        assert solution.report is not None
        facts = {**solution.report.facts, "notes": ["a constant is free"]}
        return solution.with_report(dataclasses.replace(solution.report, facts=facts))

    monkeypatch.setattr(estimates, "solve", noting)
    assert estimates._failed(FREE).notes == ("a constant is free",)


def test_a_failed_run_that_diverges_is_infinitely_wrong_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise pinnreg.Diverged("training diverged by step 9: 'residual' became NaN or Inf; try something else")

    monkeypatch.setattr(estimates, "solve", diverge)
    run = estimates._failed(CUT)
    assert (run.error, run.converged, run.estimate) == (math.inf, False, None)
    assert run.warned == ("not converged",)
    assert run.stop_reason == "training diverged by step 9: 'residual' became NaN or Inf"


def test_a_run_that_fails_otherwise_ends_it_and_says_which(
    here: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InputError("not enough memory")

    monkeypatch.setattr(estimates, "stops_of", fail)
    with pytest.raises(RuntimeError, match=r"^tiny, seed 1: InputError: not enough memory$"):
        bench_estimates([TINY], [], 2)
    assert runs.lost("the process was killed by SIGKILL")["failure"] == "the process was killed by SIGKILL"


def test_a_problem_without_reference_is_refused_before_anything_runs(
    here: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        bench_estimates([TINY], [], interrupted=lambda: 15)
    monkeypatch.setattr("pinnreg.run.prepare._reference", lambda _: None)
    with pytest.raises(InputError, match=r"^problem 'tiny' has no reference to compare the estimates with$"):
        bench_estimates([TINY], [])
    assert here == []


# the command


def test_names_are_of_cases_failures_configs_and_problems() -> None:
    cases, failures = chosen(["burgers", "no_norm", "heat_joint", "heat"])
    assert [each.label for each in cases] == ["burgers", "heat_joint", "heat"]
    assert cases[0] in ESTIMATED
    assert cases[1] == Case("heat_joint", "heat_joint")
    assert [each.label for each in failures] == ["no_norm"]


def test_the_command_prints_tables_and_writes_json_and_a_page(
    bench: Bench, here: list[tuple[str, int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinnreg.benchmarks.failures.ESTIMATED", (TINY,))
    monkeypatch.setattr("pinnreg.benchmarks.failures.FAILURES", (CUT, FREE))
    file, pages = tmp_path / "new" / "bench.json", tmp_path / "pages"
    names = [word for name in ("tiny", "cut", "free", "tiny") for word in ("--problem", name)]
    code, out, err = bench(*names, "--seeds", "2", "--json", file, "--page", pages)
    assert code == 0, err
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 120
    assert lines[1].split()[:4] == ["problem", "states", "count", "smallest"]
    assert [line.split()[0] for line in lines if line.startswith(("tiny", "cut", "free"))] == ["tiny", "cut", "free"]
    assert "tiny seed 1: " in err
    assert "2 of 2 runs that ended wrong, by more than 5 %, warned." in out or "nothing was said by" in out
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["setting"] == {"seeds": 2, "jobs": 1}
    assert {"command", "version", "date", "machine", "totals"} <= set(written)
    (only,) = written["rows"]
    assert (only["config"], only["changes"]) == ("poisson1d", SMALL)
    count = sum(len(each["states"]) for each in only["stops"])
    assert written["totals"]["states"] == count > 3
    assert [each["failure"]["label"] for each in written["failed"]] == ["cut", "free"]
    assert {"wrong", "warned", "error", "notes"} <= set(written["failed"][0])
    page = (pages / "bench_estimates.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| tiny \| {count} \|", page, re.MULTILINE)
    assert re.search(r"^\| cut \|", page, re.MULTILINE)
    assert f"of {count} states" in page
    assert "](bench_estimates.png)" in page
    assert "- free: a constant is free" in page
    assert (pages / "bench_estimates.png").stat().st_size > 5000


def test_where_estimates_fail_is_said(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = found(row(stop(state(0.05), state(1.0))), failed=(failed(), failed(error=0.01), failed(converged=False)))

    def give(*given: Any) -> EstimatesBenchmark:
        given[4](dataclasses.replace(bad, failed=()))
        for number in range(3):
            given[5](dataclasses.replace(bad, failed=bad.failed[: number + 1]))
        return bad

    monkeypatch.setattr("pinnreg.benchmarks.bench_estimates", give)
    code, out, err = bench("--page", tmp_path)
    assert code == 0, err
    assert "Of the good ones 50.0% were within a factor of 3 of the true error, and 50.0% below a tenth of it." in out
    assert "1 of 2 runs that ended wrong, by more than 5 %, warned; nothing was said by cut." in out
    assert "(not wrong)" in out
    page = (tmp_path / "bench_estimates.md").read_text(encoding="utf-8")
    assert "- tiny, seed 0, step 5, u: 5.0e-05 for an error of 1.0e-03" in page
    assert "NOTHING" in page


def test_nothing_that_could_be_compared_is_said(
    bench: Bench, here: list[tuple[str, int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pinnreg.benchmarks.failures.ESTIMATED", (dataclasses.replace(TINY, changes={**SMALL, "train.0.steps": 1}),)
    )
    code, out, err = bench("--problem", "tiny", "--seeds", "1", "--page", tmp_path)
    assert code == 0, err
    assert "No training came to an error of 1e-2: nothing was compared." in out
    assert [each.name for each in tmp_path.iterdir()] == ["bench_estimates.md"]


def test_rows_that_are_done_are_kept_when_the_next_one_fails(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        given[4](found(row(stop(state(1.0)))))
        raise RuntimeError("heat, seed 0: the process was killed by SIGKILL")

    monkeypatch.setattr("pinnreg.benchmarks.bench_estimates", fail)
    file = tmp_path / "bench.json"
    code, out, err = bench("--json", file, "--page", tmp_path / "pages")
    assert code == 1
    assert "killed by SIGKILL" in err
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["tiny"]
    assert [each["problem"] for each in json.loads(file.read_text(encoding="utf-8"))["rows"]] == ["tiny"]
    assert list((tmp_path / "pages").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--problem", "burgrs"], ["unknown problem 'burgrs'", "did you mean 'burgers'", "burgers_few_points"]),
        (["--seeds", "0"], ["--seeds"]),
        (["--jobs", "0"], ["--jobs"]),
        (["--json", "/dev/null/x.json"], ["--json", "cannot be written"]),
    ],
)
def test_bad_options_are_refused_before_anything_is_run(bench: Bench, arguments: list[str], parts: list[str]) -> None:
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for part in parts:
        assert part in err
