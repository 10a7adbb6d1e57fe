"""`study`: plan the runs, make those that are not done yet, choose, compare, and write it all down."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from pinnreg.config import Problems, problem_folders
from pinnreg.errors import InputError, Interrupted
from pinnreg.files import is_file, write_text
from pinnreg.processes import cores
from pinnreg.run import RunFolder
from pinnreg.run.folder import STUDY, make_writable
from pinnreg.studies.claim import CLAIM, claimed
from pinnreg.studies.cluster import on_cluster
from pinnreg.studies.entries import Entry, Score, entries_of, score_of
from pinnreg.studies.figures import write_figures
from pinnreg.studies.mark import note_figures, noted_figures
from pinnreg.studies.measures import INTERRUPTED, Run, read_metrics
from pinnreg.studies.model import Study, as_plain, read_study
from pinnreg.studies.plan import OnPlan, check, check_choice, plan
from pinnreg.studies.planned import Plan
from pinnreg.studies.processes import in_processes
from pinnreg.studies.summary import markdown
from pinnreg.studies.tables import entry_rows, run_rows, write_table
from pinnreg.studies.tasks import RUNS, run_folder, task_of
from pinnreg.studies.worker import Answer, failure

logger = logging.getLogger("pinnreg")

ABANDONED = f"stopped, since {CLAIM} in the study's folder was removed or replaced while the study was at work"

OnRun = Callable[[int, int, Run | None], None]


@final
@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes:
        study: what was asked.
        name: of the study.
        text: its content as YAML.
        folder: where everything is.
        runs: all runs, in the order of the study file.
        entries: the combinations of what was varied but the seed, with chosen candidates and statistics.
        score: by which candidates were chosen.
    """

    study: Study
    name: str
    text: str
    folder: Path
    runs: tuple[Run, ...]
    entries: tuple[Entry, ...]
    score: Score

    def data(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {
            "study": as_plain(self.study),
            "score": self.score,
            "runs": run_rows(self.runs, self.entries),
            "summary": entry_rows(self.entries),
        }


def study(
    config: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    problems: Problems = None,
    *,
    parts: Sequence[str] = (),
    interrupted: Callable[[], int | None] = lambda: None,
    progress: OnRun = lambda *_: None,
    planning: OnPlan = lambda *_: None,
) -> StudyResult:
    """Make all runs of a study that are not done yet, compare them, and write tables and figures.

    Runs are made in processes of their own, which see nothing of the script that calls this.

    Args:
        config: a study file, the name of a shipped study, or a dict.
        out: the study's folder; `outputs/<name of the study>` if None. Runs that it holds are not made again.
        jobs: processes at a time; one for each CPU core if None.
        scheduler: the address of a Dask scheduler, whose workers then make the runs; `out` must be on a file system
            that they share.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.
        parts: names of those to be made and compared; all if there are none.
        interrupted: asked now and then; a signal's number stops the study.
        progress: called with (runs that are done, all runs, the run that has just ended) at the start, without a run,
            and as runs end.
        planning: called with (runs that are planned, all runs) before that.

    Raises:
        InputError: the study or the config of any of its runs is wrong; nothing was run.
        Interrupted: `interrupted` asked to stop; finished runs are kept, and the same call continues.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs: expected a positive number of processes, got {jobs}")
    asked, name, where, text = read_study(config)
    asked = asked.only(parts) if parts else asked

    def on_plan(done: int, total: int) -> None:
        if (number := interrupted()) is not None:
            raise Interrupted(number, None)
        planning(done, total)

    plans = plan(asked, where, problem_folders(problems), planning=on_plan)
    folder = folder_of(name) if out is None else Path(out)
    if is_file(RunFolder(folder).config):
        raise InputError(f"{folder}: this is the folder of one run; choose another for the study with --out")
    check_choice(asked, plans, where)
    check(_missing(plans, _finished(plans, folder)), where, device=scheduler is None)
    STUDY.check(folder, str(folder))
    with claimed(folder) as claim:
        make_writable(folder / RUNS)
        note_figures(asked, folder, noted_figures(folder))
        # only now, since until now another command may have made some of them
        found = _finished(plans, folder)
        missing = _missing(plans, found)
        total = len(found) + len(missing)
        progress(len(found), total, None)
        with contextlib.closing(_made(missing, folder, claim, jobs, scheduler, interrupted)) as made:
            for run in made:
                found[run.plan.hash] = run
                progress(len(found), total, run)
        return _written(asked, name, text, folder, [_as_planned(planned, found[planned.hash]) for planned in plans])


def folder_of(name: str) -> Path:
    """The folder of a study that is given none."""
    return Path("outputs") / name


def _made(
    plans: Sequence[Plan],
    folder: Path,
    claim: str,
    jobs: int | None,
    scheduler: str | None,
    interrupted: Callable[[], int | None],
) -> Generator[Run]:
    """The runs that are missing, as they end."""
    tasks = [task_of(planned, folder, claim) for planned in plans]
    answers: Iterator[tuple[int, Answer]]
    if scheduler is None:
        answers = in_processes(tasks, jobs or cores(), interrupted)
    else:
        answers = on_cluster(tasks, scheduler, interrupted)
    for number, answer in answers:
        for note in answer["notes"]:
            logger.warning("%s", note)
        # this command waits for its runs as long as it is here, so they were stopped by mistake
        status = failure(ABANDONED) if answer["status"] == INTERRUPTED else answer["status"]
        yield Run(plans[number], status, answer["measures"])


def _finished(plans: Sequence[Plan], folder: Path) -> dict[str, Run]:
    """The runs that the folder holds, by hash."""
    known = {planned.hash: (planned, read_metrics(run_folder(folder, planned))) for planned in plans}
    return {name: Run(planned, *metrics) for name, (planned, metrics) in known.items() if metrics is not None}


def _missing(plans: Sequence[Plan], found: Mapping[str, Run]) -> list[Plan]:
    """The runs to be made, each once: several plans may come to the same config."""
    return list({planned.hash: planned for planned in plans if planned.hash not in found}.values())


def _as_planned(planned: Plan, run: Run) -> Run:
    """A run under the names of one of the plans that it serves: several may come to the same config."""
    return Run(planned, run.status, run.measures)


def _written(asked: Study, name: str, text: str, folder: Path, runs: Sequence[Run]) -> StudyResult:
    """The result, after its tables, its report and its figures are in the folder."""
    score = score_of(asked, runs)
    entries = entries_of(asked, runs, score)
    write_table(folder / "study.csv", run_rows(runs, entries))
    write_table(folder / "summary.csv", entry_rows(entries))
    write_text(folder / "summary.md", markdown(asked, name, text, runs, entries, score))
    write_figures(asked, name, folder, entries)
    return StudyResult(asked, name, text, folder, tuple(runs), tuple(entries), score)
