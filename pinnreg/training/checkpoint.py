"""Checkpoints: everything needed to continue a run bit for bit, in one file that is never half written."""

from __future__ import annotations

import math
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnreg import files
from pinnreg.errors import InputError
from pinnreg.files import is_file
from pinnreg.optimisers import Optimiser
from pinnreg.training.position import Position

FORMAT = 6


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (dicts, lists, numbers, strings, tensors) atomically."""
    files.write(path, lambda file: torch.save({"format": FORMAT, **state}, file))


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """The state that `write_checkpoint` wrote, tensors on `device`.

    Raises:
        InputError: no such file, a corrupt one, or one of another format.
    """
    if not is_file(path):
        raise InputError(f"{path}: no such checkpoint")
    try:
        with zipfile.ZipFile(path) as file:
            # torch reads tensors without looking at their checksums
            if (damaged := file.testzip()) is not None:
                raise InputError(f"{path}: corrupt checkpoint: {damaged} is damaged")
        state = torch.load(path, map_location=device, weights_only=True)
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"{path}: corrupt checkpoint: {error}") from None
    except pickle.UnpicklingError:
        # whose message recommends to read the file without care
        raise InputError(f"{path}: corrupt checkpoint: it holds more than numbers, texts and tensors") from None
    except Exception as error:
        # what a reader of pickles raises for broken ones is without end
        summary = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: corrupt checkpoint: {summary}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(f"{path}: not a checkpoint of this version (format {FORMAT})")
    return state


ENTRIES = ("format", "fingerprint", "position", "parameters", "before", "optimiser", "objective")
START = "start"
"""What a run has besides that started from another."""


def flaw_in(state: Mapping[str, Any], stages: int, initial: Mapping[str, Tensor]) -> str | None:
    """What a state lacks or has too much, or which of its entries is of a wrong kind; None if it is sound.

    Args:
        state: what `read_checkpoint` gives.
        stages: how many there are.
        initial: the parameters that training begins with, which tell names, shapes and dtypes.
    """
    for entry in ENTRIES:
        if entry not in state:
            return f"it lacks {entry}"
    if extra := [str(entry) for entry in state if entry not in (*ENTRIES, START)]:
        return f"{extra[0]} does not belong to it"
    for entry in ENTRIES[2:]:
        # at the very start there is no optimiser yet, and before windows there is nothing
        if not isinstance(state[entry], dict) and not (entry in ("optimiser", "before") and state[entry] is None):
            return f"{entry} is a {type(state[entry]).__name__}"
    if START in state and (flaw := flaw_in_start(state[START])) is not None:
        return flaw
    flaws = (
        _flaw_in_parameters(state[entry], initial) for entry in ("parameters", "before") if state[entry] is not None
    )
    return _flaw_in_position(state["position"], stages) or next(filter(None, flaws), None)


def flaw_in_start(start: Any) -> str | None:
    """What is wrong with what a state has of another run's parameters; None if it is sound."""
    expected = {"parameters": dict, "seed": int, "sha256": str}
    if not isinstance(start, dict) or start.keys() != expected.keys():
        return "start is not what was started from"
    for name, kind in expected.items():
        if type(start[name]) is not kind:
            return f"start: {name} is a {type(start[name]).__name__}"
    if not all(isinstance(value, Tensor) and bool(value.isfinite().all()) for value in start["parameters"].values()):
        return "start: a parameter is no finite tensor"
    return None


def _flaw_in_position(position: Mapping[str, Any], stages: int) -> str | None:
    usual = asdict(Position())
    if position.keys() != usual.keys():
        odd = sorted(map(str, position.keys() ^ usual.keys()))
        return f"position: {odd[0]} is {'missing' if odd[0] in usual else 'unknown'}"
    for name, default in usual.items():
        value, number = position[name], isinstance(default, int | float)
        if type(value) is not type(default) or (number and not 0 <= value < math.inf):
            return f"position: {name} is {value!r}"
    planned = position["planned"]
    if len(planned) != 3 or not all(each is None or isinstance(each, int | float) for each in planned):
        return f"position: planned is {planned!r}"
    return None if position["stage"] < stages else f"position: stage is {position['stage']} of {stages}"


def _flaw_in_parameters(parameters: Mapping[str, Any], initial: Mapping[str, Tensor]) -> str | None:
    for name, first in initial.items():
        if not isinstance(value := parameters.get(name), Tensor):
            return f"parameter {name!r} is {'missing' if value is None else f'a {type(value).__name__}'}"
        if value.shape != first.shape or value.dtype != first.dtype:
            return (
                f"parameter {name!r} is {value.dtype} of shape {tuple(value.shape)}, and that of the network "
                f"{first.dtype} of shape {tuple(first.shape)}"
            )
        if not value.isfinite().all():
            return f"parameter {name!r} is not finite"
    extra = [str(name) for name in parameters if name not in initial]
    return f"parameter {extra[0]!r} is none of the network" if extra else None


def position_of(state: dict[str, Any]) -> Position:
    """The position in a checkpoint's state."""
    return Position(**state["position"])


def snapshot(
    position: Position,
    parameters: dict[str, Tensor],
    before: dict[str, Tensor] | None,
    objective: dict[str, Any],
    optimiser: Optimiser | None,
) -> dict[str, Any]:
    """A copy of the whole state of a run that later steps do not change."""
    state = {
        "position": asdict(position),
        "parameters": parameters,
        "before": before,
        "optimiser": optimiser.state() if optimiser is not None else None,
        "objective": objective,
    }
    own: dict[str, Any] = copied(state)
    return own


def copied(value: Any) -> Any:
    """A state with tensors of its own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    return value
