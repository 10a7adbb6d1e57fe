"""Conditions as residuals: zero on functions that obey them, the known defect on others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pinnreg import dirichlet, initial, measurements, neumann, periodic, robin
from pinnreg.differentiation import MultiIndex
from pinnreg.domain import SAMPLERS, Box, Sampler
from pinnreg.equations import Condition, Points, Problem, Sweep, Trial
from pinnreg.equations.conditions import FaceCondition
from pinnreg.errors import InputError

LINE = Box(x=(-1, 2))
STRIP = Box(x=(-1, 2), t=(0.5, 2))
SLAB = Box(x=(0, 1), y=(-2, 1), t=(0.5, 2))

NOTHING = cast(Problem, None)
"""The problem of conditions that depend on none."""

Exact = Callable[..., Tensor]


def residual(
    condition: Condition, domain: Box, *exact: Exact, sampler: Sampler = "sobol", count: int = 24
) -> tuple[Tensor, Points]:
    """The condition's residual for outputs u, v, ... that are given functions of the coordinates."""
    rows, sweep = swept(condition, domain, *exact, sampler=sampler, count=count)
    return rows.detach(), sweep.points


def swept(
    condition: Condition, domain: Box, *exact: Exact, sampler: Sampler = "sobol", count: int = 24
) -> tuple[Tensor, Sweep]:
    """The same with the sweep that it asked."""
    outputs = ("u", "v", "w")[: len(exact)]
    trial = Trial(domain.axes, outputs, ((),) * len(outputs))

    def network(points: Tensor) -> Tensor:
        return torch.stack([function(*points.unbind(dim=1)) for function in exact], dim=1)

    points = condition.sample(domain, count, sampler, 7)
    sweep = Sweep(trial, network, points)
    return condition.residual(sweep, NOTHING), sweep


def u_strip(x: Tensor, t: Tensor) -> Tensor:
    return torch.sin(2 * x) * torch.exp(t) + x**3


def u_slab(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return torch.sin(2 * x - y) * torch.exp(-t) + x * y**2 * t


SATISFIED: dict[str, tuple[Condition, Box, Exact]] = {
    "dirichlet": (dirichlet(u_strip, "x", of="u"), STRIP, u_strip),
    "dirichlet at max": (dirichlet(lambda t: u_strip(torch.full_like(t, 2.0), t), "x=max", of="u"), STRIP, u_strip),
    "dirichlet in time and plane": (dirichlet(u_slab, of="u"), SLAB, u_slab),
    "dirichlet of points": (dirichlet(lambda points: u_slab(*points.T), of="u"), SLAB, u_slab),
    "initial": (initial(lambda x: u_strip(x, torch.full_like(x, 0.5)), of="u"), STRIP, u_strip),
    "initial of order 1": (
        initial(lambda x: math.exp(0.5) * torch.sin(2 * x), order=1, of="u"),
        STRIP,
        u_strip,
    ),
    "initial of order 1 in the plane": (
        initial(lambda x, y: -torch.sin(2 * x - y) * math.exp(-0.5) + x * y**2, order=1, of="u"),
        SLAB,
        u_slab,
    ),
    "neumann at min": (neumann(lambda t: -(2 * math.cos(2) * torch.exp(t) + 3), "x=min", of="u"), STRIP, u_strip),
    "neumann at max": (neumann(lambda t: 2 * math.cos(4) * torch.exp(t) + 12, "x=max", of="u"), STRIP, u_strip),
    "neumann on y in the plane": (
        neumann(lambda x, y, t: torch.sign(y) * (-torch.cos(2 * x - y) * torch.exp(-t) + 2 * x * y * t), "y", of="u"),
        SLAB,
        u_slab,
    ),
    "robin": (
        robin(
            2.0,
            0.5,
            lambda x, t: (
                2 * u_strip(x, t) + 0.5 * torch.where(x > 0, 1, -1) * (2 * torch.cos(2 * x) * torch.exp(t) + 3 * x**2)
            ),
            "x",
            of="u",
        ),
        STRIP,
        u_strip,
    ),
    "robin with functions": (
        robin(
            lambda t: t,
            lambda t: 1 + t,
            lambda t: t * u_strip(torch.full_like(t, 2.0), t) + (1 + t) * (2 * math.cos(4) * torch.exp(t) + 12),
            "x=max",
            of="u",
        ),
        STRIP,
        u_strip,
    ),
    "periodic": (
        periodic("x", order=3, of="u"),
        STRIP,
        lambda x, t: torch.sin(2 * math.pi * x / 3) * torch.exp(t) + torch.cos(4 * math.pi * x / 3),
    ),
    "measurements": (
        measurements([[0.0, 1.0], [1.0, 1.5]], [0.0, math.sin(2) * math.exp(1.5) + 1], of="u"),
        STRIP,
        u_strip,
    ),
    "ends of a line": (dirichlet(lambda x: x**2, of="u"), LINE, lambda x: x**2),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", SATISFIED)
def test_the_residual_vanishes_where_the_condition_holds(name: str, sampler: Sampler) -> None:
    condition, domain, exact = SATISFIED[name]
    found, samples = residual(condition, domain, exact, sampler=sampler)
    assert found.dim() == 1
    assert len(found) >= len(samples.x) / 2
    assert float(found.abs().max()) < 1e-12


@settings(max_examples=30)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_the_residual_is_the_defect(a: float, b: float, c: float, alpha: float, beta: float) -> None:
    def exact(x: Tensor, t: Tensor) -> Tensor:
        return a * x + b * t + c

    found, samples = residual(robin(alpha, beta, 0.7, "x", of="u"), STRIP, exact)
    x, t = samples.x.T
    outward = torch.sign(x)
    assert torch.allclose(found, alpha * (a * x + b * t + c) + beta * outward * a - 0.7, atol=1e-12)
    found, samples = residual(neumann(0.7, "x", of="u"), STRIP, exact)
    assert torch.allclose(found, outward * a - 0.7, atol=1e-12)
    found, samples = residual(dirichlet(lambda t: t, "x", of="u"), STRIP, exact)
    x, t = samples.x.T
    assert torch.allclose(found, a * x + (b - 1) * t + c, atol=1e-12)
    found, _ = residual(initial(0.7, order=1, of="u"), STRIP, exact)
    assert torch.allclose(found, torch.full_like(found, b - 0.7), atol=1e-12)
    found, samples = residual(initial(0.7, of="u"), STRIP, exact)
    assert torch.allclose(found, a * samples.x[:, 0] + 0.5 * b + c - 0.7, atol=1e-12)
    found, _ = residual(measurements([[1.0, 1.0], [0.0, 2.0]], [0.5, -0.5], of="u"), STRIP, exact)
    assert torch.allclose(found, torch.tensor([a + b + c - 0.5, 2 * b + c + 0.5], dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_periodic_jumps_are_those_of_all_derivatives_up_to_the_order(order: int) -> None:
    # u = x³ on (-1, 2): jumps of u, u', u'', u''' are 9, 3·(4 - 1), 6·3, 0
    found, samples = residual(periodic("x", order=order, of="u"), STRIP, lambda x, t: x**3 + t)
    pairs = len(samples.x) // 2
    assert found.shape == (pairs * (order + 1),)
    jumps = torch.tensor([9.0, 9.0, 18.0, 0.0], dtype=torch.float64)[: order + 1]
    assert torch.allclose(found, jumps.repeat_interleave(pairs), atol=1e-11)


def test_periodic_pairs_differ_in_the_axis_alone() -> None:
    _, samples = residual(periodic("y", of="u"), SLAB, u_slab)
    low, high = samples.x.chunk(2)
    assert bool((low[:, 1] == -2).all())
    assert bool((high[:, 1] == 1).all())
    assert torch.equal(low[:, [0, 2]], high[:, [0, 2]])


def test_periodicity_of_all_outputs_or_of_one() -> None:
    exact = (lambda x, t: x + t, lambda x, t: 2 * x * t)
    both, samples = residual(periodic("x", order=0), STRIP, *exact)
    t = samples.x.chunk(2)[0][:, 1]
    assert torch.allclose(both, torch.cat([torch.full_like(t, 3.0), 6 * t]))
    second, samples = residual(periodic("x", order=0, of="v"), STRIP, *exact)
    assert torch.allclose(second, 6 * samples.x.chunk(2)[0][:, 1])


def test_a_condition_acts_on_its_own_output() -> None:
    exact = (lambda x, t: x * t, lambda x, t: x + t)
    for of, function in zip(("u", "v"), exact, strict=True):
        found, samples = residual(dirichlet(0.0, "x", of=of), STRIP, *exact)
        assert torch.allclose(found, function(*samples.x.T))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (dirichlet(0.0, "x", of="u"), {(0, 0, 0)}),
        (neumann(0.0, "x", of="u"), {(1, 0, 0)}),
        (neumann(0.0, ("x=min", "y=max"), of="u"), {(1, 0, 0), (0, 1, 0)}),
        (neumann(0.0, of="u"), {(1, 0, 0), (0, 1, 0)}),
        (robin(1.0, 1.0, 0.0, "y = max", of="u"), {(0, 0, 0), (0, 1, 0)}),
        (initial(0.0, order=1, of="u"), {(0, 0, 1)}),
        (initial(0.0, of="u"), {(0, 0, 0)}),
        (periodic("y", order=2, of="u"), {(0, 0, 0), (0, 1, 0), (0, 2, 0)}),
    ],
)
def test_only_the_derivatives_that_occur_are_computed(condition: Condition, expected: set[MultiIndex]) -> None:
    assert swept(condition, SLAB, u_slab)[1].operators == expected


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("count", [1, 5, 32, 101])
@pytest.mark.parametrize("on", ["x", "y=max", ("x=min", "y"), None, "t=min"])
def test_points_lie_on_their_faces_with_their_normals(on: Any, count: int, sampler: Sampler) -> None:
    condition = neumann(0.0, on)
    samples = condition.sample(SLAB, count, sampler, 3)
    faces = SLAB.faces(on)
    if sampler == "grid":
        assert len(faces) <= len(samples.x) <= max(count, len(faces))
    else:
        assert len(samples.x) == max(count, len(faces))
    assert bool((samples.normals.abs().sum(dim=1) == 1).all())
    bounds = torch.tensor(list(SLAB.bounds.values()), dtype=torch.float64)
    assert bool(((samples.x >= bounds[:, 0]) & (samples.x <= bounds[:, 1])).all())
    shares = []
    for face in faces:
        column = SLAB.axes.index(face.axis)
        on_face = samples.normals[:, column] == face.outward
        shares.append(int(on_face.sum()))
        assert bool((samples.x[on_face, column] == bounds[column, int(face.side == "max")]).all())
    assert sum(shares) == len(samples.x)
    assert min(shares) >= 1
    if sampler != "grid":
        assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("condition", [dirichlet(0.0), periodic("x"), initial(0.0)])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_points_are_a_function_of_the_seed(condition: Condition, sampler: Sampler) -> None:
    first, again, other = (condition.sample(SLAB, 20, sampler, seed).x for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (sampler == "grid")


def test_faces_do_not_share_their_random_coordinates() -> None:
    points = dirichlet(0.0, "x").sample(SLAB, 20, "uniform", 1).x
    assert not torch.equal(points[:10, 1:], points[10:, 1:])


def test_the_ends_of_an_interval_are_one_point_each() -> None:
    assert dirichlet(0.0).sample(LINE, 100, "sobol", 1).x.tolist() == [[-1.0], [2.0]]
    assert neumann(0.0).sample(LINE, 100, "sobol", 1).normals.tolist() == [[-1.0], [1.0]]


def test_measurements_are_taken_where_they_are_given() -> None:
    at, values = np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([3.0, 4.0])
    condition = measurements(at, values)
    at[:], values[:] = 9, 9  # the caller's arrays are copied
    for count in (1, 50):
        assert condition.sample(STRIP, count, "uniform", count).x.tolist() == [[0.0, 1.0], [1.0, 2.0]]
    found, _ = residual(measurements([[0.0, 1.0]], [3.0], of="u"), STRIP, lambda x, t: 0 * x)
    assert found.tolist() == [-3.0]


@pytest.mark.parametrize(
    ("points", "values", "message"),
    [
        ([[0.0, 1.0]], [1.0, 2.0], r"\(1, 2\) and \(2,\)"),
        ([0.0, 1.0], [1.0, 2.0], r"\(2,\) and \(2,\)"),
        ([[0.0, 1.0]], [[1.0]], r"\(1, 2\) and \(1, 1\)"),
        (np.empty((0, 2)), [], r"expected points \(n, d\)"),
        ([[0.0, math.nan]], [1.0], "finite"),
        ([[0.0, 1.0]], [math.inf], "finite"),
    ],
)
def test_impossible_measurements_are_refused(points: Any, values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measurements(points, values)


def test_a_share_to_trim_is_checked_and_kept() -> None:
    assert measurements([[0.0]], [1.0]).trim == 0.0
    assert measurements([[0.0]], [1.0], trim=0.25).trim == 0.25
    for trim in (1.0, -0.1, math.nan, True, "some"):
        with pytest.raises(InputError, match="trim is a share of at least 0 and below 1"):
            measurements([[0.0]], [1.0], trim=trim)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "domain", "message"),
    [
        (measurements([[0.0]], [1.0], name="m"), STRIP, "'m': points have 1 columns.*axes x, t"),
        (measurements([[0.0, 1.0], [5.0, 1.0]], [1.0, 1.0], name="m"), STRIP, r"'m': 1 points lie outside.*\[5.0, 1.0"),
        (initial(0.0, name="i"), LINE, "'i'.*no axis 't'"),
        (periodic("x=min", name="p"), STRIP, "'p': periodic needs one of the axes x, t"),
        (periodic("z", name="p"), STRIP, "'z'"),
        (periodic(" x", name="p"), STRIP, "'p': periodic needs one of the axes x, t"),
        (dirichlet(0.0, "z"), STRIP, "unknown face 'z'"),
    ],
)
def test_a_condition_that_does_not_fit_the_domain_is_refused(condition: Condition, domain: Box, message: str) -> None:
    with pytest.raises(InputError, match=message):
        condition.check(domain)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initial(0.0, order=2), "order must be 0.*or 1.*got 2"),
        (lambda: initial(0.0, order=-1), "got -1"),
        (lambda: periodic("x", order=-1), "order must be an integer of at least 0"),
        (lambda: periodic("x", order=1.5), "order must be an integer"),
    ],
)
def test_impossible_orders_are_refused(make: Callable[[], Condition], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


DATA: dict[str, tuple[Any, Any]] = {
    "number": (2, 2.0),
    "NumPy number": (np.float32(2), 2.0),
    "NumPy integer": (np.int64(2), 2.0),
    "function that returns a number": (lambda x: 2, 2.0),
    "scalar tensor": (lambda: torch.tensor(2.0), 2.0),
    "default argument": (lambda x, k=2.0: k + 0 * x, 2.0),
    "single precision": (lambda x: torch.full(x.shape, 2.0), 2.0),
}


@pytest.mark.parametrize("name", DATA)
def test_data_may_be_a_number_or_a_function(name: str) -> None:
    data, expected = DATA[name]
    found, _ = residual(dirichlet(data, "x", of="u"), STRIP, lambda x, t: 0 * x)
    assert found.dtype == torch.float64
    assert torch.equal(found, torch.full_like(found, -expected))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda x: x[:, None], r"condition 'c'.*shape \(n,\) = \(24,\), got shape \(24, 1\)"),
        (lambda x: x[:3], r"got shape \(3,\)"),
        (lambda x: x.numpy(), "torch tensor.*got ndarray"),
        (lambda x: None, "got NoneType"),
        (lambda z: z, "unknown argument of condition 'c' 'z'.*known: x, t, points"),
        (lambda *x: x[0], r"\*args"),
        (lambda **x: 0.0, r"\*args and \*\*kwargs"),
        (lambda x: undefined * x, "condition 'c': its data fail: NameError.*undefined"),  # noqa: F821
        (lambda x: x + torch.ones(4), "condition 'c': its data fail: RuntimeError"),
        (torch.sin, r"condition 'c'.*write lambda x: torch\.sin\(x\)"),
    ],
)
def test_data_of_the_wrong_form_are_refused(data: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        residual(dirichlet(data, "x", of="u", name="c"), STRIP, u_strip)


@pytest.mark.parametrize("make", [dirichlet, neumann, initial])
@pytest.mark.parametrize("value", [None, "zero", [0.0], torch.zeros(3), math.nan])
def test_data_that_are_neither_number_nor_function_are_refused_at_once(
    make: Callable[[Any], Condition], value: Any
) -> None:
    with pytest.raises(InputError, match="a number or a function"):
        make(value)


def test_initial_conditions_of_order_one_are_slopes() -> None:
    for condition, slope in ((initial(0.0), False), (initial(0.0, order=1), True), (neumann(0.0), False)):
        assert isinstance(condition, FaceCondition)
        assert condition.slope is slope


def test_a_field_is_all_that_a_condition_needs() -> None:
    # a condition on a face of a two-output problem with an exact part sees the whole trial function
    def doubled(points: Tensor) -> Tensor:
        return torch.stack([points[:, 0], 2 * points[:, 0]], dim=1)

    trial = Trial(("x", "t"), ("u", "v"), ((), ()))
    samples = dirichlet(0.0, "x=max", of="v").sample(STRIP, 4, "uniform", 0)
    found = dirichlet(1.0, "x=max", of="v").residual(Sweep(trial, doubled, samples), NOTHING)
    assert found.tolist() == [3.0] * 4
