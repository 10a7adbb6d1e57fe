"""`pinnreg bench`: what it measures and prints. How fast anything is, is not asserted here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pinnreg.benchmarks import Setting, bench_derivatives, engines
from pinnreg.benchmarks.measure import Cost, compare, peak_memory
from pinnreg.cli import main
from pinnreg.compilation import recorded

CPU = torch.device("cpu")
SMALL = ["--points", "12", "--hidden", "4", "--hidden", "5", "--order", "1", "--order", "3", "--budget", "0"]


Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Bench:
    """Runs the command: its exit code, and what it wrote."""

    def run(*arguments: str) -> tuple[int, str, str]:
        threads = torch.get_num_threads()
        with pytest.raises(SystemExit) as caught:
            main(["bench", "derivatives", *arguments])
        torch.set_num_threads(threads)
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capfd.readouterr()

    return run


def test_the_peak_is_that_of_tensors_alive_at_once() -> None:
    def work() -> torch.Tensor:
        first = torch.ones(1000, dtype=torch.float64)
        second = first + 1
        del first
        return (second + 1).sum()  # a third, while the second is alive

    assert 16_000 <= peak_memory(work, CPU) < 16_500


def test_candidates_are_measured_by_name_as_often_as_each_other() -> None:
    calls: list[str] = []
    costs = compare({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, CPU, rounds=4)
    assert list(costs) == ["a", "b"]
    assert calls.count("a") == calls.count("b") == 2 + 3 * 4
    assert all(cost.seconds > 0 and cost.bytes == 0 for cost in costs.values())


def test_no_round_starts_beyond_the_budget() -> None:
    calls: list[int] = []
    compare({"a": lambda: calls.append(1)}, CPU, rounds=50, budget=0.0)
    assert len(calls) == 2 + 3


def plainly(function: Callable[..., Any], *example: Any) -> Callable[..., Any]:
    """In the place of `compiled`: all of it but the compiler, which takes many seconds."""
    return torch.no_grad()(recorded(function, *example))


def test_all_engines_give_the_same_gradient_on_the_same_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "compiled", plainly)
    setting = Setting(CPU, points=9, hidden=(3,), activation="swish", orders=(2,), dimension=3, budget=0.0)
    found = bench_derivatives(setting)
    assert [row.task for row in found.rows] == ["order 2", "Laplacian in 3-D"]
    for row in found.rows:
        assert set(row.costs) == {"nested", "taylor", "compiled"}
        assert max(row.errors.values()) < 1e-12
        assert row.speedup("nested") == 1.0
        assert all(isinstance(cost, Cost) and cost.bytes > 0 for cost in row.costs.values())
    assert found.setting["network"] == "2-3-1"
    assert {"device", "threads", "torch", "python"} <= set(found.machine)


def test_the_command_prints_a_table_and_writes_json(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    code, out, err = bench(*SMALL, "--no-compile", "--threads", "1", "--json", str(file))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split("  ")[0] for line in lines[2:5]] == ["order 1", "order 3", "Laplacian in 20-D"]
    assert lines[-1].startswith("network 2-4-5-1, activation tanh, points 12, dtype float64, device ")
    assert f"torch {torch.__version__}" in lines[-1]
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [row["task"] for row in written["rows"]] == ["order 1", "order 3", "Laplacian in 20-D"]
    for row in written["rows"]:
        assert set(row["engines"]) == {"nested", "taylor"}
        taylor, nested = row["engines"]["taylor"], row["engines"]["nested"]
        assert taylor["faster"] == pytest.approx(nested["milliseconds"] / taylor["milliseconds"])
        assert taylor["gradient_error"] < 1e-12
    assert written["machine"]["threads"] == 1


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--activation", "tahn"], ["tahn", "did you mean 'tanh'"]),
        (["--points", "0"], ["--points", "greater than or equal to 1"]),
        (["--order", "0"], ["--order", "greater than or equal to 1"]),
        (["--device", "tpu"], ["--device", "tpu"]),
        (["--json", "/dev/null/x.json"], ["--json", "cannot be written"]),
    ],
)
def test_bad_options_are_refused_before_anything_is_measured(
    bench: Bench, arguments: list[str], parts: list[str]
) -> None:
    code, out, err = bench(*SMALL, *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for part in parts:
        assert part in err
