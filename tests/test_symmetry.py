"""Symmetries that a problem declares: u has them whatever the parameters are, and wrong ones are refused."""

import logging
from dataclasses import dataclass, replace
from math import pi

import pytest
import torch
from quick import only

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, even, initial, neumann, odd, periodic, robin, shift
from pinnreg.config import resolve
from pinnreg.run.prepare import prepare

TINY = {
    "network": {"hidden": [6, 5]},
    "points": {"interior": 40, "boundary": 16},
    "train": [{"optimiser": "gauss_newton", "steps": 2}],
}


@dataclass(frozen=True)
class Waves(Problem):
    """A linear system on a box, symmetric in many ways."""

    kind: str = "odd"
    domain = Box(x=(1, 3), y=(-1, 1), t=(0, 1))
    outputs = ("u", "v")

    @property
    def symmetry(self):
        return {
            "odd": odd("x"),
            "both": (odd("x"), even("y")),
            "own": (odd("x", of="u"), even("x", of="v")),
            "some": odd("x", of="u"),
            "thirds": shift("y", 3),
            "halves": shift("y", 2, sign=-1),
        }[self.kind]

    @property
    def conditions(self):
        return (periodic("y"),)

    def residual(self, u, v):
        return {"first": u.t - u.xx - u.yy, "second": v.t - v.xx - v.yy}


IMAGES = {
    "odd": [(lambda p: p * p.new_tensor([-1, 1, 1]) + p.new_tensor([4, 0, 0]), (-1, -1))],
    "both": [
        (lambda p: p * p.new_tensor([-1, 1, 1]) + p.new_tensor([4, 0, 0]), (-1, -1)),
        (lambda p: p * p.new_tensor([1, -1, 1]), (1, 1)),
        (lambda p: p * p.new_tensor([-1, -1, 1]) + p.new_tensor([4, 0, 0]), (-1, -1)),
    ],
    "own": [(lambda p: p * p.new_tensor([-1, 1, 1]) + p.new_tensor([4, 0, 0]), (-1, 1))],
    "thirds": [
        (lambda p: p + p.new_tensor([0, 2 / 3, 0]), (1, 1)),
        (lambda p: p + p.new_tensor([0, 4 / 3, 0]), (1, 1)),
    ],
    "halves": [(lambda p: p + p.new_tensor([0, 1, 0]), (-1, -1))],
}


@pytest.mark.first(1)
@pytest.mark.parametrize("kind", only(IMAGES, "own", "thirds"))
@pytest.mark.parametrize("hidden", [[6, 5], pytest.param([4], marks=pytest.mark.slow)])
def test_u_is_symmetric_before_and_after_training(kind, hidden):
    config = {"problem": Waves(kind), **TINY, "network": {"hidden": hidden}, "evaluate": {"grid": 5}}
    solution = pinnreg.solve(config, out=False, figures=False)
    points = torch.rand(20, 3, dtype=torch.float64) * torch.tensor([2, 2, 1]) + torch.tensor([1, -1, 0])
    for parameters in (dict(solution.network.named_parameters()), dict(solution.parameters)):
        network = lambda p, own=parameters: torch.func.functional_call(solution.network, own, (p,)).detach()  # noqa: E731
        values = solution.trial(network, points)
        size = float(values.abs().max())
        assert size > 0
        for image, signs in IMAGES[kind]:
            moved = solution.trial(network, image(points))
            torch.testing.assert_close(moved, values * values.new_tensor(signs), rtol=0, atol=1e-8 * size)


def test_the_jacobian_of_a_symmetric_network_is_taken_layer_by_layer(caplog):
    with caplog.at_level(logging.WARNING, "pinnreg"):
        pinnreg.solve(
            "burgers", {"points.interior": 30, "train.0.steps": 1, "evaluate.grid": 9}, out=False, figures=False
        )
    assert "Jacobian takes longer" not in caplog.text


def test_a_network_has_the_symmetry_only_if_it_is_to():
    free = prepare(resolve("burgers", {"network.symmetry": False}), with_reference=False).network
    bound = prepare(resolve("burgers"), with_reference=False).network
    points = torch.tensor([[0.3, 0.5], [-0.3, 0.5]], dtype=torch.float64)
    with torch.no_grad():
        assert float(bound(points).sum().abs()) < 1e-14 < float(free(points).sum().abs())
    travelling = prepare(resolve("burgers", {"problem.shift": 0.3}), with_reference=False).network
    torch.testing.assert_close(travelling(points), free(points))


def declared(symmetry=(), source=None, start=torch.cos, edge=0.0, drift=0.0):
    """A heat equation with whatever symmetry and data are given."""

    def residual(self, u, x):
        return u.t - u.xx + drift * u.x - (0 if source is None else source(x))

    def of_x(data):
        return (lambda x: data(x)) if callable(data) else data  # noqa: PLW0108, of a named argument

    own = {
        "domain": Box(x=(-pi / 2, pi / 2), t=(0, 1)),
        "conditions": (initial(of_x(start)), dirichlet(of_x(edge), on="x")),
        "symmetry": symmetry,
        "residual": residual,
    }
    return dataclass(frozen=True)(type("Declared", (Problem,), own))()


def refusal(conditions="default", **changes):
    with pytest.raises(InputError) as refused:
        pinnreg.solve({"problem": declared(**changes), "conditions": conditions, **TINY}, out=False)
    return str(refused.value)


@pytest.mark.parametrize("conditions", ["default", "soft", pytest.param("exact", marks=pytest.mark.slow)])
def test_what_is_symmetric_is_accepted(conditions):
    for problem in (
        declared(even("x")),
        declared(odd("x"), start=torch.sin, edge=torch.sin),
        declared(even("x"), source=torch.cos, edge=300.0, start=lambda x: 300 + torch.cos(x)),
        declared([even("x")], start=lambda x: 1 + torch.cos(x), edge=1.0),
    ):
        prepare(resolve({"problem": problem, "conditions": conditions, **TINY}), with_reference=False)


def test_what_is_not_symmetric_is_refused():
    assert "'residual' is not even in 'x'" in refusal(symmetry=even("x"), drift=1.0)
    assert "'residual' is not odd in 'x'" in refusal(symmetry=odd("x"), start=torch.sin, source=torch.exp)
    assert "'initial' are not odd in 'x'" in refusal(symmetry=odd("x"))
    assert "'initial' are not even in 'x'" in refusal(symmetry=even("x"), start=torch.sin)
    assert "'dirichlet' are not even in 'x'" in refusal(symmetry=even("x"), edge=torch.sin, conditions="soft")
    assert "exact conditions' data are not even in 'x'" in refusal(symmetry=even("x"), edge=torch.sin)
    assert "network.symmetry: false" in refusal(symmetry=even("x"), drift=1.0)


@dataclass(frozen=True)
class OneSided(Problem):
    """A rod that is held at one end and insulated at the other."""

    symmetry = even("x")
    domain = Box(x=(-1, 1))
    conditions = (dirichlet(1.0, on="x=min"), neumann(0.0, on="x=max"))

    def residual(self, u):
        return u.xx


def two_sided(sides, symmetry, axis=(0.1, 0.23)):
    """The heat equation with whatever is said of each end."""
    own = {
        "domain": Box(x=axis, t=(0, 1)),
        "conditions": (initial(0.0), *sides),
        "symmetry": symmetry,
        "residual": lambda self, u: u.t - u.xx,
    }
    return dataclass(frozen=True)(type("TwoSided", (Problem,), own))()


@pytest.mark.parametrize(
    ("symmetry", "sides", "wrong"),
    [
        (odd("x"), (dirichlet(1.0, on="x=min"), dirichlet(-1.0, on="x=max")), None),
        (odd("x"), (dirichlet(1.0, on="x=min"), dirichlet(1.0, on="x=max")), "dirichlet"),
        (even("x"), (dirichlet(1.0, on="x=min"), dirichlet(1.0, on="x=max")), None),
        (even("x"), (neumann(1.0, on="x=min"), neumann(1.0, on="x=max")), None),
        (odd("x"), (neumann(1.0, on="x=min"), neumann(-1.0, on="x=max")), None),
        (even("x"), (neumann(0.0, on="x=min"), neumann(1.0, on="x=max")), "neumann"),
        (even("x"), (dirichlet(0.0, on="x=min"), neumann(0.0, on="x=max")), "dirichlet"),
        (even("x"), (neumann(0.0, on="x=min"),), "neumann"),
        (even("x"), (robin(1.0, 2.0, 3.0, on="x=min"), robin(1.0, 2.0, 3.0, on="x=max")), None),
        (even("x"), (robin(1.0, 2.0, 3.0, on="x=min"), robin(1.0, 1.0, 3.0, on="x=max")), "robin"),
        (even("x"), (robin(lambda t: t, 2.0, 3.0, on="x"),), None),
        (even("x"), (robin(lambda x: x, 2.0, 3.0, on="x"),), "robin"),
    ],
)
def test_what_is_said_of_one_side_has_to_be_said_of_the_other(symmetry, sides, wrong):
    named = [replace(each, name=f"{each.kind} {number}") for number, each in enumerate(sides)]
    config = {"problem": two_sided(named, symmetry), "conditions": "soft", **TINY}
    if wrong is None:
        prepare(resolve(config), with_reference=False)
    else:
        with pytest.raises(InputError, match=f"the data of '{wrong} 0' are not"):
            prepare(resolve(config), with_reference=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [(0.1, 0.23), (0.3, 0.9), (-7.7, 1.3), (1e-3, 3e-3)])
def test_no_rounding_of_the_faces_is_an_asymmetry(dtype, axis):
    middle = sum(axis) / 2
    sides = (dirichlet(lambda x, t: (x - middle) * (1 + t), on="x"),)
    config = {"problem": two_sided(sides, odd("x"), axis), "conditions": "soft", "dtype": dtype, **TINY}
    prepare(resolve(config), with_reference=False)


@dataclass(frozen=True)
class Leaking(Problem):
    """Decay with a source and a rate that can be unknown."""

    rate: float = 1.0
    source: float = 0.0
    symmetry = property(lambda self: odd("x") if self.rate != 3 else ())
    domain = Box(x=(-1, 1), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0, on="x"))

    def residual(self, u):
        return u.t - torch.exp(torch.as_tensor(self.rate)) * u.xx - self.source


def test_it_has_to_hold_wherever_unknown_coefficients_go():
    def prepared(name, start):
        config = {"problem": Leaking(), "unknown": {name: {"start": start}}, **TINY}
        return prepare(resolve(config), with_reference=False)

    assert prepared("rate", 0.5).objective.model.coefficients
    with pytest.raises(InputError, match="'residual' is not odd in 'x'"):
        prepared("source", 0.0)
    with pytest.raises(InputError, match="the symmetry or the defaults of Leaking depend on rate"):
        prepared("rate", 1.0)


def test_a_shift_needs_a_solution_that_is_periodic():
    with pytest.raises(InputError, match="no solution that need not be periodic in 'y' is"):
        pinnreg.solve({"problem": Waves("halves"), "conditions": "soft", **TINY}, out=False)


def test_exact_data_on_one_side_have_no_reflection():
    with pytest.raises(InputError, match="exact conditions' data are not even"):
        pinnreg.solve({"problem": OneSided(), **TINY}, out=False)


@pytest.mark.parametrize("given", ["x", 3, odd, (odd("x"), "even")])
def test_what_is_no_symmetry_is_refused(given):
    assert "expected odd('x'), even('x') or shift('x', 2)" in refusal(symmetry=given)


def test_symmetries_of_no_axis_or_output_are_refused():
    assert "axis of a symmetry of Declared" in refusal(symmetry=odd("z"))
    assert "axis of a symmetry of Declared" in refusal(symmetry=odd("t"))
    assert "output of a symmetry of Declared" in refusal(symmetry=odd("x", of="w"))
    assert "'u' cannot be both in 'x'" in refusal(symmetry=(odd("x"), even("x")))


def test_a_symmetry_speaks_of_all_outputs():
    with pytest.raises(InputError, match="does not say what 'v' is"):
        pinnreg.solve({"problem": Waves("some"), **TINY}, out=False)


@pytest.mark.parametrize("arguments", [(1,), (2.0,), (2, 0), (3, -1), ("x",)])
def test_shifts_without_sense_are_refused(arguments):
    with pytest.raises(InputError, match="at least 2 parts"):
        shift("x", *arguments)
