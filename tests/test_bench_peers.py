"""`pinnreg bench peers`: what is compared, its arithmetic, a peer's run against the clock, what is said and refused."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pinnreg import registry
from pinnreg.benchmarks import (
    DEEPXDE,
    OWN,
    PEER_CASES,
    PEER_RECIPES,
    PeerRow,
    PeerRun,
    PeerSetting,
    ScipyRow,
    bench_peers,
    peer_runs,
    peers,
)
from pinnreg.benchmarks.classical import scipy_row
from pinnreg.benchmarks.measure import without_output
from pinnreg.benchmarks.peer_recipes import Plan
from pinnreg.benchmarks.peer_runs import Made, Watch, import_seconds, run, train
from pinnreg.benchmarks.peer_verdicts import verdict_of
from pinnreg.benchmarks.recipes import resolved
from pinnreg.cli import main
from pinnreg.errors import InputError
from pinnreg.run.prepare import prepare

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Bench:
    """Runs the command: its exit code, and what it wrote."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        threads = torch.get_num_threads()
        with pytest.raises(SystemExit) as caught:
            main(["bench", "peers", *map(str, arguments)])
        torch.set_num_threads(threads)
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capfd.readouterr()

    return call


class Model:
    """As much of a `deepxde.Model` as is used: each step takes a millisecond and halves the error."""

    def __init__(self, ends_after: int = 10**6) -> None:
        self.train_state = SimpleNamespace(step=0)
        self.stop_training = False
        self.compiled: list[tuple[str, dict[str, Any]]] = []
        self.ends_after = ends_after

    def compile(self, optimiser: str, **options: Any) -> None:
        self.compiled.append((optimiser, options))

    def train(self, iterations: int | None = None, callbacks: Any = (), verbose: int = 1) -> None:
        print("Training model...")  # as the real one does, and its warnings
        options = sys.modules["deepxde"].optimizers.LBFGS_options
        most, size = (options["maxiter"], options["iter_per_step"]) if iterations is None else (iterations, 1)
        self.stop_training = False
        for each in callbacks:
            each.model = self
            each.on_train_begin()
        done = 0
        while done < most and not self.stop_training:
            moved = min(size, most - done, max(self.ends_after - self.train_state.step, 0))
            time.sleep(1e-3 * max(moved, 1))
            self.train_state.step += moved
            done += moved
            for each in callbacks:
                each.on_epoch_end()
        for each in callbacks:
            each.on_train_end()

    def predict(self, points: Any) -> Any:
        return np.full((len(points), 1), 1 + 0.5**self.train_state.step, dtype=np.float32)


@pytest.fixture
def deepxde(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of that name in which every call is recorded."""
    module: Any = ModuleType("deepxde")
    module.__spec__ = ModuleSpec("deepxde", None)
    module.calls = []
    module.config = SimpleNamespace(set_default_float=module.calls.append, set_random_seed=module.calls.append)

    class Callback:
        model: Any = None

        def on_train_begin(self) -> None: ...

    module.callbacks = SimpleNamespace(Callback=Callback)
    module.optimizers = SimpleNamespace(
        LBFGS_options={"maxiter": 15_000, "iter_per_step": 1000, "fun_per_step": 1250, "maxcor": 100}
    )
    monkeypatch.setitem(sys.modules, "deepxde", module)
    monkeypatch.setenv("DDE_BACKEND", "tensorflow")
    monkeypatch.setattr(peers, "version", lambda _: "1.2.3")
    monkeypatch.setattr(peers, "import_seconds", {"DeepXDE": 5.0, "pinnreg": 2.0}.__getitem__)
    return module


def made(seed: int, curve: dict[float, float], **others: Any) -> PeerRun:
    return PeerRun(seed, tuple(curve), tuple(curve.values()), 10, "out of time", 3 * 2**20, **others)


def row(solver: str, *curves: dict[float, float]) -> PeerRow:
    return PeerRow("heat", solver, tuple(made(seed, curve) for seed, curve in enumerate(curves)))


SINGLE, DOUBLE = DEEPXDE


# what is compared


def test_every_case_is_a_shipped_config_and_has_a_recipe_that_is_described() -> None:
    assert tuple(PEER_RECIPES) == PEER_CASES
    assert set(PEER_CASES) <= set(registry.shipped_configs())
    for recipe in PEER_RECIPES.values():
        assert "the demo of" in " ".join((recipe.__doc__ or "").split())


def test_scipy_finds_an_unknown_coefficient_by_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinnreg.benchmarks.classical.SCIPY_SOLVES", 1)
    found = scipy_row("heat_inverse", prepare(resolved("heat_inverse", "gauss_newton", 0, 1.0)))
    assert found is not None
    assert found.method == "least squares by method of lines"
    assert 1e-4 < found.error < 2e-2  # of noise, not of the solve
    assert found.reference == "closed form"


# the arithmetic


def test_a_run_has_its_last_and_its_lowest_error() -> None:
    run = made(0, {1.0: 0.5, 2.0: 1e-3, 3.0: math.nan})
    assert (run.error, run.lowest) == (math.inf, 1e-3)
    assert (run.seconds_to(0.1), run.seconds_to(1e-4)) == (2.0, math.inf)
    assert made(0, {1.0: math.nan}).lowest == math.inf


def test_rows_are_medians_over_the_seeds() -> None:
    several = row(OWN, {1.0: 0.5, 2.0: 1e-3}, {1.0: 0.1}, {1.0: 2.0, 4.0: 1e-5})
    assert several.lowest == 1e-3
    assert several.seconds_to(1e-3) == 4.0
    assert several.seconds_to(1e-9) == math.inf
    assert [several.lowest_by(at) for at in (0.5, 1.0, 2.0, 4.0)] == [1.0, 0.5, 0.1, 1e-3]


def test_the_ratios_are_of_the_better_precision_at_the_error_that_both_reach() -> None:
    own = row(OWN, {0.5: 1.5, 1.0: 1e-2, 2.0: 1e-6})
    single, double = row(SINGLE, {0.1: 0.9, 8.0: 1e-2}), row(DOUBLE, {0.1: 1.1, 9.0: 1e-3, 10.0: 2e-3})
    found = verdict_of(own, [single, double])
    assert (found.peer, found.peer_error, found.own_error) == (DOUBLE, 1e-3, 1e-6)
    assert found.error_ratio == pytest.approx(1e3)
    assert (found.level, found.peer_seconds, found.own_seconds, found.time_ratio) == (1e-3, 9.0, 2.0, 4.5)
    assert found.ahead == 1.0  # 0.9 of single precision before pinnreg has anything below 1
    assert found.words == (
        "pinnreg is 1e3 times more accurate; pinnreg is 4.5 times sooner at 1e-03; DeepXDE was ahead until 1 s"
    )


def test_where_deepxde_wins_it_is_said() -> None:
    own = row(OWN, {1.0: 0.5, 6.0: 1e-2})
    found = verdict_of(own, [row(SINGLE, {1.0: 1.2, 3.0: 8e-3, 4.0: 1e-4})])
    assert (found.error_ratio, found.level) == (pytest.approx(1e-2), 1e-2)
    assert (found.peer_seconds, found.own_seconds, found.time_ratio) == (3.0, 6.0, 0.5)
    assert found.ahead == math.inf
    assert found.words == (
        "DeepXDE is 1e2 times more accurate; DeepXDE is 2 times sooner at 1e-02; DeepXDE is ahead at the end"
    )


def test_nobody_is_sooner_at_an_error_that_is_no_solution() -> None:
    found = verdict_of(row(OWN, {9.0: 0.8}), [row(SINGLE, {0.1: 0.7, 9.0: 0.2})])
    assert found.words == (
        "DeepXDE is 4 times more accurate; none below 0.5 is reached by both; DeepXDE is ahead at the end"
    )


def test_a_busy_machine_is_said(bench: Bench, solved: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "other work" not in bench("--case", "heat")[1]
    quiet = peers._made

    def busy(*asked: Any) -> Made:
        run = quiet(*asked).run
        return quiet(*asked) if run is None else Made(dataclasses.replace(run, share=0.25))

    monkeypatch.setattr(peers, "_made", busy)
    assert "The machine had other work: the runs had from 25% to 25% of a core" in bench("--case", "heat")[1]


def test_small_differences_are_none() -> None:
    found = verdict_of(row(OWN, {1.0: 1e-3}), [row(SINGLE, {1.1: 1.1e-3})])
    assert found.words == "both are as accurate; both are as soon at 1e-03; DeepXDE is never ahead"


def test_a_peer_that_never_had_an_error_loses() -> None:
    found = verdict_of(row(OWN, {1.0: 1e-3}), [row(SINGLE, {1.1: math.nan})])
    assert found.error_ratio == math.inf
    assert found.words.startswith("pinnreg is inf times more accurate; ")


# a peer's run


@pytest.mark.slow
@pytest.mark.serial
def test_adam_has_half_of_the_time_and_measuring_none_of_it(deepxde: Any) -> None:
    model = Model()
    watch = Watch(lambda: time.sleep(0.02) or 0.5**model.train_state.step)
    started = time.perf_counter()
    coefficient = torch.tensor(1.0)
    ended = train(deepxde, Plan(model, 10**6, {"alpha": coefficient}), watch, 0.4)
    assert [name for name, _ in model.compiled] == ["adam", "L-BFGS"]
    assert all(options["external_trainable_variables"] == [coefficient] for _, options in model.compiled)
    adam, lbfgs = map(int, re.findall(r"Adam (\d+) .*L-BFGS (\d+):", ended)[0])
    assert 20 < adam < 220
    assert lbfgs % peer_runs.SLICE == 0
    assert ended.endswith("out of time")
    assert watch.trace.spent > 0.02 * len(watch.trace.errors)
    assert 0.4 <= watch.trace.seconds[-1] < time.perf_counter() - started - watch.trace.spent + 0.02
    assert list(watch.trace.seconds) == sorted(watch.trace.seconds)
    assert watch.trace.step == model.train_state.step
    assert deepxde.optimizers.LBFGS_options["iter_per_step"] == 1000  # as it was


@pytest.mark.parametrize(("ends_after", "ended"), [(30, "23: no further step"), (10**6, "9: all of them")])
def test_a_run_ends_by_itself(deepxde: Any, ends_after: int, ended: str) -> None:
    deepxde.optimizers.LBFGS_options["maxiter"] = 15_000 if ends_after == 30 else 9
    model = Model(ends_after)
    assert train(deepxde, Plan(model, 7), Watch(lambda: 0.5), 10.0) == f"Adam 7 of 7 steps, L-BFGS {ended}"


def test_a_run_has_its_precision_and_seed_and_says_nothing(
    deepxde: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given: list[Any] = []

    def recipe(dde: Any, problem: Any, measured: Any) -> Plan:
        os.write(2, b"from C++\n")
        given.append((problem.alpha, measured))
        return Plan(Model(), 5, {"alpha": torch.tensor(0.25)})

    monkeypatch.setitem(PEER_RECIPES, "heat_inverse", recipe)  # type: ignore[arg-type]
    deepxde.optimizers.LBFGS_options["maxiter"] = 4
    found = run({"case": "heat_inverse", "solver": DOUBLE, "seed": 3, "seconds": 5.0}).run
    assert capfd.readouterr() == ("", "")
    assert found is not None
    assert os.environ["DDE_BACKEND"] == "pytorch"
    assert deepxde.calls == ["float64", 3]  # the seed after warming up, before the run
    ((alpha, (points, values)), again) = given
    assert again[0] == alpha == 0.4
    assert (points.shape, values.shape) == ((100, 2), (100, 1))
    assert (found.seed, found.steps, found.ended) == (3, 9, "Adam 5 of 5 steps, L-BFGS 4: all of them")
    assert found.unknown == {"alpha": 0.25}
    assert len(found.seconds) == len(found.errors) >= 2
    truth = prepare(resolved("heat_inverse", "gauss_newton", 0, 1.0)).truth["u"]
    assert found.error == pytest.approx(np.linalg.norm(1 + 0.5**9 - truth) / np.linalg.norm(truth))


def test_nothing_is_written_within_and_all_of_it_before_and_after(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    with without_output(1, 2):
        print("within")
        os.write(1, b"within\n")
        os.write(2, b"within\n")
    print("after")
    assert capfd.readouterr() == ("before\nafter\n", "")


# the command


@pytest.fixture
def solved(deepxde: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int, float]]:
    """No run is made: what was asked for."""
    asked = []

    def answer(case: str, solver: str, seed: int, seconds: float, interrupted: object) -> Made:
        asked.append((case, solver, seed, seconds))
        if solver == "SciPy":
            return Made(classical=ScipyRow(case, "method of lines", 0.2, 1e-9, "closed form", 1e-16))
        curves = {SINGLE: {0.2: 0.9, 9.0: 2e-3}, DOUBLE: {0.2: 0.9, 8.0: 1e-3, 9.0: 3e-3}, OWN: {0.5: 0.2, 2.0: 1e-8}}
        return Made(made(seed, curves[solver], unknown={"alpha": 0.41} if case == "heat_inverse" else {}))

    monkeypatch.setattr(peers, "_made", answer)
    return asked


def test_solvers_take_turns_and_scipy_comes_last(solved: list[tuple[str, str, int, float]]) -> None:
    found = bench_peers(PeerSetting(("heat", "burgers"), seeds=2, max_seconds=7.0))
    per_case = [(solver, seed) for seed in (0, 1) for solver in (SINGLE, DOUBLE, OWN)] + [("SciPy", 0)]
    assert solved == [(case, solver, seed, 7.0) for case in ("heat", "burgers") for solver, seed in per_case]
    assert [type(row) for row in found.rows] == [PeerRow, PeerRow, PeerRow, ScipyRow] * 2
    assert [verdict.case for verdict in found.verdicts] == ["heat", "burgers"]
    assert found.verdicts[0].time_ratio == 4.0
    assert (found.imports, found.machine["deepxde"]) == ({"DeepXDE": 5.0, "pinnreg": 2.0}, "1.2.3")


def test_the_command_prints_tables_and_writes_json_and_a_page(bench: Bench, solved: Any, tmp_path: Path) -> None:
    file, folder = tmp_path / "peers.json", tmp_path / "pages"
    arguments = ["--case", "heat_inverse", "--case", "heat", "--max-seconds", "5", "--json", str(file)]
    code, out, err = bench(*arguments, "--page", folder)
    assert code == 0, err
    lines = out.splitlines()
    assert max(map(len, lines[:9])) <= 120
    assert [line.split()[:2] for line in lines[1:5]] == [
        *(["heat_inverse", who] for who in ("DeepXDE", "DeepXDE", "pinnreg", "SciPy:"))
    ]
    words = "pinnreg is 1e5 times more accurate; pinnreg is 4 times sooner at 1e-03; DeepXDE was ahead until 0.5 s"
    assert f"heat: {words}" in lines
    assert "DeepXDE 5.00 s, pinnreg 2.00 s" in out
    assert lines[-1].startswith("seeds 1, max_seconds 5")
    assert "heat, DeepXDE float32, seed 0: error 2.0e-03 after 9.00 s: out of time" in err
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["setting"] == {"seeds": 1, "max_seconds": 5.0}
    assert [row["solver"] for row in written["rows"]] == [SINGLE, DOUBLE, OWN] * 2
    assert written["rows"][0]["runs"][0]["errors"] == [0.9, 2e-3]
    assert written["verdicts"][1]["error_ratio"] == pytest.approx(1e5)
    assert written["imports"]["DeepXDE"] == 5.0
    page = (folder / "bench_peers.md").read_text(encoding="utf-8")
    assert f"| heat | 1.0e-03 (float64) | 1.0e-08 | 1e+05 | 1.0e-03 | 8.00 | 2.00 | 4 | {words} |" in page
    assert "| heat | DeepXDE | float64 | 3.0e-03 | 1.0e-03 | 9.00 | 3 | out of time |" in page
    assert "| heat | SciPy: method of lines | float64 | 1.0e-09 | 1.0e-09 | 0.20 | - | - |" in page
    assert "DeepXDE 1.2.3 with PyTorch" in page
    assert "- heat: 2540 points inside, " in page
    assert "- burgers:" not in page
    assert "heat_inverse, pinnreg: alpha = 0.41" in page
    assert (folder / "bench_peers.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--case", "haet"], ["unknown case 'haet'", "did you mean 'heat'", "poisson_lshape"]),
        (["--seeds", "0"], ["--seeds"]),
        (["--max-seconds", "0"], ["--max-seconds", "positive"]),
        (["--max-seconds", "nan"], ["--max-seconds", "positive"]),
        (["--json", "/dev/null/x.json"], ["--json", "cannot be written"]),
        (["--page", "/dev/null/x"], ["/dev/null/x"]),
    ],
)
def test_bad_options_are_refused_before_anything_is_measured(
    bench: Bench, deepxde: Any, arguments: list[str], parts: list[str]
) -> None:
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for part in parts:
        assert part in err


def test_without_deepxde_it_says_what_to_install_and_writes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "deepxde", None)
    code, out, err = bench("--page", tmp_path / "pages", "--json", tmp_path / "peers.json")
    assert (code, out) == (2, "")
    assert "pip install 'pinnreg[peers]'" in err
    assert len(err.splitlines()) == 1
    assert not any(tmp_path.iterdir())
    with pytest.raises(InputError, match="not installed"):
        PeerSetting(("heat",))


# DeepXDE itself


@pytest.mark.slow
@pytest.mark.parametrize("case", PEER_CASES)
def test_deepxde_solves_the_same_problem(case: str) -> None:
    pytest.importorskip("deepxde", reason="the extra 'peers' is not installed")
    setting = PeerSetting((case,), max_seconds=8.0)
    rows = {row.solver: row for row in bench_peers(setting).rows if isinstance(row, PeerRow)}
    for solver in DEEPXDE:
        (found,) = rows[solver].runs
        assert found.lowest < min(0.9, found.errors[0])
        assert found.seconds[-1] < 30
        assert found.peak_bytes is None or found.peak_bytes < peer_runs.MEMORY


@pytest.mark.slow
def test_the_time_of_an_import_is_that_of_a_fresh_process() -> None:
    assert 0.05 < import_seconds("pinnreg") < 60
