"""The objective: its terms, weights and points; what it refuses; what it saves."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import pi
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from pydantic import ValidationError
from torch import Tensor

from pinnreg import Box, InputError, Problem, dirichlet, initial, measurements, neumann
from pinnreg.config import resolve
from pinnreg.objective import INTERIOR, PointSettings, residual_size
from pinnreg.objective.sampling import CANDIDATES_PER_POINT, adapted_points, interior_points
from pinnreg.run.prepare import prepare

CPU = torch.device("cpu")
F64 = torch.float64


@dataclass(frozen=True)
class Decay(Problem):
    """A heat equation with conditions of three kinds."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0, on="x=min"), neumann(1.0, on="x=max"))

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@dataclass(frozen=True)
class System(Problem):
    """Two equations for two outputs, one residual known in closed form for any network: 3 x."""

    domain = Box(x=(0, 1), y=(0, 1))
    outputs = ("u", "v")
    conditions = (dirichlet(0.0, on="x", of="u"), dirichlet(1.0, on="y", of="v"))

    def residual(self, u: Any, v: Any, x: Tensor) -> Any:
        return {"momentum": u.xx + v, "mass": 0 * u.x + 3 * x}


def objective(problem: Problem, seed: int = 0, **sections: Any) -> Placed:
    config = {
        "problem": problem,
        "network": {"hidden": [5]},
        "balance": False,  # test_balance is about that
        "train": [{"optimiser": "adam"}],  # which takes penalties of power 1 too
        "seed": seed,
        **sections,
        "points": {
            "interior": 24,
            "boundary": 12,
            "resample": "fresh",
            "resample_every": None,
            **sections.get("points", {}),
        },
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def flat_gradient(of: Placed) -> Tensor:
    loss = of.total(of.losses(of.parameters))
    return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(of.parameters.values()))])


# terms


def test_terms_are_named_after_equations_conditions_and_regularisers() -> None:
    regularisers = [{"kind": "ktv"}, {"kind": "ktv", "order": 1}]
    soft = objective(Decay(), conditions="soft", regularisers=regularisers)
    assert soft.names == ("residual", "initial", "dirichlet", "neumann", "ktv", "ktv_2")
    default = objective(Decay(), regularisers=regularisers)
    assert default.names == ("residual", "initial", "neumann", "ktv", "ktv_2")  # the walls are exact
    assert objective(System(), conditions="soft").names == ("momentum", "mass", "dirichlet_u", "dirichlet_v")
    for of in (soft, default):
        assert tuple(of.losses(of.parameters)) == of.names == tuple(of.weights)


def test_a_condition_can_name_its_term() -> None:
    @dataclass(frozen=True)
    class Named(Problem):
        """One named condition."""

        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0, name="wall"),)

        def residual(self, u: Any) -> Any:
            return u.xx

    assert objective(Named(), conditions="soft").names == ("residual", "wall")


def test_the_total_is_the_weighted_sum_of_mean_squares() -> None:
    weights = {"residual": 2.0, "initial": 10.0, "dirichlet": 0.0}
    ktv = [{"kind": "ktv", "weight": 0.5, "power": 1}, {"kind": "ktv", "weight": 0.25}]
    of = objective(Decay(), conditions="soft", weights=weights, regularisers=ktv)
    rows = {name: each.values.detach() for name, each in of.rows(of.parameters).items()}
    assert [len(rows[name]) for name in of.names] == [24, 12, 12, 12, 512, 512]
    by_hand = (
        2 * (rows["residual"] ** 2).sum() / 24
        + 10 * (rows["initial"] ** 2).sum() / 12
        + (rows["neumann"] ** 2).sum() / 12
        + 0.5 * rows["ktv"].abs().sum() / 512
        + 0.25 * (rows["ktv_2"] ** 2).sum() / 512
    )
    assert of.total(of.losses(of.parameters)).item() == pytest.approx(by_hand.item(), rel=1e-12)


def test_a_dict_of_residuals_gives_several_terms() -> None:
    of = objective(System(), weights={"mass": 4.0})
    points = of.x
    rows = of.rows(of.parameters)
    assert torch.allclose(rows["mass"].values, 3 * points[:, 0])
    losses = of.losses(of.parameters)
    assert losses["mass"].item() == pytest.approx(9 * points[:, 0].square().mean().item())
    total = losses["momentum"] + 4 * losses["mass"]
    assert of.total(losses).item() == pytest.approx(total.item())


def test_rows_are_functions_of_the_parameters_given() -> None:
    of = objective(Decay())
    moved = {name: (value + 0.1).detach() for name, value in of.parameters.items()}
    assert not torch.allclose(of.rows(moved)["residual"].values, of.rows(of.parameters)["residual"].values)
    assert torch.equal(of.rows(of.parameters)["residual"].values, of.rows(of.parameters)["residual"].values)


# weights


@pytest.mark.parametrize("name", ["residual", "initial", "dirichlet", "neumann"])
def test_a_weight_acts_on_value_and_gradient(name: str) -> None:
    plain = objective(Decay(), conditions="soft")
    heavy = objective(Decay(), conditions="soft", weights={name: 7.0})
    term = plain.losses(plain.parameters)[name]
    gradient = torch.autograd.grad(term, list(plain.parameters.values()), materialize_grads=True)
    extra = 6 * torch.cat([g.reshape(-1) for g in gradient])
    assert extra.norm() > 0
    assert torch.allclose(flat_gradient(heavy), flat_gradient(plain) + extra)
    totals = [of.total(of.losses(of.parameters)).item() for of in (plain, heavy)]
    assert totals[1] == pytest.approx(totals[0] + 6 * term.item())


def test_an_unknown_weight_is_refused() -> None:
    with pytest.raises(InputError, match=r"'inital'; did you mean 'initial'.*known: residual, initial"):
        objective(Decay(), conditions="soft", weights={"inital": 2.0})
    with pytest.raises(InputError, match="'ktv'"):  # a regulariser carries its own weight
        objective(Decay(), weights={"ktv": 2.0}, regularisers=[{"kind": "ktv"}])


def test_a_weight_of_an_exact_condition_is_announced_as_idle(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        weighted = objective(Decay(), weights={"dirichlet": 5.0})
    assert "weights.dirichlet has no effect" in caplog.text
    assert torch.equal(flat_gradient(weighted), flat_gradient(objective(Decay())))


# points


def test_soft_conditions_are_evaluated_on_their_faces() -> None:
    of = objective(Decay(), conditions="soft")
    on = {name: of.points[name] for name in ("initial", "dirichlet", "neumann")}
    assert (on["initial"].x[:, 1] == 0).all()
    assert (on["dirichlet"].x[:, 0] == 0).all()
    assert (on["neumann"].x[:, 0] == 2).all()
    assert on["neumann"].normals is not None
    assert torch.equal(on["neumann"].normals, torch.tensor([[1.0, 0.0]], dtype=F64).expand(12, 2))
    for each in on.values():
        assert len(each.x.unique(dim=0)) == 12  # spread over the face
    x = on["initial"].x[:, 0]
    u = of.model.trial(of.model.network, on["initial"].x)[:, 0].detach()
    assert torch.allclose(of.rows(of.parameters)["initial"].values, u - torch.sin(pi * x))


def test_resampling_draws_all_points_anew_as_a_function_of_the_step() -> None:
    settings = {"interior": 24, "boundary": 12, "resample_every": 10}
    one, two = (objective(Decay(), conditions="soft", points=settings) for _ in range(2))

    def values(of: Placed) -> list[Tensor]:
        return [rows.values.detach() for rows in of.rows(of.parameters).values()]

    start, x = [one.x, *values(one)], one.x.clone()
    moved = one.resample(one.parameters, 10)
    at_10 = [moved.x, *values(moved)]
    assert not any(torch.equal(a, b) for a, b in zip(start, at_10, strict=True))
    assert torch.equal(one.x, x)  # what went in does not change
    moved = moved.resample(one.parameters, 20)
    assert not torch.equal(moved.x, at_10[0])
    torch.manual_seed(7)
    two = two.resample(two.parameters, 20)  # another history, the same points
    assert torch.equal(two.x, moved.x)
    assert all(torch.equal(a, b) for a, b in zip(values(moved), values(two), strict=True))


def test_resampling_is_due_when_a_multiple_of_its_period_has_passed() -> None:
    of = objective(Decay(), points={"interior": 24, "resample_every": 10})
    assert [of.resample_due(step) for step in (0, 9, 10, 15)] == [False, False, True, True]
    of = of.resample(of.parameters, 13)
    assert [of.resample_due(step) for step in (13, 19, 20)] == [False, False, True]
    assert not objective(Decay()).resample_due(10_000)


def test_points_depend_on_the_seed_and_not_on_the_global_generator() -> None:
    first = objective(Decay()).x
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert torch.equal(objective(Decay()).x, first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(objective(Decay(), seed=1).x, first)


def test_penalty_points_and_collocation_points_do_not_disturb_each_other() -> None:
    points = {"interior": 24, "resample_every": 5, "sampler": "uniform"}
    without, with_ktv = (objective(Decay(), points=points, regularisers=each) for each in ([], [{"kind": "ktv"}]))
    for step in range(1, 4):
        with_ktv = with_ktv.redraw(step, progress=0)
    assert torch.equal(without.x, with_ktv.x)
    without, with_ktv = (of.resample(of.parameters, 5) for of in (without, with_ktv))
    assert torch.equal(without.x, with_ktv.x)
    # and resampling leaves the penalty's points where they are
    before = with_ktv.losses(with_ktv.parameters)["ktv"]
    with_ktv = with_ktv.resample(with_ktv.parameters, 10)
    assert torch.equal(with_ktv.losses(with_ktv.parameters)["ktv"], before)
    # neither is the other's points in disguise
    penalty = with_ktv.points["ktv"].x
    assert not torch.equal(interior_points(PointSettings(**points), Decay().domain, None, 0, 3)[:24], penalty[:24])


def test_a_condition_may_be_named_interior() -> None:
    @dataclass(frozen=True)
    class Named(Problem):
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0), measurements([[0.5], [0.25]], [1.0, 0.7], name="interior"))

        def residual(self, u: Any) -> Any:
            return u.xx + 1

    rows = objective(Named()).rows(objective(Named()).parameters)
    assert (len(rows["residual"].values), len(rows["interior"].values)) == (24, 2)


def known_residual(points: Tensor) -> Tensor:
    """1 on the left half of (0, 1)², 0 on the right."""
    return (points[:, 0] < 0.5).to(F64)


def test_the_density_of_adapted_points_is_the_published_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    multinomial = torch.multinomial
    pools: list[Tensor] = []

    def size(points: Tensor) -> Tensor:
        pools.append(points)
        return points[:, 0] ** 2 + 0.1

    def spy(density: Tensor, count: int, **options: Any) -> Tensor:
        chosen = multinomial(density, count, **options)
        seen.append((density, chosen))
        return chosen

    monkeypatch.setattr(torch, "multinomial", spy)
    points, _ = adapted_points(size, Box(x=(0, 1), y=(0, 1)), 50, 0, 3, device=CPU, dtype=F64)
    ((density, chosen),), (pool,) = seen, pools
    assert pool.shape == (50 * CANDIDATES_PER_POINT, 2)
    r = pool[:, 0] ** 2 + 0.1
    assert torch.allclose(density / density.sum(), (r / r.mean() + 1) / (r / r.mean() + 1).sum())
    assert torch.equal(points, pool[chosen])
    assert len(points.unique(dim=0)) == 50  # no candidate twice


def test_adapted_points_gather_where_the_residual_is_large() -> None:
    domain, count = Box(x=(0, 1), y=(0, 1)), 200
    left = torch.stack(
        [
            known_residual(adapted_points(known_residual, domain, count, 0, step, device=CPU, dtype=F64)[0]).mean()
            for step in range(40)
        ]
    )
    error = left.std() / len(left) ** 0.5
    # candidates are 3 times as likely on the left; drawing a fifth of the pool without replacement makes 3/4 a
    # little less: half the pool survives with (1 + e^-3s)/2, s = 0.1153 from (1 - e^-3s) + (1 - e^-s) = 2/5
    expected = (1 - torch.exp(torch.tensor(-3 * 0.1153))) / 0.4
    assert abs(left.mean() - expected) < 4 * error
    assert error < 0.01  # so that neither 1/2 (uniform) nor 1 (the density |r| alone) would pass


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_without_a_usable_residual_adapted_points_are_uniform(value: float) -> None:
    def size(points: Tensor) -> Tensor:
        return torch.full_like(points[:, 0], value)

    points, _ = adapted_points(size, Box(x=(0, 4)), 500, 0, 1, device=CPU, dtype=F64)
    assert points.shape == (500, 1)
    assert abs(points.mean() - 2) < 4 * (16 / 12 / 500) ** 0.5


def test_resampling_by_residual_uses_the_networks_residual() -> None:
    settings = {"interior": 400, "resample_every": 10, "resample": "residual"}
    of = objective(System(), points=settings, weights={"momentum": 0.0})  # leaves |r| = 3 x
    probe = torch.tensor([[0.5, 0.1], [1.0, 0.9]], dtype=F64)
    assert residual_size(of.objective, of.batch, of.parameters, probe).tolist() == pytest.approx([1.5, 3.0])
    assert abs(of.x[:, 0].mean() - 0.5) < 0.02
    first = of.resample(of.parameters, 10)
    # density 2x + 1 over 2: mean 7/12, a little less without replacement
    assert 0.55 < first.x[:, 0].mean() < 0.61
    second = first.resample(of.parameters, 20)
    assert not torch.equal(second.x, first.x)
    assert torch.equal(second.resample(of.parameters, 10).x, first.x)


def test_the_size_of_the_residual_joins_weighted_equations() -> None:
    of = objective(System(), weights={"momentum": 2.0, "mass": 5.0})
    points = of.x
    rows = of.rows(of.parameters)
    expected = (2 * rows["momentum"].values ** 2 + 5 * rows["mass"].values ** 2).sqrt()
    assert torch.allclose(residual_size(of.objective, of.batch, of.parameters, points), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"resample": "residual", "resample_every": None},
        {"resample": "residual", "interior": "data"},
        {"importance": True},
        {"most": 50, "interior": 51},
        {"most": 50, "resample": "fresh"},
        {"most": 50, "resample_every": None},
        {"sampler": "grid", "resample": "fresh"},
        {"interior": 0},
        {"boundary": -1},
        {"sampler": "sobel"},
        {"resample_every": 0},
        {"interior": True},
    ],
)
def test_point_settings_without_effect_or_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PointSettings(**settings)


@pytest.mark.parametrize("resample", ["refine", "residual"])
def test_a_grid_may_be_adapted_to_the_residual(resample: Any) -> None:
    assert PointSettings(sampler="grid", resample=resample).sampler == "grid"


# state


@pytest.mark.parametrize("resample", ["fresh", "residual"])
def test_a_saved_state_gives_identical_losses(resample: str) -> None:
    sections: dict[str, Any] = {
        "conditions": "soft",
        "points": {"interior": 24, "boundary": 12, "resample_every": 10, "resample": resample},
        "regularisers": [{"kind": "ktv", "power": 1, "schedule": "linear", "weight": 1.0}],
    }
    one, two = objective(Decay(), **sections), objective(Decay(), **sections)
    one = one.resample(one.parameters, 30).redraw(34, progress=0.4, smooth=True)
    before = one.losses(one.parameters)
    assert not any(torch.equal(value, two.losses(two.parameters)[name]) for name, value in before.items())
    two = two.with_state(one.state())
    after = two.losses(two.parameters)
    assert all(torch.equal(before[name], after[name]) for name in one.names)
    assert two.weights == one.weights
    assert torch.equal(flat_gradient(one), flat_gradient(two))
    assert (two.batch.step, two.resample_due(39), two.resample_due(40)) == (34, False, True)
    one, two = (of.resample(of.parameters, 40) for of in (one, two))
    assert torch.equal(one.x, two.x)


def test_a_state_is_a_copy() -> None:
    of = objective(Decay())
    state = of.state()
    state["placed"][INTERIOR]["x"].zero_()
    assert of.x.abs().sum() > 0


# refusals


def test_a_condition_that_is_nan_at_the_start_is_refused() -> None:
    @dataclass(frozen=True)
    class Broken(Problem):
        """A soft condition whose data are NaN."""

        domain = Box(x=(0, 1))
        conditions = (neumann(lambda x: torch.log(x - 2)),)

        def residual(self, u: Any) -> Any:
            return u.xx

    with pytest.raises(InputError, match="'neumann' is NaN or Inf at the start"):
        objective(Broken())


def test_a_residual_that_is_nan_at_the_start_is_refused() -> None:
    @dataclass(frozen=True)
    class Broken(Problem):
        """A residual that is NaN somewhere."""

        domain = Box(x=(-1, 1))

        def residual(self, u: Any, x: Tensor) -> Any:
            return u.xx + torch.sqrt(x)

    with pytest.raises(InputError, match=r"'residual' is NaN or Inf at the start, at .* points, the first x=-"):
        objective(Broken())


def test_an_equation_named_like_a_condition_is_refused() -> None:
    @dataclass(frozen=True)
    class Twice(Problem):
        """An equation and a condition of one name."""

        domain = Box(x=(0, 1))
        conditions = (neumann(0.0),)

        def residual(self, u: Any) -> Any:
            return {"neumann": u.xx}

    with pytest.raises(InputError, match="two loss terms are named 'neumann'"):
        objective(Twice())


def test_without_regularisers_nothing_is_stochastic() -> None:
    assert not objective(Decay()).objective.stochastic
    assert objective(Decay(), regularisers=[{"kind": "ktv"}]).objective.stochastic


@pytest.mark.parametrize("name", ["loss", "step", "seconds", "error_u", "flux_weighted"])
def test_a_term_cannot_have_the_name_of_another_column_of_the_history(name: str) -> None:
    @dataclass(frozen=True)
    class Named(Problem):
        domain = Box(x=(0, 1))

        def residual(self, u: Any) -> Any:
            return {name: u.xx}

    with pytest.raises(InputError, match=f"cannot be named '{name}'"):
        prepare(resolve({"problem": Named(), "points": {"interior": 8}}), with_reference=False)
