"""Domains in which two materials meet: where, the kink that networks get there, and the conditions that hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import pinnreg
from pinnreg import Ball, Box, Ellipse, InputError, Polygon, Problem, Split, Star, condition, dirichlet, interface
from pinnreg.cli import main
from pinnreg.compilation import recorded
from pinnreg.domain import Domain
from pinnreg.domain.corner import Corner
from pinnreg.equations import Points, Sweep, Trial, input_features, jumping_coefficients

STAR = Star(lambda theta: 0.5 + 0.1 * torch.cos(3 * theta), x=0, y=0)
UNION = Ellipse(0.6, 0.4, x=0, y=0) | Ball(x=0, y=0.3, radius=0.3)
SQUARE, DISC = Box(x=(-1, 1), y=(-1, 1)), Ball(x=0.1, y=0, radius=0.5)
CASES: dict[str, tuple[Domain, float]] = {
    "point": (Split(Box(x=(0, 1)), Box(x=(0, 0.3))), 1.0),
    "two points": (Split(Box(x=(0, 1)), Box(x=(0.3, 0.6))), 2.0),
    "points over time": (Split(Box(x=(0, 1)), Box(x=(0.3, 0.6))).over(t=(0, 2)), 4.0),
    "point over time": (Split(Box(x=(0, 1)), Box(x=(0, 0.6))).over(t=(0, 2)), 2.0),
    "line": (Split(SQUARE, Box(x=(-1, 1), y=(-1, 0.25))), 2.0),
    "circle": (Split(SQUARE, DISC), math.pi),
    "part of a circle": (Split(SQUARE, Ball(x=-1, y=0, radius=0.5)), math.pi / 2),
    "corner": (Split(SQUARE, Box(x=(-1, 0), y=(-1, 0.5))), 2.5),
    "star": (Split(SQUARE, STAR), STAR.curve.length),
    "polygon": (Split(SQUARE, Polygon([(-0.5, -0.5), (0.5, -0.4), (0, 0.6)])), 1.005 + 1.1180 + 1.2083),
    "combined": (Split(SQUARE, UNION), UNION.boundary().measure),
    "over time": (Split(SQUARE, DISC).over(t=(0, 2)), 2 * math.pi),
    "three materials": (Split(Split(SQUARE, DISC, name="inner"), Ball(x=0.1, y=0, radius=0.7)), 1.4 * math.pi),
}


@pytest.mark.parametrize("case", CASES)
def test_the_interface_lies_where_the_shape_ends_inside(case: str) -> None:
    domain, measure = CASES[case]
    (side,) = domain.faces("interface")
    assert domain.measure(side) == pytest.approx(measure, rel=1e-3)
    points, normals = domain.boundary("interface").sample(300)
    assert bool(domain.contains(points).all())
    assert torch.allclose(normals.norm(dim=1), torch.ones(len(points), dtype=torch.float64))
    # no part of the boundary
    assert side not in domain.faces(None)
    assert float(domain.signed_distance(points).max()) < 0


@pytest.mark.parametrize("case", CASES)
def test_a_kink_is_continuous_and_its_slope_jumps_at_the_interface_only(case: str) -> None:
    domain, _ = CASES[case]
    points, normals = domain.boundary("interface").sample(50)
    # each end of an interval has one of its own
    for kink in domain.kinks if len(domain.space_axes) == 1 else domain.kinks[-1:]:
        own = kink(points) < 1e-9
        assert own.any()
        step = 1e-6 * normals[own]
        one, here, other = kink(points[own] - step), kink(points[own]), kink(points[own] + step)
        assert float((one - here).abs().max()) < 1e-4
        assert bool((one > here).all() & (other > here).all())
        away = domain.sample(200, "uniform", 1)
        away = away[kink(away) > 1e-3]
        along = torch.zeros_like(away)
        along[:, 0] = 1e-5
        bend = kink(away + along) - 2 * kink(away) + kink(away - along)
        assert float(bend.abs().max()) < 1e-6  # of a kink it would be 1e-5


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives_of_kinks_are_those_by_differences(case: str) -> None:
    domain, _ = CASES[case]
    points, normals = domain.boundary("interface").sample(60)
    kink, number = domain.kinks[-1], range(domain.dimension)
    for side in (-0.03, 0.03):
        at = (points + side * normals)[kink(points) < 1e-9]
        at = at[domain.contains(at)]
        found = pinnreg.derivatives(
            lambda x: kink(x)[:, None], at, [tuple(2 * (k == axis) for k in number) for axis in number]
        )
        for axis, second in enumerate(found.values()):
            step = torch.zeros_like(at)
            step[:, axis] = 1e-4
            differences = (kink(at + step) - 2 * kink(at) + kink(at - step)) / 1e-8
            # beside corners a stencil may meet a ridge
            off = (second[:, 0].detach() - differences).abs()
            assert float(off.quantile(0.9)) < 1e-3 * max(1.0, float(differences.abs().max()))


def test_an_interface_whose_second_derivatives_are_not_known_is_refused(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh", reason="the extra 'mesh' is not installed")
    trimesh.creation.icosphere(subdivisions=2, radius=0.5).export(tmp_path / "ball.stl")
    with pytest.raises(InputError, match=r"second derivatives beside the boundary of .* are not known"):
        Split(Box(x=(-1, 1), y=(-1, 1), z=(-1, 1)), pinnreg.Surface(tmp_path / "ball.stl"))


def broken(points: Tensor) -> Tensor:
    """u = x/10 within the disc and a function that has ten times the slope across its rim beyond, (n, 1)."""
    r = torch.linalg.vector_norm(points - torch.tensor([0.1, 0.0], dtype=torch.float64), dim=1)
    return torch.where(r < 0.5, r**2, 0.25 + 10 * (r - 0.5))[:, None]


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_an_interface_condition_compares_the_fluxes_on_both_sides(factor: float) -> None:
    given = Materials()
    held = interface(10.0 * factor, lambda x: 1.0 + 0 * x, on="fibre")
    points = held.sample(given.domain, 100, "sobol", 0)
    rows = held.residual(Sweep(Trial(("x", "y"), ("u",), ((),)), broken, points), given)
    assert torch.allclose(rows, torch.full_like(rows, 10 * (factor - 1)), atol=1e-6)


@dataclass(frozen=True)
class Materials(Problem):
    """∇·(k ∇u) = 0 with k = 10 in a disc."""

    inside: float = 10.0
    domain = Split(SQUARE, DISC, name="fibre")

    @property
    def conditions(self) -> Any:
        return dirichlet(lambda x: 1.0 * x), interface(self.inside, 1.0, on="fibre")

    def residual(self, u: Any, points: Tensor) -> Any:
        return torch.where(DISC.contains(points), self.inside, 1.0) * u.laplacian


@dataclass(frozen=True)
class Whole(Materials):
    """The same of which the domain says nothing."""

    domain = SQUARE
    conditions = property(lambda self: (dirichlet(lambda x: 1.0 * x),))


def test_a_jump_of_a_coefficient_leads_to_the_interface_and_is_right_where_there_is_one() -> None:
    assert any("domain = Split(" in note for note in jumping_coefficients(Whole()))
    assert jumping_coefficients(Materials()) == []


def test_a_network_gets_a_kink_for_each_interface() -> None:
    assert len(input_features(Materials())) == 1
    assert input_features(Whole()) == ()


@pytest.mark.parametrize(
    "optimiser",
    [pytest.param("gauss_newton", marks=pytest.mark.slow), "adam", pytest.param("ssbroyden", marks=pytest.mark.slow)],
)
def test_every_way_of_training_sees_both_sides(optimiser: str) -> None:
    config = {"problem": Materials(), "network": {"hidden": [6]}, "points": {"interior": 60, "boundary": 30}}
    config["train"] = [{"optimiser": optimiser, "steps": 8}]
    history = pinnreg.solve(config, out=False).history
    assert history["interface"][-1] < history["interface"][0]
    assert history["loss"][-1] < history["loss"][0]


def test_sides_of_an_interface_need_one() -> None:
    sweep = Sweep(Trial(("x", "y"), ("u",), ((),)), broken, Points(SQUARE.sample(5)))
    held = condition(lambda u: u.inside - u.outside, on="x")
    with pytest.raises(InputError, match=r"u\.inside is what u is next to an interface, and these points lie on none"):
        held.residual(sweep, Whole())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Split(SQUARE, Ball(x=5, y=0, radius=1)), "nothing of the boundary of .* lies inside"),
        (lambda: Split(SQUARE, Ball(x=0, y=0, z=0, radius=1)), "axes x, y and x, y, z"),
        (lambda: Split(SQUARE - DISC, DISC & SQUARE, name="boundary"), "there is a side 'boundary' already"),
        (lambda: Split(SQUARE.over(t=(0, 1)), DISC.over(t=(0, 1))), "split it in space"),
        (lambda: Split(SQUARE, 3), "expected a shape, got 3"),
        (lambda: Split(SQUARE, DISC).faces("fiber"), "unknown part of the boundary: 'fiber'"),
        (lambda: interface("a", 1.0), "interface: expected a number or a function"),
        (lambda: interface(-1.0, 2.0), "interface: k inside of the shape must be positive, got -1.0"),
        (lambda: interface(2, -3), "interface: k outside of the shape must be positive, got -3"),
        (lambda: interface(0, 1.0), "k inside of the shape must be positive, got 0"),
        (lambda: interface(1.0, -0.0), "k outside of the shape must be positive, got -0.0"),
        (lambda: interface(math.nan, 1.0), "interface: expected a number .* got nan"),
        (lambda: interface(1.0, math.inf), "interface: expected a number .* got inf"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


# corners

L_SHAPE = Polygon([(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)])


def test_corners_are_found_whichever_way_around() -> None:
    angles = {corner.place: corner.angle / math.pi for corner in L_SHAPE.corners}
    assert angles == pytest.approx({place: 0.5 + (place == (0, 0)) for place in L_SHAPE.vertices})
    turned = Polygon(L_SHAPE.vertices[::-1])
    assert {corner.place: corner.angle / math.pi for corner in turned.corners} == pytest.approx(angles)
    assert L_SHAPE.over(t=(0, 1)).corners == L_SHAPE.corners


@pytest.mark.parametrize(
    ("conditions", "powers"),
    [
        ((dirichlet(0.0),), [2 / 3]),
        ((pinnreg.neumann(0.0),), [2 / 3]),
        # a value beside a slope: at (0, 0), and at right angles, where r is smooth
        ((dirichlet(0.0, on="edge1"),), [1 / 3]),
    ],
    ids=["values", "slopes", "mixed"],
)
def test_corners_give_networks_the_singular_function_that_conditions_allow(
    conditions: Any, powers: list[float]
) -> None:
    def residual(self: Any, u: Any) -> Any:
        return u.laplacian

    body = {"domain": L_SHAPE, "conditions": conditions, "residual": residual}
    problem = dataclass(frozen=True)(type("Bent", (Problem,), body))()
    features = input_features(problem)
    assert len(features) == len(powers)
    assert input_features(problem, corners=False) == ()
    for feature, power in zip(features, powers, strict=True):
        one, other = (feature.function(torch.tensor([[-r, 0.3 * r]], dtype=torch.float64)) for r in (0.1, 0.2))
        assert math.log2(float(other / one)) == pytest.approx(power)


@pytest.mark.parametrize(("kind", "turned"), [("value", False), ("slope", False), ("mixed", False), ("mixed", True)])
@pytest.mark.parametrize("angle", [1.2 * math.pi, 1.5 * math.pi, 1.9 * math.pi])
def test_a_singular_function_is_harmonic_and_obeys_the_conditions_of_its_sides(
    kind: Any, turned: bool, angle: float
) -> None:
    corner = Corner((0.3, -0.2), 0.7, angle, "after", "before")
    r = torch.linspace(0.1, 1, 30, dtype=torch.float64)

    def at(theta: Tensor) -> Tensor:
        return torch.stack([0.3 + r * torch.cos(0.7 + theta), -0.2 + r * torch.sin(0.7 + theta)], dim=1)

    def along(theta: float, *, slope: bool) -> Tensor:
        given = torch.full_like(r, theta).requires_grad_()
        values = corner.singular(at(given), kind, turned=turned)
        return torch.autograd.grad(values.sum(), given)[0] if slope else values.detach()

    held = {"value": (False, False), "slope": (True, True), "mixed": (turned, not turned)}[kind]
    for theta, slope in zip((0.0, angle), held, strict=True):
        assert float(along(theta, slope=slope).abs().max()) < 1e-12
    points = at(torch.linspace(0.1, angle - 0.1, 30, dtype=torch.float64))
    values = pinnreg.derivatives(
        lambda x: corner.singular(x, kind, turned=turned)[:, None], points, ["xx", "yy"], axes=("x", "y")
    )
    assert float((values["xx"] + values["yy"]).detach().abs().max()) < 1e-9


def test_describe_names_interfaces(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["describe", "fibre"])
    assert "fibre (inside, length 3.142)" in capsys.readouterr().out


def make(domain: Domain, *conditions: Any, **more: Any) -> Problem:
    body = {"domain": domain, "conditions": conditions, "residual": lambda self, u: u.laplacian + 1, **more}
    return dataclass(frozen=True)(type("Made", (Problem,), body))()


SMALL: dict[str, Any] = {
    "network": {"hidden": [6]},
    "points": {"interior": 60, "boundary": 30},
    "evaluate": {"grid": 9},
}


@pytest.mark.parametrize(
    ("domain", "condition", "message"),
    [
        (Split(SQUARE, DISC), None, "materials meet at 'interface', where no condition holds; add interface"),
        (Split(SQUARE, DISC), interface(1.0, 2.0, on="x=min"), "'x=min' is no interface of"),
        (SQUARE, interface(1.0, 2.0, on="skin"), r"no materials meet in Box.*domain = Split\(.*name='skin'\)"),
        (DISC, interface(1.0, 2.0), r"no materials meet in Ball.*domain = Split\(.*name='interface'\)"),
        (Split(SQUARE, DISC), interface(1.0, 2.0, on="interfce"), "'interfce'; did you mean 'interface'"),
        (Split(SQUARE, DISC), pinnreg.neumann(0.5, on="interface"), "has two values at the interface 'interface'"),
    ],
)
def test_conditions_that_do_not_fit_an_interface_are_refused(domain: Domain, condition: Any, message: str) -> None:
    conditions = [dirichlet(0.0), *([] if condition is None else [condition])]
    with pytest.raises(InputError, match=message):
        pinnreg.solve({"problem": make(domain, *conditions), **SMALL}, out=False)


def test_shapes_are_combined_before_they_are_split() -> None:
    with pytest.raises(InputError, match="combine shapes first, and then Split"):
        Split(SQUARE, DISC) - Ball(x=0.8, y=0, radius=0.1)


BENT = Polygon([(-2, 0), (2, 0), (2, 2), (1, 2), (1, 1), (-1, 1), (-1, 2), (-2, 2)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("domain", "conditions"),
    [
        (Split(SQUARE, Ball(x=0, y=0, radius=0.4)), (dirichlet(0.0), interface(2.0, 1.0))),
        pytest.param(BENT, (dirichlet(0.0),), marks=pytest.mark.slow),
    ],
    ids=["interface", "corners"],
)
def test_a_symmetric_problem_with_an_interface_or_corners_may_say_so(
    domain: Domain, conditions: tuple[Any, ...]
) -> None:
    train = [{"optimiser": "gauss_newton", "steps": 1}]
    given = make(domain, *conditions, symmetry=pinnreg.even("x"))
    solution = pinnreg.solve({"problem": given, **SMALL, "train": train}, out=False)
    one, other = (solution([[sign * 0.3, 0.5]]) for sign in (1, -1))
    assert one == pytest.approx(other, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("inner", [Box(x=(1, 2)), Box(x=(0, 1))])
def test_every_end_of_an_interval_has_a_kink_and_units_do_not_matter(inner: Box) -> None:
    length = 1e-5
    (low, high), zero = inner.bounds["x"], dirichlet(0.0, on="x=min")
    domain = Split(Box(x=(0, 3 * length)), Box(x=(low * length, high * length))).over(t=(0, 1e6))
    one = make(
        domain,
        zero,
        dirichlet(1.0, on="x=max", name="end"),
        interface(10.0, 1.0),
        residual=lambda self, u: u.xx,
    )
    assert len(domain.kinks) == 1 + (low > 0)
    train = [{"optimiser": "gauss_newton", "steps": 40}]
    config = {"problem": one, **SMALL, "network": {"hidden": [10]}, "points": {"interior": 100, "boundary": 20}}
    solution = pinnreg.solve({**config, "train": train}, out=False)
    slope = 1 / 2.1  # of the outer parts, by length
    found = solution([[high * length, 5e5]])[0, 0]
    assert found == pytest.approx(slope * (low + (high - low) / 10), abs=1e-4)


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("outputs", "of", "message"),
    [
        (("T",), None, None),
        pytest.param(("u", "v"), "v", None, marks=pytest.mark.slow),
        (("u", "v"), None, "must say of which output: of='u' . 'v'"),
        (("u", "v"), "w", "unknown output of an interface condition: 'w'"),
    ],
)
def test_the_output_of_an_interface_has_any_name(outputs: tuple[str, ...], of: Any, message: str | None) -> None:
    domain = Split(SQUARE, DISC)
    rest = [dirichlet(0.0, of=each, name=each) for each in outputs]

    one = {("T",): lambda self, T: T.laplacian + 1}
    two = lambda self, u, v: {"one": u.laplacian + 1, "two": v.laplacian + 1}  # noqa: E731
    given = make(domain, *rest, interface(2.0, 1.0, of=of), outputs=outputs, residual=one.get(outputs, two))
    train = [{"optimiser": "gauss_newton", "steps": 2}]
    if message is None:
        history = pinnreg.solve({"problem": given, **SMALL, "train": train}, out=False).history
        assert history["loss"][-1] < history["loss"][0]
        return
    with pytest.raises(InputError, match=message):
        pinnreg.solve({"problem": given, **SMALL, "train": train}, out=False)


def test_operations_are_not_recorded_in_forward_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    (feature,) = input_features(Materials())

    def seconds(points: Tensor) -> Tensor:
        return torch.stack(list(pinnreg.derivatives(feature, points, [(2, 0), (0, 2)]).values()))

    calls, jvp = [], torch.func.jvp
    monkeypatch.setattr(torch.func, "jvp", lambda *given: calls.append(1) or jvp(*given))
    points = SQUARE.sample(5)
    expected = seconds(points)
    assert calls
    calls.clear()
    assert torch.allclose(recorded(seconds, points)(points), expected)
    assert not calls


@pytest.mark.slow
def test_a_compiled_run_is_the_plain_one() -> None:
    train = [{"optimiser": "adam", "steps": 3}]
    points = {**SMALL["points"], "resample_every": None}
    config = {"problem": Materials(), **SMALL, "points": points, "train": train}
    plain, compiled = (pinnreg.solve({**config, "compile": each}, out=False).history["loss"] for each in (False, True))
    assert compiled == pytest.approx(plain, rel=1e-9)
