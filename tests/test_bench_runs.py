"""Runs of benchmarks: their order, what they note, and what becomes of those without a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from pinnreg import Interrupted, processes
from pinnreg.benchmarks.runs import Answer, Wanted, answered, lost, runs_in_order

Here = Callable[[Sequence[int]], None]


def never() -> int | None:
    return None


def double(task: int) -> Answer[int]:
    return {"result": 2 * task, "failure": "", "notes": [f"note {task}"] if task == 3 else []}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """Runs are made in this process, and end in the order given."""

    def order(numbers: Sequence[int]) -> None:
        def side_by_side(life: Any, tasks: Sequence[Any], *_: object) -> Iterator[tuple[int, Any]]:
            for number in numbers:
                yield number, life.keywords["work"](tasks[number])

        monkeypatch.setattr(processes, "side_by_side", side_by_side)

    return order


def asked(*counts: int) -> list[list[Wanted[int]]]:
    numbers = iter(range(sum(counts)))
    return [[Wanted(f"run {group}", seed, next(numbers)) for seed in range(n)] for group, n in enumerate(counts)]


def test_groups_come_in_order_however_their_runs_end(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    here([5, 1, 4, 0, 3, 2])
    told: list[tuple[str, int, int]] = []
    found = runs_in_order(double, asked(2, 3, 1), 2, lambda *run: told.append(run), never)
    assert next(found) == [0, 2]
    assert len(told) == 4  # as soon as it was done
    assert [*found] == [[4, 6, 8], [10]]
    assert told[:2] == [("run 2", 0, 10), ("run 0", 1, 2)]
    assert caplog.messages == ["note 3"]


def test_a_run_without_result_ends_all_and_says_which(here: Here) -> None:
    here([0, 2])

    def fail(task: int) -> Answer[int]:
        return lost("the process was killed by SIGKILL") if task == 2 else double(task)

    with pytest.raises(RuntimeError, match=r"^run 1, seed 1: the process was killed by SIGKILL$"):
        list(runs_in_order(fail, asked(1, 2), 1, lambda *_: None, never))
    with pytest.raises(Interrupted):  # a signal that came to its process first
        list(runs_in_order(fail, asked(1, 2), 1, lambda *_: None, lambda: 2))


def test_what_a_run_raises_is_its_answer() -> None:
    assert answered(lambda: 3) == {"result": 3, "failure": "", "notes": []}
    found = answered(lambda: 1 // 0)
    assert found["result"] is None
    assert found["failure"].startswith("ZeroDivisionError: ")
