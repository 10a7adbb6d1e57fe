"""Studies of several problems, and in parts: which runs they have, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pinnreg import InputError
from pinnreg.cli import main
from pinnreg.studies import plan, summary
from pinnreg.studies.entries import entries_of
from pinnreg.studies.measures import Run
from pinnreg.studies.model import as_plain, read_study
from pinnreg.studies.worker import Task

SMALL: dict[str, Any] = {"network": {"hidden": [4]}, "points": {"interior": 8}, "train.0.steps": 2}
SEEDS = {"seed": [0, 1]}


def planned(given: dict[str, Any]) -> list[plan.Plan]:
    asked, _, where, _ = read_study(given)
    return plan.plan(asked, where)


def test_cases_are_bases_or_settings_that_stand_together() -> None:
    cases = {
        "first": "poisson1d",
        "steep": {"base": "heat", "problem.alpha": 0.1, "points.interior": 9},
        "own": {"problem.frequency": 2},
    }
    runs = planned({"base": "poisson", "set": SMALL, "cases": cases, "vary": SEEDS})
    assert [run.labels for run in runs] == [
        {"case": case, "seed": seed} for case in ("first", "steep", "own") for seed in ("0", "1")
    ]
    first, steep, own = (run.resolved.config for run in runs[::2])
    assert (first.problem["name"], first.problem["dimension"]) == ("poisson", 1)
    assert (steep.problem["name"], steep.problem["alpha"], steep.points.interior) == ("heat", 0.1, 9)
    assert (own.problem["dimension"], own.problem["frequency"], own.points.interior) == (2, 2, 8)
    assert {run.group for run in runs} == {("first",), ("steep",), ("own",)}


def test_a_list_of_cases_needs_no_base() -> None:
    runs = planned({"set": SMALL, "cases": ["heat", "poisson1d"], "vary": {"seed": [3]}})
    assert [(run.labels["case"], run.resolved.config.problem["name"]) for run in runs] == [
        ("heat", "heat"),
        ("poisson1d", "poisson"),
    ]


def test_the_problem_is_varied_as_any_key() -> None:
    runs = planned({"base": {}, "set": SMALL, "vary": {"problem": ["heat", "burgers"], "seed": [0]}})
    assert [run.resolved.config.problem["name"] for run in runs] == ["heat", "burgers"]


def test_parts_have_all_in_common_and_something_of_their_own() -> None:
    given = {
        "base": "heat",
        "set": SMALL,
        "vary": {"regularisers": {"none": [], "ridge": [{"kind": "ridge", "weight": [1e-6, 1e-4]}]}, "seed": [0]},
        "parts": {
            "clean": {},
            "few": {"set": {"points.interior": 5}, "cases": ["poisson1d"]},
            "weak": {"vary": {"regularisers": {"none": [], "ridge": [{"kind": "ridge", "weight": 1e-8}]}}},
        },
    }
    runs = planned(given)
    assert [(*run.labels.values(), *run.candidates.values()) for run in runs] == [
        ("clean", "none", "0"),
        ("clean", "ridge", "0", 1e-6),
        ("clean", "ridge", "0", 1e-4),
        ("few", "poisson1d", "none", "0"),
        ("few", "poisson1d", "ridge", "0", 1e-6),
        ("few", "poisson1d", "ridge", "0", 1e-4),
        ("weak", "none", "0"),
        ("weak", "ridge", "0"),
    ]
    assert {run.resolved.config.points.interior for run in runs if run.labels["part"] == "few"} == {5}
    asked, *_ = read_study(given)
    assert [*asked.only(["weak", "clean"]).parts] == ["clean", "weak"]
    kept = [run.hash for run in plan.plan(asked.only(["few"]), "study")]
    assert kept == [run.hash for run in runs if run.labels["part"] == "few"]  # and so no run is made again


def test_a_part_may_have_its_own_budget() -> None:
    small = {key: value for key, value in SMALL.items() if key != "train.0.steps"}
    parts = {"cheap": {}, "dear": {"budget": 300, "set": {"points.interior": 9}}}
    runs = planned({"base": "heat", "set": small, "vary": {"seed": [0]}, "budget": 100, "parts": parts})
    assert [run.resolved.config.train[0].max_sweeps for run in runs] == [100, 300]
    asked, _, _, _ = read_study({"base": "heat", "set": small, "vary": SEEDS, "parts": parts})
    assert [each.budget for each in asked.whole().values()] == [None, 300]
    made = [Run(each, "ok", {"sweeps": 250.0}) for each in runs]
    text = summary.body(asked, "", made, entries_of(asked, made, "validation"), "validation")
    assert any(line.startswith("- dear: Each run had a budget of 300") for line in text)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"vary": SEEDS}, ["the study has no base", "problem's name"]),
        ({"vary": SEEDS, "cases": {"a": "heat", "b": {"seed": 1}}}, ["cases.b has no base"]),
        ({"vary": SEEDS, "cases": []}, ["the study has no base"]),
        ({"vary": SEEDS, "cases": ["heat", "heat"]}, ["heat is there more than once"]),
        ({"vary": SEEDS, "cases": {"a": {"base": "heat", "seed": 3}}}, ["cases.a.seed has no effect"]),
        ({"vary": SEEDS, "cases": {"a": 3}}, ["cases.a"]),
        ({"vary": SEEDS, "cases": ["haet"]}, ["case haet", "did you mean 'heat'"]),
        ({"vary": SEEDS, "base": "heat", "parts": {"a": {"vary": {"dtype": ["float64"]}}}}, ["parts.a.vary.dtype"]),
        ({"vary": SEEDS, "base": "heat", "parts": {"a": {"set": {"seed": 3}}}}, ["parts.a", "set.seed has no effect"]),
        ({"vary": SEEDS, "parts": {"a": {}}}, ["parts.a", "no base"]),
        ({"vary": SEEDS, "base": "heat", "parts": {"a": {"sett": {}}}}, ["'sett'", "did you mean 'set'"]),
        (
            {"vary": SEEDS, "base": "heat", "cases": {"a": {"train.0.steps": 3}}, "budget": 100},
            ["cases.a.train.0.steps", "no effect, since the budget"],
        ),
    ],
)
def test_what_makes_no_study_is_refused(keys: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        planned(keys)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_the_text_of_a_study_reads_as_the_study() -> None:
    given = {
        "set": SMALL,
        "cases": ["heat", "poisson1d"],
        "vary": SEEDS,
        "choose": "validation",
        "analyse": True,
        "parts": {"a": {}, "b": {"set": {"points.interior": 4}, "cases": {"c": {"base": "heat", "problem.mode": 2}}}},
    }
    asked, _, _, text = read_study(given)
    assert yaml.safe_load(text) == as_plain(asked) == given
    assert read_study(yaml.safe_load(text))[0] == asked


def test_bases_of_cases_are_found_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("problem: {name: heat, alpha: 0.2}\n", encoding="utf-8")
    (tmp_path / "study.yaml").write_text("cases: [mine.yaml]\nvary: {seed: [0]}\n", encoding="utf-8")
    asked, _, where, _ = read_study(tmp_path / "study.yaml")
    (run,) = plan.plan(asked, where)
    assert (run.labels["case"], run.resolved.config.problem["alpha"]) == ("mine.yaml", 0.2)


def test_a_part_by_itself_and_then_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: list[Task]
) -> None:
    parts = {"coarse": {"set": {"points.interior": 4}}, "fine": {}}
    given = {"cases": ["poisson1d"], "set": SMALL, "vary": {"seed": [0]}, "parts": parts}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")

    def run(*more: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["study", str(tmp_path / "two.yaml"), "--out", str(tmp_path / "out"), "--jobs", "1", *more])
        return int(caught.value.code or 0), *capsys.readouterr()

    code, out, err = run("--part", "fin")
    assert (code, out) == (2, "")
    assert "did you mean 'fine'" in err
    assert not (tmp_path / "out").exists()
    code, out, _ = run("--part", "fine")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if "1 of 1" in line] == ["fine"]
    (folder,) = (tmp_path / "out" / "runs").iterdir()
    assert len(made) == 1
    code, out, _ = run()
    assert [line.split()[0] for line in out.splitlines() if "1 of 1" in line] == ["coarse", "fine"]
    assert len(made) == 2
    assert folder in (tmp_path / "out" / "runs").iterdir()


def test_runs_estimate_no_errors_unless_asked_to() -> None:
    def estimates(**keys: Any) -> set[str]:
        return {run.resolved.config.evaluate.estimate for run in planned({"base": "heat", "vary": SEEDS, **keys})}

    assert estimates() == {"none"}
    assert estimates(set={"evaluate.estimate": "auto"}) == estimates(set={"evaluate": {"estimate": "auto"}}) == {"auto"}
    assert estimates(cases={"a": {"evaluate.estimate": "defect"}}) == {"defect"}


def test_a_section_that_is_none_is_refused_as_one() -> None:
    with pytest.raises(InputError, match="evaluate"):
        planned({"base": "heat", "set": {"evaluate": 3}, "vary": SEEDS})


def test_what_the_base_says_of_the_evaluation_is_kept() -> None:
    (run,) = planned({"base": {"problem": "heat", "evaluate": {"grid": 7, "every": 3}}, "vary": {"seed": [0]}})
    evaluated = run.resolved.config.evaluate
    assert (evaluated.grid, evaluated.every, evaluated.estimate) == ((7,), 3, "none")
