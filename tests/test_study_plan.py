"""From a study file to its runs: combinations, candidates, hashes, and what is refused before anything runs."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from quick import only

from pinnreg import Box, InputError, Problem, registry
from pinnreg.config import resolve
from pinnreg.studies import budget, plan, runner, study
from pinnreg.studies.measures import Run
from pinnreg.studies.model import read_study, text_of
from pinnreg.studies.plan import run_hash

BASE: dict[str, Any] = {
    "problem": {"name": "poisson", "dimension": 1},
    "network": {"hidden": [5]},
    "points": {"interior": 10},
    "train": [{"optimiser": "adam", "steps": 4}],
    "evaluate": {"grid": 20},
    "device": "cpu",
}
KTV = {"kind": "ktv", "order": 2}


def planned(**keys: Any) -> list[plan.Plan]:
    asked, _, where, _ = read_study({"base": BASE, **keys})
    return plan.plan(asked, where)


def refused(**keys: Any) -> str:
    with pytest.raises(InputError) as caught:
        planned(**keys)
    return str(caught.value)


def test_all_combinations_in_the_order_of_the_file() -> None:
    runs = planned(vary={"network.hidden": {"small": [3], "large": [4, 4]}, "seed": [5, 7]})
    assert [run.labels for run in runs] == [
        {"network.hidden": width, "seed": seed} for width in ("small", "large") for seed in ("5", "7")
    ]
    configs = [run.resolved.config for run in runs]
    assert [config.network.hidden for config in configs] == [(3,), (3,), (4, 4), (4, 4)]
    assert [config.seed for config in configs] == [5, 7, 5, 7]
    assert {run.group for run in runs} == {("small",), ("large",)}


def test_set_is_for_all_runs_and_below_what_is_varied() -> None:
    runs = planned(
        vary={"train.0.learning_rate": [0.1, 0.2], "problem.frequency": [2]},
        set={"train": [{"optimiser": "sgd", "steps": 3}], "seed": 4},
    )
    assert {run.resolved.config.train[0].optimiser for run in runs} == {"sgd"}
    assert [run.resolved.config.train[0].learning_rate for run in runs] == [0.1, 0.2]  # type: ignore[union-attr]
    assert {run.seed for run in runs} == {"4"}
    assert {run.resolved.config.problem["frequency"] for run in runs} == {2}


def test_lists_of_weights_are_candidates_in_all_combinations() -> None:
    entries = {
        "none": [],
        "one": [{**KTV, "weight": ["1e-7", 1e-5]}],
        "two": [{**KTV, "weight": [1, 2]}, {**KTV, "order": 1, "weight": [3, 4, 5]}],
        "fixed": [{**KTV, "weight": 1e-3}],
    }
    runs = planned(vary={"regularisers": entries, "seed": [0, 1]})
    by_entry = {name: [run for run in runs if run.labels["regularisers"] == name] for name in entries}
    assert {name: len(members) for name, members in by_entry.items()} == {"none": 2, "one": 4, "two": 12, "fixed": 2}
    assert [run.candidates for run in by_entry["one"][:2]] == [
        {"regularisers.0.weight": 1e-7},
        {"regularisers.0.weight": 1e-5},
    ]
    weights = [tuple(each.weight for each in run.resolved.config.regularisers) for run in by_entry["two"][:6]]
    assert weights == [(1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5)]
    assert by_entry["fixed"][0].candidates == {}


def test_the_hash_is_that_of_what_decides_the_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = run_hash(resolve(BASE))
    assert first == run_hash(resolve(dict(reversed(BASE.items()))))
    assert first == run_hash(resolve(BASE, {"device": "auto"}))
    assert first == run_hash(resolve({**BASE, "dtype": "float64"}))
    assert first != run_hash(resolve(BASE, {"seed": 1}))
    assert first != run_hash(resolve(BASE, {"train.0.steps": 5}))
    monkeypatch.setattr("pinnreg.studies.plan.package_version", lambda: "77.0")
    assert first != run_hash(resolve(BASE))


def test_the_hash_heeds_the_problem_file_and_data_files(tmp_path: Path) -> None:
    shipped = registry.find()["poisson"].read_text(encoding="utf-8")
    (tmp_path / "poisson.py").write_text(shipped, encoding="utf-8")
    first = run_hash(resolve(BASE, {}, [tmp_path]))
    assert first == run_hash(resolve(BASE))  # wherever it lies
    (tmp_path / "poisson.py").write_text(shipped + "\n# changed\n", encoding="utf-8")
    assert first != run_hash(resolve(BASE, {}, [tmp_path]))
    data = tmp_path / "reference.npz"
    hashes = set()
    for value in (1.0, 2.0):
        np.savez(data, x=np.linspace(0, 1, 5), u=np.full(5, value))
        hashes.add(run_hash(resolve(BASE, {"evaluate.reference": str(data)})))
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"vray": {}}, ["unknown key in the study: 'vray'", "did you mean 'vary'"]),
        ({"vary": {"seed": [0]}, "chose": "residual"}, ["'chose'", "did you mean 'choose'"]),
        ({"vary": {"seed": [0]}, "choose": "validaton"}, ["choose", "did you mean 'validation'"]),
        ({"vary": {}}, ["vary", "at least 1"]),
        ({"vary": {"seed": []}}, ["vary.seed", "a list of values, or names with values"]),
        ({"vary": {"seed": 3}}, ["vary.seed", "got 3"]),
        ({"vary": {"seed": [1, 1]}}, ["vary.seed", "1 is there more than once"]),
        ({"vary": {"seed": [0]}, "budget": -1}, ["budget", "greater than 0"]),
        ({"vary": {"figures.size": ["screen", "single-column"]}}, ["vary.figures.size: it changes no result"]),
        ({"vary": {"seed": {"a": 3, "b": 3}}}, ["a and b are the same seed, 3"]),
        ({"vary": {"seed": [0]}, "set": {"train.0.steps": 9}, "budget": 1e4}, ["set.train.0.steps", "no effect"]),
        ({"vary": {"train.0.max_sweeps": [1e3, 1e4]}, "budget": 1e4}, ["vary.train.0.max_sweeps", "no effect"]),
        (
            {"vary": {"seed": [0]}, "set": {"train": [{"optimiser": "sgd", "max_seconds": 2}]}, "budget": 1e4},
            ["set.train: train.0.max_seconds has no effect"],
        ),
        (
            {"vary": {"train.0": {"a": {"optimiser": "sgd"}, "b": {"optimiser": "adam", "steps": 2}}}, "budget": 1e4},
            ["vary.train.0: train.0.steps has no effect"],
        ),
        ({"vary": {"seed": [0]}, "set": {"seed": 1}}, ["set.seed has no effect"]),
        ({"vary": {"train": [[]]}, "set": {"train.0.steps": 1}}, ["set.train.0.steps has no effect"]),
        ({"vary": {"regularisers": {"a": [{**KTV, "weight": []}]}}}, ["regularisers.0.weight", "empty"]),
        ({"vary": {"seed": [0, -1]}}, ["seed -1", "greater than or equal to 0"]),
        ({"vary": {"train.0.stps": {"a": 1}}}, ["train.0.stps a", "'stps'", "did you mean 'steps'"]),
        ({"vary": {"regularisers": {"n": [], "x": [{"kind": "ktx"}]}}}, ["regularisers x", "did you mean 'ktv'"]),
        ({"vary": {"train.5.steps": [1]}}, ["train.5.steps", "number of a list element"]),
    ],
)
def test_bad_studies_are_refused(keys: dict[str, Any], parts: list[str]) -> None:
    message = refused(**keys)
    for part in parts:
        assert part in message


def test_a_typo_in_the_last_variant_costs_nothing(tmp_path: Path) -> None:
    entries: dict[str, Any] = {f"k{number}": [{**KTV, "samples": number}] for number in range(1, 10)}
    # an axis that the problem lacks shows only when the loss is built
    entries["last"] = [{**KTV, "axes": ["q"]}]
    with pytest.raises(InputError, match=r"regularisers last.*axis.*'q'"):
        study({"base": BASE, "vary": {"regularisers": entries}}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_config_is_no_study_and_a_problem_is_none(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(BASE), encoding="utf-8")
    for given in (file, "heat", "heat_joint", BASE):
        with pytest.raises(InputError, match=r"config of one run, not a study.*use: pinnreg solve"):
            study(given)
    with pytest.raises(InputError, match=r"no such study file"):
        study(tmp_path / "missing.yaml")
    with pytest.raises(InputError, match="unknown study 'study_brgers'"):
        study("study_brgers")
    with pytest.raises(InputError, match="missing key 'vary'"):
        study({"base": "heat"})
    with pytest.raises(InputError, match="jobs: expected a positive number"):
        study({"base": "heat", "vary": {"seed": [0]}}, jobs=0)


def test_a_problem_without_a_file_is_refused() -> None:
    @dataclass(frozen=True)
    class Mine(Problem):
        """Not in a file."""

        domain = Box(x=(0, 1))

        def residual(self, u):  # type: ignore[no-untyped-def]
            return u.xx

    with pytest.raises(InputError, match="problem file"):
        study({"base": {"problem": Mine()}, "vary": {"seed": [0]}})


def test_the_base_is_looked_for_beside_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mine.yaml").write_text(yaml.safe_dump(BASE | {"seed": 8}), encoding="utf-8")
    (tmp_path / "deep" / "all.yaml").write_text("base: mine.yaml\nvary: {train.0.steps: [1]}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asked, name, where, text = read_study("deep/all.yaml")
    assert (name, where) == ("all", "deep/all.yaml")
    assert text.startswith("base: mine.yaml")
    assert plan.plan(asked, where)[0].resolved.config.seed == 8


def test_the_users_own_dict_is_left_alone() -> None:
    given = {"base": BASE, "vary": {"regularisers": {"a": [{**KTV, "weight": ["1e-7", 1e-5]}]}}}
    before = copy.deepcopy(given)
    planned(**{key: value for key, value in given.items() if key != "base"})
    assert given == before


def each_once(plans: list[plan.Plan]) -> list[plan.Plan]:
    """Of all combinations, so many that each value of each key occurs."""
    found, missing = [], {label for planned in plans for label in planned.labels.items()}
    while missing:
        found.append(max(plans, key=lambda planned: len(missing & planned.labels.items())))
        missing -= found[-1].labels.items()
    return found


# of the others the quick suite sees that they are read: tests of configs
@pytest.mark.parametrize("name", only(registry.shipped_configs(studies=True), "study_poisson_few_points"))
def test_a_shipped_study_is_sound(name: str) -> None:
    asked, _, where, _ = read_study(name)
    # two seeds are as different as all
    asked = replace(asked, vary={**asked.vary, "seed": dict(list(asked.vary["seed"].items())[:2])})
    plans = plan.plan(asked, where)
    assert len({run.hash for run in plans}) == len(plans) > 1
    plan.check(each_once(plans), where, device=False)


def test_the_budget_is_the_only_limit_of_a_run() -> None:
    config = resolve(BASE).config
    assert budget.within(3e6, config) == {
        "train.0.max_sweeps": 3e6,
        "train.0.steps": 1_000_000,
        "train.0.max_seconds": None,
    }
    two = resolve(BASE, {"train": [{"optimiser": "adam"}, {"optimiser": "lbfgs"}]}).config
    with pytest.raises(InputError, match=r"2 training stages.*train.0.max_sweeps"):
        budget.within(3e6, two)


def test_with_a_budget_null_is_no_limit_and_stages_are_free() -> None:
    stage = {"optimiser": "sgd", "max_seconds": None}
    (run,) = planned(vary={"train": {"sgd": [stage]}}, set={"points.interior": 9}, budget=1e4)
    assert run.resolved.config.train[0].max_sweeps == 1e4


def test_the_budget_statement_says_what_was_spent() -> None:
    run = planned(vary={"seed": [0]})[0]

    def spent(*sweeps: float | None) -> list[Run]:
        return [Run(run, "ok", {"sweeps": value}) for value in sweeps] + [Run(run, "diverged", {"sweeps": 1.0})]

    assert "not equal" in budget.statement(None, spent(None))
    text = budget.statement(None, spent(2e6, 3e6))
    assert "not equal" in text
    assert "2e+06 to 3e+06 network sweeps" in text
    same = budget.statement(None, spent(3e6, 3e6))
    assert "not equal" not in same
    assert "each spent 3e+06 network sweeps" in same
    assert "equal for all" in budget.statement(3e6, spent(3e6, 3e6))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1e-6, "1e-06"), (0.1 + 0.2, "0.30000000000000004"), ("sin", "sin"), ([2, 2], "[2, 2]"), (None, "null")],
)
def test_values_as_tables_show_them(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_runs_of_one_config_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(tasks: list[Any], *_: Any) -> Any:
        made.append(len(tasks))
        return iter([(0, {"status": "ok", "measures": {"rel_l2": 0.5}, "notes": []})])

    monkeypatch.setattr(runner, "in_processes", counted)
    found = study({"base": BASE, "vary": {"regularisers": {"none": [], "also": []}}}, tmp_path)
    assert made == [1]
    assert [run.plan.labels["regularisers"] for run in found.runs] == ["none", "also"]
    assert found.entries[1].ratio is not None
    assert found.entries[1].ratio.value == 1.0


def test_the_clock_of_the_base_ends_no_run(caplog: pytest.LogCaptureFixture) -> None:
    """What a run reaches within seconds depends on what else the machine does."""
    timed = {**BASE, "train": [{"optimiser": "adam", "steps": 3, "max_seconds": 5}]}
    asked, _, where, _ = read_study({"base": timed, "vary": {"seed": [0, 1]}})
    plans = plan.plan(asked, where)
    assert [run.resolved.config.train[0].max_seconds for run in plans] == [None, None]
    assert caplog.text.count("train.0.max_seconds of the base does not count") == 1


@pytest.mark.parametrize(
    "section",
    [
        {"set": {"train.0.max_seconds": 3}},
        {"set": {"train": [{"optimiser": "adam", "max_seconds": 3}]}},
        {"vary": {"train.0.max_seconds": [3, 4]}},
    ],
)
def test_a_clock_for_the_runs_of_a_study_is_refused(section: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="for the machine and its load to say"):
        read_study({"base": BASE, "vary": {"seed": [0]}, **section})
