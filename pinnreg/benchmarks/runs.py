"""Many runs in processes of one thread each, whose results come in the order in which they were asked for."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypedDict, TypeVar, final

import torch

from pinnreg import processes
from pinnreg.benchmarks.cases import Case
from pinnreg.benchmarks.measure import machine
from pinnreg.config import problem_folders, resolve
from pinnreg.errors import Interrupted
from pinnreg.run import choose_device
from pinnreg.run.prepare import Prepared, prepare

logger = logging.getLogger("pinnreg")

Task = TypeVar("Task")
Result = TypeVar("Result")


@final
@dataclass(frozen=True)
class Wanted(Generic[Task]):
    """A run that is to be made.

    Attributes:
        label: what it is called.
        seed: its own.
        task: what its process is told, plain data.
    """

    label: str
    seed: int
    task: Task


class Answer(TypedDict, Generic[Result]):
    """What a run came to, or why there is nothing, and what the package noted along the way."""

    result: Result | None
    failure: str
    notes: list[str]


def where_and_when() -> tuple[dict[str, str | int], str]:
    """The machine that runs are made on, a thread each, and today."""
    return {**machine(choose_device("auto")), "threads": 1}, datetime.now(UTC).strftime("%Y-%m-%d")


def prepared_case(case: Case, interrupted: Callable[[], int | None]) -> Prepared:
    """A case as its first run will be, to see that it can be, before any run is made.

    Raises:
        InputError: it cannot.
        Interrupted: `interrupted` gave a signal's number.
    """
    if (number := interrupted()) is not None:
        raise Interrupted(number, None)
    with processes.noted():  # which comes again with the runs
        return prepare(resolve(case.config, {"seed": 0, **case.changes}, problem_folders(None)))


def runs_in_order(
    work: Callable[[Task], Answer[Result]],
    groups: Sequence[Sequence[Wanted[Task]]],
    jobs: int,
    on_run: Callable[[str, int, Result], None],
    interrupted: Callable[[], int | None],
) -> Generator[list[Result]]:
    """Make runs, `jobs` at a time; yields the results of each group once it and all before it are done.

    Args:
        work: makes one in a process of its own, where it is found by its name.
        groups: of runs, begun in this order.
        jobs: runs side by side.
        on_run: called with a run's label, seed and result when it is done.
        interrupted: asked now and then; a signal's number stops it all.

    Raises:
        Interrupted: `interrupted` gave a signal's number; the processes have been stopped.
        RuntimeError: a run that has no result.
    """
    wanted = [each for group in groups for each in group]
    waiting, first, results = deque(map(len, groups)), 0, dict[int, Result]()
    life, tasks = partial(processes.serve, work=work), [each.task for each in wanted]
    with contextlib.closing(processes.side_by_side(life, tasks, jobs, lost, interrupted)) as answers:
        answer: Answer[Result]
        for number, answer in answers:
            run = wanted[number]
            for note in answer["notes"]:
                logger.warning("%s", note)
            if (result := answer["result"]) is None:
                if (signal := interrupted()) is not None:  # which may have come to its process first
                    raise Interrupted(signal, None)
                raise RuntimeError(f"{run.label}, seed {run.seed}: {answer['failure']}")
            results[number] = result
            on_run(run.label, run.seed, result)
            while waiting and all(each in results for each in range(first, first + waiting[0])):
                last = first + waiting.popleft()
                yield [results[each] for each in range(first, last)]
                first = last


def answered(make: Callable[[], Result]) -> Answer[Result]:
    """The answer of a process that makes a run with one thread."""
    torch.set_num_threads(1)
    with processes.noted() as notes:
        try:
            return {"result": make(), "failure": "", "notes": notes}
        except Exception as error:  # whatever it is, the command has to say of which run
            return {"result": None, "failure": f"{type(error).__name__}: {error}", "notes": notes}


def lost(how: str) -> Answer[Any]:
    """The answer of a process that is gone."""
    return {"result": None, "failure": how, "notes": []}
