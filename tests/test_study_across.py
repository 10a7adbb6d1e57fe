"""Studies of several cases: what is said over all of them, and runs that are made again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats
from small_studies import TINY, Cli
from test_study_statistics import made as run_of

from pinnreg import InputError
from pinnreg.studies import across, repeating, runner
from pinnreg.studies.entries import Entry, entries_of
from pinnreg.studies.model import Study, read_study
from pinnreg.studies.plan import plan
from pinnreg.studies.repeating import drawn
from pinnreg.studies.summary import body

RIDGE = [{"kind": "ridge", "weight": [1e-8, 1e-6]}]
CASES = {"a": {"problem.frequency": 1}, "b": {"problem.frequency": 2}, "c": {"problem.frequency": 3}}
STUDY: dict[str, Any] = {
    "base": TINY,
    "cases": CASES,
    "vary": {"regularisers": {"none": [], "ridge": RIDGE}, "seed": [0, 1]},
}
LOGS = {"a": (-1.0, -1.1), "b": (-2.0, -2.1), "c": (-3.0, -2.9)}
"""Decades that the ridge helps by, for each case and seed."""


def found(given: dict[str, Any], logs: dict[str, tuple[float, ...]] = LOGS) -> tuple[Study, list[Entry], list[Any]]:
    asked, _, where, _ = read_study(given)
    runs = []
    for planned in plan(asked, where):
        helps = logs[planned.labels["case"]][int(planned.seed)] if planned.candidates else 0.0
        runs.append(run_of(planned, rel_l2=10.0 ** (helps - 1), validation_residual=1.0))
    return asked, entries_of(asked, runs, "validation_residual"), runs


def test_over_the_cases_each_counts_once() -> None:
    asked, entries, runs = found(STUDY)
    (ridge,) = across.across(asked, entries)
    means = [float(np.mean(each)) for each in LOGS.values()]
    assert (ridge.group, ridge.name, list(ridge.by_case)) == ("", "ridge", ["a", "b", "c"])
    assert ridge.over.ratio.value == pytest.approx(10 ** np.mean(means))
    assert ridge.over.ratio.p == ridge.over.p == pytest.approx(stats.ttest_1samp(means, 0).pvalue)
    by_case = {case: stats.ttest_1samp(each, 0).pvalue for case, each in LOGS.items()}
    assert {case: each.ratio.p for case, each in ridge.by_case.items()} == pytest.approx(by_case)
    smallest = min(by_case, key=lambda case: by_case[case])
    assert ridge.by_case[smallest].p == pytest.approx(3 * by_case[smallest])
    assert ridge.at_edge == 1  # of two candidates either is an end
    text = "\n".join(body(asked, "", runs, entries, "validation_residual"))
    assert "| c | 1.00e-01 | **1.1e-03** |" in text
    assert text.count("What it says") == 0


def test_parts_are_compared_each_for_itself_and_corrected_together() -> None:
    given = {**STUDY, "parts": {"one": {}, "two": {"set": {"points.interior": 11}}}}
    asked, entries, _ = found(given)
    one, two = across.across(asked, entries)
    assert (one.group, two.group) == ("one", "two")
    assert one.over.p == two.over.p == pytest.approx(min(1.0, 2 * one.over.ratio.p))
    assert list(across.by_group([one, two])) == ["one", "two"]


def test_words_follow_the_corrected_value() -> None:
    ratio = across.Compared(across.Ratio(3, 0.1, 0.05, 0.2, 0.001), 0.06)
    assert ratio.word == "undecided"
    assert across.Compared(ratio.ratio, 0.04).word == "helps"
    assert across.Compared(across.Ratio(3, 3.0, 2.0, 4.0, 0.001), 0.04).word == "hurts"
    assert across.Compared(across.Ratio(1, 3.0, math.nan, math.nan), math.nan).word == "undecided"


def test_without_cases_or_what_is_compared_all_is_as_before() -> None:
    assert across.has_cases(read_study(STUDY)[0])
    assert not across.has_cases(read_study({**STUDY, "cases": {"a": CASES["a"], "b": CASES["b"]}})[0])
    assert not across.has_cases(read_study({**STUDY, "vary": {"seed": [0]}})[0])


@pytest.mark.figures
@pytest.mark.usefixtures("made")
def test_runs_are_made_again_bit_for_bit(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeating, "in_processes", runner.in_processes)  # in this one
    vary = {"regularisers": {"none": [], "ridge": [{"kind": "ridge", "weight": 1e-6}]}, "seed": [0, 1]}
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump({**STUDY, "vary": vary}, sort_keys=False), encoding="utf-8")
    command = ("study", tmp_path / "cases.yaml", "--out", tmp_path / "out", "--jobs", "1")
    code, out, _ = cli(*command, "--repeat", "2", "--repeat-seed", "3", "--page", tmp_path / "pages")
    assert code == 0
    assert out.count("every bit the same") == 2
    assert (tmp_path / "pages" / "cases_ratios.png").exists()
    assert "## Over all cases" in (tmp_path / "pages" / "cases.md").read_text(encoding="utf-8")
    for folder in (tmp_path / "out" / "runs").iterdir():  # what is not the same is found
        with np.load(folder / "fields.npz") as fields:
            np.savez(folder / "fields.npz", **{**fields, "u": np.nextafter(fields["u"], 9)})
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        metrics["measures"]["residual"] *= 1.01
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    code, out, _ = cli(*command, "--repeat", "1")
    assert code == 1
    assert "residual, fields.npz: u\n" in out


def test_a_seed_of_runs_that_are_not_made_again_is_refused(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("study", "mine.yaml", "--out", tmp_path / "out", "--repeat-seed", "3")
    assert (code, out) == (2, "")
    assert err.startswith("error: --repeat-seed: says which runs are made again")
    assert not (tmp_path / "out").exists()


def test_which_runs_are_made_again_is_the_seeds_to_say() -> None:
    _, _, runs = found(STUDY)
    names = [[run.plan.hash for run in drawn(runs, 5, seed)] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 5
    for count in (0, len(runs) + 1):
        with pytest.raises(InputError, match=f"from 1 to {len(runs)}"):
            drawn(runs, count, 0)
