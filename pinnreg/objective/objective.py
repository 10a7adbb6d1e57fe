"""`Objective`: what is minimised, as a value.

The loss is Σ_i w_i mean(r_i²) over the loss terms i: the PDE's equations, the soft conditions, the penalties. With
noise on the parameters it is Σ_j s_j loss(W + U_j). `Objective` says which terms there are; a `Batch` has the points,
weights and perturbations of one step; losses, rows and derivatives are functions of the two and of one dict of named
tensors, the network's parameters and the unknown coefficients. Of the three only the last is changed, by optimisers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pinnreg.domain import Face
from pinnreg.equations import Points, own_operators
from pinnreg.equations.measured import Measurements
from pinnreg.equations.sides import AxisData
from pinnreg.errors import InputError
from pinnreg.objective.batch import Batch, Placement
from pinnreg.objective.model import Model, Parameters
from pinnreg.objective.parting import at_once
from pinnreg.objective.rows import Rows
from pinnreg.objective.settings import PointSettings
from pinnreg.objective.terms import INTERIOR, OnParameters, Penalised, Shape, Soft, Source, Term
from pinnreg.regularisers import Noise, Penalty, Regulariser, acts, annealed
from pinnreg.taylor import Algebra


@final
@dataclass(frozen=True, eq=False)
class Objective:
    """The terms of a training run.

    Attributes:
        model: what parameters mean.
        terms: those at points, the equations first.
        on_parameters: those on the parameters.
        penalties: those of the loss terms that are penalties, by name.
        noise: on the parameters; None for none.
        regularisers: all of them as they were given.
        settings: of the points.
        seed: of all draws.
        source: what points are drawn from.
        shapes: of the terms at points.
        sizes: the number of rows of the penalties on the parameters.
        given: the weight of each equation and soft condition.
        to_balance: the soft conditions and equations whose weights are found, in place of that.
        by_layer: whether the parameters act through linear layers only; None if that was not needed so far.
    """

    model: Model
    terms: tuple[Term, ...]
    on_parameters: tuple[OnParameters, ...]
    penalties: Mapping[str, Penalty]
    noise: Noise | None
    regularisers: tuple[Regulariser, ...]
    settings: PointSettings
    seed: int
    source: Source
    shapes: Mapping[str, Shape]
    sizes: Mapping[str, int]
    given: Mapping[str, float]
    to_balance: tuple[str, ...] = ()
    by_layer: bool | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The loss terms: equations, soft conditions, penalties."""
        return (*(name for term in self.terms for name in self.shapes[term.name].runs), *self.sizes)

    @property
    def equations(self) -> tuple[str, ...]:
        """The loss terms that are the PDE's."""
        return tuple(self.shapes[INTERIOR].runs)

    @property
    def row_count(self) -> int:
        """How many rows there are at most, with those of all perturbed networks."""
        at_points = sum(self._most_rows(term) * sum(self.shapes[term.name].runs.values()) for term in self.terms)
        return (1 if self.noise is None else self.noise.copies) * (at_points + sum(self.sizes.values()))

    def counts(self, points: Mapping[str, Points]) -> dict[str, int]:
        """The number of rows of each loss term at points of all terms."""
        at_points = {
            name: runs * points[term.name].rows
            for term in self.terms
            for name, runs in self.shapes[term.name].runs.items()
        }
        return at_points | dict(self.sizes)

    @property
    def rows_at_once(self) -> int | None:
        """How many rows a block of a Jacobian has at most; None where it is not taken in blocks."""
        if self.model.chunk is None:
            return None
        blocks = (
            min(self._most_rows(term), at_once(shape.seen, self.model.chunk) or 0) * sum(shape.runs.values())
            for term, shape in ((term, self.shapes[term.name]) for term in self.terms)
        )
        return max([*blocks, *self.sizes.values()])

    def _most_rows(self, term: Term) -> int:
        rows = self.shapes[term.name].rows
        of_its_own = isinstance(term, Penalised) and term.penalty.samples is not None
        return rows if of_its_own or term in self.measured else self.settings.most_of(rows)

    @property
    def kept(self) -> int:
        """Bytes that a gradient takes at its peak, of as many points as there are at most."""
        grown = ((self.shapes[term.name], self._most_rows(term)) for term in self.terms)
        return sum(shape.kept * most // max(shape.rows, 1) for shape, most in grown)

    @property
    def stochastic(self) -> bool:
        """Whether a redraw changes anything but weights: points of penalties, batches, noise, what is trimmed."""
        return self.noise is not None or any(term.stochastic for term in self.terms)

    @property
    def scheduled(self) -> bool:
        """Whether a regulariser's strength that is not zero follows a schedule."""
        return any(acts(each) and each.schedule != "constant" for each in self.regularisers)

    @property
    def in_time(self) -> bool:
        """Whether there is a time, and nothing is prescribed at its end."""
        domain = self.model.problem.domain
        late = Face("t", "max")
        soft = [term.condition for term in self.terms if isinstance(term, Soft)]
        ends = [face for each in soft if not isinstance(each, Measurements) for face in each.faces(domain)]
        if not all(each.anytime for each in soft):
            return False  # a part of the time may have none of its points
        asked = self.shapes[INTERIOR].operators
        if len(own_operators(asked)) < len(asked):
            return False  # a residual may look ahead
        given = [each for data in self.model.trial.data for each in data if isinstance(each, AxisData)]
        exact = [each for each in given if domain.axes[each.axis] == "t"]
        periodic = "t" in self.model.trial.periodic
        open_ended = late not in ends and not periodic and all(each.at_max is None for each in exact)
        # a domain of one's own may not say what a part of its time is
        return "t" in domain.axes and open_ended and domain.until(0.5) is not domain

    @property
    def measured(self) -> tuple[Soft, ...]:
        """The terms that are measurements."""
        return tuple(term for term in self.terms if isinstance(term, Soft) and term.measured is not None)

    def term(self, name: str) -> Term:
        """The term at points of a name."""
        return next(term for term in self.terms if term.name == name)

    def source_in(self, window: float) -> Source:
        """What points in a share of the time, from the start, are drawn from."""
        return replace(self.source, domain=self.source.domain.until(window))

    @property
    def to_tune(self) -> tuple[str, ...]:
        """The penalties whose weights are found, by loss term."""
        return tuple(name for name, each in self.penalties.items() if each.weight == "auto")

    def weights(self, placement: Placement, progress: float) -> dict[str, float]:
        """The weight of each loss term: given, balanced, or a regulariser's after a share of the training.

        A penalty that is an integral is one over the whole domain: in a share of the time it counts as that part of it.
        """
        part = self.source_in(placement.window).domain.volume / self.source.domain.volume
        penalties = {
            name: self._weight(name, placement, progress) * (part if _is_integral(each) else 1.0)
            for name, each in self.penalties.items()
        }
        return {**self.given, **placement.balanced, **penalties}

    def _weight(self, name: str, placement: Placement, progress: float) -> float:
        """That of a penalty; 0 for one that is found, before it is first looked for."""
        penalty = self.penalties[name]
        if penalty.weight == "auto":
            return placement.tuned[name].weight if name in placement.tuned else 0.0
        return penalty.weight * annealed(penalty.schedule, progress)

    def rows_at(self, term: Term, points: Points, parameters: Parameters) -> dict[str, Rows]:
        """The vectors of one term at any points, by loss term."""
        sweep = self.model.sweep(parameters, points, self.shapes[term.name].operators)
        return term.rows(self.model.problem_at(parameters), sweep)

    def lifted(self, term: Term, points: Points) -> Points:
        """Points of a term with g and φ of the trial function, which all steps that see them then share."""
        if term.name not in self.shapes or not (asked := self.shapes[term.name].operators):
            return points
        own, trial = own_operators(asked), self.model.trial
        found = points.lifted(trial, Algebra.of(own, len(trial.axes))) if own else points
        if len(own) == len(asked) or found.there:
            return found
        parameters = self.model.initial()
        problem = self.model.problem_at(parameters)
        with torch.enable_grad():
            sweep = self.model.sweep(parameters, found.thinned(2), asked)
            term.rows(problem, sweep)
        if any(each.x.requires_grad for each in sweep.located().there.values()):
            return found  # places that move
        with torch.no_grad():
            sweep = self.model.sweep(parameters, found, asked)
            term.rows(problem, sweep)
        return sweep.located()

    def rows_on_parameters(self, parameters: Parameters) -> dict[str, Rows]:
        """The vectors of the penalties on the parameters."""
        network = self.model.network_part(parameters)
        found = {each.name: each.rows(self.model.network, network) for each in self.on_parameters}
        for name, rows in found.items():
            if rows.values.numel() != self.sizes[name]:
                before, now = self.sizes[name], rows.values.numel()
                raise InputError(f"regulariser {name!r}: its rows were {before} at the start and are {now} now")
        return found

    def rows(self, batch: Batch, parameters: Parameters) -> dict[str, Rows]:
        """The vectors of all loss terms, by name."""
        found: dict[str, Rows] = {}
        for term in self.terms:
            found |= self.rows_at(term, batch.points[term.name], parameters)
        return found | self.rows_on_parameters(parameters)

    def losses(self, batch: Batch, parameters: Parameters) -> dict[str, Tensor]:
        """The unweighted value of each loss term at the parameters themselves, scalar tensors by name."""
        rows = self.rows(batch, parameters)
        return {name: each.total(smooth=batch.smooth) / batch.counts[name] for name, each in rows.items()}


def _is_integral(penalty: Penalty) -> bool:
    return penalty.role == "points" and penalty.integral
