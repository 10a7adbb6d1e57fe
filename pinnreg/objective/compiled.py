"""The gradient of an objective as one compiled function of all that changes from step to step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor

from pinnreg.compilation import compiled
from pinnreg.equations.points import Tensors
from pinnreg.objective.batch import Batch
from pinnreg.objective.functions import Gradient, plain_gradient
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective

logger = logging.getLogger("pinnreg")

TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-3}

Function = Callable[[Parameters, Tensor, Mapping[str, Tensors]], Gradient]


@final
class CompiledGradient:
    """`plain_gradient`, compiled once for each shape of its arguments.

    A new function is compared with the plain one at the initial parameters, far from convergence, where rounding is
    small beside the gradient; a resumed run makes the same comparison and so goes on as it began. If the two differ, or
    if anything fails, training goes on without compiling, and a note says why.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._functions: dict[object, Function | None] = {}

    def __call__(self, batch: Batch, parameters: Parameters) -> Gradient:
        """Arguments as of `plain_gradient`."""
        tensors = batch.tensors(batch.points)
        shapes = tuple(None if each is None else each.shape for own in tensors.values() for each in own)
        # smoothing acts on |r| only
        smooth = batch.smooth and any(term.power == 1 for term in self._objective.terms)
        if (smooth, shapes) not in self._functions:
            self._functions[smooth, shapes] = self._compile(batch, tensors)
        function = self._functions[smooth, shapes]
        if function is None:
            return plain_gradient(self._objective, batch, parameters)
        return function(parameters, batch.weight_vector, tensors)

    def _compile(self, batch: Batch, tensors: Mapping[str, Tensors]) -> Function | None:
        """A function of parameters, weights and tensors in the place of those of a batch; None if there is none."""
        initial = self._objective.model.initial()
        expected = plain_gradient(self._objective, batch, initial)

        def gradient(parameters: Parameters, weights: Tensor, tensors: Mapping[str, Tensors]) -> Gradient:
            return plain_gradient(self._objective, batch.replaced(tensors, weights), parameters)

        try:
            function: Function = compiled(gradient, initial, batch.weight_vector, tensors)
            found = function(initial, batch.weight_vector, tensors)
            agree = all(_same(one, other) for one, other in zip(found, expected, strict=True))
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
