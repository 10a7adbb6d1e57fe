"""The parametric bootstrap: its spread against known ones, the same bits wherever it is made, what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_studies import Cli

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, measurements
from pinnreg.config import resolve
from pinnreg.estimates import Bootstrap, Interval, Refit, Uncertainty, required_uncertainty
from pinnreg.objective import Evaluator
from pinnreg.randomness import generator
from pinnreg.run.bootstrapping import Asked, batch_at, bootstrapped
from pinnreg.run.prepare import prepare
from pinnreg.run.resuming import Begun
from pinnreg.training import History, train

TIMES = np.linspace(0.1, 2, 12)
NOISE = 0.02
GAUSS_NEWTON = {"optimiser": "gauss_newton", "steps": 40}
HEAT: dict[str, Any] = {
    "problem": {"name": "heat", "alpha": 0.4},
    "network": {"hidden": [6]},
    "points": {"interior": 60},
    "unknown": {"alpha": {"start": 1.0, "positive": True}},
    "measurements": [{"samples": 100, "noise": 0.05}],
    "train": [GAUSS_NEWTON],
    "evaluate": {"grid": 9},
}


def decay(values: np.ndarray) -> Problem:
    """U' = -k u from 1, measured at some times."""

    @dataclass(frozen=True)
    class Decay(Problem):
        k: float = 1.0
        domain = Box(t=(0, 2))
        conditions = (dirichlet(1.0, on="t=min"), measurements(TIMES[:, None], values))

        def residual(self, u: Any) -> Any:
            return u.t + self.k * u

    return Decay()


def trained(values: np.ndarray) -> tuple[Uncertainty, Refit]:
    config = {
        "problem": decay(values),
        "network": {"hidden": [6]},
        "points": {"interior": 30, "resample_every": None},
        "unknown": {"k": {"start": 0.7}},
        "weights": {"residual": 1e4},
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }
    objective = prepare(resolve(config, {}, []), trains=True).objective
    stages = resolve(config, {}, []).config.train
    outcome = train(Evaluator(objective), stages, History(objective.names, (), None, ["k"]))
    found = required_uncertainty(objective, outcome.batch, outcome.parameters)
    errors = {name: each.standard_error for name, each in found.intervals().items()}
    return found, Refit(objective, outcome.batch, outcome.parameters, found.noise, errors, seed=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("runs") / "heat"
    pinnreg.solve(HEAT, out=folder, figures=False)
    return folder


@pytest.mark.slow
def test_a_replicate_is_what_the_jacobian_says_of_small_noise_and_the_spread_that_of_the_exact_solutions() -> None:
    values = np.exp(-TIMES) + NOISE * np.random.default_rng(1).standard_normal(len(TIMES))
    uncertain, refit = trained(values)
    spread = Bootstrap.of(uncertain.objective, uncertain.parameters, [refit.replicate(number) for number in range(12)])
    assert spread.failed == 0
    (name,) = uncertain.noise
    draws = [generator(1, f"bootstrap {name}", number) for number in range(12)]
    noise = torch.stack([torch.randn(len(TIMES), generator=each, dtype=torch.float64) for each in draws])
    k = uncertain.objective.model.coefficient_values(dict(uncertain.parameters))["k"]
    found, error = spread.coefficients()["k"], uncertain.intervals()["k"].standard_error
    predicted = k + 0.7 * (noise @ uncertain.root[-1]).numpy()  # of a coefficient that is 0.7 times its parameter
    assert found == pytest.approx(predicted, abs=0.1 * error)
    mirrored = Interval(found.std(ddof=1), 2 * k - found.max(), 2 * k - found.min())  # of 12 replicates
    assert spread.intervals()["k"] == mirrored
    at = np.array([[0.3], [1.0], [1.9]])
    exact = np.exp(-found[:, None] * at[:, 0])
    assert spread.band(at)["u"] == pytest.approx(exact.std(axis=0, ddof=1), rel=0.05)


def test_an_interval_of_a_positive_coefficient_is_mirrored_in_its_logarithm() -> None:
    prepared = prepare(resolve(HEAT, {}, []), with_reference=False, trains=True)
    parameters = {name: each.detach() for name, each in Evaluator(prepared.objective).initial().items()}
    (name,) = (each for each in parameters if each.endswith("alpha"))
    moved = [{**parameters, name: torch.tensor(theta).to(parameters[name])} for theta in (-3.0, 0.0, 0.5)]
    replicates = [torch.cat([each.reshape(-1) for each in one.values()]) for one in moved]
    found = Bootstrap.of(prepared.objective, parameters, replicates).intervals()["alpha"]
    assert (found.low, found.high) == pytest.approx((np.exp(-0.5), np.exp(3.0)))  # from a start of 1


@pytest.mark.slow
def test_a_replicate_is_a_function_of_its_number_and_is_at_a_minimum() -> None:
    _, refit = trained(np.exp(-TIMES) + NOISE * np.random.default_rng(2).standard_normal(len(TIMES)))
    third = refit.replicate(3)
    refit.replicate(4)
    assert third is not None
    assert torch.equal(third, refit.replicate(3))
    assert not torch.equal(third, refit.replicate(4))


@pytest.mark.slow
def test_replicates_without_a_minimum_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    uncertain, refit = trained(np.exp(-TIMES) + NOISE * np.random.default_rng(3).standard_normal(len(TIMES)))
    good = [refit.replicate(k) for k in range(2)]
    monkeypatch.setattr("pinnreg.estimates.bootstrap.STEPS", -1)
    found = [*good, refit.replicate(2)]
    assert found[2] is None
    assert Bootstrap.of(uncertain.objective, uncertain.parameters, found).failed == 1
    with pytest.raises(InputError, match="2 of 3 replicates found no minimum"):
        Bootstrap.of(uncertain.objective, uncertain.parameters, [good[0], None, None])


@pytest.mark.slow
def test_the_command_prints_both_intervals_and_writes_them(cli: Cli, run: Path, tmp_path: Path) -> None:
    code, out, err = cli("analyse", run, "--bootstrap", "6", "--eigenvalues", "1", "--out", tmp_path / "mine")
    assert (code, err) == (0, "")
    assert "linearised, and by 6 replicates" in out
    assert out.count("bootstrap") == 2  # a coefficient and an output
    found = json.loads((tmp_path / "mine" / "analysis.json").read_text(encoding="utf-8"))["bootstrap"]
    assert (found["replicates"], found["failed"]) == (6, 0)
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    alpha, known = found["unknown"]["alpha"], report["unknown"]["alpha"]
    assert alpha["estimate"] == known["estimate"]
    assert alpha["linearised"]["standard_error"] == pytest.approx(known["standard_error"])
    assert alpha["interval"][0] < known["estimate"] < alpha["interval"][1]
    assert 0.3 < alpha["standard_error"] / known["standard_error"] < 3
    assert found["bands"]["u"]["linearised"]["rel_l2"] == pytest.approx(report["bands"]["u"]["rel_l2"])
    with np.load(tmp_path / "mine" / "analysis.npz") as arrays:
        assert arrays["u_band"].shape == arrays["u_band_linearised"].shape == (9, 9)
        assert set(arrays) == {"x", "t", "u_band", "u_band_linearised"}
    pinnreg.analyse(run, out=tmp_path / "mine", eigenvalues=1)
    assert not (tmp_path / "mine" / "analysis.npz").exists()  # nothing of an earlier analysis


@pytest.mark.slow
def test_the_bits_do_not_depend_on_the_processes(run: Path) -> None:
    begun = Begun.read(run)
    prepared = prepare(begun.resolved(None, {}, None), with_reference=False)
    state = begun.state(prepared)
    batch, parameters = batch_at(prepared, state), state["parameters"]
    one, two = (
        bootstrapped(begun.folder, prepared, batch, parameters, Asked(3, jobs, None, None, objects=False))
        for jobs in (1, 2)
    )
    assert one.summary() == two.summary()
    assert all(np.array_equal(each, two.arrays[name]) for name, each in one.arrays.items())


@pytest.mark.parametrize("count", [0, -3, 1])
def test_too_few_replicates_are_refused(cli: Cli, run: Path, count: int) -> None:
    code, out, err = cli("analyse", run, "--bootstrap", count)
    assert (code, out) == (2, "")
    assert err == f"error: bootstrap: expected at least 2 replicates, whose spread it is, got {count}\n"


def test_processes_that_there_cannot_be_are_refused(run: Path) -> None:
    for jobs in (0, -1):
        with pytest.raises(InputError, match=f"jobs: expected a positive number of processes, got {jobs}"):
            pinnreg.analyse(run, out=False, bootstrap=4, jobs=jobs)
    with pytest.raises(InputError, match="nothing for 2 processes to do"):
        pinnreg.analyse(run, out=False, jobs=2)
    with pytest.raises(InputError, match="objects of Python"):
        pinnreg.analyse(run, out=False, bootstrap=4, jobs=2, problem=decay(np.exp(-TIMES)))


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measurements": [], "unknown": {}}, "no measurements"),
        ({"measurements": [{"samples": 60, "noise": 0.05, "trim": 0.1}]}, "with `trim` not all values"),
        ({"train": [{"optimiser": "adam", "steps": 3}]}, "the last stage is adam"),
        ({"train": [{"optimiser": "gauss_newton", "steps": 2}]}, "has not converged: cut while the loss was falling"),
        ({"measurements": [{"samples": 3, "noise": 0.05}]}, "too few are left to tell their noise by"),
        ({"weights": {"measurements": 0.0}}, "weight 0"),
    ],
)
def test_runs_that_have_no_intervals_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    pinnreg.solve({**HEAT, **changes}, out=tmp_path, figures=False)
    with pytest.raises(InputError, match="no bootstrap") as refused:
        pinnreg.analyse(tmp_path, bootstrap=4, out=False)
    assert message in str(refused.value)


def test_what_is_known_to_this_process_only_is_bootstrapped_in_it(tmp_path: Path) -> None:
    values = np.exp(-TIMES) + NOISE * np.random.default_rng(4).standard_normal(len(TIMES))
    config = {"problem": decay(values), "network": {"hidden": [6]}, "points": {"interior": 30}}
    config |= {"unknown": {"k": {"start": 0.7}}, "train": [{"optimiser": "gauss_newton", "steps": 40}]}
    pinnreg.solve(config, out=tmp_path, figures=False)
    found = pinnreg.analyse(tmp_path, problem=decay(values), out=False, eigenvalues=1, bootstrap=3).bootstrap
    assert found is not None
    assert found.replicates == 3
    assert list(found.unknown) == ["k"]
