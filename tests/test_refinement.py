"""Points that are added where the residual is large: where, how many, when, and that it repeats bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor

from pinnreg import Box, Problem, dirichlet, initial, measurements, neumann, periodic
from pinnreg.config import resolve
from pinnreg.objective import INTERIOR, Evaluator, PointSettings, drawing
from pinnreg.objective.drawing import ADDED, CANDIDATES_PER_ADDED
from pinnreg.objective.sampling import peak, stratified
from pinnreg.objective.settings import FEWEST, MOST, PER_PARAMETER, TIMES
from pinnreg.run.prepare import prepare

F64 = torch.float64
Function = Callable[[Tensor, Tensor], Tensor]


def between(x: Tensor, t: Tensor) -> Tensor:
    """Nothing at a grid of 12 x 12 points, and on the left only."""
    return torch.cos(12 * pi * x) ** 2 * (x < 0.5)


SIZES: dict[str, Function] = {
    "between": between,
    "nowhere": lambda x, t: 0 * x,
    "everywhere": lambda x, t: 1 + 0 * x,
    "wide": lambda x, t: torch.exp(-((x - 0.3) ** 2) / 0.3**2),
}


@dataclass(frozen=True)
class Known(Problem):
    """A residual that no network changes."""

    size: str = "between"
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(0.0, exact=True),)

    def residual(self, u: Any, x: Tensor, t: Tensor) -> Any:
        return 0 * u.x + SIZES[self.size](x, t)


@dataclass(frozen=True)
class Ring(Problem):
    """Conditions with normals, in pairs, on one face and of measurements."""

    domain = Box(x=(0, 1), y=(0, 1), t=(0, 2))
    conditions = (
        periodic("x"),
        initial(lambda x, y: torch.sin(x + y)),
        neumann(1.0, on="y"),
        measurements([[0.5, 0.5, 0.5]] * 7, [1.0] * 7),
    )

    def residual(self, u: Any) -> Any:
        return {"first": u.t - u.xx, "second": u.y - u}


def objective(problem: Problem, **sections: Any) -> Placed:
    config = {"problem": problem, "network": {"hidden": [4]}, "balance": False, **sections}
    config["points"] = {"interior": 32, "boundary": 12, "resample_every": 10} | config.get("points", {})
    return placed(prepare(resolve(config), with_reference=False).objective)


def refined(of: Placed, step: int = 10) -> Placed:
    return of.resample(of.parameters, step)


def added(first: int) -> int:
    """How many points are added at a time to so many."""
    return -(-first // ADDED)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the residual were larger between the points each time."""
    monkeypatch.setattr(drawing, "REFINED", 0.0)


# where


def test_points_are_added_where_the_residual_is_larger_between_them() -> None:
    of = objective(Known(), points={"interior": 144, "sampler": "grid"})
    assert float(between(*of.x.T).max()) < 1e-20
    more = refined(of)
    assert not more.batch.settled
    assert len(of.x) == 144  # what went in does not change
    assert torch.equal(more.x[:144], of.x)
    new = more.x[144:]
    assert len(new) == added(144)
    assert between(*new.T).mean() > 0.35  # over the domain it is 1/4
    # until they have seen it
    for step in range(20, 100, 10):
        before, more = more, refined(more, step)
        if more.batch.settled:
            break
        assert torch.equal(more.x[: len(before.x)], before.x)
        assert len(more.x) == len(before.x) + added(144)
    assert more.batch.settled
    assert more.points is before.points
    assert len(more.x) < TIMES * 144


@pytest.mark.parametrize("size", ["nowhere", "everywhere", "wide", "NaN"])
def test_points_that_see_the_residual_are_enough(size: str) -> None:
    of = objective(Known("between" if size == "NaN" else size))
    lost = {name: torch.full_like(each, torch.nan) for name, each in of.parameters.items()}
    after = of.resample(lost if size == "NaN" else of.parameters, 10)  # NaN is for training to report
    assert after.points is of.points
    assert (of.batch.settled, after.batch.settled) == (False, True)
    assert after.batch.cost == CANDIDATES_PER_ADDED * added(32) + 32  # and the points themselves


def test_a_soft_condition_has_points_of_its_own_added() -> None:
    @dataclass(frozen=True)
    class Waves(Problem):
        domain = Box(x=(0, 1), t=(0, 1))
        conditions = (
            initial(lambda x: 100 * torch.cos(12 * pi * x) ** 2 * (x < 0.5)),  # nothing at a grid of twelve
            dirichlet(lambda t: 100 + 0 * t, on="x=min"),
            neumann(0.0, on="x=max"),
        )

        def residual(self, u: Any) -> Any:
            return 0 * u.x

    network = {"hidden": [4], "scale": 1.0}  # small beside the data
    of = objective(Waves(), network=network, conditions="soft", points={"sampler": "grid"})
    more = refined(of)
    for name in (INTERIOR, "dirichlet", "neumann"):
        assert torch.equal(more.points[name].x, of.points[name].x), name
    x = more.points["initial"].x
    assert torch.equal(x[:12], of.points["initial"].x)
    assert len(x) == 12 + added(12)
    assert (x[:, 1] == 0).all()
    assert torch.cos(12 * pi * x[12:, 0]).abs().max() > 0.5


@pytest.mark.usefixtures("always")
def test_penalties_at_the_collocation_points_follow_them_and_measurements_stay() -> None:
    regularisers = [{"kind": "jacobian", "weight": 0.1, "projections": 1}, {"kind": "ktv", "samples": 5}]
    problem = Pair()
    of = objective(problem, conditions="soft", regularisers=regularisers)
    more = refined(of)
    assert torch.equal(more.points["jacobian"].x, more.x)
    assert more.points["jacobian"].values is not None
    assert len(more.points["jacobian"].values) == 32 + added(32)
    assert torch.equal(more.points["ktv"].x, of.points["ktv"].x)
    assert torch.equal(more.points["measurements"].x, of.points["measurements"].x)
    for name, value in more.losses(more.parameters).items():  # each is still a mean
        rows = more.rows(more.parameters)[name]
        assert more.batch.counts[name] == len(rows.values), name
        assert value.isfinite()


@dataclass(frozen=True)
class Pair(Problem):
    """Two outputs."""

    domain = Box(x=(0, 1))
    outputs = ("u", "v")
    conditions = (dirichlet(0.0, of="u"), measurements([[0.2], [0.4]], [1.0, 2.0], of="v"))

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.x - v, "second": v.x + u}


@pytest.mark.usefixtures("always")
def test_pairs_are_added_as_pairs_and_normals_with_their_points() -> None:
    of = objective(Ring(), conditions="soft")
    more = refined(of)
    low, high = more.points["periodic"].x.chunk(2)
    for side, before, at in zip((low, high), of.points["periodic"].x.chunk(2), (0, 1), strict=True):
        assert torch.equal(side[:12], before)
        assert len(side) == 12 + added(12)
        assert (side[:, 0] == at).all()
    assert torch.equal(low[:, 1:], high[:, 1:])
    walls = more.points["neumann"]
    assert walls.normals is not None
    assert torch.equal(walls.normals[:, 1], 2 * walls.x[:, 1] - 1)
    assert len(more.points["measurements"]) == 7


# how many


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("most", "ends"), [(None, (TIMES * 32, TIMES * 12)), (40, (40, 15)), (32, (32, 12))])
def test_most_is_where_it_ends(most: int | None, ends: tuple[int, int]) -> None:
    """And in proportion for conditions."""
    of = objective(Ring(), conditions="soft", points={"most": most})
    for step in range(10, 300, 10):
        before, of = of, refined(of, step)
        assert of.batch.settled == (of.points is before.points)
        if of.batch.settled:
            break
    assert of.batch.settled
    rows = {name: each.rows for name, each in of.points.items()}
    assert rows == {INTERIOR: ends[0], **dict.fromkeys(("periodic", "initial", "neumann"), ends[1]), "measurements": 7}
    assert sum(rows.values()) <= of.objective.row_count


@pytest.mark.parametrize("hidden", [[2], [30], [80, 80]])
def test_auto_is_a_number_for_each_parameter(hidden: list[int]) -> None:
    of = objective(Known(), network={"hidden": hidden}, points={"interior": "auto"})
    parameters = sum(each.numel() for each in of.network.parameters())
    assert len(of.x) == min(max(PER_PARAMETER * parameters, FEWEST), MOST)
    assert PointSettings().for_parameters(parameters).interior == len(of.x)
    given = PointSettings(interior=7)
    assert given.for_parameters(parameters) is given


# when


@pytest.mark.parametrize(("resample", "last"), [("refine", False), ("residual", False), ("fresh", True)])
def test_no_points_are_chosen_by_their_residual_at_the_end_of_a_stage(resample: str, last: bool) -> None:
    of = objective(Known(), points={"resample": resample})
    assert [of.resample_due(10, share) for share in (0.0, 0.89, 0.9, 1.0)] == [True, True, last, last]
    assert not of.resample_due(9)


@pytest.mark.parametrize("points", [{"resample_every": None}, {"interior": "data"}])
def test_where_nothing_can_be_added_nothing_is_looked_at(points: dict[str, Any]) -> None:
    of = objective(Pair(), points=points)
    assert of.fixed.keeps_points
    assert not of.resample_due(1000)
    assert not of.evaluator.may_refine(of.batch, 0.0)
    assert of.objective.row_count == sum(of.batch.counts.values())


@pytest.mark.parametrize(("resample", "settled"), [("refine", True), ("residual", False), ("fresh", False)])
def test_points_that_are_only_added_stay_while_they_are_enough(resample: str, settled: bool) -> None:
    of = objective(Known("everywhere"), points={"resample": resample})
    assert of.fixed.keeps_points == settled
    assert [of.evaluator.may_refine(of.batch, share) for share in (0.0, 0.89, 0.9)] == [settled, settled, False]
    assert not of.evaluator.may_refine(refined(of).batch, 0.0)  # it has been looked at


# again


@pytest.mark.usefixtures("always")
def test_a_saved_state_goes_on_as_it_would_have() -> None:
    one, two = (objective(Ring(), conditions="soft", balance=True) for _ in range(2))
    one = refined(refined(one), 20)
    two = two.with_state(one.state())
    for step in (30, 40):
        assert one.points.keys() == two.points.keys()
        for name, points in one.points.items():
            for mine, others in zip(points.tensors(), two.points[name].tensors(), strict=True):
                assert (mine is others is None) or torch.equal(mine, others)
        assert one.weights == two.weights
        assert (one.batch.settled, one.resample_due(step)) == (two.batch.settled, two.resample_due(step))
        losses = two.losses(two.parameters)
        assert all(torch.equal(losses[name], value) for name, value in one.losses(one.parameters).items())
        one, two = (refined(each, step) for each in (one, two))
    one.state()["placed"]["periodic"]["x"].zero_()  # a copy
    assert one.points["periodic"].x.abs().sum() > 0


def test_a_saved_state_says_whether_points_are_settled() -> None:
    one, two = (objective(Known("everywhere")) for _ in range(2))
    one = refined(one, 13)
    two = two.with_state(one.state())
    assert two.batch.settled
    assert [two.resample_due(step) for step in (13, 19, 20)] == [False, False, True]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_the_peak_of_residuals_has_no_limits_of_numbers(dtype: torch.dtype, scale: float) -> None:
    size = torch.tensor([0.0, 1.0, 3.0], dtype=dtype) * scale
    assert peak(size) == pytest.approx(82 / 10 * scale**2, rel=1e-5)
    assert (peak(0 * size), peak(torch.empty(3).fill_(torch.nan)) > 1) == (0.0, False)


def test_a_point_is_added_once(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "density_of", lambda size: torch.ones_like(size).index_fill(0, torch.tensor(7), 1e6))
    more = refined(objective(Known()))
    assert len(more.x) == 33
    assert len(more.x.unique(dim=0)) == 33


def test_auto_is_no_more_than_most() -> None:
    of = objective(Known(), network={"hidden": [40, 40]}, points={"interior": "auto", "most": 100})
    assert len(of.x) == 100


def test_where_points_are_added_is_a_matter_of_the_weights_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """An equation in small units has its points too."""

    @dataclass(frozen=True)
    class Two(Problem):
        outputs = ("u", "v")
        factor: float = 1.0
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0, on="x=min", of="u"), dirichlet(0.0, on="x=min", of="v"))

        def residual(self, u: Any, v: Any, x: Any) -> Any:
            front = 50 * torch.exp(-(((x - 0.7) / 0.02) ** 2))
            return {"smooth": self.factor * (u.x - torch.cos(x)), "front": v.x - front}

    monkeypatch.setattr(drawing, "REFINED", 0.0)

    def added(factor: float) -> Tensor:
        points = {"interior": 400, "most": 800, "resample_every": 10}
        of = objective(Two(factor), points=points, balance=True)
        return of.resample(of.parameters, 10).x[400:]

    torch.testing.assert_close(added(1e6), added(1.0))


def test_what_is_compiled_keeps_its_points() -> None:
    config = {"problem": Known(), "points": {"interior": 40}, "train": [{"optimiser": "adam"}]}
    one, two = (prepare(resolve({**config, "compile": compile})).objective for compile in (False, True))
    assert [Evaluator(each).resample_every for each in (one, two)] == [10, None]
    assert one.row_count == 4 * two.row_count  # nor are there more to have memory for


# systematic sampling


def lattice(cells: int, dimension: int, each: int) -> Tensor:
    """So many points well inside each cell of the unit cube, and its two outermost corners."""
    axis = torch.arange(cells, dtype=F64)
    corners = torch.cartesian_prod(*[axis] * dimension).view(-1, dimension).repeat_interleave(each, dim=0)
    offsets = torch.rand(corners.shape, generator=torch.Generator().manual_seed(1), dtype=F64)
    ends = torch.tensor([[0.0], [1.0]], dtype=F64).expand(2, dimension)
    return torch.cat([ends, (corners + 0.2 + 0.6 * offsets) / cells])


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_each_cell_of_space_has_its_share_of_the_points(dimension: int) -> None:
    points = lattice(4, dimension, 40 // dimension)
    density = (1 + 5 * points[:, 0] ** 4 + torch.rand(len(points), generator=draws(7), dtype=F64)).index_fill(
        0, torch.tensor([0, 1]), 0.0
    )
    for count, seed in ((1, 0), (17, 1), (60, 2)):
        expected = count * density / density.sum()
        chosen = stratified(points, density, count, draws(seed))
        found = chosen.bincount(minlength=len(points)).to(F64)
        assert len(chosen) == count
        assert torch.equal(chosen, stratified(points, density, count, draws(seed)))
        # any run of the order along the curve has its share, and so has each cell of each size
        order = stratified(points, torch.ones_like(density), len(points), draws(3))
        assert torch.equal(order.sort().values, torch.arange(len(points)))
        assert (found - expected)[order].cumsum(dim=0).abs().max() < 1 + 1e-9
        for cells in (1, 2, 4):
            cell = (points * cells).long().clamp_max(cells - 1) @ cells ** torch.arange(dimension)
            excess = torch.zeros(cells**dimension, dtype=F64).index_add_(0, cell, found - expected)
            assert excess.abs().max() < 1 + 1e-9


def test_on_average_each_point_has_its_share() -> None:
    points, density = lattice(3, 2, 1), torch.arange(11, dtype=F64)
    found = torch.stack([stratified(points, density, 4, draws(seed)).bincount(minlength=11) for seed in range(400)])
    error = (found.to(F64).mean(dim=0) - 4 * density / density.sum()).abs()
    assert error.max() < 4 * 0.5 / 400**0.5


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("dimension", [2, 70])
def test_points_on_a_face_and_of_many_axes_are_drawn_too(dimension: int, dtype: torch.dtype) -> None:
    points = torch.rand((3000, dimension), generator=draws(0), dtype=dtype)
    points[:, -1] = 1.0
    chosen = stratified(points, points[:, 0], 500, draws(1))
    assert len(chosen.unique()) == 500
    assert float(points[chosen, 0].mean()) == pytest.approx(2 / 3, abs=4 * 0.24 / 500**0.5)
