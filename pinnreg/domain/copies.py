"""`Copies`: tables where they are asked for."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor


@final
class Copies:
    """Tensors on the CPU, with what was copied of them to devices and in other precisions.

    Points are drawn at each step, which would wait for a copy from the CPU.
    """

    def __init__(self, *tables: Tensor) -> None:
        self._tables = tables
        self._kept: dict[tuple[torch.device, torch.dtype], tuple[Tensor, ...]] = {}

    def at(self, like: Tensor) -> tuple[Tensor, ...]:
        """All of them, where `like` is and in its precision."""
        where = like.device, like.dtype
        if where in self._kept:
            return self._kept[where]
        with torch.inference_mode(False):
            found = tuple(each.to(like) for each in self._tables)
        # what is made while operations are recorded is of no use later
        if not any(isinstance(each, FakeTensor) for each in found):
            self._kept[where] = found
        return found
