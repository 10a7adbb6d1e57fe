"""A training whose rows several processes share: what cannot be shared, and the life of those that do not lead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinnreg.config import Given, Problems, Resolved, problem_folders, resolve
from pinnreg.errors import InputError
from pinnreg.objective import Share
from pinnreg.optimisers import GaussNewton
from pinnreg.optimisers.interface import SKETCHED_ABOVE
from pinnreg.parallel import Team
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.run.resuming import Begun


def check_shared(prepared: Prepared, team: Team) -> None:
    """Refuse what several processes cannot do.

    Raises:
        InputError: a GPU, compilation, or Gauss-Newton in a subspace or in single precision.
    """
    config, objective = prepared.resolved.config, prepared.objective
    several = f"{team.size} processes"
    if prepared.device.type != "cpu":
        raise InputError(f"device: {prepared.device.type}: {several} share the rows on CPUs; set device: cpu")
    if config.compile:
        raise InputError(f"compile: true: {several} compile nothing; leave it out")
    width = sum(each.numel() for each in objective.model.initial().values())
    for number, stage in enumerate(config.train):
        if not isinstance(stage, GaussNewton):
            continue
        if stage.mixed_precision:
            raise InputError(f"train.{number}.mixed_precision: no Jacobian is whole in {several}; leave it out")
        if stage.sketch is not None or min(width, objective.row_count) > SKETCHED_ABOVE:
            raise InputError(
                f"train.{number}: {several} take no steps in a subspace, as by sketch, or of more than "
                f"{SKETCHED_ABOVE:,} parameters; take optimiser: lbfgs or adam, or one process"
            )


def follow(
    team: Team,
    config: Given | None,
    overrides: Mapping[str, Any],
    *,
    resume: str | Path | None = None,
    problems: Problems = None,
) -> None:
    """Do a share of what the leader of a team trains, until it has ended; writes nothing.

    Args:
        team: which another process leads.
        config: the leader's, as its overrides and problems.
        overrides: values by dotted key.
        resume: the folder of the run that the leader goes on with, in the place of `config`.
        problems: folders of problem files.

    Raises:
        LostProcess: the leader is gone.
    """
    try:
        resolved = _resolved(config, overrides, resume, problems)
        share = Share(prepare(resolved, with_reference=False).objective, leads=False)
    except Exception as error:  # of which the leader is told when it asks for something
        refused = error

        def refuse(order: object) -> None:
            raise refused

        team.serve(refuse)
    else:
        team.serve(share.do)


def _resolved(
    config: Given | None, overrides: Mapping[str, Any], resume: str | Path | None, problems: Problems
) -> Resolved:
    if resume is not None:
        return Begun.read(resume).resolved(config, overrides, problems)
    assert config is not None  # without which the leader has refused
    return resolve(config, overrides, problem_folders(problems))
