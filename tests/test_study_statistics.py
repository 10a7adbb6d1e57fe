"""What a study concludes: chosen candidates, comparisons with the baseline, and the words for them."""

from __future__ import annotations

import dataclasses
import math
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pinnreg.errors import InputError
from pinnreg.studies.entries import Entry, baseline_of, candidates_for, entries_of, score_of
from pinnreg.studies.measures import Measures, Run
from pinnreg.studies.model import Study, read_study
from pinnreg.studies.plan import Plan, plan
from pinnreg.studies.statistics import holm, paired_ratio, ratio_of, spread
from pinnreg.studies.summary import cells, columns, markdown, verdict
from pinnreg.studies.tables import entry_rows, run_rows

KTV = {"kind": "ktv", "order": 2}
ENTRIES: dict[str, Any] = {"none": [], "one": [{**KTV, "weight": [1e-7, 1e-5, 1e-3]}]}


def study_of(**keys: Any) -> tuple[Study, list[Plan]]:
    base = {"problem": {"name": "poisson", "dimension": 1}}
    asked, _, where, _ = read_study({"base": base, **keys})
    return asked, plan(asked, where)


def made(planned: Plan, status: str = "ok", **measures: float | None) -> Run:
    return Run(planned, status, dict(measures))


def test_the_spread_of_errors() -> None:
    found = spread([4.0, 1.0, 2.0, 3.0, 10.0])
    assert dataclasses.astuple(found) == pytest.approx((4.0, math.sqrt(12.5), 3.0, 1.0, 2.0, 4.0, 10.0))
    assert math.isnan(spread([1.0]).standard_deviation)
    assert all(math.isnan(value) for value in dataclasses.astuple(spread([])))


def test_the_paired_ratio_by_hand() -> None:
    # log10 of the ratios: -1, -2, -3; mean -2, deviation 1, t(0.975, 2) = 4.302653
    found = paired_ratio({"0": 1e-1, "1": 1e-3, "2": 1e-3, "9": 5.0}, {"0": 1.0, "1": 1e-1, "2": 1.0, "8": 7.0})
    half = 4.302652729911275 / math.sqrt(3)
    assert found.pairs == 3
    assert found.value == pytest.approx(1e-2)
    assert (found.low, found.high) == pytest.approx((10 ** (-2 - half), 10 ** (-2 + half)))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    hits, repetitions = 0, 2000
    for _ in range(repetitions):
        logs = random.normal(np.log10(0.5), 0.4, 5)
        base = random.normal(-2.0, 1.0, 5)
        found = paired_ratio(
            {str(i): 10 ** (a + b) for i, (a, b) in enumerate(zip(logs, base, strict=True))},
            {str(i): 10**b for i, b in enumerate(base)},
        )
        hits += found.low <= 0.5 <= found.high
    assert stats.binomtest(hits, repetitions, 0.95).pvalue > 1e-3


def test_p_values_are_those_of_students_t() -> None:
    logs = np.random.default_rng(0).normal(-0.3, 0.5, 7)
    assert ratio_of(logs).p == pytest.approx(stats.ttest_1samp(logs, 0).pvalue)
    assert [ratio_of(np.full(3, value)).p for value in (0.0, -1.0)] == [1, 0]
    assert all(math.isnan(ratio_of(np.zeros(count)).p) for count in (0, 1))


def test_p_values_are_corrected_by_hand() -> None:
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 which is no larger than the one before, 0.9
    assert holm([0.03, 0.01, math.nan, 0.9, 0.02]) == pytest.approx([0.06, 0.04, math.nan, 0.9, 0.06], nan_ok=True)
    assert holm([]) == []


@pytest.mark.slow
def test_among_many_comparisons_of_nothing_one_is_seldom_found() -> None:
    draws = np.random.default_rng(1).normal(size=(400, 30, 5))
    found = sum(min(holm([ratio_of(logs).p for logs in study])) < 0.05 for study in draws)
    assert stats.binomtest(found, len(draws), 0.05, alternative="greater").pvalue > 1e-3


def test_few_pairs_have_no_interval() -> None:
    one = paired_ratio({"0": 2.0}, {"0": 4.0, "1": 1.0})
    assert (one.pairs, one.value) == (1, 0.5)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert paired_ratio({"0": 2.0}, {"1": 1.0}).pairs == 0
    assert math.isfinite(paired_ratio({"0": 0.0, "1": 1.0}, {"0": 1.0, "1": 1.0}).high)


def test_ratios_of_hundreds_of_decades_are_numbers() -> None:
    for count in (1, 3):
        errors, base = ({str(seed): value for seed in range(count)} for value in (1e300, 1e-300))
        found = paired_ratio(errors, base), paired_ratio(base, errors)
        assert [each.value for each in found] == pytest.approx([1e300, 1e-300])


SCORES = {  # by weight: fresh residual, held-out error, true error: each has another best
    1e-7: (3.0, 1.0, 0.3),
    1e-5: (1.0, 2.0, 0.2),
    1e-3: (2.0, 3.0, 0.1),
}


def candidates(*, held_out: bool = True, choose: str = "validation") -> tuple[Study, list[Run], list[Entry]]:
    measured = {"measurements": [{"samples": 10, "held_out": 0.2}]} if held_out else {}
    asked, plans = study_of(vary={"regularisers": ENTRIES, "seed": [0]}, set=measured, choose=choose)
    runs = []
    for planned in plans:
        weight = next(iter(planned.candidates.values()), 1e-7)
        residual, validation, error = SCORES[weight]
        measures: Measures = {"rel_l2": error, "validation_residual": residual}
        runs.append(made(planned, **measures, validation=validation if held_out else None))
    return asked, runs, entries_of(asked, runs, score_of(asked, runs))


@pytest.mark.parametrize(
    ("held_out", "choose", "weight"),
    [(True, "validation", 1e-7), (False, "validation", 1e-5), (True, "residual", 1e-5)],
)
def test_a_candidate_is_chosen_by_what_a_user_knows(held_out: bool, choose: str, weight: float) -> None:
    _, _, (_, one) = candidates(held_out=held_out, choose=choose)
    assert one.chosen["0"].plan.candidates == {"regularisers.0.weight": weight}
    assert one.errors == {"0": SCORES[weight][2]}
    assert one.hindsight["0"].plan.candidates == {"regularisers.0.weight": 1e-3}
    assert one.hindsight_median == 0.1


def test_a_held_out_error_that_is_not_finite_is_the_worst_score() -> None:
    asked, runs, _ = candidates()
    runs[1] = dataclasses.replace(runs[1], measures={**runs[1].measures, "validation": None})
    assert score_of(asked, runs) == "validation"
    _, one = entries_of(asked, runs, "validation")
    assert one.chosen["0"].plan.candidates == {"regularisers.0.weight": 1e-5}


def test_where_no_error_is_known_the_verdict_says_why() -> None:
    asked, plans = study_of(vary={"seed": [0, 1]})
    (entry,) = entries_of(asked, [made(planned, rel_l2=None) for planned in plans], "validation_residual")
    assert verdict(entry, None) == "no verdict: there is no reference, and so no known error."


def test_each_seed_chooses_for_itself_and_lost_runs_are_no_choice() -> None:
    asked, plans = study_of(vary={"regularisers": ENTRIES, "seed": [0, 1, 2]}, choose="residual")
    scores = {"0": [1.0, 2.0, 3.0], "1": [None, 2.0, 1.0], "2": [None, None, None]}
    runs = []
    for planned in plans:
        number = [1e-7, 1e-5, 1e-3].index(next(iter(planned.candidates.values()), 1e-7))
        score = scores[planned.seed][number] if planned.candidates else 1.0
        status = "diverged" if score is None else "ok"
        runs.append(made(planned, status, rel_l2=None if score is None else 0.1, validation_residual=score))
    none, one = entries_of(asked, runs, score_of(asked, runs))
    chosen = {seed: run.plan.candidates["regularisers.0.weight"] for seed, run in one.chosen.items()}
    assert chosen == {"0": 1e-7, "1": 1e-3}
    assert one.choices == {"1e-07": 1, "0.001": 1}
    assert one.at_edge == 2
    assert (one.diverged, one.failed, len(one.runs), len(one.all_runs)) == (4, 0, 3, 9)
    assert one.ratio is not None
    assert one.ratio.pairs == 2
    assert none.ratio is None
    assert "no answer for 1 of 3 seeds" in verdict(one, "none")
    rows = entry_rows([none, one])
    assert (rows[1]["seeds_done"], rows[1]["seeds_asked"], rows[1]["diverged"]) == (2, 3, 4)


def test_the_baseline_is_none_or_the_first_and_has_the_same_other_values() -> None:
    entries = {"a": [KTV], "none": [], "b": [{**KTV, "order": 1}]}
    asked, plans = study_of(vary={"regularisers": entries, "network.hidden": [[3], [5]], "seed": [0, 1]})
    assert baseline_of(asked) == "none"
    errors = {("a", "[3]"): 2.0, ("none", "[3]"): 1.0, ("b", "[3]"): 4.0}
    runs = [made(planned, rel_l2=errors.get(planned.group, 8.0)) for planned in plans]
    ratios = {entry.name: entry.ratio for entry in entries_of(asked, runs, "validation_residual")}
    found = {name: ratio and ratio.value for name, ratio in ratios.items()}
    assert found == pytest.approx({"a, [3]": 2, "a, [5]": 1, "b, [3]": 4, "b, [5]": 1} | dict.fromkeys(
        ("none, [3]", "none, [5]")))  # fmt: skip
    assert baseline_of(study_of(vary={"regularisers": {"a": [], "b": [KTV]}})[0]) == "a"
    assert baseline_of(study_of(vary={"seed": [1], "network.hidden": [[3], [5]]})[0]) == "[3]"
    assert baseline_of(study_of(vary={"seed": [0, 1]})[0]) is None


@pytest.mark.parametrize(
    ("errors", "word"),
    [
        ([0.1, 0.11, 0.09], "helps"),
        ([10.0, 11.0, 9.0], "hurts"),
        ([0.5, 1.0, 2.1], "no clear difference"),
        ([0.1, None, None], "no verdict from a single seed"),
        ([None, None, None], "no verdict: all runs diverged or failed"),
    ],
)
def test_verdicts(errors: list[float | None], word: str) -> None:
    asked, plans = study_of(vary={"regularisers": {"none": [], "a": [KTV]}, "seed": [0, 1, 2]})
    values = [1.0, 1.0, 1.0, *errors]
    runs = [
        made(planned, "ok" if error else "diverged", rel_l2=error) for planned, error in zip(plans, values, strict=True)
    ]
    _, entry = entries_of(asked, runs, score_of(asked, runs))
    assert verdict(entry, "none").startswith(word)


def test_the_report_says_how_things_were_chosen_and_what_was_lost() -> None:
    asked, runs, entries = candidates()
    runs[-1] = dataclasses.replace(runs[-1], status="failed: no | memory")
    entries = entries_of(asked, runs, score_of(asked, runs))
    text = markdown(asked, "mine", "base: x\n", runs, entries, "validation")
    for part in (
        "# Study mine",
        "4 runs: 3 ok, 1 failed.",
        "regularisers one, seed 0, regularisers.0.weight 0.001: failed: no | memory",
        "error at measurements held out from training",
        "best in hindsight, needs the answer",
        "not equal",
        "```yaml\nbase: x\n```",
        "chose a candidate at an end of its list",
        "## Beside the error",
    ):
        assert part in text, part
    tables = [list(lines) for is_row, lines in groupby(text.splitlines(), lambda line: line.startswith("|")) if is_row]
    assert [len({line.count("|") for line in table}) for table in tables] == [1, 1]


def test_small_residuals_of_wrong_solutions_are_counted() -> None:
    asked, plans = study_of(vary={"regularisers": {"none": []}, "seed": [0, 1, 2, 3]})
    pairs = [(1e-5, 0.06), (1e-3, 0.06), (1e-5, 0.04), (None, None)]
    runs = [made(planned, residual=r, rel_l2=e) for planned, (r, e) in zip(plans, pairs, strict=True)]
    (entry,) = entries_of(asked, runs, "validation_residual")
    assert entry.deceptive == 1


def test_a_study_of_seeds_alone_is_no_comparison() -> None:
    asked, plans = study_of(vary={"seed": [0, 1]})
    runs = [made(planned, rel_l2=0.1) for planned in plans]
    (entry,) = entries_of(asked, runs, "validation_residual")
    headings = columns([entry], baseline_of(asked))
    assert headings == ["seeds", "median", "mean", "std. dev.", "min", "max"]
    assert len(cells(entry, headings)) == len(headings)
    assert entry.name == "all runs"
    assert "median error is 1.00e-01" in verdict(entry, None)


def test_the_table_of_runs_has_a_column_for_whatever_was_measured() -> None:
    asked, plans = study_of(vary={"regularisers": ENTRIES})
    runs = [made(planned, rel_l2=0.1) for planned in plans]
    runs[1] = made(plans[1], rel_l2=0.1, hessian_trace=3.0)
    rows = run_rows(runs, entries_of(asked, runs, "validation_residual"))
    assert list(rows[0]) == [
        *("run", "regularisers", "regularisers.0.weight", "chosen", "status"),
        *("rel_l2", "residual", "validation_residual", "validation", "sweeps", "seconds", "hessian_trace"),
    ]
    assert [row["hessian_trace"] for row in rows] == [None, 3.0, None, None]
    assert {tuple(row) for row in rows} == {tuple(rows[0])}


def test_a_weight_that_is_found_is_compared_with_candidates_of_the_same_penalty() -> None:
    ridge = {"kind": "ridge", "weight": 1e-6}
    values = {
        **ENTRIES,
        "auto": [{**KTV, "weight": "auto"}],
        "other": [{**KTV, "order": 3, "weight": "auto"}],
        "two": [{**KTV, "weight": "auto"}, {**ridge, "weight": [1e-8, 1e-6]}],
    }
    asked, plans = study_of(vary={"regularisers": values, "seed": [0, 1, 2]})
    # the best weight differs from seed to seed, and the one that is best in the median once diverges
    errors = {1e-7: [0.4, 0.2, 0.8], 1e-5: [0.2, 0.4, 0.4], 1e-3: [math.nan, 0.1, math.nan]}
    runs = []
    for planned in plans:
        weight = next(iter(planned.candidates.values()), None)
        error = errors.get(weight, 3 * [0.3])[int(planned.seed)] if weight is not None else 0.3
        status = "diverged" if math.isnan(error) else "ok"
        measures: Measures = {"rel_l2": error if error < 1 else None, "validation_residual": 1.0, "seconds": 2.0}
        runs.append(made(planned, status, **measures))
    entries = {each.name: each for each in entries_of(asked, runs, "validation_residual")}
    found, beside = entries["auto"], entries["one"]
    assert [name for name, each in entries.items() if each.finds_weights] == ["auto", "other", "two"]
    assert candidates_for(found, list(entries.values())) is beside
    assert candidates_for(entries["other"], list(entries.values())) is None
    assert candidates_for(entries["two"], list(entries.values())) is None
    assert beside.best_candidate_median == 0.4
    assert beside.hindsight_median == 0.2
    (row,) = (
        line
        for line in markdown(asked, "mine", "", runs, list(entries.values()), "validation_residual").splitlines()
        if line.startswith("| auto | one")
    )
    assert [cell.strip() for cell in row.split("|")[4:7]] == ["0.75", "1.5", "1.0"]


def test_auto_is_no_candidate_among_others() -> None:
    with pytest.raises(InputError, match="auto is found in the run"):
        study_of(vary={"regularisers": {"mixed": [{**KTV, "weight": [1e-7, "auto"]}]}, "seed": [0]})
