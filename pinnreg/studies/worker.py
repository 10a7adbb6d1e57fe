"""One run of a study in a process of its own, perhaps on another machine: plain data in, plain data out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch

from pinnreg.config import read_yaml, resolve, validate
from pinnreg.config.parts import unfound
from pinnreg.errors import Diverged, Interrupted
from pinnreg.processes import noted
from pinnreg.registry import file_hash
from pinnreg.run import solve
from pinnreg.studies.claim import at_work
from pinnreg.studies.measures import (
    CPU_SECONDS,
    DIVERGED,
    INTERRUPTED,
    OK,
    Measures,
    measured,
    measured_of_diverged,
    read_metrics,
    write_metrics,
)
from pinnreg.training import Hooks

ASK_SECONDS = 1.0  # between two looks at whether the study is still at work


class Task(TypedDict):
    """A run to be made.

    Attributes:
        config: its whole config.
        folder: where it goes; on a cluster on a file system that all machines share.
        problems: folders of problem files besides the shipped one.
        problem_hash: SHA-256 of the problem file that the run is known by.
        part_hashes: those of the files of own parts, by path.
        data_hashes: those of its data files, by path.
        analyse: whether its Hessian and its variations are measured.
        study: the study's folder.
        claim: what that folder says while the command that wants this run is at work.
    """

    config: dict[str, Any]
    folder: str
    problems: list[str]
    problem_hash: str | None
    part_hashes: dict[str, str]
    data_hashes: dict[str, str]
    analyse: bool
    study: str
    claim: str


class Answer(TypedDict):
    """What came of it: the status, the measures, and what the package noted along the way."""

    status: str
    measures: Measures
    notes: list[str]


def work(task: Task) -> Answer:
    """Make a run, measure it, and say so in its folder.

    A folder that a stopped run left half finished is started anew. On a cluster this is called on another machine: the
    study's folder and the problem files must be on a file system that all machines share, under the same paths.
    """
    torch.set_num_threads(1)
    with noted() as notes:
        try:
            status, measures = _made(task)
        except Exception as error:  # whatever it is, it must not stop the other runs
            status, measures = failure(f"{type(error).__name__}: {error}"), {}
    return {"status": status, "measures": measures, "notes": notes}


def _made(task: Task) -> tuple[str, Measures]:
    folder = Path(task["folder"])
    if (known := read_metrics(folder)) is not None:
        return known  # where folders cannot be locked another command may have made it meanwhile
    if (changed := _changed_before(task)) is not None:
        return failure(changed), {}
    began = time.process_time()
    try:
        solution = solve(
            task["config"],
            out=folder,
            problems=task["problems"],
            overwrite=True,
            hooks=Hooks(interrupted=_stopped(task)),
            figures=False,
            progress=False,
        )
        status, measures = OK, measured(solution, validate(unfound(task["config"]), "config"), analyse=task["analyse"])
        measures[CPU_SECONDS] = time.process_time() - began
    except Diverged:
        status, measures = DIVERGED, measured_of_diverged(folder)
    except Interrupted:
        return INTERRUPTED, {}
    if (changed := _changed_meanwhile(task)) is not None:
        return failure(changed), {}  # without a record: the next call makes the run of the files as they are then
    write_metrics(folder, status, measures)
    return status, measures


def _changed_before(task: Task) -> str | None:
    """What is not as it was when the run got its hash; None if all is."""
    resolved = resolve(task["config"], {}, [Path(folder) for folder in task["problems"]])
    parts = {str(part.file.resolve()): file_hash(part.file) for part in resolved.parts if part.file is not None}
    data = {file: file_hash(Path(file)) for file in task["data_hashes"]}
    return _changed(task, resolved.problem_hash, parts, data)


def _changed_meanwhile(task: Task) -> str | None:
    """The same by what the run itself noted when it had read its files."""
    noted = read_yaml(Path(task["folder"]) / "config.yaml")["provenance"]
    parts = {each["file"]: each["sha256"] for each in noted["parts"]}
    return _changed(task, noted["problem_sha256"], parts, noted["data_sha256"])


def _changed(task: Task, problem: str | None, parts: Mapping[str, str], data: Mapping[str, str]) -> str | None:
    if problem != task["problem_hash"]:
        return "the problem file changed during the study"
    if parts != task["part_hashes"]:
        return "the file of a part of one's own changed during the study"
    changed = [file for file, known in task["data_hashes"].items() if data.get(file, known) != known]
    return f"{changed[0]} changed during the study" if changed else None


def failure(reason: str) -> str:
    """The status of a run that failed."""
    return f"failed: {' '.join(reason.split())}"


def _stopped(task: Task) -> Callable[[], int | None]:
    """Asks now and then whether the command that wants this run is still at work; a signal number means no."""
    asked = time.monotonic()

    def interrupted() -> int | None:
        nonlocal asked
        if time.monotonic() - asked < ASK_SECONDS:
            return None
        asked = time.monotonic()
        return None if at_work(Path(task["study"]), task["claim"]) else 15

    return interrupted
