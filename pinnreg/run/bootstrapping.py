"""The bootstrap of a run: its replicates, here or in parallel processes, beside the linearised intervals."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, TypedDict, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg import processes
from pinnreg.config import Problems, problem_folders
from pinnreg.errors import InputError
from pinnreg.estimates import (
    FEWEST_REPLICATES,
    BandSize,
    Bootstrap,
    Interval,
    NoIntervalError,
    Refit,
    Uncertainty,
    required_uncertainty,
)
from pinnreg.objective import Batch, batch_of, whole
from pinnreg.randomness import derive
from pinnreg.report import inside_of, read_report
from pinnreg.run.folder import RunFolder
from pinnreg.run.noise import on_grid
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.run.resuming import Begun

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Compared:
    """An unknown coefficient.

    Attributes:
        estimate: of the run.
        linearised: from the Jacobian at the end of the training.
        bootstrap: from the replicates.
    """

    estimate: float
    linearised: Interval
    bootstrap: Interval


@final
@dataclass(frozen=True)
class ComparedBand:
    """The band of an output: its size by either way, of 95 %, and the standard errors on the run's grid."""

    linearised: BandSize
    bootstrap: BandSize
    linearised_field: Array
    bootstrap_field: Array


@final
@dataclass(frozen=True)
class Bootstrapped:
    """What noise in the measurements does to a run, by linearisation and by training again.

    Attributes:
        replicates: those that found a minimum.
        failed: how many did not.
        noise: the standard deviation that each set of measurements was found to have.
        unknown: the coefficients by name.
        bands: by output.
        axes: of the grid.
    """

    replicates: int
    failed: int
    noise: Mapping[str, float]
    unknown: Mapping[str, Compared]
    bands: Mapping[str, ComparedBand]
    axes: Mapping[str, Array]

    def summary(self) -> dict[str, Any]:
        """What `analysis.json` has of it."""
        return {
            "replicates": self.replicates,
            "failed": self.failed,
            "noise": dict(self.noise),
            "unknown": {
                name: {"estimate": each.estimate, **_plain(each.bootstrap), "linearised": _plain(each.linearised)}
                for name, each in self.unknown.items()
            },
            "bands": {
                name: {**asdict(each.bootstrap), "linearised": asdict(each.linearised)}
                for name, each in self.bands.items()
            },
        }

    @property
    def arrays(self) -> dict[str, Array]:
        """What `analysis.npz` has of it: the axes, and each output's standard errors by either way."""
        found = dict(self.axes)
        for name, each in self.bands.items():
            found |= {f"{name}_band": each.bootstrap_field, f"{name}_band_linearised": each.linearised_field}
        return found


@final
@dataclass(frozen=True)
class Asked:
    """How a run is bootstrapped.

    Attributes:
        replicates: how many.
        jobs: processes at a time; with 1 in this one.
        device: as of `analyse`.
        problems: folders of problem files.
        objects: whether the run was given objects of Python.
    """

    replicates: int
    jobs: int
    device: str | None
    problems: Problems
    objects: bool

    def check(self) -> None:
        """Refuse what makes no sense, before anything is read.

        Raises:
            InputError: too few replicates or processes, or objects of Python, which other processes cannot be given.
        """
        if self.replicates < FEWEST_REPLICATES:
            raise InputError(
                f"bootstrap: expected at least {FEWEST_REPLICATES} replicates, whose spread it is, got "
                f"{self.replicates}"
            )
        if self.jobs < 1:
            raise InputError(f"jobs: expected a positive number of processes, got {self.jobs}")
        if self.jobs > 1 and self.objects:
            raise InputError(
                "jobs: a problem, network or regularisers that are objects of Python are known to this process only; "
                "use jobs=1"
            )


def bootstrapped(
    folder: RunFolder, prepared: Prepared, batch: Batch, parameters: Mapping[str, Tensor], asked: Asked
) -> Bootstrapped:
    """The bootstrap of a run, beside its linearised intervals.

    Args:
        folder: of the run.
        prepared: the run.
        batch: of its last step.
        parameters: where it ended.
        asked: how many replicates, and where.

    Raises:
        InputError: a run that has no intervals, with the reason, or whose replicates find no minimum.
    """
    last = prepared.resolved.config.train[-1]
    if last.first_order:
        raise InputError(f"{folder.path}: no bootstrap: the last stage is {last.optimiser}, which ends at no minimum")
    try:
        uncertain = required_uncertainty(prepared.objective, batch, parameters)
    except NoIntervalError as reason:
        raise InputError(f"{folder.path}: no bootstrap: {reason}") from None
    _check_converged(folder)
    errors = {name: each.standard_error for name, each in uncertain.intervals().items()}
    sizes = _Sizes(noise=dict(uncertain.noise), errors=errors)
    if asked.jobs == 1:
        found = _replicates(prepared, batch, parameters, sizes, range(asked.replicates))
    else:
        found = _in_processes(folder, sizes, asked)
    return _beside(prepared, uncertain, Bootstrap.of(prepared.objective, parameters, found))


def _check_converged(folder: RunFolder) -> None:
    """Refuse runs that are at no minimum, as those have no intervals either."""
    if not folder.report.is_file():
        raise InputError(f"{folder.path}: no bootstrap: the run has not ended; go on with --resume")
    facts = read_report(folder.path).facts
    if not facts.get("converged"):
        raise InputError(f"{folder.path}: no bootstrap: the run has not converged: {facts.get('convergence')}")


def _replicates(
    prepared: Prepared,
    batch: Batch,
    parameters: Mapping[str, Tensor],
    sizes: _Sizes,
    numbers: Sequence[int],
) -> list[Tensor | None]:
    """Some replicates, with one thread of torch's, which alone gives the same bits wherever they are made."""
    seed, threads = derive(prepared.resolved.config.seed, "bootstrap"), torch.get_num_threads()
    refit = Refit(prepared.objective, batch, parameters, sizes["noise"], sizes["errors"], seed)
    torch.set_num_threads(1)
    try:
        return [refit.replicate(number) for number in numbers]
    finally:
        torch.set_num_threads(threads)


class _Sizes(TypedDict):
    """The noise of each set of measurements, and the linearised standard errors of the coefficients."""

    noise: dict[str, float]
    errors: dict[str, float]


class _Task(TypedDict):
    """Replicates that a process makes one after the other."""

    run: str
    device: str | None
    problems: list[str]
    sizes: _Sizes
    numbers: list[int]


class _Answer(TypedDict):
    """Their parameters, None for those that failed; or why there are none."""

    found: list[Array | None]
    failure: str


def _in_processes(folder: RunFolder, sizes: _Sizes, asked: Asked) -> list[Tensor | None]:
    """All replicates, every so many of them by one process, which reads the run once."""
    jobs = min(asked.jobs, asked.replicates)
    shared = {
        "run": str(folder.path),
        "device": asked.device,
        "problems": [str(each) for each in problem_folders(asked.problems)],
        "sizes": sizes,
    }
    tasks = [{**shared, "numbers": list(range(first, asked.replicates, jobs))} for first in range(jobs)]
    found: list[Tensor | None] = [None] * asked.replicates
    with contextlib.closing(processes.side_by_side(_serve, tasks, jobs, _lost, lambda: None)) as ended:
        for first, answer in ended:
            if answer["failure"]:
                raise RuntimeError(f"bootstrap: {answer['failure']}")
            found[first::jobs] = [None if each is None else torch.from_numpy(each) for each in answer["found"]]
    return found


def _serve(connection: Connection) -> None:
    processes.serve(connection, _work)


def _lost(how: str) -> _Answer:
    return {"found": [], "failure": how}


def _work(task: _Task) -> _Answer:
    """Make replicates; in a process of its own."""
    torch.set_num_threads(1)
    with processes.noted():  # which the command has said before
        try:
            begun = Begun.read(task["run"])
            changes = {} if task["device"] is None else {"device": task["device"]}
            prepared = prepare(begun.resolved(None, changes, task["problems"]), with_reference=False)
            state = begun.state(prepared)
            batch, parameters = batch_at(prepared, state), state["parameters"]
            found = _replicates(prepared, batch, parameters, task["sizes"], task["numbers"])
            return {"found": [None if each is None else each.numpy() for each in found], "failure": ""}
        except Exception as error:  # whatever it is, the command has to say so
            return {"found": [], "failure": f"{type(error).__name__}: {error}"}


def batch_at(prepared: Prepared, state: Mapping[str, Any]) -> Batch:
    """What the last step of a run saw, with all measurements."""
    return whole(prepared.objective, batch_of(prepared.objective, state["objective"], state["parameters"]))


def _beside(prepared: Prepared, uncertain: Uncertainty, spread: Bootstrap) -> Bootstrapped:
    """Both kinds of intervals and bands."""
    by_replicates, linearised = spread.intervals(), uncertain.intervals()
    estimates = prepared.objective.model.coefficient_values(dict(uncertain.parameters))
    unknown = {name: Compared(estimates[name], each, by_replicates[name]) for name, each in linearised.items()}
    inside = inside_of(prepared.problem.domain, prepared.axes)
    points, back = on_grid(replace(prepared, inside=inside))
    values = prepared.solution(uncertain.parameters, {})(points)
    one, other = uncertain.band(points), spread.band(points)
    bands = {
        name: ComparedBand(
            BandSize.of(column, one[name]), BandSize.of(column, other[name]), back(one[name]), back(other[name])
        )
        for name, column in zip(prepared.problem.outputs, values.T, strict=True)
    }
    return Bootstrapped(len(spread.replicates), spread.failed, uncertain.noise, unknown, bands, prepared.axes)


def _plain(each: Interval) -> dict[str, Any]:
    return {"standard_error": each.standard_error, "interval": [each.low, each.high]}
