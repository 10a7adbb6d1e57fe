"""Checkpoints: everything needed to continue a run bit for bit, in one file that is never half written."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pinnreg import files
from pinnreg.errors import InputError
from pinnreg.objective import Trainable
from pinnreg.optimisers import Optimiser
from pinnreg.training.position import Position

FORMAT = 3


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (dicts, lists, numbers, strings, tensors) atomically."""
    files.write(path, lambda file: torch.save({"format": FORMAT, **state}, file))


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """The state that `write_checkpoint` wrote, tensors on `device`.

    Raises:
        InputError: no such file, a corrupt one, or one of another format.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        summary = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: corrupt checkpoint: {summary}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(f"{path}: not a checkpoint of this version (format {FORMAT})")
    return state


def position_of(state: dict[str, Any]) -> Position:
    """The position in a checkpoint's state."""
    return Position(**state["position"])


def snapshot(position: Position, objective: Trainable, optimiser: Optimiser | None) -> dict[str, Any]:
    """A copy of the whole state of a run that later steps do not change."""
    state = {
        "position": asdict(position),
        "parameters": objective.parameters,
        "optimiser": optimiser.state() if optimiser is not None else None,
        "objective": objective.state(),
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
