"""`pinnreg bench accuracy`: what a run is, how runs are summed up, what is printed, written, kept and refused."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from started import processes_of, until

import pinnreg
from pinnreg import Interrupted, processes
from pinnreg.benchmarks import (
    CASES,
    AccuracyBenchmark,
    AccuracyRow,
    AccuracyRun,
    Case,
    Limit,
    accuracy,
    bench_accuracy,
    runs,
)
from pinnreg.benchmarks.cases import cases_named
from pinnreg.cli import main
from pinnreg.config import resolve
from pinnreg.errors import Diverged, InputError

Bench = Callable[..., tuple[int, str, str]]

SMALL = {"network.hidden": [4], "points.interior": 10, "evaluate.grid": 20, "train.0.steps": 3}

PROBLEM = '''
import time
from dataclasses import dataclass

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Rod(Problem):
    """uₓₓ = -2, u = 0 at both ends; the reference takes so many seconds."""

    seconds: float = SECONDS
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = {"network": {"hidden": [4]}, "train": [{"optimiser": "gauss_newton", "steps": 3}]}

    def residual(self, u):
        return u.xx + 2

    def reference(self):
        if multiprocessing.parent_process() is not None:
            time.sleep(self.seconds)
        return lambda x: x * (1 - x)
'''.replace("import time\n", "import multiprocessing\nimport time\n")


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Bench:
    """Runs the command: its exit code, and what it wrote."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        threads = torch.get_num_threads()
        with pytest.raises(SystemExit) as caught:
            main(["bench", "accuracy", *map(str, arguments)])
        torch.set_num_threads(threads)
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capfd.readouterr()

    return run


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, int]]:
    """Runs are made in this process, in the order that the test says; the tasks and the jobs that were asked for."""
    asked: list[tuple[Any, int]] = []

    def side_by_side(_: object, tasks: Sequence[Any], jobs: int, *__: object) -> Iterator[tuple[int, Any]]:
        asked.extend((task, jobs) for task in tasks)
        # those of later problems first, as a problem may take long
        for number in reversed(range(len(tasks))):
            yield number, accuracy._work(tasks[number])

    monkeypatch.setattr(processes, "side_by_side", side_by_side)
    return asked


def write_problem(folder: Path, name: str, seconds: float) -> None:
    (folder / "problems").mkdir(exist_ok=True)
    (folder / "problems" / f"{name}.py").write_text(PROBLEM.replace("SECONDS", str(seconds)), encoding="utf-8")


# the table


def test_every_case_is_a_problem_with_a_reference_and_no_clock() -> None:
    assert len({case.label for case in CASES}) == len(CASES) >= 21
    for case in CASES:
        resolved = resolve(case.config, case.changes)
        assert pinnreg.problem(**resolved.config.problem).reference() is not None
        assert all(stage.max_seconds is None for stage in resolved.config.train)
        if case.limit is None:
            assert case.changes  # beside another case, to show what that would be without
            continue
        assert 0 < case.limit.median <= case.limit.worst < 1
        assert 0 < case.limit.seconds <= 120


def test_changes_make_other_problems() -> None:
    resolved = {case.label: resolve(case.config, case.changes).config for case in CASES}
    assert resolved["burgers"].network.symmetry
    assert resolved["burgers_without_symmetry"].network.symmetry is False
    assert resolved["burgers_without_symmetry"].problem == resolved["burgers"].problem
    assert resolved["van_der_pol"].problem["mu"] == 5
    assert (resolved["advection"].problem["beta"], resolved["advection_beta50"].problem["beta"]) == (30, 50)
    assert resolved["poisson1d"].problem["dimension"] == 1


def test_a_name_is_a_label_or_a_config_or_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_problem(tmp_path, "rod", 0)
    found = cases_named(["advection_beta50", "heat_joint", "rod", "heat"])
    assert found[1:3] == (Case("heat_joint", "heat_joint"), Case("rod", "rod"))
    heat, advection = (case for case in CASES if case.label in ("advection_beta50", "heat"))
    assert (heat.seeds, advection.seeds) == (None, 3)
    assert (found[0], found[3]) == (dataclasses.replace(advection, seeds=None), heat)  # named: all seeds are run


# runs


def test_a_run_is_what_a_user_gets(here: list[tuple[Any, int]]) -> None:
    case = Case("tiny", "poisson1d", SMALL)
    seen: list[tuple[str, int]] = []
    found = bench_accuracy([case], 2, 1, on_run=lambda label, run: seen.append((label, run.seed)))
    (row,) = found.rows
    assert seen == [("tiny", 1), ("tiny", 0)]  # as they end
    assert [run.seed for run in row.runs] == [0, 1]
    for run in row.runs:
        report = pinnreg.solve("poisson1d", {"seed": run.seed, **SMALL}, out=False, figures=False).report
        assert report is not None
        assert run.error == report.errors["u"].rel_l2
        assert 0 < run.seconds < 60
        told = (run.steps, run.stop_reason, run.converged, run.relative_residual)
        assert told == tuple(report.facts[key] for key in ("steps", "stop_reason", "converged", "relative_residual"))
        assert row.parameters == report.facts["parameters"]
        assert report.reference is not None
        assert (row.reference, row.reference_error) == (report.reference.kind, report.reference.error_estimate)
    assert found.machine["threads"] == 1


def test_the_largest_output_counts_and_a_run_that_diverges_is_infinitely_wrong(
    here: list[tuple[Any, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = accuracy.solve
    warmed: list[Any] = []

    def often(config: str, changes: dict[str, Any], **options: Any) -> Any:
        assert options == {"out": False, "figures": False}
        if "seed" not in changes:
            warmed.append(changes)
            return None
        if changes["seed"] == 2:
            raise Diverged("training diverged by step 9: 'residual' became NaN or Inf; try something else")
        solution = solve(config, changes, **options)
        assert solution.report is not None
        assert solution.report.reference is not None
        small = dataclasses.replace(solution.report.errors["u"], rel_l2=(0.25, math.nan)[changes["seed"]])
        errors = {"u": small, "v": dataclasses.replace(small, rel_l2=0.5)}
        reference = dataclasses.replace(solution.report.reference, errors=errors)
        return solution.with_report(dataclasses.replace(solution.report, reference=reference))

    monkeypatch.setattr(accuracy, "solve", often)
    accuracy.warm_up.cache_clear()
    (row,) = bench_accuracy([Case("tiny", "poisson1d", SMALL)], 3).rows
    assert warmed == [{"train.0.steps": 2}]  # once
    assert [run.error for run in row.runs] == [0.5, math.inf, math.inf]
    assert (row.error, row.errors[0], row.steps) == (math.inf, 0.5, 3)
    last = row.runs[-1]
    assert (last.steps, last.converged, last.relative_residual) == (None, False, None)
    assert last.stop_reason == "training diverged by step 9: 'residual' became NaN or Inf"


def test_rows_are_medians_over_the_seeds_and_come_in_the_order_given(here: list[tuple[Any, int]]) -> None:
    seen: list[list[str]] = []

    def on_row(found: AccuracyBenchmark) -> None:
        seen.append([row.case.label for row in found.rows])

    cases = [Case("b", "poisson1d", SMALL), Case("a", "poisson1d", {**SMALL, "problem.frequency": 2})]
    found = bench_accuracy(cases, 2, 3, on_row)
    assert seen == [["b"], ["b", "a"]]
    assert [(task["changes"].get("problem.frequency"), task["seed"], jobs) for task, jobs in here] == [
        (None, 0, 3),
        (None, 1, 3),
        (2, 0, 3),
        (2, 1, 3),
    ]
    row = found.rows[1]
    runs = [
        dataclasses.replace(row.runs[0], error=error, seconds=10 * error, steps=round(error)) for error in (1, 5, 3)
    ]
    runs[2] = dataclasses.replace(runs[2], converged=None)
    row = dataclasses.replace(row, runs=(runs[0], dataclasses.replace(runs[1], converged=True), runs[2]))
    assert (row.error, row.errors, row.seconds, row.steps) == (3, [1, 3, 5], 30, 3)
    assert row.converged == 1 + (runs[0].converged is True)


def test_a_case_has_no_more_runs_than_its_seeds(here: list[tuple[Any, int]]) -> None:
    cases = [Case("few", "poisson1d", SMALL, seeds=1), Case("all", "poisson1d", {**SMALL, "problem.frequency": 2})]
    found = bench_accuracy(cases, 2)
    assert [[run.seed for run in row.runs] for row in found.rows] == [[0], [0, 1]]
    assert [(task["changes"].get("problem.frequency"), task["seed"]) for task, _ in here] == [(None, 0), (2, 0), (2, 1)]


def test_a_run_that_fails_otherwise_ends_it_and_says_which(
    here: list[tuple[Any, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: str, changes: dict[str, Any], **_: Any) -> None:
        raise InputError("not enough memory")

    monkeypatch.setattr(accuracy, "solve", fail)
    with pytest.raises(RuntimeError, match=r"^tiny, seed 1: InputError: not enough memory$"):
        bench_accuracy([Case("tiny", "poisson1d", SMALL)], 2)
    assert runs.lost("the process was killed by SIGKILL")["failure"] == "the process was killed by SIGKILL"


def test_a_problem_without_reference_is_refused_before_anything_runs(
    bench: Bench, here: list[tuple[Any, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinnreg.run.prepare._reference", lambda _: None)
    code, out, err = bench("--problem", "logistic")
    assert (code, out) == (2, "")
    assert err == "error: problem 'logistic' has no reference to measure the error against\n"
    with pytest.raises(InputError, match=r"^problem 'tiny' has no reference to measure the error against$"):
        bench_accuracy([Case("tiny", "poisson1d", SMALL)])
    assert here == []
    with pytest.raises(Interrupted):
        bench_accuracy([Case("tiny", "poisson1d", SMALL)], interrupted=lambda: 15)


# the command


def test_the_command_prints_a_table_and_writes_json(
    bench: Bench, here: list[tuple[Any, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = (Case("tiny", "poisson1d", SMALL, Limit(1e-9, 1e3)), Case("other", "poisson1d", SMALL))
    monkeypatch.setattr("pinnreg.benchmarks.cases.CASES", cases)
    file = tmp_path / "new" / "bench.json"
    arguments = ["--problem", "tiny", "--problem", "other", "--problem", "tiny", "--seeds", "2", "--json", str(file)]
    code, out, err = bench(*arguments)
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 120
    assert lines[1].split()[:4] == ["problem", "median", "smallest", "largest"]
    assert [line.split()[0] for line in lines[2:4]] == ["tiny", "other"]
    assert lines[-1].startswith("seeds 2, jobs 1, device ")
    assert "threads 1" in lines[-1]
    assert "other seed 1: error " in err
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["command"] == f"pinnreg bench accuracy {' '.join(arguments)}"
    assert {"version", "date", "machine"} <= set(written)
    assert written["setting"] == {"seeds": 2, "jobs": 1}
    for row, line in zip(written["rows"], lines[2:4], strict=True):
        assert (row["config"], row["changes"]) == ("poisson1d", SMALL)
        assert [run["seed"] for run in row["runs"]] == [0, 1]
        for run in row["runs"]:
            assert set(run) == {field.name for field in dataclasses.fields(AccuracyRun)}
        errors = sorted(run["error"] for run in row["runs"])
        assert row["median"]["error"] == pytest.approx(sum(errors) / 2)
        # the median is above its limit, the largest below, and what has none is never above
        mark = "!" if row["problem"] == "tiny" else ""
        assert line.split()[1:4] == [f"{row['median']['error']:.1e}{mark}", *(f"{error:.1e}" for error in errors)]
        assert line.split()[-5:] == ["3", str(row["converged"]), "of", "2", str(row["parameters"])]
    assert [row["limit"] for row in written["rows"]] == [{"median": 1e-9, "worst": 1e3, "seconds": 120.0}, None]


def test_rows_that_are_done_are_kept_when_the_next_one_fails(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = AccuracyRow(
        Case("tiny", "poisson1d"), (AccuracyRun(0, 1.0, 2.0, 3, "stopped", None, None),), "closed form", None, 5
    )

    def fail(*given: Any) -> None:
        given[3](AccuracyBenchmark((row,), 1, 1, {}, "2026-01-02"))
        raise RuntimeError("heat, seed 0: the process was killed by SIGKILL")

    monkeypatch.setattr("pinnreg.benchmarks.bench_accuracy", fail)
    file = tmp_path / "bench.json"
    code, out, err = bench("--problem", "heat", "--json", file, "--page", tmp_path / "pages")
    assert code == 1
    assert "killed by SIGKILL" in err
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["tiny"]
    assert [each["problem"] for each in json.loads(file.read_text(encoding="utf-8"))["rows"]] == ["tiny"]
    assert list((tmp_path / "pages").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--problem", "burgrs"], ["unknown problem 'burgrs'", "did you mean 'burgers'", "burgers_without_symmetry"]),
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


@pytest.mark.serial
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_problems_of_ones_own_and_an_interrupt_that_keeps_the_rows(tmp_path: Path) -> None:
    """End to end, in processes: two runs side by side of one problem, then one that does not end by itself."""
    write_problem(tmp_path, "rod", 0)
    write_problem(tmp_path, "endless", 600)
    command = [sys.executable, "-c", "from pinnreg.cli import main; main()", "bench", "accuracy", "--jobs", "2"]
    command += ["--problem", "rod", "--problem", "endless", "--seeds", "2", "--json", "bench.json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        sent = time.monotonic()
        assert process.wait(60) == 128 + signal.SIGINT
        assert time.monotonic() - sent < 5
        assert lines[2].startswith("rod ")
        assert process.stdout.read() == ""
        runs = process.stderr.read().splitlines()
    assert [line.partition(":")[0] for line in sorted(runs[:-1])] == ["rod seed 0", "rod seed 1"]
    assert runs[-1] == "interrupted by signal 2: 1 of 2 problems were done"
    (row,) = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["rows"]
    assert [run["seed"] for run in row["runs"]] == [0, 1]
    assert {run["steps"] for run in row["runs"]} == {3}
    until(lambda: not processes_of(process.pid))
