"""Exact conditions: the trial function obeys them whatever the network, and Leibniz' rule gives its derivatives."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import pinnreg
from pinnreg import Box, Problem, derivatives, dirichlet, measurements, networks, neumann, periodic, robin
from pinnreg.domain import Ball, Domain, Polygon, unit_points
from pinnreg.equations import Condition, Points, Split, Sweep, split_conditions
from pinnreg.equations.conditions import FaceCondition, Periodic
from pinnreg.errors import InputError
from pinnreg.networks import MLPSettings
from pinnreg.taylor import Algebra

# which is soft if nobody asks
initial = partial(pinnreg.initial, exact=True)


def problem(domain: Domain, *conditions: Condition, outputs: tuple[str, ...] = ("u",)) -> Problem:
    @dataclass(frozen=True)
    class Given(Problem):
        def residual(self) -> None: ...

    Given.domain, Given.conditions, Given.outputs = domain, conditions, outputs  # type: ignore[misc, assignment]
    return Given()


def network(given: Problem, split: Split, seed: int, *, size: float = 1.0) -> nn.Module:
    """A network as a run would build it, its parameters (biases too) far from their initial values."""
    built = networks.build(
        MLPSettings(hidden=(9, 9)),
        given.domain.bounds,
        len(given.outputs),
        periodic=split.trial.periodic,
        seed=seed,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return built


INTERVAL = Box(x=(-1, 3))
SQUARE = Box(x=(-1, 3), y=(0, 0.5))
STRIP = Box(x=(-1, 3), t=(0.5, 2))
SLAB = Box(x=(-1, 3), y=(0, 0.5), t=(0.5, 2))
CUBE = Box(x=(0, 1), y=(-1, 1), z=(2, 4))


def smooth(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return torch.sin(2 * x + y) * torch.exp(-t * y) + x * t**2


def wave(x: Tensor, t: Tensor) -> Tensor:
    return torch.sin(2 * x) * torch.exp(-t) + x * t**2


def wave_start(x: Tensor) -> Tensor:
    return wave(x, torch.full_like(x, 0.5))


def wave_slope(x: Tensor) -> Tensor:
    return -torch.sin(2 * x) * math.exp(-0.5) + x


def smooth_start(x: Tensor, y: Tensor) -> Tensor:
    return smooth(x, y, torch.full_like(x, 0.5))


def smooth_slope(x: Tensor, y: Tensor) -> Tensor:
    return -y * torch.sin(2 * x + y) * torch.exp(-0.5 * y) + x


def cycle(x: Tensor) -> Tensor:
    return torch.cos(math.pi * x / 2) ** 3


CASES: dict[str, tuple[Domain, tuple[Condition, ...]]] = {
    "1-D zero": (INTERVAL, (dirichlet(0.0),)),
    "1-D number": (INTERVAL, (dirichlet(2.5),)),
    "1-D one face, min": (INTERVAL, (dirichlet(-1.5, "x=min"),)),
    "1-D one face, max": (INTERVAL, (dirichlet(-1.5, "x=max"),)),
    "1-D two values": (INTERVAL, (dirichlet(-1.5, "x=min"), dirichlet(4.0, "x=max"))),
    "1-D periodic": (INTERVAL, (periodic("x"),)),
    "2-D zero": (SQUARE, (dirichlet(0.0),)),
    "2-D function": (SQUARE, (dirichlet(lambda x, y: torch.sin(x) * torch.exp(y) + x * y),)),
    "2-D one face": (SQUARE, (dirichlet(lambda x: 1 + torch.sin(x), "y=max"),)),
    "2-D two axes": (SQUARE, (dirichlet(lambda y: y**2, "x=min"), dirichlet(lambda x: (x + 1) ** 2, "y=min"))),
    "2-D three faces": (
        SQUARE,
        (dirichlet(lambda x, y: x * y, ("x", "y=max")),),
    ),
    "2-D periodic and data": (SQUARE, (periodic("x"), dirichlet(cycle, "y=min"), dirichlet(1.0, "y=max"))),
    "2-D doubly periodic": (SQUARE, (periodic("x"), periodic("y", order=0, exact=True))),
    "3-D function": (CUBE, (dirichlet(lambda x, y, z: torch.sin(x * y + z) + x * z**2),)),
    "x-t initial": (STRIP, (initial(lambda x: 1 + torch.sin(x)),)),
    "x-t homogeneous": (STRIP, (initial(lambda x: (x + 1) * (x - 3)), dirichlet(0.0, on="x"))),
    "x-t inhomogeneous": (STRIP, (initial(wave_start), dirichlet(wave, "x"))),
    "x-t order 1 alone": (STRIP, (initial(wave_start), initial(wave_slope, order=1))),
    "x-t order 1 and data": (STRIP, (initial(wave_slope, order=1), dirichlet(wave, "x"), initial(wave_start))),
    "x-t one face": (STRIP, (initial(wave_start), dirichlet(wave, "x=max"), initial(wave_slope, order=1))),
    "x-t periodic": (STRIP, (periodic("x"), initial(cycle), initial(lambda x: cycle(x) ** 2, order=1))),
    "x-y-t inhomogeneous": (SLAB, (initial(smooth_start), dirichlet(smooth))),
    "x-y-t order 1": (SLAB, (initial(smooth_start), dirichlet(smooth), initial(smooth_slope, order=1))),
    "x-y-t periodic in x": (
        SLAB,
        (periodic("x"), dirichlet(lambda x, t: cycle(x) * t, "y"), initial(lambda x: cycle(x) / 2)),
    ),
    "x-y-t one face": (SLAB, (initial(smooth_start), dirichlet(smooth, ("x=min", "y=max")))),
}


def data_of(condition: FaceCondition, axes: tuple[str, ...], points: Tensor) -> Tensor:
    """The prescribed values, evaluated without the package's own code."""
    if not callable(condition.value):
        return torch.full((len(points),), float(condition.value), dtype=torch.float64)
    code = condition.value.__code__
    names = code.co_varnames[: code.co_argcount]
    return condition.value(*(points[:, axes.index(name)] for name in names))


def defects(given: Problem, split: Split, u: Callable[[Tensor], Tensor], seed: int) -> dict[str, float]:
    """The largest defect of each exact condition on random points of its faces, measured by autograd alone."""
    axes, found = given.domain.axes, {}
    for condition in split.exact:
        worst = [0.0]
        if isinstance(condition, Periodic):
            low, high = given.domain.faces(condition.on)
            unit = unit_points("uniform", 30, len(axes) - 1, seed)
            wanted = [tuple(k * int(a == condition.on) for a in axes) for k in range(4)]
            ends = [derivatives(u, given.domain.on_face(face, unit), wanted) for face in (low, high)]
            for index in wanted:
                a, b = (end[index].detach() for end in ends)
                worst.append(float((a - b).abs().max() / (1 + a.abs().max())))
        else:
            assert isinstance(condition, FaceCondition)
            number = given.outputs.index(str(condition.of))
            for face in condition.faces(given.domain):
                points = given.domain.on_face(face, unit_points("uniform", 30, len(axes) - 1, seed))
                index = tuple(int(condition.slope and a == "t") for a in axes)
                values = derivatives(u, points, [index])[index][:, number].detach()
                worst.append(float((values - data_of(condition, axes, points)).abs().max()))
        found[condition.name] = max(worst)
    return found


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("name", CASES)
def test_the_trial_function_obeys_its_conditions_whatever_the_network(name: str, seed: int) -> None:
    domain, conditions = CASES[name]
    given = problem(domain, *conditions)
    split = split_conditions(given, "default")
    assert len(split.exact) == len(conditions)
    assert split.soft == ()
    assert split.reasons == {}
    assert split_conditions(given, "exact").exact == split.exact
    model = network(given, split, seed)
    found = defects(given, split, lambda p: split.trial(model, p), seed)
    assert len(found) == len(conditions)
    assert max(found.values()) <= 1e-12, found


@pytest.mark.parametrize("name", [name for name in CASES if "periodic" not in name])
def test_the_same_check_sees_a_function_that_obeys_nothing(name: str) -> None:
    # the bare network in place of the trial function: guards the test above against passing on anything
    domain, conditions = CASES[name]
    given = problem(domain, *conditions)
    split = split_conditions(given, "default")
    found = defects(given, split, network(given, split, 0), 0)
    assert min(found.values()) > 1e-3, found


@pytest.mark.parametrize("name", CASES)
def test_the_network_still_matters_inside(name: str) -> None:
    domain, conditions = CASES[name]
    given = problem(domain, *conditions)
    split = split_conditions(given, "default")
    points = domain.interior(unit_points("uniform", 20, domain.dimension, 3))
    phi = split.trial.phi(points)
    assert bool((phi > 0).all() and (phi <= 1 + 1e-15).all())
    values = [split.trial(network(given, split, seed), points).detach() for seed in (0, 1)]
    assert bool(((values[0] - values[1]).abs() > 1e-9).all())


def indices(dimension: int, order: int) -> list[tuple[int, ...]]:
    return [index for index in itertools.product(range(order + 1), repeat=dimension) if sum(index) <= order]


def assert_leibniz(given: Problem, split: Split, seed: int, order: int = 3) -> None:
    model = network(given, split, seed, size=0.3)
    points = given.domain.interior(unit_points("uniform", 6, given.domain.dimension, seed + 10))
    # higher ones in three axes are below, for one problem: nested differentiation takes long
    plane = given.domain.dimension < 3
    wanted = indices(given.domain.dimension, order) if plane else [*indices(3, 2), (1, 1, 1)]
    nested = derivatives(lambda p: split.trial(model, p), points, wanted)
    # one after the other, so that the sweep is extended each time; in three axes, where that takes long, once
    sweep = Sweep(split.trial, model, Points(points), () if plane else wanted[:-1])
    parameters = list(model.parameters())
    for index in wanted if len(wanted) < 10 else [wanted[-1], *wanted]:
        expected = nested[index]
        found = sweep(index)
        assert found.shape == expected.shape
        scale = 1 + float(expected.detach().abs().max())
        assert float((found - expected).detach().abs().max()) <= 1e-10 * scale, index
    for index in (wanted[0], wanted[-1]):
        pairs = [
            torch.autograd.grad(table.square().sum(), parameters, retain_graph=True, materialize_grads=True)
            for table in (sweep(index), nested[index])
        ]
        for a, b in zip(*pairs, strict=True):
            assert torch.allclose(a, b, rtol=1e-8, atol=1e-10 * (1 + float(b.abs().max())))


# each kind of axis and of data, but for slopes, which are below; the rule is the same for all, and nested
# differentiation takes long
FOURTH = ("1-D two values", "1-D periodic", "2-D function", "2-D periodic and data")


@pytest.mark.first(8)
@pytest.mark.parametrize("name", CASES)
def test_derivatives_by_leibniz_rule_equal_nested_automatic_ones(name: str) -> None:
    domain, conditions = CASES[name]
    given = problem(domain, *conditions)
    split = split_conditions(given, "default")
    assert_leibniz(given, split, 1, order=4 if name in FOURTH else 3)


@pytest.mark.slow
def test_fourth_derivatives_in_three_axes() -> None:
    given = problem(SLAB, *CASES["x-y-t order 1"][1])
    split = split_conditions(given, "default")
    model = network(given, split, 2, size=0.3)
    points = given.domain.interior(unit_points("uniform", 4, 3, 0))
    wanted = [(4, 0, 0), (0, 2, 2), (2, 1, 1), (0, 0, 4)]
    nested = derivatives(lambda p: split.trial(model, p), points, wanted)
    sweep = Sweep(split.trial, model, Points(points), wanted)
    for index in wanted:
        scale = 1 + float(nested[index].detach().abs().max())
        assert float((sweep(index) - nested[index]).detach().abs().max()) <= 1e-10 * scale, index


def mixed() -> Problem:
    """Three outputs: data on all sides, on one face, and none."""
    return problem(
        STRIP,
        dirichlet(wave, "x", of="a"),
        initial(wave_start, of="a"),
        dirichlet(lambda t: 2 * torch.exp(t), "x=max", of="b"),
        neumann(0.0, "x=min", of="c"),
        outputs=("a", "b", "c"),
    )


def test_outputs_with_different_data() -> None:
    given = mixed()
    split = split_conditions(given, "default")
    assert [c.of for c in split.exact] == ["a", "a", "b"]
    assert [c.kind for c in split.soft] == ["neumann"]
    model = network(given, split, 4)
    assert max(defects(given, split, lambda p: split.trial(model, p), 4).values()) <= 1e-12
    points = given.domain.interior(unit_points("uniform", 5, 2, 0))
    assert torch.equal(split.trial(model, points)[:, 2], model(points)[:, 2])
    assert_leibniz(given, split, 4)


@settings(max_examples=15)
@given(
    st.floats(-5, 5),
    st.floats(0.1, 5),
    st.floats(-5, 5),
    st.floats(0.1, 5),
    st.lists(st.floats(-2, 2), min_size=4, max_size=4),
    st.integers(0, 10**6),
)
def test_any_box_and_any_linear_data(
    x: float, width: float, t: float, duration: float, coefficients: list[float], seed: int
) -> None:
    a, b, c, d = coefficients

    def exact(x: Tensor, t: Tensor) -> Tensor:
        return a + b * x + c * t + d * x * t

    domain = Box(x=(x, x + width), t=(t, t + duration))
    given = problem(
        domain,
        dirichlet(exact, "x"),
        initial(lambda x: a + b * x + c * t + d * x * t),
        initial(lambda x: c + d * x, order=1),
    )
    split = split_conditions(given, "exact")
    model = network(given, split, seed)
    assert max(defects(given, split, lambda p: split.trial(model, p), seed).values()) <= 1e-11
    # data of degree one in each axis are reproduced by the interpolation: g is the function itself
    points = domain.interior(unit_points("uniform", 20, 2, seed))
    assert torch.allclose(split.trial.g(points)[:, 0], exact(*points.T), atol=1e-11)


# ---- two values on one side

CORNERED = Polygon([(0, 0), (1, 0), (0, 1)], ["floor", "slope", "wall"])
TWICE: dict[str, tuple[Domain, Any, Any]] = {
    "of an interval": (INTERVAL, None, "x=min"),
    "of a box": (SQUARE, "x", ("y", "x=max")),
    "of a polygon": (CORNERED, ("floor", "wall"), ("slope", "wall")),
    "of a disc": (Ball(x=0, y=0, radius=1), None, "boundary"),
    "of a set": (SQUARE - Ball(x=0, y=0, radius=0.5), None, "boundary"),
    "of time": (STRIP, "t=min", "t=min"),
}


@pytest.mark.parametrize("where", TWICE)
@settings(max_examples=10)
@given(st.floats(-3, 3), st.sampled_from([1e-6, -0.5, 100.0]), st.booleans(), st.booleans())
def test_two_values_on_one_side_are_refused(where: str, a: float, off: float, first: bool, second: bool) -> None:
    domain, on, other = TWICE[where]

    def data(value: float, function: bool) -> Any:
        return (lambda points: value + 0 * points[:, 0]) if function else value

    one = dirichlet(data(a, first), on, name="one")
    with pytest.raises(InputError, match=r"'one' and 'two' give u two values on '(x=m..|wall|boundary|t=min)'"):
        problem(domain, one, dirichlet(data(a + off, second), other, name="two"))
    # the same, of another output, in part, or of other kinds
    split = split_conditions(problem(domain, one, dirichlet(data(a, second), other, name="two")), "default")
    assert "already has a condition" in split.reasons["two"]
    problem(domain, replace(one, of="u"), dirichlet(a + off, other, of="v"), outputs=("u", "v"))
    problem(domain, one, neumann(a + off, other))
    problem(domain, one, dirichlet(a + off, other, where=lambda points: points[:, 0] < 10))


def test_an_initial_value_and_one_at_the_first_time_are_two() -> None:
    with pytest.raises(InputError, match="'dirichlet' and 'initial' give u two values on 't=min'"):
        problem(STRIP, dirichlet(1.0, "t=min"), initial(2.0))
    problem(STRIP, initial(2.0), initial(1.0, order=1, name="speed"))
    with pytest.raises(InputError, match="'a' and 'b' give u two slopes in time on 't=min'"):
        problem(STRIP, initial(2.0, order=1, name="a"), initial(1.0, order=1, name="b"))


def test_two_fluxes_on_one_side_are_refused() -> None:
    with pytest.raises(InputError, match="'a' and 'b' give u two normal derivatives of order 2 on 'y=max'"):
        problem(SQUARE, neumann(0.0, order=2, name="a"), neumann(lambda x: x, "y=max", order=2, name="b"))
    problem(SQUARE, neumann(0.0), neumann(1.0, order=2, name="b"), robin(1.0, 1.0, 3.0), robin(1.0, 2.0, 3.0, name="c"))


# ---- which conditions are exact


def kinds(split: Split) -> tuple[list[str], list[str]]:
    return [c.name for c in split.exact], [c.name for c in split.soft]


SOFT: dict[str, tuple[Domain, tuple[Condition, ...], tuple[str, ...], list[str], dict[str, str]]] = {
    "values disagree at a corner": (
        STRIP,
        (initial(1.0), dirichlet(0.0, "x")),
        ("u",),
        ["initial"],
        {"initial": "disagree with 'dirichlet' where x=m.. meets t=min"},
    ),
    "values disagree at one corner of four": (
        SQUARE,
        (dirichlet(0.0, "x"), dirichlet(lambda x: x + 1, "y=min", name="floor")),
        ("u",),
        ["floor"],
        {"floor": "disagree with 'dirichlet' where x=max meets y=min"},
    ),
    "slopes disagree at a corner": (
        STRIP,
        (initial(wave_start), dirichlet(wave, "x"), initial(0.0, order=1, name="speed")),
        ("u",),
        ["speed"],
        {"speed": "disagree with 'dirichlet'"},
    ),
    "a slope without a value": (
        STRIP,
        (initial(0.0, order=1, name="speed"),),
        ("u",),
        ["speed"],
        {"speed": "needs one of order 0"},
    ),
    "a slope whose value is soft": (
        STRIP,
        (initial(1.0), initial(0.0, order=1, name="speed"), dirichlet(0.0, "x")),
        ("u",),
        ["initial", "speed"],
        {"initial": "disagree", "speed": "needs one of order 0"},
    ),
    "twice on a face": (
        INTERVAL,
        (dirichlet(0.0, "x"), dirichlet(0.0, "x=min", name="again")),
        ("u",),
        ["again"],
        {"again": "x=min already has a condition"},
    ),
    "at the end of time": (
        STRIP,
        (dirichlet(0.0, "t=max", name="end"),),
        ("u",),
        ["end"],
        {"end": "at its start only"},
    ),
    "on a periodic axis": (
        SQUARE,
        (periodic("x"), dirichlet(0.0)),
        ("u",),
        ["dirichlet"],
        {"dirichlet": "the axis 'x' is periodic"},
    ),
    "initial data not periodic": (
        STRIP,
        (periodic("x", exact=True), initial(lambda x: x)),
        ("u",),
        ["initial"],
        {"initial": "not periodic in 'x'"},
    ),
    "initial data with a slope that is not periodic": (
        STRIP,
        (periodic("x", exact=True), initial(lambda x: (x + 1) * (x - 3))),
        ("u",),
        ["initial"],
        {"initial": "not periodic in 'x'"},
    ),
    "periodicity of one output of two": (
        STRIP,
        (periodic("x", of="u"), initial(lambda x: x, of="u")),
        ("u", "v"),
        ["periodic"],
        {"periodic": "would make v periodic too"},
    ),
    "always soft by nature": (
        STRIP,
        (neumann(0.0, "x=min"), robin(1.0, 1.0, 0.0, "x=max"), initial(1.0), measurements([[0.0, 1.0]], [1.0])),
        ("u",),
        ["neumann", "robin", "measurements"],
        {},
    ),
}


@pytest.mark.parametrize("name", SOFT)
def test_conditions_that_cannot_be_exact_are_soft_and_the_reason_is_said(name: str) -> None:
    domain, conditions, outputs, soft, reasons = SOFT[name]
    given = problem(domain, *conditions, outputs=outputs)
    if asked := [each.name or each.kind for each in conditions if getattr(each, "exact", None)]:
        # who asks for what is impossible is told so, and for nothing else
        refused = {name: why for name, why in reasons.items() if name in asked}
        if refused:
            with pytest.raises(InputError, match=r"^exact=True is impossible: ") as caught:
                split_conditions(given, "default")
            told = dict(each.split(": ", 1) for each in str(caught.value).split(": ", 1)[1].split("; "))
            assert told.keys() == refused.keys()
            assert all(re.search(why, told[name]) for name, why in refused.items())
            assert split_conditions(given, "soft").exact == ()
            check_refused(given, soft)
            return
    split = split_conditions(given, "default")
    assert sorted(kinds(split)[1]) == sorted(soft)
    assert len(split.exact) + len(split.soft) == len(conditions)
    assert split.reasons.keys() == reasons.keys()
    for condition, why in reasons.items():
        assert re.search(why, split.reasons[condition]), split.reasons
    # what remains exact is exact, in spite of what was turned away
    model = network(given, split, 0)
    assert max([0.0, *defects(given, split, lambda p: split.trial(model, p), 0).values()]) <= 1e-12
    check_refused(given, soft)


def check_refused(given: Problem, soft: list[str]) -> None:
    """The mode "exact" names all conditions that cannot be."""
    with pytest.raises(InputError, match="conditions: exact is impossible") as caught:
        split_conditions(given, "exact")
    for condition in soft:
        assert f"{condition}: " in str(caught.value)


def test_periodicity_of_every_output_given_one_by_one_is_exact() -> None:
    given = problem(STRIP, periodic("x", of="u"), periodic("x", of="v"), outputs=("u", "v"))
    split = split_conditions(given, "exact")
    assert split.trial.periodic == ("x",)
    assert split.soft == ()
    model = network(given, split, 3)
    assert max(defects(given, split, lambda p: split.trial(model, p), 0).values()) <= 1e-12


@pytest.mark.parametrize("name", CASES)
def test_mode_soft_makes_all_soft(name: str) -> None:
    domain, conditions = CASES[name]
    given = problem(domain, *conditions)
    split = split_conditions(given, "soft")
    assert len(split.soft) == len(conditions)
    assert split.exact == ()
    assert split.reasons == {}
    assert split.trial.periodic == ()
    model = network(given, split, 0)
    points = domain.interior(unit_points("uniform", 10, domain.dimension, 0))
    assert torch.equal(split.trial(model, points), model(points))
    assert torch.equal(split.trial.phi(points), torch.ones(10, 1, dtype=torch.float64))
    assert torch.equal(split.trial.g(points), torch.zeros(10, 1, dtype=torch.float64))


def test_mode_exact_names_every_condition_in_the_way() -> None:
    given = problem(STRIP, neumann(0.0, "x=min", name="wall"), robin(1.0, 2.0, 0.0, "x=max", name="skin"), initial(0.0))
    with pytest.raises(InputError, match=r"wall: a neumann condition is always soft.*skin: a robin condition"):
        split_conditions(given, "exact")


def test_a_domain_of_ones_own_has_no_exact_conditions() -> None:
    class Disc(Domain):
        bounds = property(lambda self: {"x": (-1.0, 1.0), "y": (-1.0, 1.0)})
        volume = property(lambda self: math.pi)

        def interior(self, unit: Tensor) -> Tensor:
            radius, angle = unit[:, 0].sqrt(), 2 * math.pi * unit[:, 1]
            return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)

        def on_face(self, face: Any, unit: Tensor) -> Tensor:
            raise NotImplementedError

        def until(self, share: float) -> Domain:
            return self

    split = split_conditions(problem(Disc(), dirichlet(0.0, "x")), "default")
    assert split.exact == ()
    assert split.reasons == {"dirichlet": "only boxes, balls, annuli and ellipses have exact conditions"}


def test_order_of_the_conditions_does_not_change_the_trial_function() -> None:
    domain, conditions = CASES["x-y-t order 1"]
    points = domain.interior(unit_points("uniform", 10, 3, 0))
    values = []
    for order in itertools.permutations(conditions):
        given = problem(domain, *order)
        split = split_conditions(given, "exact")
        values.append(split.trial(network(given, split, 0), points).detach())
    assert all(torch.allclose(values[0], other, atol=1e-12) for other in values[1:])


def test_data_that_numpy_would_detach_are_refused() -> None:
    # the slope of the wall is needed to compare it with the initial slope; NumPy has none
    wall = dirichlet(lambda t: torch.from_numpy(np.sin(t.numpy())), "x")
    given = problem(STRIP, wall, initial(math.sin(0.5)), initial(math.cos(0.5), order=1))
    with pytest.raises(
        InputError,
        match=r"condition 'dirichlet': its data fail: torch cannot differentiate what NumPy computes; use torch",
    ):
        split_conditions(given, "default")


def test_zero_data_need_no_lift() -> None:
    given = problem(SQUARE, dirichlet(0.0))
    points = SQUARE.interior(unit_points("uniform", 5, 2, 0))
    algebra = Algebra.of([(3, 0)], 2)
    g, phi = split_conditions(given, "exact").trial.lift(points, algebra)
    assert g is None
    assert phi is not None
    assert [algebra.elements[row] for row in phi.support] == [(0, 0), (1, 0), (2, 0)]  # φ is quadratic in x


def test_one_condition_can_be_soft_or_exact_by_itself() -> None:
    given = problem(STRIP, pinnreg.initial(wave_start), dirichlet(wave, "x=min", exact=False), dirichlet(wave, "x=max"))
    names = {mode: [c.name for c in split_conditions(given, mode).exact] for mode in ("default", "exact", "soft")}
    assert names == {"default": ["dirichlet_2"], "exact": ["initial", "dirichlet", "dirichlet_2"], "soft": []}
    ring = [Box(x=(0, 2), t=(0, 1)), Box(t=(0, 1))]
    assert not split_conditions(problem(ring[0], periodic("x", exact=False)), "default").exact
    assert not split_conditions(problem(ring[0], pinnreg.initial(0.0)), "default").exact
    assert split_conditions(problem(ring[1], pinnreg.initial(0.0)), "default").exact
    assert not split_conditions(problem(ring[1], pinnreg.initial(0.0, exact=False)), "default").exact


def test_single_precision_is_exact_to_its_rounding() -> None:
    domain, conditions = CASES["x-t inhomogeneous"]
    split = split_conditions(problem(domain, *conditions), "exact")
    model = networks.MLP(2, [8], 1, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    points = domain.on_face(domain.faces("x=max")[0], unit_points("uniform", 20, 1, 0).float())
    values = split.trial(model, points)
    assert values.dtype == torch.float32
    assert torch.allclose(values[:, 0], wave(*points.T), atol=2e-6)


@pytest.mark.parametrize(
    "data",
    [
        lambda x: torch.from_numpy(np.sin(x.detach().numpy())),  # their derivatives would silently be zero
        lambda x: torch.where(x < 0.5, 1.0, 0.0),
    ],
)
def test_data_that_vary_without_derivatives_are_never_exact(data: Any) -> None:
    given = problem(Box(x=(0, 1), t=(0, 1)), initial(data))
    with pytest.raises(InputError, match=r"exact=True is impossible: initial: .* have no derivatives"):
        split_conditions(given, "default")
    with pytest.raises(InputError, match="initial: its data vary but have no derivatives"):
        split_conditions(given, "exact")


SPACETIME = Box(x=(-1, 1), t=(0, 1))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda x: x**2 * torch.cos(math.pi * x), "have a kink"),
        (lambda x: 1e6 + x**2, "have a kink"),
        (lambda x: x**3, "jump"),
        (lambda x: 300 + 2 / torch.cosh(5 * x), "have a kink"),
        (lambda x: torch.sin(math.pi * x), None),
        (lambda x: torch.cos(3 * math.pi * x) * x**0, None),
        (lambda x: x**4 - 2 * x**2, None),
        (lambda x: torch.exp(-50 * x**2), None),
        (lambda x: 300 + 1e-12 * x, None),  # constant to rounding
        (1.0, None),
    ],
)
def test_a_period_is_soft_where_data_have_a_corner_at_its_end(data: Any, said: str | None) -> None:
    given = problem(SPACETIME, pinnreg.initial(data), periodic("x"))
    split = split_conditions(given, "default")
    assert split.trial.periodic == (("x",) if said is None else ())
    assert split.reasons == ({} if said is None else {"periodic": f"the data of 'initial' {said} where x begins again"})
    # it is possible all the same
    asked = problem(SPACETIME, pinnreg.initial(data), periodic("x", exact=True))
    assert split_conditions(asked, "default").trial.periodic == ("x",)
