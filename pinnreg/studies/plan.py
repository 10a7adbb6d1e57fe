"""From a study to its runs: every combination with its whole config, checked before the first run starts."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnreg import memory
from pinnreg.config import Resolved, as_dict, resolve
from pinnreg.errors import InputError, abridged
from pinnreg.files import is_file
from pinnreg.registry import file_hash, shipped
from pinnreg.run.folder import RunFolder
from pinnreg.run.prepare import check_stages, prepare
from pinnreg.run.provenance import package_version
from pinnreg.run.sizes import check_sizes
from pinnreg.studies import budget
from pinnreg.studies.measures import FORMAT
from pinnreg.studies.model import BASE, CASE, PART, REGULARISERS, Study
from pinnreg.studies.planned import Plan

logger = logging.getLogger("pinnreg")

OnPlan = Callable[[int, int], object]
"""Called with how many runs are planned, and how many there are to be."""

PLAN = 4000
"""Bytes that a planned run takes."""

ESTIMATE = "evaluate.estimate"
"""None in the runs of a study that says nothing of it: one that nobody reads can take as long as the training."""

CANDIDATE_KEYS = ("weight", "sigma")
"""Numbers of a regulariser for which a study may give a list of candidates."""


def plan(study: Study, where: str, folders: Sequence[Path] = (), *, planning: OnPlan = lambda *_: None) -> list[Plan]:
    """All runs of a study, in the order of the file.

    Args:
        study: what is asked for.
        where: it came from, for messages.
        folders: of problem files besides the shipped one.
        planning: called along the way, as it takes milliseconds a run.

    Raises:
        InputError: values that some run's config cannot have; the message names the run.
    """
    runs: list[Plan] = []
    clocks = set[str]()
    total = _count(study)
    memory.check({f"{where}: a study of {total} runs": PLAN * total}, "vary fewer values")
    for labels, part, case, values in _combinations(study):
        for candidates, chosen in _expanded(values, where):
            planning(len(runs), total)
            resolved, clock = _without_clock(_resolved(part, case, chosen, labels, where, folders))
            clocks |= {clock} if clock else set()
            # before the run's own hash: a file edited in between then fails the run, and is not taken for the old one
            hashes = resolved.problem_hash, _part_hashes(resolved), _data_hashes(as_dict(resolved.config))
            elsewhere = _folders(resolved, folders)
            known_by = run_hash(resolved, analyse=study.analyse)
            runs.append(Plan(labels, candidates, resolved, known_by, *hashes, study.analyse, elsewhere))
    if clocks:
        logger.warning(
            "%s: %s of the base does not count: what a run reaches by then is for the machine and its load to say",
            where,
            ", ".join(sorted(clocks)),
        )
    return runs


def _combinations(study: Study) -> Iterator[tuple[dict[str, str], Study, dict[str, Any], dict[str, Any]]]:
    """Names, part of the study, case and values of what is varied, in the order of the file."""
    for name, part in study.whole().items():
        for label, case in part.cases.items() or [("", {})]:
            place = ({PART: name} if name else {}) | ({CASE: label} if label else {})
            for choice in itertools.product(*(variants.items() for variants in part.vary.values())):
                labels = {key: text for key, (text, _) in zip(part.vary, choice, strict=True)}
                values = {key: value for key, (_, value) in zip(part.vary, choice, strict=True)}
                yield place | labels, part, case, values


def _count(study: Study) -> int:
    """The number of runs, those of candidates among them."""
    return sum(_count_of_part(part) for part in study.whole().values())


def _count_of_part(study: Study) -> int:
    variants = {key: [1] * len(each) for key, each in study.vary.items()}
    if REGULARISERS in variants:
        lists = [_candidates(value, REGULARISERS) for value in study.vary[REGULARISERS].values()]
        variants[REGULARISERS] = [math.prod(len(numbers) for _, numbers in each) for each in lists]
    return max(1, len(study.cases)) * math.prod(map(sum, variants.values()))


def check_choice(study: Study, plans: Sequence[Plan], where: str) -> None:
    """Refuse candidates among which nobody without the answer could choose.

    Raises:
        InputError: a problem without an equation, and no measurements that are held out, or none that may be used.
    """
    if study.choose == "validation" and all(planned.holds_out for planned in plans):
        return
    for planned in plans:
        if planned.candidates and not planned.resolved.problem.has_residual:
            key = next(iter(planned.candidates))
            raise InputError(
                f"{where}: vary.{key}: of these candidates none can be chosen: the problem has no equation whose "
                "residual could judge them; hold measurements out in all runs (measurements.0.held_out: 0.2, with "
                "choose: validation), or give one value"
            )


def check(plans: Sequence[Plan], where: str, *, device: bool) -> None:
    """Build what stands before training once for each group, since not all mistakes show in a config.

    Args:
        plans: the runs to be made.
        where: the study, for messages.
        device: whether they are made on this machine, and so on a device of it.

    Raises:
        InputError: for instance a regulariser of an axis that the problem lacks.
    """
    for first in {planned.group: planned for planned in reversed(plans)}.values():
        config = first.resolved.config
        used = config if device else replace(config, device="cpu")
        try:
            if device:
                check_sizes(used, first.resolved.problem, grid=True)
            prepared = prepare(replace(first.resolved, config=used), with_reference=False, trains=device)
            check_stages(prepared, here=device)
        except InputError as error:
            raise InputError(f"{where}: {abridged(first.title)}: {error}") from None


def run_hash(resolved: Resolved, *, analyse: bool = True) -> str:
    """A hash of all that a run's results depend on.

    These are its config but for the device and the figures, the problem's file, those of own parts and of data,
    pinnreg's version, and what is measured.
    """
    config = as_dict(resolved.config)
    del config["device"], config["figures"]
    if config["start"] is None:
        del config["start"]  # of which runs from before it was a key know nothing
    identity = {
        "config": config,
        "problem": resolved.problem_hash,
        "files": _data_hashes(config) | _part_hashes(resolved),
        "pinnreg": package_version(),
        "format": FORMAT,
    }
    if not analyse:
        identity["analyse"] = False  # of which runs from before it was a key know nothing
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _data_hashes(config: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the data files that a config names, by path."""
    start = [] if config.get("start") is None else [str(RunFolder(Path(config["start"])).checkpoint)]
    return {name: file_hash(Path(name)) for name in sorted({*_files(config), *filter(is_file, start)})}


def _part_hashes(resolved: Resolved) -> dict[str, str]:
    """The same of the files of the user's own parts."""
    return {str(part.file.resolve()): file_hash(part.file) for part in resolved.parts if part.file is not None}


def _folders(resolved: Resolved, given: Sequence[Path]) -> tuple[str, ...]:
    """The folders that were given, in their order, below them that of the problem if it came as an object."""
    file, known = resolved.problem_file, [folder.resolve() for folder in given]
    own = [] if file is None or file.resolve().parent in (*known, shipped("problems").resolve()) else [file.parent]
    return tuple(str(folder.resolve()) for folder in (*own, *known))


def _without_clock(resolved: Resolved) -> tuple[Resolved, str]:
    """A run that no clock ends, and the key that would have; "" if none."""
    stages = resolved.config.train
    timed = [f"train.{number}.max_seconds" for number, each in enumerate(stages) if each.max_seconds is not None]
    if not timed:
        return resolved, ""
    free = tuple(replace(each, max_seconds=None) for each in stages)
    return replace(resolved, config=replace(resolved.config, train=free)), timed[0]


def _resolved(
    study: Study,
    case: Mapping[str, Any],
    values: Mapping[str, Any],
    labels: Mapping[str, str],
    where: str,
    folders: Sequence[Path],
) -> Resolved:
    own = dict(case)
    base = own.pop(BASE, study.base)
    # a whole section before what lies in it
    given = {**study.set, **own, **values}
    section = given.get("evaluate")
    if not (isinstance(section, Mapping) and "estimate" in section):
        given = {ESTIMATE: "none", **given}
    overrides = dict(sorted(given.items(), key=lambda item: item[0].count(".")))
    try:
        resolved = resolve(base, overrides, folders)
        if study.budget is not None:
            resolved = resolve(base, overrides | budget.within(study.budget, resolved.config), folders)
    except InputError as error:
        run = ", ".join(f"{key} {abridged(label)}" for key, label in labels.items())
        raise InputError(f"{where}: {run}: {error}") from None
    if resolved.problem_file is None:
        raise InputError(f"{where}: base.problem: other processes solve it, and need it in a problem file")
    for part in resolved.parts:
        if part.file is None:
            raise InputError(
                f"{where}: {part.role} {part.kind!r}: other processes train with it, and need it in a file"
            )
    return resolved


def _expanded(values: Mapping[str, Any], where: str) -> Iterator[tuple[dict[str, float], dict[str, Any]]]:
    """One set of values for each combination of candidates, with the candidates by dotted key."""
    places = list(_candidates(values.get(REGULARISERS), REGULARISERS))
    for name, candidates in places:
        if not candidates:
            raise InputError(f"{where}: vary.{name}: the list of candidates is empty")
        if "auto" in candidates:
            raise InputError(f"{where}: vary.{name}: auto is found in the run: make it an entry without candidates")
    for numbers in itertools.product(*(candidates for _, candidates in places)):
        chosen = {name: number for (name, _), number in zip(places, numbers, strict=True)}
        inserted = _inserted(values.get(REGULARISERS), REGULARISERS, chosen)
        yield chosen, {**values, **({REGULARISERS: inserted} if REGULARISERS in values else {})}


def _candidates(value: Any, name: str) -> Iterator[tuple[str, list[Any]]]:
    """The lists of candidates inside a value, with their dotted keys."""
    if name.rpartition(".")[2] in CANDIDATE_KEYS and isinstance(value, list):
        yield name, value
    else:
        for part, item in _items(value):
            yield from _candidates(item, f"{name}.{part}")


def _inserted(value: Any, name: str, chosen: Mapping[str, float]) -> Any:
    """The value with each list of candidates replaced by the chosen one."""
    if name in chosen:
        return chosen[name]
    if isinstance(value, Mapping):
        return {part: _inserted(item, f"{name}.{part}", chosen) for part, item in _items(value)}
    return [_inserted(item, f"{name}.{part}", chosen) for part, item in _items(value)] if _items(value) else value


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(part), item) for part, item in value.items()]
    return [(str(part), item) for part, item in enumerate(value)] if isinstance(value, list | tuple) else []


def _files(value: Any) -> Iterator[str]:
    """The data files that a resolved config names, which it does by their whole paths."""
    if isinstance(value, str) and Path(value).is_absolute() and is_file(value):
        yield value
    for _, item in _items(value):
        yield from _files(item)
