"""`Evaluation`: the residual vectors of all terms as functions of parameters and points."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pinnreg.differentiation import slope
from pinnreg.equations import (
    Problem,
    Split,
    Sweep,
    Unknown,
    check_residual,
    check_unknown,
    evaluate_residual,
    with_values,
)
from pinnreg.objective.blocks import Block, Blocks
from pinnreg.objective.placement import INTERIOR
from pinnreg.objective.regularised import Regularised
from pinnreg.regularisers import Rows, Site
from pinnreg.taylor import Operator

logger = logging.getLogger("pinnreg")

COEFFICIENT = "unknown."
"""What the names of the trained coefficients begin with among the parameters."""
SOME = 1000
"""So many points are enough to see whether the residual changes with a coefficient."""

Parameters = dict[str, Tensor]
Network = Callable[[Tensor], Tensor]


@final
class Evaluation:
    """What the terms are, given parameters: those of the network and the unknown coefficients.

    Attributes:
        parameters: the initial ones by name, leaf tensors: the network's, then `unknown.<name>` each coefficient.
        wanted: the operators that the terms of each block ask for.
        smooth: whether |s| is smoothed.

    Raises:
        InputError: an unknown coefficient that cannot be trained.
    """

    def __init__(
        self,
        problem: Problem,
        split: Split,
        network: nn.Module,
        unknown: Mapping[str, Unknown],
        regularised: Regularised,
        chunk: int | None,
    ) -> None:
        check_unknown(problem, unknown)
        self._problem = problem
        self._trial = split.trial
        self._network = network
        self._unknown = dict(unknown)
        self._soft = {condition.name: condition for condition in split.soft}
        self._regularised = regularised
        self._chunk = chunk
        self.parameters: Parameters = {
            name: parameter.detach().clone().requires_grad_() for name, parameter in network.named_parameters()
        }
        self._network_names = tuple(self.parameters)
        example = next(iter(self.parameters.values())).detach()
        for name, each in self._unknown.items():
            self.parameters[COEFFICIENT + name] = example.new_tensor(each.first).requires_grad_()
        self.wanted: dict[str, set[Operator]] = {}
        self.smooth = False

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The names of the parameters that are unknown coefficients."""
        return tuple(COEFFICIENT + name for name in self._unknown)

    def network_part(self, parameters: Parameters) -> Parameters:
        """The parameters of the network only."""
        return {name: parameters[name] for name in self._network_names}

    def coefficient_values(self, parameters: Mapping[str, Tensor]) -> dict[str, float]:
        """The unknown coefficients by name."""
        return {
            name: float(each.value(parameters[COEFFICIENT + name].detach())) for name, each in self._unknown.items()
        }

    def equations(self, block: Block) -> tuple[str, ...]:
        """The PDE's equations, checked at the initial parameters.

        Raises:
            InputError: a residual that is not what the engine needs.
        """
        problem, wanted = self.problem_at(self.parameters), self.wanted.setdefault(INTERIOR, set())
        network = self.network_at(self.parameters)
        with torch.no_grad():
            check_residual(problem, self._trial, network, block.points, wanted, chunk=self._chunk)
            equations = tuple(self.block_rows(INTERIOR, self.parameters, block, chunk=self._chunk))
        self._note_idle(block)
        return equations

    def _note_idle(self, block: Block) -> None:
        """Say so if the residual does not change with a coefficient, which nothing then trains."""
        if not self.coefficients:
            return
        thetas = [self.parameters[name] for name in self.coefficients]
        # weighted, so that rows of opposite slopes do not cancel; and never nothing to differentiate
        total = torch.zeros_like(thetas[0], requires_grad=True)
        for rows in self.block_rows(INTERIOR, self.parameters, block.thinned(SOME)).values():
            total = total + rows.values @ torch.linspace(1, 2, len(rows.values)).to(rows.values)
        slopes = torch.autograd.grad(total, thetas, materialize_grads=True)
        for name, each in zip(self.coefficients, slopes, strict=True):
            if not each:
                logger.warning(
                    "%s: at the start the residual of %s does not change with it, and it may keep its start for good; "
                    "a residual must use it as a tensor, in torch.* functions",
                    name,
                    type(self._problem).__name__,
                )

    def rows(self, parameters: Parameters, blocks: Blocks) -> dict[str, Rows]:
        """The residual vectors of all terms, by name."""
        return self.rows_at(parameters, blocks) | self.parameter_rows(parameters)

    def rows_at(self, parameters: Parameters, blocks: Blocks) -> dict[str, Rows]:
        """Those of the terms at points only."""
        rows: dict[str, Rows] = {}
        for name, block in blocks.items():
            rows |= self.block_rows(name, parameters, block, chunk=self._chunk)
        return rows

    def block_rows(
        self, name: str, parameters: Parameters, block: Block, *, chunk: int | None = None
    ) -> dict[str, Rows]:
        """The residual vectors of the terms of one block, by name; row i depends on the block's point i only.

        A periodic condition's row i of n belongs to the points i and i + n. A term can have several rows a point: n
        rows of the points in their order, then n more.
        """
        sweep = self._sweep(name, parameters, block, chunk)
        return self._rows(name, self.problem_at(parameters), sweep, block)

    def parameter_rows(self, parameters: Parameters) -> dict[str, Rows]:
        """The rows of the penalties on the parameters themselves."""
        network = self.network_part(parameters)
        return {name: penalty.rows(self._network, network) for name, penalty in self._regularised.on_parameters.items()}

    def is_diagonal(self, term: str) -> bool:
        """Whether row i of a penalty on the parameters is √n times the network's parameter i."""
        return self._regularised.on_parameters[term].diagonal

    def block_slopes(self, name: str, parameters: Parameters, block: Block) -> dict[str, Tensor]:
        """The derivatives of a block's residuals by the unknown coefficients, (rows, coefficients) by term.

        Nothing where there are no coefficients. Forward through the residual's arithmetic only, which is cheap.
        """
        if not self.coefficients:
            return {}
        with torch.no_grad():
            sweep = self._sweep(name, parameters, block, None)
        columns = []
        for coefficient in self.coefficients:

            def residuals(theta: Tensor, coefficient: str = coefficient) -> dict[str, Tensor]:
                problem = self.problem_at({**parameters, coefficient: theta})
                return {term: rows.residuals for term, rows in self._rows(name, problem, sweep, block).items()}

            theta = parameters[coefficient].detach()
            columns.append(slope(residuals, (theta,), (torch.ones_like(theta),)))
        return {term: torch.stack([column[term].detach() for column in columns], dim=1) for term in columns[0]}

    def network_at(self, parameters: Parameters) -> Network:
        """The network as a function of points."""
        own = self.network_part(parameters)
        return lambda points: functional_call(self._network, own, (points,))

    def problem_at(self, parameters: Parameters) -> Problem:
        """The problem with its unknown coefficients as the parameters have them."""
        values = {name: each.value(parameters[COEFFICIENT + name]) for name, each in self._unknown.items()}
        return with_values(self._problem, values)

    def _sweep(self, name: str, parameters: Parameters, block: Block, chunk: int | None) -> Sweep:
        wanted = self.wanted.setdefault(name, set())
        sweep = Sweep(self._trial, self.network_at(parameters), block.points, wanted, chunk=chunk)
        if wanted:
            # now, since a recording of the network's layers does not see inside arithmetic of fields
            sweep.run()
        return sweep

    def _rows(self, name: str, problem: Problem, sweep: Sweep, block: Block) -> dict[str, Rows]:
        if name == INTERIOR:
            equations = evaluate_residual(problem, sweep)
            return {equation: Rows(values, importance=block.importance) for equation, values in equations.items()}
        if name in self._soft:
            residual = self._soft[name].residual(sweep.fields(), block.samples, self._trial.axes)
            return {name: Rows(residual, importance=block.importance)}
        site = Site(problem, sweep, block.importance, block.values, self.smooth)
        return {name: self._regularised.at_points[name].rows(site)}
