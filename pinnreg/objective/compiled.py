"""The gradient of an objective as one compiled function of all that changes from step to step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from pinnreg.compilation import compiled
from pinnreg.objective.blocks import Block, Blocks, BlockTensors
from pinnreg.taylor import Algebra, Operator

if TYPE_CHECKING:
    from pinnreg.objective.objective import Objective

logger = logging.getLogger("pinnreg")

Parameters = dict[str, Tensor]
Gradient = tuple[dict[str, Tensor], dict[str, Tensor]]
TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-2}


@final
class CompiledGradient:
    """`Objective.gradient_at`, compiled once for each shape of its arguments.

    The first result is compared with the plain one. If it is not the same, or if anything fails, training goes on
    without compiling, and a note says why.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._functions: dict[object, Callable[..., Gradient]] = {}
        self._failed = False

    def __call__(
        self,
        parameters: Parameters,
        weights: Tensor,
        blocks: Blocks,
        *,
        smooth: bool,
        wanted: Mapping[str, set[Operator]],
    ) -> Gradient:
        """Arguments as in `gradient_at`; `smooth` and `wanted` are the rest of what the computation depends on."""
        if self._failed:
            return self._objective.gradient_at(parameters, weights, blocks)
        dimension = len(self._objective.trial.axes)
        algebras = {name: Algebra.of(wanted[name], dimension) for name in blocks}
        tensors = {name: block.tensors(algebras[name]) for name, block in blocks.items()}
        shapes = [None if each is None else each.shape for block in tensors.values() for each in block]
        key = (smooth, tuple(algebras.values()), tuple(shapes))
        if key not in self._functions:
            return self._first(key, parameters, weights, blocks, tensors, algebras)
        return self._functions[key](parameters, weights, tensors)

    def _first(
        self,
        key: object,
        parameters: Parameters,
        weights: Tensor,
        blocks: Blocks,
        tensors: Mapping[str, BlockTensors],
        algebras: Mapping[str, Algebra],
    ) -> Gradient:
        """Compile, and check on the way."""
        expected = self._objective.gradient_at(parameters, weights, blocks)
        templates: Mapping[str, Block] = dict(blocks)

        def gradient(parameters: Parameters, weights: Tensor, tensors: Mapping[str, BlockTensors]) -> Gradient:
            trial = self._objective.trial
            replaced = {name: block.replaced(tensors[name], algebras[name], trial) for name, block in templates.items()}
            return self._objective.gradient_at(parameters, weights, replaced)

        try:
            function = compiled(gradient, parameters, weights, tensors)
            result: Gradient = function(parameters, weights, tensors)
        except Exception as error:
            self._give_up(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}")
            return expected
        if not _agree(result, expected):
            self._give_up("the compiled gradient differs from the plain one")
            return expected
        self._functions[key] = function
        return result

    def _give_up(self, reason: str) -> None:
        self._failed = True
        logger.warning("compile: true has no effect, the run goes on without: %s", reason)


def _agree(result: Gradient, expected: Gradient) -> bool:
    return all(
        _same(found[name], values)
        for found, wanted in zip(result, expected, strict=True)
        for name, values in wanted.items()
    )


def _same(found: Tensor, expected: Tensor) -> bool:
    if not expected.isfinite().all():
        return True  # the watch on the loss will see it
    tolerance = TOLERANCES[expected.dtype] * float(expected.abs().max())
    return torch.allclose(found, expected, rtol=0, atol=tolerance + torch.finfo(expected.dtype).tiny)
