"""`solve`, `load` and `evaluate`: the whole program in a few lines each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from pinnreg import registry
from pinnreg.config import Config, Resolved, fingerprint, resolve, write_config
from pinnreg.equations import Problem
from pinnreg.errors import InputError, Interrupted
from pinnreg.objective import Evaluator
from pinnreg.report import Solution, read_report, relative_l2
from pinnreg.run.combinations import note_unfinished_annealing
from pinnreg.run.folder import RunFolder
from pinnreg.run.prepare import (
    Prepared,
    Problems,
    prepare,
    problem_folders,
    resolve_resumed,
    resumed_state,
    saved_state,
)
from pinnreg.run.provenance import provenance
from pinnreg.run.results import compared, write_figures, write_results
from pinnreg.training import History, Hooks, read_history, train

Given = str | Path | Mapping[str, Any]


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
) -> Solution:
    """Solve a PDE: train a network on it, compare it with the reference, and write the run's folder.

    Args:
        config: a YAML file, the name of a shipped config or of a problem, or a dict, whose `problem` may be a Problem.
            Not needed with `resume`.
        overrides: values by dotted key, such as {"train.0.steps": 50}.
        out: the run's folder; None makes one under `outputs/`, False writes nothing.
        device: "auto", "cpu" or "cuda", before the config's.
        resume: go on with the run in `out`.
        problems: a folder, or several, of problem files besides the shipped ones.
        overwrite: replace a run in `out`.
        hooks: what training calls along the way, and how it is interrupted; `errors` is filled in here.
        figures: whether to draw; `write_figures` can do so later.

    Returns:
        The solution, with its history, report and folder.

    Raises:
        InputError: the input is wrong; nothing was written.
        Diverged: NaN or Inf after the start; the last good state was saved.
        Interrupted: `hooks.interrupted` asked to stop; the state was saved.
    """
    started = time.monotonic()
    hooks = hooks or Hooks()
    changes = dict(overrides or {}) | ({} if device is None else {"device": device})
    resumed = _resumed_folder(out) if resume else None
    resolved = _resolve(config, changes, problem_folders(problems), resumed)
    prepared = prepare(resolved)
    state = resumed and resumed_state(resumed, prepared)
    folder = resumed or _new_folder(out, resolved.stem, overwrite=overwrite)
    history = History(
        prepared.objective.names, prepared.compared_outputs, folder and folder.history, list(resolved.config.unknown)
    )
    if folder is not None:
        history.check()
        folder.forget_results()
        write_config(folder.config, resolved.config, provenance(resolved, prepared.device))
    outcome = train(
        Evaluator(prepared.objective, compile=resolved.config.compile),
        resolved.config.train,
        history,
        checkpoint=folder and folder.checkpoint,
        extra={"fingerprint": fingerprint(resolved.config)},
        resume=state,
        hooks=_with_errors(hooks, prepared),
    )
    note_unfinished_annealing(prepared.objective, outcome.batch.progress)
    solution = compared(prepared.solution(outcome.parameters, history.columns()), prepared)
    if folder is None:
        return solution
    if (signal := hooks.interrupted()) is not None:
        raise Interrupted(signal, folder.checkpoint)
    earlier = 0.0 if state is None else float(state["position"]["seconds"])
    write_results(folder, prepared, solution, outcome, time.monotonic() - started + earlier)
    if figures:
        write_figures(folder, "png")
    return replace(solution, folder=folder.path)


def load(run: str | Path, problems: Problems = None, *, problem: Problem | None = None) -> Solution:
    """The solution in a run's folder, as far as it was trained; its report if the run has ended.

    Args:
        run: the run's folder.
        problems: a folder, or several, of problem files besides the shipped ones.
        problem: the problem, if the run was given it as an object.

    Raises:
        InputError: a folder without a run, a corrupt checkpoint, or a problem that cannot be found again.
    """
    folder = RunFolder.existing(run)
    resolved = resolve_resumed(folder, None, {"device": "cpu"}, problem_folders(problems), problem)
    prepared = prepare(resolved, with_reference=False)
    parameters = saved_state(folder, prepared)["parameters"]
    history = read_history(folder.history) if folder.history.is_file() else {}
    solution = prepared.solution(parameters, history)
    report = read_report(folder.path)[0] if folder.report.is_file() else None
    return replace(solution, report=report, folder=folder.path)


def evaluate(
    run: str | Path,
    grid: Sequence[int] | None = None,
    device: str | None = None,
    problems: Problems = None,
    *,
    problem: Problem | None = None,
) -> Solution:
    """The solution in a run's folder, compared anew with the reference; writes nothing.

    Args:
        run: the run's folder.
        grid: points along each axis, or one number for all; None: those of the run's config.
        device: "auto", "cpu" or "cuda", before the config's.
        problems: a folder, or several, of problem files besides the shipped ones.
        problem: the problem, if the run was given it as an object.

    Raises:
        InputError: as `load`, or a grid that does not fit the problem.
    """
    folder = RunFolder.existing(run)
    changes: dict[str, Any] = {} if device is None else {"device": device}
    changes |= {} if grid is None else {"evaluate.grid": list(grid)}
    prepared = prepare(resolve_resumed(folder, None, changes, problem_folders(problems), problem))
    parameters = saved_state(folder, prepared)["parameters"]
    return compared(prepared.solution(parameters, {}), prepared)


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


def _resolve(
    config: Given | None, changes: Mapping[str, Any], folders: Sequence[Path], resumed: RunFolder | None
) -> Resolved:
    if resumed is not None:
        return resolve_resumed(resumed, config, changes, folders)
    if config is None:
        raise InputError("nothing to solve: give a config file, the name of a config or problem, or a dict")
    return resolve(config, changes, folders)


def _new_folder(out: str | Path | bool | None, stem: str, *, overwrite: bool) -> RunFolder | None:
    return None if out is False else RunFolder.create(None if out is True else out, stem, overwrite=overwrite)


def _resumed_folder(out: str | Path | bool | None) -> RunFolder:
    if out is None or isinstance(out, bool):
        raise InputError("resume: say which run to go on with: out=<its folder>")
    return RunFolder.existing(out)


def _with_errors(hooks: Hooks, prepared: Prepared) -> Hooks:
    """The hooks, with the error against the reference."""
    every = prepared.resolved.config.evaluate.every
    if (solved := prepared.solved) is None:
        return replace(hooks, evaluate_every=every)

    def errors(parameters: Mapping[str, Tensor]) -> dict[str, float]:
        values = prepared.solution(parameters, {}).on_grid(prepared.axes)
        return {name: relative_l2(value, solved.values[name]) for name, value in values.items()}

    return replace(hooks, errors=errors, evaluate_every=every)
