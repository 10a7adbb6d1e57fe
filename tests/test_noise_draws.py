"""When noise on the parameters is drawn anew, by which scheme, how it ends, and with what it is refused."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from scipy import stats
from torch import Tensor

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, initial
from pinnreg.config import resolve
from pinnreg.objective import Batch, Evaluator
from pinnreg.regularisers import UNSHIFTED, NoiseStability, Shift, WeightNoise
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.training import History, Hooks, train

F64 = torch.float64
ALL = ("adam", "sgd", "lbfgs", "ssbroyden", "gauss_newton")
TENSORS = {
    "first": torch.zeros(6, 2, dtype=F64),
    "bias": torch.zeros(6, dtype=F64),
    "last": torch.zeros(1, 6, dtype=F64),
    "end": torch.zeros((), dtype=F64),
}


@dataclass(frozen=True)
class Decay(Problem):
    """Nonlinear in u."""

    rate: float = 0.5
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: x * (1 - x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - self.rate * u.xx + u**2


def config(noise: dict[str, Any] | list[dict[str, Any]], *stages: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {
        "problem": Decay(),
        "network": {"hidden": [4]},
        "points": {"interior": 12},
        "conditions": "exact",
        "regularisers": noise if isinstance(noise, list) else [noise],
        "train": list(stages),
        "evaluate": {"grid": 4},
        **sections,
    }


def prepared(given: dict[str, Any]) -> Prepared:
    return prepare(resolve(given), with_reference=False)


def trained(given: dict[str, Any]) -> Placed:
    """The objective after its training."""
    made = prepared(given)
    history = History(made.objective.names, (), None, list(made.resolved.config.unknown))
    evaluator = Evaluator(made.objective)
    outcome = train(evaluator, made.resolved.config.train, history)
    return Placed(evaluator, outcome.batch, outcome.parameters)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, Tensor]]:
    """Every look of an optimiser at the objective: how, at which draw, and with which noise."""
    seen: list[tuple[str, int, Tensor]] = []

    def watched(name: str) -> None:
        original = getattr(Evaluator, name)

        def look(self: Evaluator, batch: Batch, parameters: dict[str, Tensor]) -> Any:
            seen.append((name, batch.step, noise_of(batch.shifts)))
            return original(self, batch, parameters)

        monkeypatch.setattr(Evaluator, name, look)

    for name in ("gradient", "residuals", "linearise"):
        watched(name)
    return seen


def noise_of(shifts: Any) -> Tensor:
    vectors = [each.reshape(-1) for shift in shifts for each in (shift.offset or {}).values()]
    return torch.cat(vectors) if vectors else torch.zeros(0, dtype=F64)


def distinct(looks: list[tuple[str, int, Tensor]]) -> dict[int, list[Tensor]]:
    """The different noises at each draw."""
    found: dict[int, list[Tensor]] = {}
    for _, drawn_at, noise in looks:
        known = found.setdefault(drawn_at, [])
        if not any(torch.equal(noise, each) for each in known):
            known.append(noise)
    return found


def assert_drawn_at(looks: list[tuple[str, int, Tensor]], steps: list[int]) -> None:
    """One noise for all looks between two draws, and another after the next."""
    found = distinct(looks)
    assert sorted(found) == steps
    assert all(len(noises) == 1 for noises in found.values())
    every = [noises[0] for noises in found.values()]
    assert all(len(noise) for noise in every)
    assert len({tuple(noise.tolist()) for noise in every}) == len(every)


# when it is drawn


TWO_SIDED = {"kind": "noise_stability", "sigma": 0.05}


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("noise", [TWO_SIDED, {**TWO_SIDED, "sides": "one"}, {"kind": "weight_noise"}])
def test_each_step_of_a_first_order_optimiser_has_its_own(
    noise: dict[str, Any], optimiser: str, looks: list[tuple[str, int, Tensor]]
) -> None:
    trained(config(noise, {"optimiser": optimiser, "steps": 7}))
    assert [name for name, _, _ in looks] == ["gradient"] * 7
    assert_drawn_at(looks, list(range(7)))


def test_a_step_of_gauss_newton_has_one_for_its_jacobian_and_all_trials(
    looks: list[tuple[str, int, Tensor]],
) -> None:
    trained(config(TWO_SIDED, {"optimiser": "gauss_newton", "steps": 4}))
    for step in range(4):
        names = [name for name, drawn_at, _ in looks if drawn_at == step]
        assert names[0] == "linearise"
        assert set(names[1:]) == {"residuals"}
        assert len(names) > 3
    assert_drawn_at(looks, [0, 1, 2, 3])


@pytest.mark.parametrize("optimiser", ["lbfgs", "ssbroyden"])
def test_a_block_of_a_quasi_newton_method_has_one(optimiser: str, looks: list[tuple[str, int, Tensor]]) -> None:
    trained(config(TWO_SIDED, {"optimiser": optimiser, "steps": 36, "redraw_every": 12}))
    assert_drawn_at(looks, [0, 12, 24])  # a block is longer than the ten iterations between two checks
    assert len(looks) > 36


def test_noise_depends_on_seed_kind_and_step_alone() -> None:
    def drawn(step: int, given: dict[str, Any]) -> Tensor:
        of = placed(prepared(given).objective)
        torch.manual_seed(step)
        of = of.redraw(step, progress=0.0, smooth=False)
        return noise_of(of.batch.shifts)

    adam = {"optimiser": "adam"}
    base = config(TWO_SIDED, adam)
    first = drawn(3, base)
    assert torch.equal(first, drawn(3, base))
    assert torch.equal(first, drawn(3, {**base, "points": {"interior": 20}}))
    assert not torch.allclose(first, drawn(4, base))
    assert not torch.allclose(first, drawn(3, {**base, "seed": 1}))
    one = drawn(3, config({"kind": "weight_noise", "sigma": 0.05, "scheme": "all"}, adam))
    assert not torch.allclose(first[: len(one)].abs() / 0.05, one.abs() / (0.05 / 2))


# layer by layer


def shifts_of(scheme: Any, steps: int, sigma: float = 0.2) -> Iterator[Shift]:
    draws = torch.Generator().manual_seed(0)
    for step in range(steps):
        (shift,) = WeightNoise(sigma=sigma, scheme=scheme).shifts(TENSORS, 1.0, draws, step)
        assert shift.share == 1.0
        yield shift


def test_layers_take_turns() -> None:
    names = [list(shift.offset or {}) for shift in shifts_of("layer", 9)]
    assert names == [[name] for name in (*TENSORS, *TENSORS, "first")]
    assert all(list(shift.offset or {}) == list(TENSORS) for shift in shifts_of("all", 3))


def test_both_schemes_have_the_same_mean_energy_in_every_tensor() -> None:
    steps = 2000
    energies: dict[str, dict[str, float]] = {}
    for scheme in ("layer", "all"):
        total = dict.fromkeys(TENSORS, 0.0)
        for shift in shifts_of(scheme, steps):
            for name, offset in (shift.offset or {}).items():
                assert offset.shape == TENSORS[name].shape
                total[name] += float(offset.square().sum())
        energies[scheme] = total
    for name, tensor in TENSORS.items():
        expected = steps * tensor.numel() * 0.2**2 / len(TENSORS)
        # a sum of squares of `layer` has steps numel / G normal numbers, of `all` G times as many
        error = 5 * (2 * len(TENSORS) / (steps * tensor.numel())) ** 0.5
        assert energies["layer"][name] == pytest.approx(expected, rel=error)
        assert energies["all"][name] == pytest.approx(expected, rel=error)


def test_the_noise_is_normal_with_the_given_deviation() -> None:
    draws = torch.Generator().manual_seed(0)
    like = {"a": torch.zeros(300, 50, dtype=F64)}
    for factor in (1.0, 0.25):
        for shift in NoiseStability(sigma=0.4).shifts(like, factor, draws, 0)[:1]:
            assert shift.offset is not None
            sample = shift.offset["a"].reshape(-1).numpy()
            assert stats.kstest(sample / (0.4 * factor), "norm").pvalue > 1e-3


# how it ends


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize(("kind", "optimiser"), [("noise_stability", "gauss_newton"), ("weight_noise", "adam")])
def test_annealed_to_zero_it_ends_unperturbed(
    kind: str, optimiser: str, schedule: str, looks: list[tuple[str, int, Tensor]]
) -> None:
    noise = {"kind": kind, "sigma": 0.05, "schedule": schedule}
    of = trained(config(noise, {"optimiser": optimiser, "steps": 6}))
    assert of.batch.progress == 1
    assert of.batch.shifts == UNSHIFTED
    sizes = [float(noises[0].square().mean().sqrt()) if len(noises[0]) else 0.0 for noises in distinct(looks).values()]
    assert len(sizes) == 6
    assert sizes[0] > 0.01
    assert sizes[-1] == 0 < sizes[-2] < 0.02
    losses, _ = of.gradient(of.parameters)
    plain = of.losses(of.parameters)
    assert {name: value.item() for name, value in losses.items()} == {name: each.item() for name, each in plain.items()}


def test_a_sigma_of_zero_is_no_noise() -> None:
    for kind, optimiser in (("noise_stability", "gauss_newton"), ("weight_noise", "adam")):
        of = placed(prepared(config({"kind": kind, "sigma": 0.0}, {"optimiser": optimiser})).objective)
        assert of.batch.shifts == UNSHIFTED
        assert of.evaluator.sweeps == 0
        of.gradient(of.parameters)
        assert of.evaluator.sweeps == 12  # no more than without


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("noise", "stage"),
    [
        ({**TWO_SIDED, "schedule": "cosine"}, {"optimiser": "gauss_newton", "steps": 5}),
        (TWO_SIDED, {"optimiser": "lbfgs", "steps": 24, "redraw_every": 8}),
        ({"kind": "weight_noise", "schedule": "linear"}, {"optimiser": "adam", "steps": 6}),
    ],
)
def test_a_resumed_run_has_the_same_noise(tmp_path: Path, noise: dict[str, Any], stage: dict[str, Any]) -> None:
    given = config(noise, stage)
    whole = pinnreg.solve(given, out=False)
    calls = iter(range(1000))
    hooks = Hooks(interrupted=lambda: signal.SIGTERM if next(calls) == 2 else None)
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(given, out=tmp_path / "run", hooks=hooks)
    resumed = pinnreg.solve(given, out=tmp_path / "run", resume=True)
    for name, values in whole.parameters.items():
        assert torch.equal(resumed.parameters[name], values)


# with what it is refused


@pytest.mark.parametrize("optimiser", ["lbfgs", "ssbroyden", "gauss_newton"])
@pytest.mark.parametrize("noise", [{"kind": "weight_noise"}, {**TWO_SIDED, "sides": "one"}])
def test_one_sided_noise_is_refused_where_it_would_be_undone(noise: dict[str, Any], optimiser: str) -> None:
    stages = [{"optimiser": "adam"}, {"optimiser": optimiser}]
    message = f"regularisers.0: {noise['kind']} on one side .* runs with adam and sgd only: {optimiser}"
    with pytest.raises(InputError, match=message):
        prepared(config(noise, *stages))


@pytest.mark.parametrize("optimiser", ALL)
def test_two_sided_noise_runs_with_every_optimiser(optimiser: str) -> None:
    of = trained(config(TWO_SIDED, {"optimiser": optimiser, "steps": 2}))
    assert len(of.batch.shifts) == 2


@pytest.mark.parametrize(
    ("one", "two"),
    [("noise_stability", "weight_noise"), ("weight_noise", "noise_stability"), ("weight_noise", "weight_noise")],
)
def test_two_noises_are_refused(one: str, two: str) -> None:
    with pytest.raises(InputError, match=f"regularisers: {one} and {two} both perturb .* give one"):
        prepared(config([{"kind": one}, {"kind": "ridge"}, {"kind": two}], {"optimiser": "adam"}))
