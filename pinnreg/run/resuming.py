"""A run that was begun before: what it was, what may change, and the state that it has reached."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch

from pinnreg.config import (
    Config,
    FigureSettings,
    Given,
    Problems,
    Resolved,
    differences,
    fingerprint,
    problem_folders,
    read_yaml,
    resolve,
    validate,
)
from pinnreg.config.merging import set_key
from pinnreg.config.parts import unfound
from pinnreg.equations import Problem
from pinnreg.errors import InputError
from pinnreg.files import is_file
from pinnreg.objective import Evaluator
from pinnreg.registry import file_hash, find_one
from pinnreg.report import read_report
from pinnreg.run.folder import RunFolder
from pinnreg.run.prepare import Prepared
from pinnreg.run.provenance import data_hashes
from pinnreg.run.starting import scale_in
from pinnreg.scanning import PARTS, Role
from pinnreg.training import flaw_in, flaw_in_start, is_lost, read_checkpoint, read_history

logger = logging.getLogger("pinnreg")


@final
@dataclass(frozen=True)
class Begun:
    """A run as its folder has it.

    Attributes:
        folder: where it is.
        saved: the content of its config.
        config: the same, typed.
        provenance: what it was begun with.
    """

    folder: RunFolder
    saved: Mapping[str, Any]
    config: Config
    provenance: Mapping[str, Any]

    @staticmethod
    def read(path: str | Path, *, to_go_on: bool = False) -> Begun:
        """The run in a folder.

        Args:
            path: the folder.
            to_go_on: whether a run is to be brought back that a process which was killed has put aside.

        Raises:
            InputError: a folder without a run, or with a config that cannot be read.
        """
        folder = RunFolder.brought_back(path) if to_go_on else RunFolder.existing(path)
        saved = read_yaml(folder.config)
        provenance = _checked(saved.pop("provenance", None) or {}, folder.config)
        return Begun(folder, saved, validate(unfound(saved), str(folder.config)), provenance)

    def resolved(
        self,
        given: Given | None,
        overrides: Mapping[str, Any],
        problems: Problems,
        objects: Mapping[str, Any] | None = None,
    ) -> Resolved:
        """The config to go on with: the run's own, with what `given` says of stages' limits, evaluation and device.

        Args:
            given: a config, or None for the run's own.
            overrides: values by dotted key.
            problems: folders of problem files besides the shipped ones.
            objects: `problem`, `network` and `regularisers` that the run was given as objects.

        Raises:
            InputError: a config that differs in anything else, or code that is not in these folders: where it was
                is noted in the run, but a run does not say what is to be run.
        """
        file = self.provenance.get("problem_file")
        folders = problem_folders(problems)
        known = {name: value for name, value in (objects or {}).items() if value is not None}
        section = given.get("problem") if isinstance(given, Mapping) else known.get("problem")
        found_by_name = file is not None and not isinstance(section, Problem)
        if found_by_name:
            name, sha256 = str(self.config.problem["name"]), self.provenance.get("problem_sha256")
            self._check_file("problem", name, str(file), folders, sha256)
        self._check_parts(folders, known if given is None else given)
        if given is None and known:
            given = {**self.saved, **known}
        if file is None and (given is None or (known and "problem" not in known)):
            raise InputError(
                f"{self.folder.path}: the run's problem was given as an object of Python, which no file holds; give it "
                "again: load(run, problem=...), evaluate(run, problem=...), or "
                "solve({'problem': ..., ...}, resume=True)"
            )
        resolved = resolve(self.saved if given is None else given, overrides, folders)
        self._check_same(resolved)
        if not found_by_name and resolved.problem_hash != self.provenance.get("problem_sha256"):
            logger.warning("the code of problem %r has changed since the run began", resolved.config.problem["name"])
        scale = scale_in(self.provenance, len(resolved.problem.outputs), self.folder.config)
        return replace(resolved, scale=scale, start=self._start())

    def seconds_of(self, state: Mapping[str, Any]) -> float:
        """How long it has taken so far: in all, as its report says, or in training, where it has not ended."""
        trained = float(state["position"]["seconds"])
        try:
            report = read_report(self.folder.path)
        except InputError:  # there is none, or one that is damaged, and will be written anew
            return trained
        return max(trained, float(report.facts.get("wall_seconds") or 0.0))

    def with_figures(self, overrides: Mapping[str, Any]) -> FigureSettings:
        """The figures of the run's config, with other values by dotted key.

        Raises:
            InputError: a value that cannot be.
        """
        data = unfound(copy.deepcopy(dict(self.saved)))
        for key, value in overrides.items():
            set_key(data, key, value)
        return validate(data, str(self.folder.config)).figures

    def _start(self) -> dict[str, Any] | None:
        """What the run started from: its folder may have gone; None if it did not, or has no checkpoint yet.

        Raises:
            InputError: a corrupt checkpoint.
        """
        if self.config.start is None or not is_file(self.folder.checkpoint):
            return None
        state = read_checkpoint(self.folder.checkpoint, torch.device("cpu"))
        if (flaw := flaw_in_start(state.get("start"))) is not None:
            raise InputError(f"{self.folder.checkpoint}: corrupt checkpoint: {flaw}")
        start: dict[str, Any] = state["start"]
        return start

    @property
    def began_with(self) -> dict[str, Any]:
        """The hashes of code and data at the start, which stay when it goes on with others: these are noted again."""
        return {
            key: self.provenance[key] for key in ("problem_sha256", "parts", "data_sha256") if key in self.provenance
        }

    def state(self, prepared: Prepared) -> dict[str, Any]:
        """The state in the checkpoint.

        Raises:
            InputError: a corrupt checkpoint, or one of another config.
        """
        state = read_checkpoint(self.folder.checkpoint, prepared.device)
        if state.get("fingerprint") != fingerprint(prepared.resolved.config):
            raise InputError(
                f"{self.folder.checkpoint}: the checkpoint belongs to another config than {self.folder.config}"
            )
        stages = len(prepared.resolved.config.train)
        if (flaw := flaw_in(state, stages, prepared.objective.model.initial())) is not None:
            raise InputError(f"{self.folder.checkpoint}: corrupt checkpoint, or that of another network: {flaw}")
        return state

    def _only_began(self) -> bool:
        """Whether nothing is there but what is written before the first checkpoint."""
        folder = self.folder
        if folder.checkpoint.exists() or folder.report.exists():
            return False
        return is_lost(folder.history) or not read_history(folder.history)["step"].any()

    def state_to_go_on(self, prepared: Prepared) -> dict[str, Any] | None:
        """The state to go on with; None if the process was killed before it had saved the first.

        Notes another number of CPU threads, with which sums are rounded differently.

        Raises:
            InputError: as `state`, measurements that have changed, or steps or seconds of a stage that cannot be kept
                any more.
        """
        if self._only_began():
            logger.warning("%s: the run was stopped before its first checkpoint, and begins again", self.folder.path)
            return None
        state = self.state(prepared)
        for file in self._changed_data(prepared.resolved.config):
            raise InputError(
                f"{file}: the measurements have changed since {self.folder.path} began; a run goes on with its own"
            )
        began, now = self.provenance.get("threads"), torch.get_num_threads()
        if began != now:
            logger.warning(
                "the run began with %s CPU threads and goes on with %s: not the same bit for bit", began, now
            )
        self._check_stages(state["position"], prepared.resolved.config)
        if prepared.objective.scheduled and prepared.resolved.config.train != self.config.train:
            logger.warning(
                "regularisers follow a schedule over the whole training, which is another now: this is not what the "
                "new config gives from the start"
            )
        elif Evaluator(prepared.objective).refines and _planned(prepared.resolved.config) != _planned(self.config):
            logger.warning(
                "points are added but in the last tenth of a stage, which is another now: this is not what the new "
                "config gives from the start"
            )
        return state

    def _check_parts(self, folders: Sequence[Path], given: Given) -> None:
        """Refuse to go on without the user's own parts, and note those that have changed, before any file is run."""
        path = self.folder.path
        for part in self.provenance.get("parts") or ():
            role, kind, file = part["role"], part["kind"], part["file"]
            if file is None:
                section = "regularisers" if role == "regulariser" else "network"
                if not isinstance(given, Mapping) or section not in given:
                    raise InputError(
                        f"{path}: the run's {role} {kind!r} was given as an object of Python, which no file holds; "
                        f"give it again from Python: load(run, {section}=...), or in what solve(..., resume=True) gets"
                    )
                continue
            self._check_file(role, kind, file, folders, part["sha256"])

    def _check_file(self, role: Role, kind: str, file: str, folders: Sequence[Path], sha256: str | None) -> None:
        """Refuse to go on without a file, and note it if it has changed, before it is run."""
        found = find_one(kind, folders, role)
        if found is None:
            raise InputError(
                f"{self.folder.path}: the run's {role} {kind!r} is not found; it was in {file}: say --problems "
                f"{Path(file).parent}, or problems=... from Python"
            )
        if file_hash(found) != sha256:
            logger.warning("the code of %s %r has changed since the run began", role, kind)

    def _check_same(self, resolved: Resolved) -> None:
        """Refuse another run, and note objects and data that are not what they were."""
        path, file = self.folder.path, self.provenance.get("problem_file")
        if (resolved.problem_file is None) != (file is None):
            raise InputError(f"{path}: the run's problem is {file or 'an object of Python'}, not the one given")
        if fingerprint(resolved.config) != fingerprint(self.config):
            changed = ", ".join(differences(self.config, resolved.config))
            raise InputError(
                f"{path}: the config is not that of the run, which differs in {changed}; a run goes on with other "
                "train.*.steps, train.*.max_seconds, train.*.max_sweeps, evaluate, figures and device only"
            )
        for began, now in zip(self.provenance.get("parts") or (), resolved.parts, strict=False):
            if began["file"] is None and now.sha256 != began["sha256"]:
                logger.warning("the %s %r is not the one that the run began with", began["role"], began["kind"])
        for data in self._changed_data(resolved.config):
            logger.warning("the measurements in %s have changed since the run began", data)

    def _changed_data(self, config: Config) -> list[str]:
        """The files of measurements that are not what they were when the run began."""
        now, began = data_hashes(config), self.provenance.get("data_sha256") or {}
        return [file for file, known in began.items() if now.get(file, known) != known]

    def _check_stages(self, position: Mapping[str, Any], now: Config) -> None:
        """Refuse steps or seconds that cannot be kept any more: the config would not repeat the run."""
        path, before, last = self.folder.path, self.config, len(now.train) - 1
        current = min(position["stage"] + bool(position["stop_reason"]), last)
        for number in range(current):
            if now.train[number] != before.train[number]:
                raise InputError(f"{path}: train.{number} has ended and cannot be given other steps or seconds")
        made = position["stage_step"] if position["stage"] == current else 0
        if now.train[current].steps < min(made, before.train[current].steps):
            raise InputError(
                f"{path}: train.{current}.steps: {made} steps are made, fewer cannot be asked for, got "
                f"{now.train[current].steps}"
            )


def _planned(config: Config) -> list[tuple[int, float | None]]:
    """The limits of all stages by which a share of them is done; seconds would not repeat."""
    return [(stage.steps, stage.max_sweeps) for stage in config.train]


def _checked(provenance: Any, config: Path) -> dict[str, Any]:
    """What a run says that it was made with; refuses what pinnreg cannot have written."""
    texts = (str, type(None))
    sound = isinstance(provenance, dict) and (
        isinstance(provenance.get("problem_file"), texts)
        and isinstance(provenance.get("problem_sha256"), texts)
        and isinstance(provenance.get("data_sha256") or {}, dict)
        and isinstance(provenance.get("parts") or [], list)
        and all(
            isinstance(part, dict)
            and part.keys() >= {"role", "kind", "file", "sha256"}
            and part["role"] in PARTS
            and isinstance(part["file"], texts)
            for part in provenance.get("parts") or ()
        )
    )
    if not sound:
        raise InputError(f"{config}: its provenance is not what pinnreg writes; take it out of the file, or mend it")
    return dict(provenance)
