"""`summary.md`: what a study found, for a reader who was not there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from pinnreg.report import markdown_table
from pinnreg.studies import across, budget
from pinnreg.studies.entries import (
    SCORES,
    SMALL_RESIDUAL,
    WRONG,
    Entry,
    Score,
    baseline_of,
    candidates_for,
    compared_key,
)
from pinnreg.studies.measures import CPU_SECONDS, ERROR_OF_UNKNOWN, ZERO_REFERENCES, Run
from pinnreg.studies.model import PART, Study, heading
from pinnreg.studies.words import factor, interval, number

HINDSIGHT = "best in hindsight, needs the answer"
MEASURED = {
    "residual": "mean square residual at the points",
    "validation_residual": "at fresh points",
    "validation": "RMSE at held-out measurements",
    "hessian_trace": "trace of its Hessian",
    "hessian_largest": "largest eigenvalue",
    "seconds": "seconds of training",
    CPU_SECONDS: "seconds of the CPU",
}
"""What is shown beside the error, and under which headings."""


def columns(entries: Sequence[Entry], baseline: str | None) -> list[str]:
    """The headings of the table of entries."""
    compared = [f"error / that of {baseline}", "95 % interval"] if len(entries) > 1 else []
    chosen = ["chosen (seeds)", HINDSIGHT] if any(entry.has_candidates for entry in entries) else []
    return [*entries[0].labels, "seeds", "median", "mean", "std. dev.", "min", "max", *compared, *chosen]


def cells(entry: Entry, headings: Sequence[str]) -> list[str]:
    """The row of an entry below these headings."""
    spread, ratio = entry.spread, entry.ratio
    found = [*entry.labels.values(), f"{len(entry.chosen)} of {len(entry.runs)}"]
    found += [
        number(value)
        for value in (spread.median, spread.mean, spread.standard_deviation, spread.minimum, spread.maximum)
    ]
    if "95 % interval" in headings:
        found += ["", ""] if ratio is None else [factor(ratio.value), interval(ratio.low, ratio.high)]
    if HINDSIGHT in headings:
        found += [", ".join(f"{values} ({count})" for values, count in entry.choices.items())]
        found += [number(entry.hindsight_median) if entry.has_candidates else ""]
    return found


def verdict(entry: Entry, baseline: str | None) -> str:
    """An honest sentence about an entry."""
    ratio, missing = entry.ratio, len(entry.runs) - len(entry.chosen)
    lost = f" It gave no answer for {missing} of {len(entry.runs)} seeds." if missing else ""
    if not entry.chosen:
        return f"no verdict: all runs diverged or failed.{lost}"
    if not entry.errors:
        return f"no verdict: there is no reference, and so no known error.{lost}"
    if ratio is None:
        role = "the baseline" if baseline in entry.labels.values() else "nothing to compare with"
        return f"{role}; its median error is {number(entry.spread.median)}.{lost}"
    if ratio.pairs == 0:
        return f"no verdict: no seed in common with {baseline}.{lost}"
    times = f"the error is {factor(ratio.value)} times that of {baseline}"
    if ratio.pairs == 1:
        return f"no verdict from a single seed: {times}, and by chance another seed may say the opposite.{lost}"
    word = "helps" if ratio.high < 1 else "hurts" if ratio.low > 1 else "no clear difference"
    return f"{word}: {times} (95 % interval {interval(ratio.low, ratio.high)}, {ratio.pairs} seeds).{lost}"


def markdown(study: Study, name: str, text: str, runs: Sequence[Run], entries: Sequence[Entry], score: Score) -> str:
    """The report.

    Args:
        study: what was asked.
        name: the study's name.
        text: its content as YAML.
        runs: all runs.
        entries: what they come to.
        score: by which candidates were chosen.
    """
    lines = [f"# {heading(name)}", "", *body(study, text, runs, entries, score)]
    lines += ["`study.csv` has every run, `summary.csv` the table in full; `runs/<run>` are the runs' folders."]
    return "\n".join(lines) + "\n"


def body(
    study: Study,
    text: str,
    runs: Sequence[Run],
    entries: Sequence[Entry],
    score: Score,
    figures: Sequence[str] = (),
) -> list[str]:
    """The lines of the report below its heading: the question, what was found, how, and the study itself.

    Args:
        study: what was asked.
        text: its content as YAML, whose first comment says what the question is.
        runs: all runs.
        entries: what they come to.
        score: by which candidates were chosen.
        figures: lines that show them, below the verdicts.
    """
    baseline, headings = baseline_of(study), columns(entries, baseline_of(study))
    lines = [*_question(text), *_overview(runs), ""]
    zero = any(run.measures.get(ZERO_REFERENCES) for run in runs)
    rmse = " Where the reference of an output is zero, as here, its error is the RMSE." if zero else ""
    kinds = f"Errors are relative L2 errors on the evaluation grid, of several outputs the largest.{rmse}"
    many = baseline is not None and across.has_cases(study)  # entries, too many to be read one by one
    how = [*_method(study, entries, score, many), "", *_budgets(study, runs), ""]
    whole = ["## The study", "", "```yaml", text.rstrip(), "```", ""]
    if baseline is not None and many:
        return [*lines, kinds, "", *figures, *across.sections(study, entries, baseline), *how, *whole]
    lines += markdown_table(headings, [cells(entry, headings) for entry in entries])
    lines += ["", kinds, "", "## What it says", ""]
    lines += [f"- **{entry.name}**: {verdict(entry, baseline)}" for entry in entries]
    lines += ["", *figures, *how]
    lines += [*_found_weights(entries), *_coefficients(entries), *_measured(entries)]
    lines += ["## Residual small, solution wrong", "", *_deceptive(entries), ""]
    return [*lines, *whole]


def table(study: Study, entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of what a study found: an entry in each, or of several cases an entry over all of them."""
    baseline = baseline_of(study)
    if baseline is not None and across.has_cases(study):
        return across.headings(baseline), [across.cells(each) for each in across.across(study, entries)]
    headings = columns(entries, baseline)
    return headings, [cells(entry, headings) for entry in entries]


def verdicts(study: Study, entries: Sequence[Entry]) -> list[str]:
    """A sentence about each entry; none of a study of several cases, whose table says it."""
    baseline = baseline_of(study)
    return [] if across.has_cases(study) else [f"{entry.name}: {verdict(entry, baseline)}" for entry in entries]


def _overview(runs: Sequence[Run]) -> Iterator[str]:
    states = [run.status.partition(":")[0] for run in runs]
    others = "".join(f", {states.count(state)} {state}" for state in ("diverged", "failed") if state in states)
    yield f"{len(runs)} runs: {states.count('ok')} ok{others}."
    reasons = dict.fromkeys(run.status for run in runs if run.status.startswith("failed"))
    for reason in reasons:
        first = next(run for run in runs if run.status == reason)
        yield f"\n- {first.plan.title}: {reason}"


def _method(study: Study, entries: Sequence[Entry], score: Score, many: bool) -> Iterator[str]:
    yield "## How it was done\n"
    if any(entry.has_candidates for entry in entries):
        column = (
            f"The column “{HINDSIGHT}” is the median over seeds of the smallest error among the candidates: what a "
            "perfect choice would have given. "
        )
        yield (
            "Where several candidates were tried, one was chosen for each seed by itself: the one with the lowest "
            f"{SCORES[score]}, which a user without the answer can compute. {'' if many else column}Each candidate was "
            "a run of the whole budget: choosing among three costs three times what the baseline does.\n"
        )
    if not many:
        yield from _one_by_one(study, entries)
    yield "Runs that diverged or failed are left out of the numbers and counted under “seeds”."


def _budgets(study: Study, runs: Sequence[Run]) -> list[str]:
    """What was spent, by part of the study."""
    parts = study.whole()
    if len({part.budget for part in parts.values()}) == 1:
        return [budget.statement(next(iter(parts.values())).budget, runs)]
    own = {name: [run for run in runs if run.plan.labels.get(PART) == name] for name in parts}
    return [f"- {name}: {budget.statement(part.budget, own[name])}" for name, part in parts.items()]


def _one_by_one(study: Study, entries: Sequence[Entry]) -> Iterator[str]:
    """How entries are compared, and which of them have a choice that may be too narrow."""
    for entry in entries:
        if entry.at_edge:
            yield (
                f"For {entry.name}, {entry.at_edge} of {len(entry.chosen)} seeds chose a candidate at an end of its "
                "list: a better one may lie beyond.\n"
            )
    if any(entry.ratio is not None for entry in entries):
        yield (
            f"Each entry is compared with `{baseline_of(study)}` of `{compared_key(study)}` seed by seed: the ratio is "
            "the geometric mean of the ratios of errors, its interval Student's t of their logarithms. The intervals "
            "are not widened for the number of comparisons: among twenty of them, one is expected to miss by chance.\n"
        )


def _deceptive(entries: Sequence[Entry]) -> Iterator[str]:
    yield (
        f"Runs whose mean square residual at their own collocation points is below {SMALL_RESIDUAL:g} and whose "
        f"error is above {WRONG:g}:\n"
    )
    for entry in entries:
        yield f"- {entry.name}: {entry.deceptive} of {len(entry.all_runs)}"


def _found_weights(entries: Sequence[Entry]) -> list[str]:
    """A table of the entries whose weights are found in the run beside those with candidates; nothing without any."""
    pairs = [(each, candidates_for(each, entries)) for each in entries if each.finds_weights]
    rows = [
        [
            found.name,
            other.name,
            *(
                factor(found.spread.median / each)
                for each in (other.spread.median, other.best_candidate_median, other.hindsight_median)
            ),
            factor(_time(found) / _time(other)),
        ]
        for found, other in pairs
        if other is not None
    ]
    if not rows:
        return []
    headings = ["found in one run", "beside", "chosen", "best weight in hindsight", "best weight for each seed", "time"]
    lines = [
        "## Weights found in the run",
        "",
        "The median error with `weight: auto`, relative to that of the entry with candidates: to its chosen runs, to "
        "its best single weight, and to the smallest error of each seed by itself, both of which need the answer; and "
        "the time of one run relative to that of one of its runs:",
        "",
    ]
    return [*lines, *markdown_table(headings, rows), ""]


def _time(entry: Entry) -> float:
    """Of a run: seconds of the CPU, unless it was made before these were counted."""
    busy = entry.median_of(CPU_SECONDS)
    return entry.median_of("seconds") if math.isnan(busy) else busy


def _coefficients(entries: Sequence[Entry]) -> list[str]:
    """A table of how far off the unknown coefficients are; nothing if there are none."""
    measures = dict.fromkeys(name for entry in entries for run in entry.all_runs for name in run.measures)
    names = [name for name in measures if name.endswith(ERROR_OF_UNKNOWN)]
    if not names:
        return []
    shown = [name.removesuffix(ERROR_OF_UNKNOWN) for name in names]
    lines = ["## Unknown coefficients", "", "Median over seeds of the relative error of the chosen runs:", ""]
    return [*lines, *_medians(entries, dict(zip(names, shown, strict=True))), ""]


def _measured(entries: Sequence[Entry]) -> list[str]:
    """A table of what else was measured; nothing if nothing was."""
    known = {
        name: shown
        for name, shown in MEASURED.items()
        if any(not math.isnan(entry.median_of(name)) for entry in entries)
    }
    if not known:
        return []
    return ["## Beside the error", "", "Median over seeds of the chosen runs:", "", *_medians(entries, known), ""]


def _medians(entries: Sequence[Entry], measures: Mapping[str, str]) -> list[str]:
    """A table of medians over the seeds, by the names of measures, which are shown as their values."""
    rows = [[entry.name, *(number(entry.median_of(name)) for name in measures)] for entry in entries]
    return markdown_table(["", *measures.values()], rows)


def _question(text: str) -> list[str]:
    """The comment that a study file begins with, as a paragraph."""
    comment = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    words = " ".join(line.lstrip("#").strip() for line in comment)
    return [words, ""] if words else []
