"""A planned run as the plain data that another process makes it from."""

from __future__ import annotations

from pathlib import Path

from pinnreg.config import as_dict
from pinnreg.studies.planned import Plan
from pinnreg.studies.worker import Task

RUNS = "runs"
"""The folder of the runs in that of a study."""


def run_folder(folder: Path, planned: Plan) -> Path:
    """That of a run in a study's."""
    return folder / RUNS / planned.hash


def task_of(planned: Plan, folder: Path, claim: str, where: Path | None = None) -> Task:
    """A run to be made for a study.

    Args:
        planned: what it is.
        folder: the study's.
        claim: of the command that is at work in it.
        where: the run goes; its place in the study's folder if None.
    """
    return {
        "config": as_dict(planned.resolved.config),
        "folder": str((run_folder(folder, planned) if where is None else where).resolve()),
        "problems": list(planned.folders),
        "problem_hash": planned.problem_hash,
        "part_hashes": planned.part_hashes,
        "data_hashes": planned.data_hashes,
        "analyse": planned.analyse,
        "study": str(folder.resolve()),
        "claim": claim,
    }
