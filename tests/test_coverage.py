"""`pinnreg bench coverage`: what is counted, what a data set gives, what is printed, written and refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from quick import only

from pinnreg import InputError, Interrupted, processes
from pinnreg.benchmarks import (
    COVERED,
    FEWER,
    CoverageCase,
    DataSet,
    Found,
    bench_coverage,
    covered,
    data_set,
    rows_of,
)
from pinnreg.benchmarks.growing import Growing
from pinnreg.cli import main
from pinnreg.equations import reference_of
from pinnreg.estimates import NORMAL

Bench = Callable[..., tuple[int, str, str]]
REGRESSION = covered(["regression"])[0]


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Bench:
    """Runs the command: its exit code, and what it wrote."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        threads = torch.get_num_threads()
        with pytest.raises(SystemExit) as caught:
            main(["bench", "coverage", *map(str, arguments)])
        torch.set_num_threads(threads)
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capfd.readouterr()

    return run


def around(estimate: float, half: float, truth: float, *, again: bool) -> Found:
    ends = (estimate - half, estimate + half)
    return Found(estimate, truth, ends, ends if again else None)


def test_shares_widths_and_biases_are_those_of_known_estimates() -> None:
    draws = np.random.default_rng(0)
    estimates, field = 2.1 + 0.1 * draws.standard_normal(400), draws.standard_normal((400, 3))
    sets = [
        DataSet(
            number,
            {
                "k": (around(k, NORMAL * 0.1, 2.0, again=number % 4 == 0),),
                "u": tuple(around(u, 0.5 * NORMAL, 0.0, again=False) for u in row),
            },
            seconds=2.0,
        )
        for number, (k, row) in enumerate(zip(estimates.tolist(), field.tolist(), strict=True))
    ]
    k, u = rows_of(REGRESSION, [*sets, DataSet(400, {}, 2.0)])
    # estimates that are one standard deviation off: P(-1.96 < z + 1 < 1.96)
    assert k.linearised.share == pytest.approx(0.83, abs=0.05)
    assert k.linearised.standard_error == pytest.approx(math.sqrt(0.83 * 0.17 / 400), rel=0.1)
    assert (k.linearised.sets, k.bootstrap.sets, k.lost) == (400, 100, 1)
    assert k.linearised.width == pytest.approx(1.0, rel=0.1)
    assert k.bias == pytest.approx(1.0, rel=0.2)
    assert k.spread == pytest.approx(0.05, rel=0.1)
    # half as wide as it should be
    assert u.linearised.width == pytest.approx(0.5, rel=0.1)
    assert u.linearised.share == pytest.approx(0.67, abs=0.05)
    assert math.isnan(u.spread)  # relative to a truth of zero
    assert u.bootstrap.sets == 0
    assert math.isnan(u.bootstrap.share)
    assert rows_of(REGRESSION, [DataSet(0, {}, 1.0)]) == ()


@pytest.mark.parametrize("case", only(COVERED, *covered(["heat_inverse"])), ids=lambda case: str(case.label))
def test_a_data_set_of_every_case_has_intervals(case: CoverageCase) -> None:
    found = data_set(case, 0, 0).found
    assert list(found) == [*case.config.get("unknown", {}), "u"]
    assert len(found["u"]) == math.prod(map(len, case.at))
    for each in (each for several in found.values() for each in several):
        assert each.linearised[0] < each.estimate < each.linearised[1]
        assert abs(each.estimate - each.truth) < 6 * (each.linearised[1] - each.linearised[0])
        assert each.bootstrap is None


@pytest.mark.slow
def test_a_data_set_is_bootstrapped_and_is_a_function_of_its_seed() -> None:
    one, again, other = (data_set(REGRESSION, seed, 3) for seed in (0, 0, 1))
    assert one.found == again.found
    assert one.found["u"] != other.found["u"]
    for each in one.found["u"]:
        assert each.bootstrap is not None
        assert each.bootstrap[0] < each.estimate < each.bootstrap[1]


def test_growth_solves_its_equation() -> None:
    problem = Growing()
    reference = reference_of(problem)
    assert reference is not None
    h, x, t = 1e-3, np.array([0.2, 0.5, 0.7]), np.array([0.3, 0.5, 0.8])

    def u(dx: float = 0.0, dt: float = 0.0) -> np.ndarray:
        found: np.ndarray = reference.at({"x": x + dx, "t": t + dt})["u"]
        return found

    rate = (u(dt=h) - u(dt=-h)) / (2 * h)
    spreading = (u(dx=10 * h) - 2 * u() + u(dx=-10 * h)) / (100 * h**2)
    assert rate == pytest.approx(problem.D * spreading + problem.k * u() * (1 - u()), abs=1e-3)


@pytest.mark.slow
def test_the_command_prints_and_writes_what_it_found(bench: Bench, tmp_path: Path) -> None:
    pages, data = tmp_path / "pages", tmp_path / "coverage.json"
    arguments = ["--case", "regression", "--sets", 2, "--replicates", 2, "--page", pages, "--json", data]
    code, out, err = bench(*arguments)
    assert code == 0
    assert "regression" in err
    assert "linearised" in out
    assert f"2 data sets, 2 replicates of one in {FEWER}" in out
    (row,) = json.loads(data.read_text(encoding="utf-8"))["rows"]
    assert (row["case"], row["quantity"]) == ("regression", "u")
    assert (row["linearised"]["sets"], row["bootstrap"]["sets"]) == (2, 1)
    page = (pages / "bench_coverage.md").read_text(encoding="utf-8")
    assert "pinnreg bench coverage --case regression" in page
    assert "| regression | u | 2 |" in page
    assert "Gaussian" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sets", "1"], "--sets: expected at least 2 data sets, whose spread is looked at, got 1"),
        (["--replicates", "1"], "--replicates: expected 0 or at least 2, got 1"),
        (["--replicates", "-2"], "--replicates: expected 0 or at least 2, got -2"),
        (["--case", "regresion"], "regression"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_what_cannot_be_is_refused(bench: Bench, arguments: list[str], message: str) -> None:
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err


def test_a_signal_stops_it_and_a_training_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        bench_coverage([REGRESSION], 2, 0, interrupted=lambda: 15)
    answers = iter([(0, {"result": None, "failure": "ZeroDivisionError: none", "notes": []})])
    monkeypatch.setattr(processes, "side_by_side", lambda *_: (each for each in answers))
    with pytest.raises(RuntimeError, match="regression, seed 0: ZeroDivisionError"):
        bench_coverage([REGRESSION], 2, 0)


def test_a_case_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'growing'"):
        covered(["growin"])


@pytest.mark.slow
def test_intervals_of_a_diffusivity_contain_the_truth_as_often_as_they_say() -> None:
    (case,) = covered(["heat_inverse"])
    alpha, u = rows_of(case, [data_set(case, seed, 0) for seed in range(60)])
    for row in (alpha, u):
        assert row.linearised.share >= 0.83  # 5 times in 1000 of 60 with 0.95
        assert row.linearised.width == pytest.approx(1.0, rel=0.3)
        assert abs(row.bias) < 0.5
