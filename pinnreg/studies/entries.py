"""The runs of a study as entries: what is compared, with its candidates chosen and its repetitions gathered."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from typing import Literal, final

from pinnreg.regularisers import Regulariser, but_weight
from pinnreg.studies.measures import DIVERGED, Run
from pinnreg.studies.model import REGULARISERS, SEED, Study, text_of
from pinnreg.studies.statistics import Ratio, Spread, median, paired_ratio, spread

Score = Literal["validation", "validation_loss", "validation_residual"]
BASELINE = "none"
SMALL_RESIDUAL, WRONG = 1e-4, 0.05

SCORES: dict[Score, str] = {
    "validation": "error at measurements held out from training",
    "validation_loss": "mean square of the residual and of the soft conditions' at points that training never saw",
    "validation_residual": "residual at points that training never saw",
}


@final
@dataclass(frozen=True)
class Entry:
    """One combination of the varied keys but the seed.

    Attributes:
        labels: the names of its values by key.
        runs: all its runs by seed.
        chosen: by seed the run with the best score; a seed without one is missing.
        hindsight: by seed the run with the smallest error, which nobody without the answer could choose.
        ratio: the chosen runs' errors over those of the baseline; None for the baseline itself.
    """

    labels: dict[str, str]
    runs: dict[str, list[Run]]
    chosen: dict[str, Run]
    hindsight: dict[str, Run]
    ratio: Ratio | None = None

    @property
    def name(self) -> str:
        """Its values in a line."""
        return ", ".join(self.labels.values()) or "all runs"

    @property
    def all_runs(self) -> list[Run]:
        """Its runs over all seeds and candidates."""
        return [run for runs in self.runs.values() for run in runs]

    @property
    def has_candidates(self) -> bool:
        """Whether there was something to choose."""
        return any(run.plan.candidates for run in self.all_runs)

    @property
    def errors(self) -> dict[str, float]:
        """The errors of the chosen runs by seed, as far as there is a reference."""
        return _errors(self.chosen)

    @cached_property
    def spread(self) -> Spread:
        """The errors over the seeds."""
        return spread(list(self.errors.values()))

    @property
    def hindsight_median(self) -> float:
        """The median error, had the answer been known when choosing."""
        return median(list(_errors(self.hindsight).values()))

    @property
    def best_candidate_median(self) -> float:
        """The median error of the one candidate, the same for all seeds, whose median is the smallest."""
        by_candidates: dict[tuple[float, ...], list[float]] = {}
        for run in self.all_runs:
            error = run.value("rel_l2")
            # one that diverged is the worst, and does not make its candidate better
            found = error if run.done and not math.isnan(error) else math.inf
            by_candidates.setdefault(tuple(run.plan.candidates.values()), []).append(found)
        return min(map(median, by_candidates.values()), default=math.nan)

    @property
    def finds_weights(self) -> bool:
        """Whether its runs find the weight of a penalty themselves."""
        regularisers = [each for run in self.all_runs for each in run.plan.resolved.config.regularisers]
        return any(each.role != "noise" and each.weight == "auto" for each in regularisers)

    def median_of(self, measure: str) -> float:
        """The median over seeds of a measure of the chosen runs."""
        return median([run.value(measure) for run in self.chosen.values() if not math.isnan(run.value(measure))])

    @property
    def choices(self) -> Counter[str]:
        """How many seeds chose which candidates."""
        return Counter(
            " / ".join(text_of(value) for value in run.plan.candidates.values())
            for run in self.chosen.values()
            if run.plan.candidates
        )

    @property
    def at_edge(self) -> int:
        """How many seeds chose the smallest or the largest of several candidates, beyond which a better one may lie."""
        tried: dict[str, set[float]] = {}
        for run in self.all_runs:
            for key, value in run.plan.candidates.items():
                tried.setdefault(key, set()).add(value)
        edges = {(key, end(values)) for key, values in tried.items() if len(values) > 1 for end in (min, max)}
        return sum(bool(edges & run.plan.candidates.items()) for run in self.chosen.values())

    @property
    def diverged(self) -> int:
        """How many runs diverged."""
        return sum(run.status == DIVERGED for run in self.all_runs)

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(run.status.startswith("failed") for run in self.all_runs)

    @property
    def deceptive(self) -> int:
        """How many runs have a small residual at their points and a wrong solution."""
        return sum(run.value("residual") < SMALL_RESIDUAL and run.value("rel_l2") > WRONG for run in self.all_runs)


def candidates_for(entry: Entry, entries: Sequence[Entry]) -> Entry | None:
    """The entry with candidates for the weights that an entry finds by itself; None if there is none."""
    penalties = _penalties(entry.all_runs[0])
    for other in entries:
        same = all(other.labels.get(name) == label for name, label in entry.labels.items() if name != REGULARISERS)
        alike = _penalties(other.all_runs[0]) == penalties
        if same and alike and other.has_candidates and not other.finds_weights:
            return other
    return None


def _penalties(run: Run) -> list[object]:
    """The regularisers of a run, but for weight and schedule of penalties."""
    return [_but_strength(each) for each in run.plan.resolved.config.regularisers]


def _but_strength(regulariser: Regulariser) -> object:
    if regulariser.role != "noise" and is_dataclass(regulariser):
        return but_weight(replace(regulariser, schedule="constant"))
    return regulariser


def score_of(study: Study, runs: Sequence[Run]) -> Score:
    """The score by which candidates are chosen: one that all runs have that are done.

    Held-out measurements come first, by the configs: an error that is not finite is a bad score and not a missing one.
    Then the residual, together with that of soft conditions where there are any.
    """
    if study.choose == "validation" and all(run.plan.holds_out for run in runs):
        return "validation"
    done = [run for run in runs if run.done]
    # runs of an earlier version do not have it
    return (
        "validation_loss" if done and all("validation_loss" in run.measures for run in done) else "validation_residual"
    )


def entries_of(study: Study, runs: Sequence[Run], score: Score) -> list[Entry]:
    """The entries of a study, in its order, each compared with its baseline."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.plan.group, []).append(run)
    found = {group: _entry(members, score) for group, members in groups.items()}
    entries = []
    for entry in found.values():
        base = found.get(_baseline(study, entry.labels))
        ratio = None if base is None or base is entry else paired_ratio(entry.errors, base.errors)
        entries.append(Entry(entry.labels, entry.runs, entry.chosen, entry.hindsight, ratio))
    return entries


def compared_key(study: Study) -> str | None:
    """The key whose values are compared with a baseline: the regularisers if they are varied, else the first."""
    keys = [key for key in study.vary if key != SEED]
    return REGULARISERS if REGULARISERS in keys else keys[0] if keys else None


def baseline_of(study: Study) -> str | None:
    """The name of the value that the others of its key are compared with."""
    key = compared_key(study)
    if key is None:
        return None
    return BASELINE if BASELINE in study.vary[key] else next(iter(study.vary[key]))


def best(runs: Sequence[Run], measure: str) -> Run | None:
    """The run that is done with the lowest measure, the first of several; one that is not finite is the worst."""

    def score(run: Run) -> float:
        value = run.value(measure)
        return math.inf if math.isnan(value) else value

    return min((run for run in runs if run.done), key=score, default=None)


def _entry(runs: Sequence[Run], score: Score) -> Entry:
    seeds: dict[str, list[Run]] = {}
    for run in runs:
        seeds.setdefault(run.plan.seed, []).append(run)
    labels = {key: label for key, label in runs[0].plan.labels.items() if key != SEED}
    return Entry(labels, seeds, _best_by_seed(seeds, score), _best_by_seed(seeds, "rel_l2"))


def _best_by_seed(seeds: Mapping[str, Sequence[Run]], measure: str) -> dict[str, Run]:
    found = {seed: best(runs, measure) for seed, runs in seeds.items()}
    return {seed: run for seed, run in found.items() if run is not None}


def _baseline(study: Study, labels: Mapping[str, str]) -> tuple[str, ...]:
    key, name = compared_key(study), baseline_of(study)
    return tuple(name if part == key and name is not None else label for part, label in labels.items())


def _errors(runs: Mapping[str, Run]) -> dict[str, float]:
    return {seed: run.value("rel_l2") for seed, run in runs.items() if not math.isnan(run.value("rel_l2"))}
