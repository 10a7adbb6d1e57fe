"""Starting from the network of another run: transfer to another problem, and continuation in a parameter.

What is taken over is N of u = g + φ s N: its trained parameters, and with `network.scale: auto` its sizes s and offsets
too, without which the same N would be another u. Parts that training does not change, as random Fourier features, are
drawn by the seed of that run. Nothing of its code is run.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from pinnreg.config import Config, Resolved, differences, read_yaml, validate
from pinnreg.config.parts import unfound
from pinnreg.errors import InputError, shortened
from pinnreg.files import is_file
from pinnreg.networks import trained
from pinnreg.objective.model import COEFFICIENT
from pinnreg.registry import file_hash
from pinnreg.run.folder import RunFolder
from pinnreg.training import read_checkpoint

logger = logging.getLogger("pinnreg")

AT_WILL = ("network.scale", "network.spread", "network.symmetry")
"""Keys of a network that do not say what its parameters mean."""

Scale = tuple[tuple[float, ...], tuple[float, ...]]
"""The sizes and the offsets of the outputs."""


@final
@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        parameters: the trained ones of the network, by name.
        seed: by which its other parts were drawn.
        sha256: of the checkpoint that they come from.
        scale: of the outputs there; None if it is known already.
    """

    parameters: Mapping[str, Tensor]
    seed: int
    sha256: str
    scale: Scale | None = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it, so that the run goes on without the folder."""
        return {"parameters": dict(self.parameters), "seed": self.seed, "sha256": self.sha256}

    @staticmethod
    def of_state(state: Mapping[str, Any]) -> Start:
        """The start that a checkpoint holds."""
        return Start(state["parameters"], state["seed"], state["sha256"])

    def put_into(self, network: nn.Module, title: str) -> None:
        """Give a network these parameters.

        Raises:
            InputError: it has other ones.
        """
        own = trained(network)
        for name in dict.fromkeys((*own, *self.parameters)):
            here = tuple(own[name].shape) if name in own else None
            there = tuple(self.parameters[name].shape) if name in self.parameters else None
            if here != there:
                said = ["missing" if each is None else f"of shape {each}" for each in (there, here)]
                raise InputError(
                    f"{title}: another architecture: its parameter {name!r} is {said[0]} there and {said[1]} here"
                )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(self.parameters[name])


def read_start(resolved: Resolved, device: torch.device) -> Start | None:
    """What the config says that a run starts from; None for nothing.

    Raises:
        InputError: no such run, one that has not ended or cannot be read, another network, other outputs or axes.
    """
    config, problem = resolved.config, resolved.problem
    if config.start is None:
        return None
    try:
        folder = RunFolder.existing(config.start)
        saved = read_yaml(folder.config)
        provenance = saved.pop("provenance", None) or {}
        there = validate(unfound(saved), str(folder.config))
        facts = _facts(folder)
        state = read_checkpoint(folder.checkpoint, device)
    except InputError as error:
        raise InputError(f"start: {error}") from None
    title = f"start: {folder.path}"
    _check_network(config, there, title)
    for what, own in (("axes", problem.domain.axes), ("outputs", problem.outputs)):
        found = facts.get(what)
        if found is not None and list(found) != list(own):
            raise InputError(
                f"{title}: its {what} are {', '.join(map(str, found))}, and those of {type(problem).__name__} "
                f"{', '.join(own)}"
            )
    found, begun = state.get("parameters"), state.get("start") or {"seed": there.seed}
    if not isinstance(found, dict) or not all(isinstance(each, Tensor) for each in found.values()):
        raise InputError(f"{title}: corrupt checkpoint: it has no parameters")
    network = {name: each for name, each in found.items() if not name.startswith(COEFFICIENT)}
    if broken := [name for name, each in network.items() if not each.isfinite().all()]:
        raise InputError(f"{title}: its parameter {broken[0]!r} is not finite")
    scale = scale_in(provenance, len(problem.outputs), folder.config)
    given = config.network.scale
    if scale is not None and not isinstance(given, str) and any(size != given for size in scale[0]):
        logger.warning(
            "network.scale: %g: u begins as that multiple of the network, whose sizes were %s in %s",
            given,
            ", ".join(f"{size:g}" for size in scale[0]),
            folder.path,
        )
    return Start(network, int(begun["seed"]), file_hash(folder.checkpoint), scale)


def scale_in(provenance: Mapping[str, Any], outputs: int, config: Path) -> Scale | None:
    """The sizes and offsets that a run was begun with, as its provenance has them; None if it does not.

    Raises:
        InputError: they are not what pinnreg writes.
    """
    if (found := provenance.get("scale")) is None:
        return None
    pair = [found.get(name) for name in ("sizes", "offsets")] if isinstance(found, dict) else []
    numbers = [each for part in pair if isinstance(part, list) for each in part]
    sound = len(numbers) == 2 * outputs and all(isinstance(each, float) and math.isfinite(each) for each in numbers)
    if not sound or min(numbers[:outputs]) <= 0:
        raise InputError(
            f"{config}: provenance.scale: expected sizes and offsets, a number for each output; got {shortened(found)}"
        )
    return tuple(numbers[:outputs]), tuple(numbers[outputs:])


def _facts(folder: RunFolder) -> dict[str, Any]:
    """What the report of a run says, which it has once it has ended."""
    if not is_file(folder.report):
        raise InputError(f"{folder.path}: the run has not ended (no report.json); --resume {folder.path} goes on")
    try:
        facts = json.loads(folder.report.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{folder.report}: not a readable report: {error}") from None
    return facts if isinstance(facts, dict) else {}


def _check_network(config: Config, there: Config, title: str) -> None:
    """Refuse a network whose settings are others."""
    keys: Sequence[str] = [key for key in differences(there, config) if key.startswith("network.")]
    if changed := [key for key in keys if key not in AT_WILL]:
        shown = ["network.kind"] if "network.kind" in changed else changed
        raise InputError(f"{title}: another network than the config's, which differs in {', '.join(shown)}")
