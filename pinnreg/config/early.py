"""What is wrong with a config whatever its problem is, so that it can be refused before the problem's file is run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pinnreg.config.merging import for_kind, kind_of_network, merge, set_key
from pinnreg.config.model import Config, Mistake, as_dict, mistakes, refusal
from pinnreg.config.parts import named
from pinnreg.errors import InputError
from pinnreg.networks import NetworkSettings
from pinnreg.optimisers import AnyStage


def check_sections(
    data: Mapping[str, Any], changes: Mapping[str, Any], where: str, folders: Sequence[Path] = ()
) -> None:
    """Refuse what no problem's defaults can put right.

    Args:
        data: what the user gives, but the problem.
        changes: values by dotted key, but the problem's.
        where: the data came from, for messages.
        folders: where users' own parts are found.

    Raises:
        InputError: one line for each mistake of which that is certain.
    """
    try:
        merged = [_merged(below, data, changes) for below in _possible_defaults(data, changes)]
    except InputError:
        return  # it takes the problem's defaults to know which elements a list has
    merged = [named(each, folders, where) for each in merged]
    found = [[each for each in mistakes(one) if not _may_be_completed(each, data)] for one in merged]
    wrong = set.intersection(*({_section(each) for each in one} for one in found))
    if wrong:
        raise refusal([each for each in found[0] if _section(each) in wrong], merged[0], where)


def _possible_defaults(data: Mapping[str, Any], changes: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Defaults that problems may have: a network of each kind where none is said, a stage of each optimiser."""
    said = changes.get("network.kind", kind_of_network(data))
    every: list[Mapping[str, Any]] = [as_dict(Config(problem={}, network=kind())) for kind in get_args(NetworkSettings)]
    kinds = [each for each in every if said in (None, kind_of_network(each))] or [for_kind(every[0], said)]
    stages = [[{"optimiser": stage.optimiser}] for stage in get_args(AnyStage)]
    yield from ({**each, "train": stages[0]} for each in kinds)
    yield from ({**kinds[0], "train": stage} for stage in stages[1:])


def _merged(below: Mapping[str, Any], data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(merge(below, data))
    for key, value in changes.items():
        set_key(merged, key, value)
    return merged


def _section(mistake: Mistake) -> Any:
    """The section that a mistake is in; None if sections do not go together."""
    return next(iter(mistake["loc"]), None)


def _may_be_completed(mistake: Mistake, data: Mapping[str, Any]) -> bool:
    """Whether it is that keys of a section do not go together, to which a problem may add others."""
    if mistake["type"] != "value_error" or isinstance(data.get(_section(mistake)), list | tuple):
        return False
    return isinstance(mistake["input"], Mapping) or _section(mistake) is None
