"""`solve`, `load` and `evaluate`: the whole program in a few lines each."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pinnreg import registry
from pinnreg.config import (
    Config,
    FigureSettings,
    Given,
    Problems,
    Resolved,
    fingerprint,
    problem_folders,
    resolve,
    write_config,
)
from pinnreg.equations import Problem
from pinnreg.errors import InputError, Interrupted, LostProcess, StorageError
from pinnreg.estimates import Uncertainty
from pinnreg.objective import Batch, Evaluator, batch_of
from pinnreg.parallel import Team
from pinnreg.report import main_error, read_report, write_report
from pinnreg.run.combinations import note_unfinished_annealing
from pinnreg.run.convergence import judged, worst, wrong
from pinnreg.run.estimating import How, by_defect, estimated
from pinnreg.run.folder import RunFolder
from pinnreg.run.noise import uncertainty_of
from pinnreg.run.prepare import Prepared, check_stages, prepare
from pinnreg.run.progress import seen
from pinnreg.run.provenance import provenance
from pinnreg.run.results import compared, with_facts, write_figures
from pinnreg.run.resuming import Begun
from pinnreg.run.sharing import check_shared
from pinnreg.run.solution import Solution
from pinnreg.run.symptoms import more, undetermined
from pinnreg.run.viewing import viewed
from pinnreg.training import History, Hooks, Outcome, Row, is_lost, read_history, train

logger = logging.getLogger("pinnreg")


def solve(
    config: Given | None = None,
    overrides: Mapping[str, Any] | None = None,
    out: str | Path | bool | None = None,
    device: str | None = None,
    resume: bool = False,
    problems: Problems = None,
    *,
    overwrite: bool = False,
    hooks: Hooks | None = None,
    figures: bool = True,
    progress: bool = True,
    team: Team | None = None,
) -> Solution:
    """Solve a PDE: train a network on it, compare it with the reference, and write the run's folder.

    Args:
        config: a YAML file, the name of a shipped config or of a problem, or a dict, whose `problem` may be a Problem.
            Not needed with `resume`.
        overrides: values by dotted key, such as {"train.0.steps": 50}.
        out: the run's folder; None makes one under `outputs/`, False writes nothing.
        device: "auto", "cpu" or "cuda", before the config's.
        resume: go on with the run in `out`.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.
        overwrite: replace a run in `out`.
        hooks: what training calls along the way, and how it is stopped, or interrupted; `errors`, `residual` and
            `wrong` are filled in here.
        figures: whether to draw; `pinnreg.run.redraw` can do so later.
        progress: whether it is seen on stderr: a bar on a terminal, elsewhere a line at each evaluation.
        team: processes that share the rows of the training, which this one leads; the others `follow`.

    Returns:
        The solution, with its history, report and folder.

    Raises:
        InputError: the input is wrong, or another process is at work on the run; nothing was written.
        Diverged: NaN or Inf after the start; the last good state was saved.
        Interrupted: `hooks.interrupted` asked to stop; the state was saved.
        StorageError: the disk is full, or taken away; the last checkpoint is whole.
        LostProcess: one of a team is gone; the last checkpoint is whole.
    """
    started = time.monotonic()
    hooks = hooks or Hooks()
    changes = dict(overrides or {}) | ({} if device is None else {"device": device})
    begun = _begun(out) if resume else None
    resolved = _resolve(config, changes, problems, begun)
    prepared = prepare(resolved, trains=True)
    check_stages(prepared)
    if team is not None:
        check_shared(prepared, team)
    with _workplace(out, resolved.stem, begun, overwrite=overwrite) as folder, _stored(folder):
        state = begun and begun.state_to_go_on(prepared)
        began_with = begun.began_with if begun and state else {}
        earlier = begun.seconds_of(state) if begun and state else 0.0
        with seen(quiet=not progress, zero=_zero(prepared)) as on_row:
            looking = _with_looks(hooks, prepared, on_row)
            outcome, history = _trained(prepared, folder, state, looking, began_with, team)
        solution = prepared.solution(outcome.parameters, history)
        _note_nothing_done(prepared, state, outcome)
        verdict, how = judged(solution, prepared, outcome), prepared.resolved.config.evaluate.estimate
        uncertain = uncertainty_of(prepared, outcome.batch, outcome.parameters) if verdict.converged else None
        loose = undetermined(solution, prepared, verdict.relative_residual)
        estimate = estimated(solution, prepared, how, outcome.steps)
        estimate = estimate.of_an_open_solution() if estimate and loose else estimate
        solution = compared(solution, prepared, estimate, uncertain)
        solution = viewed(solution, prepared, resolved.config.figures) if figures else solution
        seconds = time.monotonic() - started + earlier
        solution = with_facts(solution, prepared, outcome, verdict, uncertain, seconds, loose)
        return (
            solution if folder is None else _kept(solution, folder, hooks, resolved.config.figures if figures else None)
        )


def load(
    run: str | Path,
    problems: Problems = None,
    *,
    problem: Problem | None = None,
    network: Any = None,
    regularisers: Sequence[Any] | None = None,
) -> Solution:
    """The solution in a run's folder, as far as it was trained; its report if the run has ended.

    Args:
        run: the run's folder.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.
        problem: the problem, if the run was given it as an object.
        network: the network, if it was given as an object.
        regularisers: all of them, if any was given as an object.

    Raises:
        InputError: a folder without a run, a corrupt checkpoint, or a problem that cannot be found again.
    """
    begun = Begun.read(run)
    objects = {"problem": problem, "network": network, "regularisers": regularisers}
    prepared = prepare(begun.resolved(None, {"device": "cpu"}, problems, objects), with_reference=False)
    folder, parameters = begun.folder, begun.state(prepared)["parameters"]
    history = {} if is_lost(folder.history) else read_history(folder.history)
    report = read_report(folder.path) if folder.report.is_file() else None
    return replace(prepared.solution(parameters, history), report=report, folder=folder.path)


def evaluate(
    run: str | Path,
    grid: Sequence[int] | None = None,
    device: str | None = None,
    problems: Problems = None,
    *,
    problem: Problem | None = None,
    network: Any = None,
    regularisers: Sequence[Any] | None = None,
    estimate: How | None = None,
) -> Solution:
    """The solution in a run's folder, compared anew with the reference; writes nothing.

    Args:
        run: the run's folder.
        grid: points along each axis, or one number for all; None: those of the run's config.
        device: "auto", "cpu" or "cuda", before the config's.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.
        problem: the problem, if the run was given it as an object.
        network: the network, if it was given as an object.
        regularisers: all of them, if any was given as an object.
        estimate: how its error is estimated, before the config's; "defect" as finely as possible. None: as the config
            says, but that no second run is trained.

    Raises:
        InputError: as `load`, or a grid that does not fit the problem.
    """
    begun = Begun.read(run)
    changes: dict[str, Any] = {} if device is None else {"device": device}
    changes |= {} if grid is None else {"evaluate.grid": list(grid)}
    changes |= {} if estimate is None else {"evaluate.estimate": estimate}
    objects = {"problem": problem, "network": network, "regularisers": regularisers}
    prepared = prepare(begun.resolved(None, changes, problems, objects))
    state = begun.state(prepared)
    solution, how = prepared.solution(state["parameters"], {}), prepared.resolved.config.evaluate.estimate
    steps, unasked = int(state["position"]["step"]), estimate is None and how in ("auto", "twin")
    _, size = worst(solution, prepared) or ("", None)
    # a second run is trained for those only who ask for it
    found = by_defect(solution, prepared, steps) if unasked else estimated(solution, prepared, how, steps)
    found = found.of_an_open_solution() if found and undetermined(solution, prepared, size) else found
    return compared(solution, prepared, found, _uncertain_as(begun, prepared, state))


def load_config(
    config: Given,
    overrides: Mapping[str, Any] | None = None,
    problems: Problems = None,
) -> Config:
    """The whole config that `config` and `overrides` describe, all defaults filled in. Arguments as in `solve`."""
    return resolve(config, overrides, problem_folders(problems)).config


def problem(name: str, **parameters: Any) -> Problem:
    """The shipped problem `name` with the given parameters.

    Raises:
        InputError: an unknown name, or parameters that the problem lacks or refuses.
    """
    return registry.create(name, parameters)


def _uncertain_as(begun: Begun, prepared: Prepared, state: Mapping[str, Any]) -> Uncertainty | None:
    """What noise in the measurements does to a run that has ended and converged, as its report had it."""
    if not begun.folder.report.is_file() or not read_report(begun.folder.path).facts.get("converged"):
        return None
    batch = batch_of(prepared.objective, state["objective"], state["parameters"])
    return uncertainty_of(prepared, batch, state["parameters"])


def _begun(out: str | Path | bool | None) -> Begun:
    if out is None or isinstance(out, bool):
        raise InputError("resume: say which run to go on with: out=<its folder>")
    return Begun.read(out, to_go_on=True)


def _resolve(config: Given | None, changes: Mapping[str, Any], problems: Problems, begun: Begun | None) -> Resolved:
    if begun is not None:
        return begun.resolved(config, changes, problems)
    if config is None:
        raise InputError("nothing to solve: give a config file, the name of a config or problem, or a dict")
    return resolve(config, changes, problem_folders(problems))


def _workplace(
    out: str | Path | bool | None, stem: str, begun: Begun | None, *, overwrite: bool
) -> contextlib.AbstractContextManager[RunFolder | None]:
    """The run's folder, held by this process; None if nothing is written."""
    if begun is not None:
        return begun.folder.continued()
    if out is False:
        return contextlib.nullcontext()
    return RunFolder.created(None if out is None or out is True else out, stem, overwrite=overwrite)


@contextlib.contextmanager
def _stored(folder: RunFolder | None) -> Iterator[None]:
    """Say what is kept when a file cannot be written or a signal comes; a run that has not begun leaves nothing.

    Raises:
        StorageError: it cannot.
    """
    try:
        yield
    except Interrupted as stopped:
        if folder is None or stopped.checkpoint is not None or not folder.checkpoint.is_file():
            raise
        raise Interrupted(stopped.signal, folder.checkpoint) from None
    except LostProcess as lost:
        if folder is None or not folder.checkpoint.is_file():
            raise
        kept = f"the last checkpoint is whole: go on with --resume {folder.path}, in any number of processes"
        raise LostProcess(f"{lost}; {kept}") from lost
    except OSError as error:
        if folder is None:
            raise
        what = f"{error.filename or folder.path}: cannot be written: {error.strerror or error}"
        if folder.checkpoint.is_file():
            what += f"; the last checkpoint is whole: once there is space, go on with --resume {folder.path}"
        else:
            what += "; the run had not begun"
        raise StorageError(what) from error


def _trained(
    prepared: Prepared,
    folder: RunFolder | None,
    state: Mapping[str, Any] | None,
    hooks: Hooks,
    began_with: Mapping[str, Any],
    team: Team | None,
) -> tuple[Outcome[Batch], dict[str, NDArray[np.float64]]]:
    """The outcome of training, from the start or from a state, and its history; results of an earlier end are gone."""
    config, path, start = prepared.resolved.config, folder and folder.history, prepared.start
    objective = prepared.objective
    history = History(objective.names, prepared.compared_outputs, path, list(config.unknown), objective.to_tune)

    def accepted() -> None:
        if folder is not None:
            write_config(
                folder.config,
                config,
                {**provenance(prepared.resolved, prepared.split.trial, prepared.device, start), **began_with},
            )
            folder.forget_results()

    history.check()
    outcome = train(
        Evaluator(objective, compile=config.compile, team=team),
        config.train,
        history,
        checkpoint=folder and folder.checkpoint,
        extra={"fingerprint": fingerprint(config)} | ({} if start is None else {"start": start.state()}),
        resume=state,
        accepted=accepted,
        hooks=hooks,
    )
    note_unfinished_annealing(objective, outcome.batch.progress)
    return outcome, history.columns()


def _note_nothing_done(prepared: Prepared, state: Mapping[str, Any] | None, outcome: Outcome[Batch]) -> None:
    """Say so where a run was to go on, and its limits were reached before."""
    if state is not None and outcome.steps == int(state["position"]["step"]):
        option = more(prepared.resolved.config.train, outcome.stop_reason)
        logger.warning("no step was made, as training had ended: %s; to go on: %s", outcome.stop_reason, option)


def _kept(solution: Solution, folder: RunFolder, hooks: Hooks, figures: FigureSettings | None) -> Solution:
    """The solution, after its files are in the folder, and its figures, unless there are to be none.

    Raises:
        Interrupted: a signal came after training; the run is finished when it is resumed.
    """
    assert solution.report is not None
    if (signal := hooks.interrupted()) is not None:
        raise Interrupted(signal, folder.checkpoint)
    write_report(folder.path, solution.report)
    if figures is not None:
        try:
            write_figures(folder.path, solution.report, solution.history, "png", figures)
        except InputError as refused:
            # of a size into which they do not fit, which is seen only now
            logger.warning("no figures: %s; then: pinnreg plot %s --set figures.KEY=VALUE", refused, folder.path)
    return replace(solution, folder=folder.path)


def _with_looks(hooks: Hooks, prepared: Prepared, on_row: Callable[[Row], object]) -> Hooks:
    """The hooks, with the relative residual, and the error against the reference; `on_row` sees the progress, too."""

    def progress(row: Row) -> None:
        hooks.progress(row)
        on_row(row)

    def residual(parameters: Mapping[str, Tensor]) -> float | None:
        largest = worst(prepared.solution(parameters, {}), prepared)
        return None if largest is None else largest[1]

    def errors(parameters: Mapping[str, Tensor]) -> dict[str, float]:
        looked_at = prepared.looked_at(prepared.solution(parameters, {}))
        return {name: main_error(*pair) for name, pair in looked_at.items()}

    return replace(
        hooks,
        evaluate_every=prepared.resolved.config.evaluate.every,
        progress=progress,
        residual=residual,
        wrong=lambda parameters: wrong(prepared.solution(parameters, {}), prepared),
        errors=hooks.errors if prepared.solved is None else errors,
    )


def _zero(prepared: Prepared) -> frozenset[str]:
    """The outputs whose reference is zero."""
    known = {} if prepared.solved is None else prepared.truth
    return frozenset(name for name, values in known.items() if not values.any())
