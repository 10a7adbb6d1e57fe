"""Residual rows of an objective and their Jacobian with respect to all parameters.

Row i of a term depends on its own point (for a periodic condition on its pair of points) only. So the gradient of the
sum of all rows with respect to the output of a linear layer is, at point i, that of row i; its outer product with what
went into the layer there is the row's gradient with respect to the weights. One backward pass for each equation gives
the whole Jacobian, with no loop over rows and nothing traced anew (2500 rows and 921 parameters: 12 ms, where
`torch.func.vmap` of the gradient takes 108 ms).

That covers networks whose parameters all sit in linear layers. Others take the batched backward passes of
`torch.func.jacrev`, a few points at a time since a row needs its own only, or, where derivatives are nested, one
backward pass a row.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from pinnreg.jacobians import jacobian_of
from pinnreg.objective.blocks import Block, Blocks
from pinnreg.objective.filling import OtherParametersError, fill_by_layer, fill_diagonal, fill_from
from pinnreg.objective.shifts import shifted
from pinnreg.regularisers import UNSHIFTED, Rows, Shift
from pinnreg.taylor import LinearRecord

if TYPE_CHECKING:
    from pinnreg.objective.objective import Objective

logger = logging.getLogger("pinnreg")

Parameters = dict[str, Tensor]
TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-2}
POINTS_OF_JACREV = 32


@final
@dataclass(frozen=True)
class Linearised:
    """An objective Σ r² at given parameters, to first order.

    Attributes:
        losses: the unweighted value of each term.
        rows: where the rows of each term are.
        residuals: all rows √(w/n) r, (n,).
        jacobian: their derivatives by all parameters, (n, p), columns in the order of the parameters; it lies in a
            buffer that the next linearisation overwrites, one parameter after the other, as LAPACK wants it.
    """

    losses: dict[str, Tensor]
    rows: dict[str, slice]
    residuals: Tensor
    jacobian: Tensor


@final
class Linearisation:
    """Linearises an objective whose terms are squared residuals."""

    def __init__(self, objective: Objective, chunk: int | None) -> None:
        self._objective = objective
        self._chunk = chunk
        self._by_layer: bool | None = None  # decided at the first use
        self._buffer = torch.empty(0)
        self._sizes: tuple[tuple[int, ...], dict[str, int]] | None = None

    def __call__(
        self,
        parameters: Parameters,
        blocks: Blocks | None = None,
        *,
        shifts: Sequence[Shift] = UNSHIFTED,
        weighted: bool = True,
    ) -> Linearised:
        """The objective at `parameters`, to first order.

        Args:
            parameters: where.
            blocks: the points; None for the objective's current ones. Without penalties on the parameters otherwise.
            shifts: perturbations of the parameters, whose rows stand one after the other within each term.
            weighted: if not, residuals and Jacobian are those of the rows r themselves.
        """
        terms = self._terms(parameters, blocks, shifts, weighted=weighted)
        if self._by_layer is None:
            self._by_layer = self._layers_suffice(terms)
        return self._linearise(terms, by_layer=self._by_layer)

    def _terms(
        self, parameters: Parameters, blocks: Blocks | None, shifts: Sequence[Shift], *, weighted: bool
    ) -> _Terms:
        given = self._objective.blocks if blocks is None else blocks
        on_parameters = blocks is None
        sizes = self._term_sizes(parameters, given, on_parameters=on_parameters)
        weights = self._objective.weights
        scales = {term: math.sqrt(weights[term] / size) if weighted else 1.0 for term, size in sizes.items()}
        return _Terms(parameters, given, shifts, on_parameters, sizes, scales)

    def _linearise(self, terms: _Terms, *, by_layer: bool) -> Linearised:
        sizes, copies = terms.sizes, len(terms.shifts)
        example = next(iter(terms.parameters.values())).detach()
        width = sum(values.numel() for values in terms.parameters.values())
        count = copies * sum(sizes.values())
        if self._buffer.shape != (width, count):
            self._buffer = example.new_empty((width, count))
        residuals = example.new_empty(count)
        here = _slices({term: copies * size for term, size in sizes.items()})
        losses = {term: example.new_zeros(()) for term in sizes}
        for number, shift in enumerate(terms.shifts):
            leaves = {name: each.detach().requires_grad_() for name, each in shifted(terms.parameters, shift).items()}
            for piece in self._pieces(terms, leaves, by_layer=by_layer):
                size = sizes[piece.term]
                losses[piece.term] += shift.share / size * piece.rows.squares.detach().sum()
                scale = math.sqrt(shift.share) * terms.scales[piece.term]
                start = here[piece.term].start + number * size
                at = piece.at
                # several rows a point: each run goes over all points
                runs = (scale * piece.rows.residuals).view(-1, at.stop - at.start)
                residuals[start : start + size].view(len(runs), -1)[:, at] = runs.detach()
                target = self._buffer[:, start : start + size].view(width, len(runs), -1)[:, :, at]
                piece.fill(target, runs, scale)
        return Linearised(losses, here, residuals, self._buffer.T)

    def _pieces(self, terms: _Terms, leaves: Parameters, *, by_layer: bool) -> Iterator[_Piece]:
        """The rows of all terms at some parameters, a part of a block at a time."""
        evaluation = self._objective.evaluation
        for name, block in terms.blocks.items():
            for part, at in _parts(block, self._chunk if by_layer else POINTS_OF_JACREV):
                record, found = self._recorded(name, leaves, part)
                table = {} if by_layer else self._by_rows(name, part, leaves)
                slopes = evaluation.block_slopes(name, leaves, part) if by_layer else {}
                network = evaluation.network_part(leaves)
                for term, rows in found.items():
                    fill = (
                        partial(fill_by_layer, calls=record.calls, leaves=network, slopes=slopes.get(term))
                        if by_layer
                        else partial(fill_from, table=table[term])
                    )
                    yield _Piece(term, rows, at, fill)
        if terms.on_parameters:
            for term, rows in evaluation.parameter_rows(leaves).items():
                yield _Piece(term, rows, slice(0, len(rows.values)), self._filling(term, leaves))

    def _recorded(self, name: str, leaves: Parameters, part: Block) -> tuple[LinearRecord, dict[str, Rows]]:
        """The rows of a block, and the layers between them and the parameters."""
        wanted = self._objective.evaluation.wanted.setdefault(name, set())
        while True:
            known, record = len(wanted), LinearRecord()
            with torch.enable_grad(), record:
                found = self._objective.evaluation.block_rows(name, leaves, part)
            # an operator first asked for inside a torch function was computed by layers out of the recording's sight
            if len(wanted) == known:
                return record, found

    def _by_rows(self, name: str, part: Block, parameters: Parameters) -> dict[str, Tensor]:
        """The Jacobian of the rows of each term of a block, (rows, p), for any dependence on the parameters."""

        def residuals(parameters: Parameters) -> dict[str, Tensor]:
            found = self._objective.evaluation.block_rows(name, parameters, part)
            return {term: rows.residuals for term, rows in found.items()}

        return jacobian_of(residuals, parameters)

    def _filling(self, term: str, parameters: Parameters) -> Callable[[Tensor, Tensor, float], None]:
        """What writes the Jacobian of a penalty on the parameters themselves."""
        evaluation = self._objective.evaluation
        if evaluation.is_diagonal(term):
            return fill_diagonal
        found = jacobian_of(lambda at: {term: evaluation.parameter_rows(at)[term].residuals}, parameters)
        return partial(fill_from, table=found[term])

    def _term_sizes(self, parameters: Parameters, blocks: Blocks, *, on_parameters: bool) -> dict[str, int]:
        """The number of rows of each term."""
        points = tuple(len(block.points) for block in blocks.values())
        if self._sizes is None or self._sizes[0] != points:
            with torch.no_grad():
                rows = self._rows(parameters, blocks, on_parameters=on_parameters)
            self._sizes = points, {name: each.values.numel() for name, each in rows.items()}
        return self._sizes[1]

    def _rows(self, parameters: Parameters, blocks: Blocks, *, on_parameters: bool) -> dict[str, Rows]:
        evaluation = self._objective.evaluation
        at_points = evaluation.rows_at(parameters, blocks)
        return at_points | evaluation.parameter_rows(parameters) if on_parameters else at_points

    def _layers_suffice(self, terms: _Terms) -> bool:
        """Whether the parameters act through recorded linear layers only: then Jᵀ c is the gradient of c · rows.

        For rows c that are no residuals: those vanish at a minimum, from where a run may be resumed.
        """
        plain = replace(terms, shifts=UNSHIFTED, scales=dict.fromkeys(terms.sizes, 1.0))
        leaves = {name: values.detach().requires_grad_() for name, values in terms.parameters.items()}
        with torch.enable_grad():
            found_rows = self._rows(leaves, terms.blocks, on_parameters=terms.on_parameters)
            rows = torch.cat([each.residuals for each in found_rows.values()])
            c = torch.linspace(1, 2, len(rows), dtype=rows.dtype, device=rows.device)
            gradient = torch.autograd.grad(c @ rows, list(leaves.values()), materialize_grads=True)
        expected = torch.cat([each.reshape(-1) for each in gradient])
        if not expected.isfinite().all():
            return True  # it makes no difference, and training will say what is not finite
        try:
            found = self._linearise(plain, by_layer=True)
        except OtherParametersError:
            difference = math.inf
        else:
            difference = float((found.jacobian.T @ c - expected).abs().max())
        if difference <= TOLERANCES[expected.dtype] * float(expected.abs().max()):
            return True
        logger.warning("not all of the network's parameters sit in linear layers: its Jacobian takes longer")
        return False


@final
@dataclass(frozen=True)
class _Terms:
    """What is to be linearised: at which parameters, points and shifts, with the rows and the scale of each term."""

    parameters: Parameters
    blocks: Blocks
    shifts: Sequence[Shift]
    on_parameters: bool
    sizes: dict[str, int]
    scales: dict[str, float]


@final
@dataclass(frozen=True)
class _Piece:
    """Some rows of a term; `fill` writes their Jacobian, (parameters, runs, points), given runs and scale."""

    term: str
    rows: Rows
    at: slice
    fill: Callable[[Tensor, Tensor, float], None]


def _slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    """Ranges of the given lengths, one after the other."""
    ends = list(itertools.accumulate(sizes.values()))
    return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}


def _parts(block: Block, chunk: int | None) -> Iterator[tuple[Block, slice]]:
    """A block in parts of at most `chunk` points, each with the range of its rows."""
    count = len(block.points) // block.points_per_row
    size = count if chunk is None else max(chunk // block.points_per_row, 1)
    if size >= count:
        yield block, slice(0, count)
        return
    for start in range(0, count, size):
        at = slice(start, min(start + size, count))
        yield block.part(at), at
