"""The gradient of an objective as one compiled function of all that changes from step to step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from pinnreg.compilation import compiled
from pinnreg.objective.blocks import Blocks, BlockTensors
from pinnreg.taylor import Algebra, Operator

if TYPE_CHECKING:
    from pinnreg.objective.objective import Objective

logger = logging.getLogger("pinnreg")

Parameters = dict[str, Tensor]
Gradient = tuple[dict[str, Tensor], dict[str, Tensor]]
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-3}


@final
class CompiledGradient:
    """`Objective.gradient_at`, compiled once for each shape of its arguments.

    A new function is compared with the plain one at the initial parameters, far from convergence, where rounding is
    small beside the gradient; a resumed run makes the same comparison and so goes on as it began. If the two differ, or
    if anything fails, training goes on without compiling, and a note says why.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._initial = {name: values.detach().clone() for name, values in objective.parameters.items()}
        self._functions: dict[object, Callable[..., Gradient] | None] = {}

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
        dimension = len(self._objective.trial.axes)
        algebras = {name: Algebra.of(wanted[name], dimension) for name in blocks}
        tensors = {name: block.tensors(algebras[name]) for name, block in blocks.items()}
        shapes = [None if each is None else each.shape for block in tensors.values() for each in block]
        key = (smooth, tuple(algebras.values()), tuple(shapes))
        if key not in self._functions:
            self._functions[key] = self._compile(weights, blocks, tensors, algebras)
        function = self._functions[key]
        if function is None:
            return self._objective.gradient_at(parameters, weights, blocks)
        return function(parameters, weights, tensors)

    def _compile(
        self,
        weights: Tensor,
        blocks: Blocks,
        tensors: Mapping[str, BlockTensors],
        algebras: Mapping[str, Algebra],
    ) -> Callable[..., Gradient] | None:
        """A function of parameters, weights and tensors, in the place of those in `blocks`; None if there is none."""
        templates, trial = dict(blocks), self._objective.trial
        initial = {name: values.clone().requires_grad_() for name, values in self._initial.items()}
        expected = self._objective.gradient_at(initial, weights, blocks)

        def gradient(parameters: Parameters, weights: Tensor, tensors: Mapping[str, BlockTensors]) -> Gradient:
            replaced = {name: block.replaced(tensors[name], algebras[name], trial) for name, block in templates.items()}
            return self._objective.gradient_at(parameters, weights, replaced)

        try:
            function = compiled(gradient, initial, weights, tensors)
            agree = all(
                _same(found, wanted)
                for found, wanted in zip(function(initial, weights, tensors), expected, strict=True)
            )
        except Exception as error:  # compilers fail in many ways; none may end a run
            reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        else:
            if agree:
                return function
            reason = "the compiled gradient differs from the plain one"
        logger.warning("compile: true has no effect, the run goes on without: %s", reason)
        return None


def _same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """Whether all tensors are the same to rounding of the largest."""
    values = torch.cat([each.reshape(-1) for each in expected.values()])
    others = torch.cat([found[name].reshape(-1) for name in expected])
    tolerance = TOLERANCES[values.dtype] * float(values.abs().max())
    return torch.allclose(others, values, rtol=0, atol=tolerance, equal_nan=True)
