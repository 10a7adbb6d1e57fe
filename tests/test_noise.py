"""Noise on the parameters: what it minimises in expectation, what optimisers see of it, and when it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from objectives import Placed, placed
from scipy import stats
from torch import Tensor, nn

from pinnreg import Box, Problem, dirichlet, initial, measurements
from pinnreg.config import resolve
from pinnreg.equations import split_conditions
from pinnreg.objective import PointSettings, objective_of
from pinnreg.objective.shifts import shifted
from pinnreg.regularisers import Noise, NoiseStability, Regulariser, Shift, WeightNoise
from pinnreg.run.prepare import prepare

F64 = torch.float64
SIGMA = 0.3
Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Linear(Problem):
    """Linear in u, so that with a network that is linear in its parameters the loss is quadratic in them."""

    domain = Box(x=(0, 1), t=(0, 2))
    conditions = (measurements([[0.2, 0.3], [0.8, 1.5], [0.5, 1.0]], [1.0, -2.0, 0.5]),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return u.x + 3 * x * u - 1


@dataclass(frozen=True)
class Decay(Problem):
    """Nonlinear in u, with a coefficient."""

    rate: float = 0.5
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: x * (1 - x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - self.rate * u.xx + u**2


def quadratic(noise: Noise) -> Placed:
    """A loss that is quadratic in the parameters, with rows of a condition and of a penalty too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Linear(2, 1, dtype=F64)
    problem, points = Linear(), PointSettings(interior=20)
    regularisers: list[Regulariser] = [resolve_one({"kind": "ridge", "weight": 0.5}), noise]
    split = split_conditions(problem, "default")
    weights = {"measurements": 2.0}
    return placed(
        objective_of(problem, split, network, points=points, weights=weights, regularisers=regularisers, seed=0)
    )


def resolve_one(regulariser: dict[str, Any]) -> Regulariser:
    return resolve({"problem": "heat", "regularisers": [regulariser]}).config.regularisers[0]


def objective(*regularisers: dict[str, Any], **sections: Any) -> Placed:
    config = {
        "problem": Decay(),
        "network": {"hidden": [4, 3]},
        "points": {"interior": 10, "boundary": 6},
        "conditions": "soft",
        "regularisers": list(regularisers),
        **sections,
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def stability(**settings: Any) -> dict[str, Any]:
    return {"kind": "noise_stability", "sigma": SIGMA, **settings}


def flat(tensors: Parameters) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors.values()])


def loss_at(of: Placed, parameters: Parameters) -> Tensor:
    """The weighted loss at the parameters themselves."""
    return of.total(of.losses(parameters))


def slope_at(of: Placed, parameters: Parameters) -> Tensor:
    leaves = {name: each.detach().requires_grad_() for name, each in parameters.items()}
    return torch.cat([each.reshape(-1) for each in torch.autograd.grad(loss_at(of, leaves), list(leaves.values()))])


def seen(of: Placed) -> tuple[float, Tensor]:
    """The loss and the gradient that an optimiser sees."""
    losses, gradient = of.gradient(of.parameters)
    return of.total(losses).item(), flat(gradient)


def hessian(of: Placed) -> Tensor:
    shapes = {name: each.shape for name, each in of.parameters.items()}
    sizes = [each.numel() for each in of.parameters.values()]

    def loss(vector: Tensor) -> Tensor:
        parts = zip(shapes.items(), vector.split(sizes), strict=True)
        return loss_at(of, {name: part.reshape(shape) for (name, shape), part in parts})

    return torch.func.jacrev(torch.func.jacrev(loss))(flat(of.parameters))


def offset_of(of: Placed, shift: Shift) -> Tensor:
    """The perturbation as a vector, zero for what is not perturbed."""
    offset = shift.offset or {}
    return flat({name: offset.get(name, torch.zeros_like(each)) for name, each in of.parameters.items()})


# in expectation


@pytest.mark.parametrize("unperturbed", [pytest.param(0.0, marks=pytest.mark.slow), 0.4])
def test_two_sides_add_the_trace_of_the_hessian_and_cancel_what_is_of_first_order(unperturbed: float) -> None:
    of = quadratic(NoiseStability(sigma=SIGMA, samples=2, unperturbed=unperturbed))
    plain, slope, curvature = loss_at(of, of.parameters).item(), slope_at(of, of.parameters), hessian(of)
    expected = plain + (1 - unperturbed) * SIGMA**2 / 2 * curvature.trace().item()
    drawn = []
    for step in range(100):
        of = of.redraw(step, progress=0, smooth=False)
        value, gradient = seen(of)
        # of a quadratic loss nothing is left of first or third order, exactly and not on average only
        vectors = [offset_of(of, shift) for shift in of.batch.shifts if shift.offset is not None]
        assert len(vectors) == 4
        quadratic_part = sum((each @ curvature @ each).item() for each in vectors) / len(vectors) / 2
        assert value == pytest.approx(plain + (1 - unperturbed) * quadratic_part, rel=1e-12)
        torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-11)
        drawn.append(value)
    assert stats.ttest_1samp(drawn, expected).pvalue > 1e-3
    for factor in (0.0, 0.5, 2.0):  # the test has power
        wrong = plain + factor * (expected - plain)
        assert stats.ttest_1samp(drawn, wrong).pvalue < 1e-6


@pytest.mark.first(1)
# as many draws as tell a penalty twice as large
@pytest.mark.parametrize(
    ("noise", "draws"),
    [(NoiseStability(sigma=SIGMA, sides="one"), 200), (WeightNoise(sigma=SIGMA, scheme="all"), 400)],
)
def test_one_side_has_the_same_mean_but_a_noisy_gradient(noise: Noise, draws: int) -> None:
    of = quadratic(noise)
    slope, curvature = slope_at(of, of.parameters), hessian(of)
    share = 1.0 if noise.kind == "noise_stability" else 1 / len(of.parameters)
    expected = loss_at(of, of.parameters).item() + share * SIGMA**2 / 2 * curvature.trace().item()
    values, errors = [], []
    for step in range(draws):
        of = of.redraw(step, progress=0, smooth=False)
        value, gradient = seen(of)
        values.append(value)
        errors.append(gradient - slope)
        mean = torch.stack([shift.share * offset_of(of, shift) for shift in of.batch.shifts]).sum(dim=0)
        torch.testing.assert_close(errors[-1], curvature @ mean, rtol=1e-10, atol=1e-11)
    assert stats.ttest_1samp(values, expected).pvalue > 1e-3
    table = torch.stack(errors).numpy()
    assert (stats.ttest_1samp(table, 0).pvalue > 1e-4).all()
    assert (table.std(axis=0) > 0.05 * SIGMA).all()


@pytest.mark.slow
def test_the_relative_noise_of_one_side_grows_as_sigma_falls_and_that_of_two_does_not() -> None:
    """Of the penalty alone, 2/σ² (F - f), and of its gradient: standard deviations for three σ, 15 draws each."""
    sigmas = np.array([1e-2, 1e-3, 1e-4])
    parts: dict[str, list[tuple[float, float]]] = {"two": [], "one": []}
    for sides, deviations in parts.items():
        for sigma in sigmas:
            of = objective(stability(sigma=float(sigma), sides=sides), train=[{"optimiser": "adam"}], balance=False)
            plain, slope = loss_at(of, of.parameters).item(), slope_at(of, of.parameters)
            values, gradients = [], []
            for step in range(15):
                of = of.redraw(step, progress=0, smooth=False)
                value, gradient = seen(of)
                values.append(2 / sigma**2 * (value - plain))
                gradients.append(2 / sigma**2 * (gradient - slope))
            deviations.append((float(np.std(values)), float(torch.stack(gradients).std(dim=0).norm())))
    for part in range(2):
        slopes = {
            sides: np.polyfit(np.log(sigmas), np.log([each[part] for each in deviations]), 1)[0]
            for sides, deviations in parts.items()
        }
        assert slopes["one"] == pytest.approx(-1, abs=0.15)
        assert slopes["two"] == pytest.approx(0, abs=0.15)
        assert parts["two"][2][part] < 0.1 * parts["one"][2][part]


# what optimisers see


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "two sides": (stability(), {}),
    "two pairs and the middle": (stability(samples=2, unperturbed=0.3), {}),
    "one side": (stability(sides="one", samples=2), {"train": [{"optimiser": "adam"}]}),
    "a layer": ({"kind": "weight_noise", "sigma": SIGMA}, {"train": [{"optimiser": "adam"}]}),
    "all layers": ({"kind": "weight_noise", "sigma": SIGMA, "scheme": "all"}, {"train": [{"optimiser": "adam"}]}),
}
RICH: list[dict[str, Any]] = [
    {"kind": "ktv", "samples": 5, "weight": 0.1},
    {"kind": "ridge", "weight": 0.2},
    {"kind": "gpinn"},
]
UNKNOWN = {"rate": {"start": 0.8}}


def rich(case: str, **sections: Any) -> Placed:
    noise, more = CASES[case]
    of = objective(*RICH, noise, unknown=UNKNOWN, weights={"initial": 3.0}, **more, **sections)
    of = of.redraw(7, progress=0.2, smooth=False)
    return of


@pytest.mark.first(2)
@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_averages_of_plain_ones(case: str) -> None:
    of = rich(case)
    value, gradient = seen(of)
    assert sum(shift.share for shift in of.batch.shifts) == pytest.approx(1, rel=1e-14)
    places = [(shift.share, shifted(of.parameters, shift)) for shift in of.batch.shifts]
    expected = sum(share * loss_at(of, at).item() for share, at in places)
    slope = torch.stack([share * slope_at(of, at) for share, at in places]).sum(dim=0)
    assert value == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-11)
    assert not torch.allclose(gradient, slope_at(of, of.parameters), rtol=1e-3)
    vectors = torch.stack([offset_of(of, shift) for shift in of.batch.shifts])
    for (_, at), vector in zip(places, vectors, strict=True):
        torch.testing.assert_close(flat(at), flat(of.parameters) + vector, rtol=0, atol=0)
    assert torch.equal(vectors[:, -1], torch.zeros(len(vectors), dtype=F64))  # the coefficient's column
    assert all("unknown.rate" not in (shift.offset or {}) for shift in of.batch.shifts)


@pytest.mark.parametrize(("unperturbed", "samples"), [(0.0, 1), (0.0, 3), (0.25, 2)])
def test_the_shares(unperturbed: float, samples: int) -> None:
    of = objective(stability(unperturbed=unperturbed, samples=samples))
    middle = [shift for shift in of.batch.shifts if shift.offset is None]
    pairs = [shift for shift in of.batch.shifts if shift.offset is not None]
    assert [shift.share for shift in middle] == ([unperturbed] if unperturbed else [])
    assert [shift.share for shift in pairs] == pytest.approx([(1 - unperturbed) / (2 * samples)] * (2 * samples))
    for plus, minus in zip(pairs[::2], pairs[1::2], strict=True):
        assert torch.equal(offset_of(of, plus), -offset_of(of, minus))
    assert len({tuple(offset_of(of, shift).tolist()) for shift in pairs}) == 2 * samples


def scaled_rows(of: Placed, parameters: Parameters) -> Tensor:
    """√(s w/n) r(W + U) by term and then by shift, from the definition of the loss."""
    found: dict[str, list[Tensor]] = {name: [] for name in of.names}
    for shift in of.batch.shifts:
        moved = {key: each + (shift.offset or {}).get(key, 0.0) for key, each in parameters.items()}
        for name, rows in of.rows(moved).items():
            scale = (shift.share * of.weights[name] / rows.values.numel()) ** 0.5
            found[name].append(scale * rows.residuals)
    return torch.cat([part for parts in found.values() for part in parts])


FEW = {"interior": 5, "boundary": 4}


@pytest.fixture(scope="module", params=["two sides", "two pairs and the middle"])
def by_definition(request: pytest.FixtureRequest) -> tuple[str, Tensor, Tensor]:
    """A case, and its rows and their Jacobian."""
    plain = rich(request.param, points=FEW)  # checkpoints of a chunk are out of reach for torch.func
    rows = scaled_rows(plain, plain.parameters).detach()
    by_name = torch.func.jacrev(lambda parameters: scaled_rows(plain, parameters))(plain.parameters)
    return request.param, rows, torch.cat([each.detach().reshape(len(rows), -1) for each in by_name.values()], dim=1)


@pytest.mark.first(1)
@pytest.mark.parametrize("chunk", [None, 3])
def test_gauss_newton_sees_the_rows_of_all_shifts(by_definition: tuple[str, Tensor, Tensor], chunk: int | None) -> None:
    case, rows, jacobian = by_definition
    of = rich(case, points={**FEW, "chunk": chunk})
    found = of.linearise(of.parameters)
    assert of.evaluator._by_layer
    torch.testing.assert_close(found.residuals, rows, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(found.jacobian, jacobian, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(of.residuals(of.parameters), found.residuals, rtol=1e-13, atol=1e-15)
    value, gradient = seen(of)
    assert float(found.residuals @ found.residuals) == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(2 * found.jacobian.T @ found.residuals, gradient, rtol=1e-9, atol=1e-10)
    losses, _ = of.gradient(of.parameters)
    for name, rows_of_term in found.rows.items():
        weighted = float(found.residuals[rows_of_term].square().sum())
        assert weighted == pytest.approx(of.weights[name] * losses[name].item(), rel=1e-12)
        assert float(found.losses[name]) == pytest.approx(losses[name].item(), rel=1e-12)
