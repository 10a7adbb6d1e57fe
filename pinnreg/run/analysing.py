"""`analyse`: what a run is like beside its error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from torch import Tensor

from pinnreg import plots
from pinnreg.analysis import (
    Drift,
    Sharpness,
    TermKernel,
    Variation,
    drift,
    imbalance,
    term_kernels,
    term_sharpness,
    variation_profile,
    weighted_sharpness,
)
from pinnreg.config import Problems
from pinnreg.equations import Problem
from pinnreg.errors import InputError
from pinnreg.objective import INTERIOR, Batch, Objective
from pinnreg.report import finite, write_arrays, write_json
from pinnreg.run.bootstrapping import Asked, Bootstrapped, batch_at, bootstrapped
from pinnreg.run.folder import ANALYSIS, RUN, RunFolder, make_writable
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.run.provenance import package_version
from pinnreg.run.resuming import Begun
from pinnreg.training import position_of

EIGENVALUES = 8
POINTS = 200
"""Collocation points for the tangent kernel of the network itself."""


@final
@dataclass(frozen=True)
class Analysis:
    """A run, analysed at the parameters and points of its checkpoint.

    Attributes:
        run: its folder.
        problem: its name and parameters.
        step: of training.
        parameters: their number, unknown coefficients among them.
        weights: of each loss term at that step.
        hessian: the sharpness of each term, unweighted.
        total: that of the weighted sum.
        kernels: the tangent kernel of each term, unweighted, by name; some terms have none.
        initial: the same at the start of training, at the same points.
        network: how far parameters and the tangent kernel of the network's values have moved.
        variations: the total variation of the solution by order.
        notes: what was left out.
        bootstrap: what noise in the measurements does; None if it was not asked for.
        folder: where `analysis.json` and the figure are; None if nothing was written.
    """

    run: Path
    problem: Mapping[str, Any]
    step: int
    parameters: int
    weights: Mapping[str, float]
    hessian: Mapping[str, Sharpness]
    total: Sharpness
    kernels: Mapping[str, TermKernel]
    initial: Mapping[str, TermKernel]
    network: Drift
    variations: Mapping[int, Variation]
    notes: tuple[str, ...]
    bootstrap: Bootstrapped | None = None
    folder: Path | None = None

    @property
    def imbalance(self) -> float | None:
        """How many times faster the fastest term is learnt than the slowest; None for a single term."""
        return imbalance(self.kernels)

    @property
    def weighted_imbalance(self) -> float | None:
        """The same with the weights of the terms, without those of weight 0."""
        return imbalance(self.kernels, self.weights)

    def summary(self) -> dict[str, Any]:
        """The content of `analysis.json`: dicts, lists, numbers and strings; what is not finite is None."""
        kernels = {
            name: {
                "rows": len(each.matrix),
                "rows_of_term": each.rows,
                "trace": each.trace,
                "effective_rank": each.effective_rank,
                "drift": each.drift(self.initial[name]),
                "eigenvalues": each.eigenvalues.tolist(),
                "initial_eigenvalues": self.initial[name].eigenvalues.tolist(),
            }
            for name, each in self.kernels.items()
        }
        plain: dict[str, Any] = finite(
            {
                "pinnreg": package_version(),
                "run": str(self.run),
                "problem": dict(self.problem),
                "step": self.step,
                "parameters": self.parameters,
                "hessian": {
                    "terms": {
                        name: {"weight": self.weights[name], **_curved(each)} for name, each in self.hessian.items()
                    },
                    "weighted_sum": _curved(self.total),
                },
                "kernels": {
                    "terms": kernels,
                    "imbalance": self.imbalance,
                    "weighted_imbalance": self.weighted_imbalance,
                },
                "drift": {
                    "parameters": self.network.parameters,
                    "kernel": self.network.kernel,
                    "smallest_eigenvalue_before": self.network.smallest[0],
                    "smallest_eigenvalue_after": self.network.smallest[1],
                },
                "variation": {
                    str(order): {"value": each.value, "error": each.error} for order, each in self.variations.items()
                },
                "notes": list(self.notes),
                **({} if self.bootstrap is None else {"bootstrap": self.bootstrap.summary()}),
            }
        )
        return plain


def analyse(
    run: str | Path,
    problems: Problems = None,
    *,
    problem: Problem | None = None,
    network: Any = None,
    regularisers: Sequence[Any] | None = None,
    out: str | Path | bool | None = None,
    device: str | None = None,
    eigenvalues: int = EIGENVALUES,
    figure: str = "png",
    bootstrap: int | None = None,
    jobs: int = 1,
) -> Analysis:
    """Analyse a run at the parameters and points of its checkpoint; it need not have ended.

    The sharpness of each loss term and of their weighted sum; the tangent kernel of each term, at most 500 rows of it,
    and how fast terms are learnt relative to each other; how far training has moved parameters and kernels from the
    start, which the config gives again; the total variations of the solution. Writes `analysis.json` and a figure.

    With `bootstrap`, of a run that has converged on measurements, also how unknown coefficients and u spread where the
    trained solution is measured again, with fresh noise, and trained again: basic 95 % intervals (percentiles mirrored
    at the estimate) and standard errors, beside the linearised ones of `report.json`; the standard errors of u on the
    run's grid are in `analysis.npz`. It is assumed that the noise is Gaussian, independent from value to value and of
    one size in each set of measurements, and that the equation holds.

    Args:
        run: the run's folder.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.
        problem: the problem, if the run was given it as an object.
        network: the network, if it was given as an object.
        regularisers: all of them, if any was given as an object.
        out: where to write; None for the run's folder, False for nowhere.
        device: "auto", "cpu" or "cuda", before the config's.
        eigenvalues: how many of each Hessian, at least 1.
        figure: its format: png, pdf or svg.
        bootstrap: how many replicates, at least 2; None for none. Each is a function of the run's seed and its number.
        jobs: processes that make them, which does not change a bit of them.

    Raises:
        InputError: as `pinnreg.load`, parameters that are not finite, or a folder that cannot be written; with
            `bootstrap` a run that has not converged, without measurements, or with what else leaves no intervals.
    """
    if eigenvalues < 1:
        raise InputError(f"analyse: expected at least 1 eigenvalue, got {eigenvalues}")
    plots.check_format(Path(f"analysis.{figure}"))
    objects = {"problem": problem, "network": network, "regularisers": regularisers}
    given = any(each is not None for each in objects.values())
    asked = None if bootstrap is None else Asked(bootstrap, jobs, device, problems, given)
    if asked is not None:
        asked.check()
    elif jobs != 1:
        raise InputError(f"jobs: there is nothing for {jobs} processes to do without bootstrap")
    begun = Begun.read(run)
    folder, changes = begun.folder, {} if device is None else {"device": device}
    prepared = prepare(begun.resolved(None, changes, problems, objects), with_reference=False)
    state = begun.state(prepared)
    if not all(bool(each.isfinite().all()) for each in state["parameters"].values()):
        raise InputError(f"{folder.checkpoint}: the parameters are not finite; there is nothing to analyse")
    target = None if out is False else folder.path if out is None or out is True else Path(out)
    if target is not None:
        if not RUN.made(target):
            ANALYSIS.check(target, f"analyse: {target}")
        make_writable(target)
    batch = batch_at(prepared, state)
    # first: it refuses more runs
    spread = None if asked is None else bootstrapped(folder, prepared, batch, state["parameters"], asked)
    found = replace(_analysed(folder, prepared, state, batch, eigenvalues), bootstrap=spread)
    if target is None:
        return found
    # the JSON first: it says that the figure is ours, should the process end between the two
    write_json(target / "analysis.json", found.summary())
    if spread is None:
        (target / "analysis.npz").unlink(missing_ok=True)  # of an earlier analysis
    else:
        write_arrays(target / "analysis.npz", spread.arrays)
    plots.save(plots.draw_analysis(found.summary()), target / f"analysis.{figure}")
    return replace(found, folder=target)


def _analysed(folder: RunFolder, prepared: Prepared, state: Mapping[str, Any], batch: Batch, pairs: int) -> Analysis:
    objective = prepared.objective
    after: dict[str, Tensor] = state["parameters"]
    before = {name: each.detach() for name, each in objective.model.initial().items()}
    kernels, initial = (term_kernels(objective, batch, each) for each in (after, before))
    hessian = term_sharpness(objective, batch, after, pairs=pairs)
    weights = dict(batch.weights)
    solution = prepared.solution(after, {})
    trained, started = dict(solution.parameters), dict(objective.model.network_part(before))
    points = batch.points[INTERIOR].thinned(POINTS).x
    return Analysis(
        run=folder.path,
        problem=prepared.resolved.config.problem,
        step=position_of(dict(state)).step,
        parameters=sum(each.numel() for each in after.values()),
        weights=weights,
        hessian=hessian,
        total=_total(objective, batch, after, hessian, pairs),
        kernels=kernels,
        initial=initial,
        network=drift(solution.network, started, trained, points),
        variations=variation_profile(
            solution.trial,
            objective.model.network_at(after),
            prepared.problem.domain,
            device=points.device,
            dtype=points.dtype,
        ),
        notes=tuple(_notes(objective, batch)),
    )


def _total(
    objective: Objective,
    batch: Batch,
    parameters: Mapping[str, Tensor],
    hessian: Mapping[str, Sharpness],
    pairs: int,
) -> Sharpness:
    """The sharpness of the weighted sum, which is that of a term where no other has a weight."""
    counting = [name for name, weight in batch.weights.items() if weight > 0]
    if len(counting) <= 1:
        name = counting[0] if counting else next(iter(batch.weights))
        return hessian[name].scaled(batch.weights[name])
    return weighted_sharpness(objective, batch, parameters, counting, pairs=pairs)


def _notes(objective: Objective, batch: Batch) -> Iterator[str]:
    """What of the loss the numbers leave out."""
    for each in objective.regularisers:
        if each.role == "noise":
            yield f"the noise of {each.kind}: all numbers are at the parameters themselves"
        elif each.role == "parameters":
            what = "the identity" if each.diagonal else "one of parameters alone"
            yield f"the tangent kernel of {each.kind}, which is {what}"
        elif each.power == 1:
            if not batch.smooth:
                yield f"the kinks of |s| in the Hessian of {each.kind} with power 1"
            yield f"the tangent kernel of {each.kind} with power 1, which is no sum of squares"


def _curved(found: Sharpness) -> dict[str, Any]:
    return {"trace": found.trace, "trace_error": found.trace_error, "eigenvalues": list(found.leading)}
