"""k-TV: its value in closed form; its options; its axes; its schedule."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from objectives import Placed, penalty_rows, placed, value_of
from pydantic import ValidationError
from torch import Tensor

from pinnreg import Box, InputError, Problem, dirichlet, initial
from pinnreg.config import resolve
from pinnreg.equations import Points, Sweep, Trial
from pinnreg.objective import Rows
from pinnreg.objective.sampling import uniform_points
from pinnreg.regularisers import KTV, annealed
from pinnreg.run.prepare import prepare

CPU = torch.device("cpu")
F64 = torch.float64


@dataclass(frozen=True)
class Slab(Problem):
    """A domain of volume 3, on which a forgotten volume shows, with exact data that do not vanish."""

    domain = Box(x=(-1, 1), t=(0, 1.5))
    conditions = (initial(lambda x: x + torch.sin(pi * x)), dirichlet(lambda x: x, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@dataclass(frozen=True)
class TwoOutputs(Problem):
    """Two unknown functions, without conditions."""

    domain = Box(x=(0, 2), y=(0, 1))
    outputs = ("u", "v")

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.x + v.y, "second": u.y - v.x}


def objective(problem: Problem, *regularisers: dict[str, Any], **sections: Any) -> Placed:
    config = {
        "problem": problem,
        "network": {"hidden": [4], "activation": "tanh"},
        "points": {"interior": 16, "boundary": 8},
        "conditions": "exact",
        "regularisers": [{"kind": "ktv", **each} for each in regularisers],
        "train": [{"optimiser": "adam"}, {"optimiser": "lbfgs"}],  # which take power 1, and smooth it
        **sections,
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def free(axes: tuple[str, ...], outputs: tuple[str, ...] = ("u",)) -> Trial:
    """A trial function that is the network itself, so that any function can be its network."""
    return Trial(axes, outputs, ((),) * len(outputs))


def penalty(ktv: KTV, function: Callable[[Tensor], Tensor], trial: Trial, domain: Box, points: Tensor) -> Tensor:
    """The estimate of a function's variation from given points, with the sweep of the engine."""
    sweep = Sweep(trial, function, Points(points))
    return value_of(penalty_rows(ktv, SimpleNamespace(domain=domain), sweep))  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("length", [2.0, 4.0])
def test_the_variation_of_a_sine_in_closed_form(order: int, length: float) -> None:
    # ∫₀ᴸ |(sin πx)⁽ᵏ⁾|² = π²ᵏ L/2 and ∫₀ᴸ |(sin πx)⁽ᵏ⁾| = πᵏ 2L/π: volume included and no factor 1/2
    domain = Box(x=(0, length))
    midpoints = ((torch.arange(4096, dtype=F64) + 0.5) / 4096 * length)[:, None]

    def sine(at: Tensor) -> Tensor:
        return torch.sin(pi * at)

    def value(power: int) -> float:
        ktv = KTV(order=order, power=power, samples=len(midpoints))
        return penalty(ktv, sine, free(("x",)), domain, midpoints).item()

    assert value(2) == pytest.approx(pi ** (2 * order) * length / 2, rel=1e-10)
    assert value(1) == pytest.approx(pi**order * 2 * length / pi, rel=1e-5)


@pytest.mark.parametrize("power", [1, 2])
def test_axes_choose_the_directions(power: int) -> None:
    domain = Box(x=(0, 2), y=(0, 1), t=(0, 1))
    trial = free(domain.axes)
    points = domain.interior(torch.rand((32, 3), generator=torch.Generator().manual_seed(1), dtype=F64))

    def quadratic(at: Tensor) -> Tensor:
        return at.square() @ torch.tensor([[0.5], [1.0], [1.5]], dtype=F64)  # second derivatives 1, 2, 3

    def value(axes: Any) -> float:
        return penalty(KTV(power=power, axes=axes, samples=32), quadratic, trial, domain, points).item()

    by_axis = {"x": 2 * 1**power, "y": 2 * 2**power, "t": 2 * 3**power}
    assert value("all") == pytest.approx(sum(by_axis.values()))
    assert value("space") == pytest.approx(by_axis["x"] + by_axis["y"])
    assert value(("t",)) == pytest.approx(by_axis["t"])
    assert value(("t", "x")) == pytest.approx(by_axis["t"] + by_axis["x"])
    assert value(("x", "x")) == pytest.approx(by_axis["x"])  # named twice, counted once


@pytest.mark.parametrize("power", [1, 2])
def test_several_outputs_are_summed(power: int) -> None:
    domain = Box(x=(0, 2), y=(0, 1))
    points = domain.interior(torch.rand((16, 2), generator=torch.Generator().manual_seed(1), dtype=F64))
    ktv = KTV(order=1, power=power, samples=16)
    slopes = torch.tensor([[1.0, -2.0], [3.0, 4.0]], dtype=F64)

    def linear(at: Tensor) -> Tensor:
        return at @ slopes

    both = penalty(ktv, linear, free(domain.axes, ("u", "v")), domain, points).item()
    assert both == pytest.approx(2 * float(slopes.abs().pow(power).sum()))


@pytest.mark.parametrize(
    ("axes", "domain", "message"),
    [
        (("y",), Box(x=(0, 1), t=(0, 1)), "unknown axis in regularisers: ktv: axes: 'y'.*known: x, t"),
        (("xx", "t"), Box(x=(0, 1), t=(0, 1)), "'xx'; did you mean 'x'"),
        ("z", Box(x=(0, 1)), "unknown axis in regularisers: ktv: axes: 'z'"),
        ((), Box(x=(0, 1)), "names none of the axes"),
        ("space", Box(t=(0, 1)), "'space' names none of the axes t"),
    ],
)
def test_axes_that_the_domain_lacks_are_refused(axes: Any, domain: Box, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KTV(axes=axes).indices(domain)


def test_an_unknown_axis_is_refused_before_training() -> None:
    with pytest.raises(InputError, match="unknown axis in regularisers: ktv: axes: 'z'"):
        objective(Slab(), {"axes": ["z"]})


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"order": 0}, "order"),
        ({"order": 6}, "order"),
        ({"order": True}, "order"),
        ({"power": 3}, "power"),
        ({"power": True}, "power"),
        ({"weight": -1e-9}, "weight"),
        ({"weight": float("inf")}, "weight"),
        ({"samples": 0}, "samples"),
        ({"schedule": "linaer"}, "schedule"),
        ({"axes": 3}, "axes"),
        ({"power": 1, "smoothing": 0.0}, "smoothing"),
        ({"power": 2, "smoothing": 1e-2}, "smoothing"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        KTV(**settings)
    assert key in str(caught.value)


def test_power_one_has_the_subgradient_zero_at_zero() -> None:
    slope = torch.zeros(3, dtype=F64, requires_grad=True)
    (gradient,) = torch.autograd.grad(value_of(Rows(slope, 1)), slope)
    assert torch.equal(gradient, torch.zeros(3, dtype=F64))
    signs = torch.tensor([-2.0, 0.0, 5.0], dtype=F64, requires_grad=True)
    (gradient,) = torch.autograd.grad(value_of(Rows(signs, 1)), signs)
    assert gradient.tolist() == pytest.approx([-1 / 3, 0, 1 / 3])


def test_power_one_of_a_flat_network_has_a_finite_gradient() -> None:
    of = objective(TwoOutputs(), {"power": 1, "order": 1, "weight": 1.0})
    flat = {name: torch.zeros_like(value).requires_grad_() for name, value in of.parameters.items()}
    for smooth in (False, True):
        of = of.redraw(0, progress=0, smooth=smooth)
        gradients = torch.autograd.grad(of.losses(flat)["ktv"], list(flat.values()), materialize_grads=True)
        assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in gradients)


def test_smoothing_rounds_the_corner_in_quasi_newton_stages_only() -> None:
    of = objective(Slab(), {"power": 1, "order": 1, "samples": 40, "smoothing": 0.25})

    def value(smooth: bool) -> tuple[float, Tensor]:
        drawn = of.redraw(0, progress=0, smooth=smooth)
        return drawn.losses(of.parameters)["ktv"].item(), drawn.rows(of.parameters)["ktv"].values.detach()

    sharp, values = value(False)
    smooth, same = value(True)
    assert torch.equal(values, same)
    scale = 3.0 * 2  # volume times directions: each row is a derivative times this
    derivatives_at_points = values / scale
    assert sharp == pytest.approx(float(scale * derivatives_at_points.abs().mean()))
    assert smooth == pytest.approx(float(scale * (derivatives_at_points.square() + 0.25**2).sqrt().mean()))
    assert smooth > sharp


def test_smoothing_has_a_default_and_leaves_power_two_alone() -> None:
    of = objective(Slab(), {"power": 1}, {"power": 2})
    of = of.redraw(0, progress=0, smooth=True)
    rows = of.rows(of.parameters)
    assert rows["ktv"].smoothing == pytest.approx(1e-3 * 3.0 * 2)
    assert rows["ktv_2"].smoothing == 0.0
    squares = rows["ktv_2"].values.square().mean().item()
    assert of.losses(of.parameters)["ktv_2"].item() == value_of(rows["ktv_2"], smooth=True).item() == squares


def test_a_weight_of_zero_has_no_effect_on_the_gradient() -> None:
    def gradient(*regularisers: dict[str, Any]) -> list[Tensor]:
        of = objective(Slab(), *regularisers)
        loss = of.total(of.losses(of.parameters))
        return list(torch.autograd.grad(loss, list(of.parameters.values())))

    without, silent, loud = gradient(), gradient({"weight": 0}), gradient({"weight": 1.0})
    assert all(torch.equal(a, b) for a, b in zip(without, silent, strict=True))
    assert not all(torch.allclose(a, b) for a, b in zip(without, loud, strict=True))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_annealing_falls_from_one_to_zero(schedule: Any) -> None:
    values = [annealed(schedule, k / 20) for k in range(21)]
    assert values[0] == 1
    assert values[10] == pytest.approx(0.5)
    assert values[-1] == 0
    assert all(a > b for a, b in itertools.pairwise(values))


def test_annealing_schedules_differ_and_constant_stays() -> None:
    assert [annealed("constant", p) for p in (0.0, 0.4, 1.0)] == [1, 1, 1]
    assert annealed("linear", 0.25) == pytest.approx(0.75)
    assert annealed("cosine", 0.25) == pytest.approx((1 + 0.5**0.5) / 2)


@given(progress=st.floats(0, 1), schedule=st.sampled_from(["constant", "linear", "cosine"]))
def test_an_annealed_weight_is_never_negative(progress: float, schedule: Any) -> None:
    assert 0 <= annealed(schedule, progress) <= 1


def test_the_schedule_acts_on_the_weight_in_the_objective() -> None:
    of = objective(Slab(), {"weight": 2.0, "schedule": "linear"}, {"weight": 2.0})
    of = of.redraw(5, progress=0.75, smooth=False)
    assert of.weights["ktv"] == pytest.approx(0.5)
    assert of.weights["ktv_2"] == 2.0
    of = of.redraw(6, progress=1.0, smooth=False)
    assert of.weights["ktv"] == 0.0


def test_several_regularisers_are_numbered_and_draw_their_own_points() -> None:
    of = objective(Slab(), {"order": 1}, {"order": 1}, {"order": 2})
    assert of.names == ("residual", "ktv", "ktv_2", "ktv_3")  # the conditions are exact
    losses = of.losses(of.parameters)
    assert losses["ktv"] != losses["ktv_2"]


def test_a_condition_named_like_a_regulariser_is_refused() -> None:
    @dataclass(frozen=True)
    class Named(Problem):
        """A soft condition named ktv."""

        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0, name="ktv"),)

        def residual(self, u: Any) -> Any:
            return u.xx

    with pytest.raises(InputError, match="two loss terms are named 'ktv'"):
        objective(Named(), {}, conditions="soft")


def test_draws_depend_on_seed_name_and_step_and_nothing_else() -> None:
    ktv, domain = KTV(samples=8), Box(x=(-3, -1), t=(0, 2))

    def draw(seed: int, name: str, step: int) -> Tensor:
        return uniform_points(domain, ktv.samples, seed, name, step, like=torch.empty(0, dtype=F64))

    first = draw(0, "ktv", 5)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    assert torch.equal(draw(0, "ktv", 5), first)
    assert torch.equal(torch.get_rng_state(), before)
    others = [draw(1, "ktv", 5), draw(0, "ktv_2", 5), draw(0, "ktv", 6)]
    assert not any(torch.equal(first, other) for other in others)
    assert all((first[:, i] >= low).all() for i, (low, _) in enumerate(domain.bounds.values()))
    assert all((first[:, i] <= high).all() for i, (_, high) in enumerate(domain.bounds.values()))


def test_draws_are_uniform_on_the_domain() -> None:
    domain = Box(x=(-3, -1), t=(0, 2))
    points = uniform_points(domain, 20_000, 0, "ktv", 0, like=torch.empty(0, dtype=F64))
    unit = (points - torch.tensor([-3.0, 0.0], dtype=F64)) / 2
    standard_error = (1 / 12 / len(points)) ** 0.5
    assert ((unit.mean(dim=0) - 0.5).abs() < 4 * standard_error).all()
    assert ((unit.var(dim=0) - 1 / 12).abs() < 4 * (1 / 180 / len(points)) ** 0.5).all()


def test_all_powers_give_rows_whose_mean_is_the_estimate() -> None:
    of = objective(Slab(), {"power": 2, "samples": 10}, {"power": 1, "samples": 10, "order": 1})
    rows = of.rows(of.parameters)
    assert rows["ktv"].values.shape == (20,)
    losses = of.losses(of.parameters)
    assert losses["ktv"].item() == pytest.approx(rows["ktv"].values.square().mean().item())
    assert losses["ktv_2"].item() == pytest.approx(rows["ktv_2"].values.abs().mean().item())
