"""Data that would be exact, but for kinks and jumps that autograd does not see; steep data are told from them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import pi
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, periodic, problem, registry
from pinnreg.domain import Domain
from pinnreg.equations import Condition, split_conditions

# which is soft if nobody asks
initial = partial(pinnreg.initial, exact=True)

Function = Callable[..., Any]
INTERVAL = Box(x=(0, 1))
STRIP = Box(x=(0, 1), t=(0, 1))
SQUARE = Box(x=(0, 1), y=(0, 1))
SLAB = Box(x=(0, 1), y=(0, 1), t=(0, 1))


def diffusion(self: Problem, u: Any) -> Any:
    return u.t - u.xx


def posed(
    domain: Domain, *conditions: Condition, residual: Function = diffusion, outputs: tuple[str, ...] = ("u",)
) -> Problem:
    @dataclass(frozen=True)
    class Given(Problem):
        residual = None

    Given.domain, Given.conditions, Given.outputs = domain, conditions, outputs  # type: ignore[misc, assignment]
    Given.residual = residual  # type: ignore[method-assign, assignment]
    return Given()


def why_soft(*conditions: Condition, domain: Domain = STRIP, **more: Any) -> str | None:
    """Why the last condition cannot be exact; that the others are is checked."""
    given = posed(domain, *conditions, **more)
    try:
        split = split_conditions(given, "default")
    except InputError as refusal:  # it was asked to be exact
        named, _, why = str(refusal).removeprefix("exact=True is impossible: ").partition(": ")
        unasked = [replace(each, exact=None) if each.kind == "initial" else each for each in conditions]
        split = split_conditions(posed(domain, *unasked, **more), "default")
        assert named in [each.name for each in split.soft]
        with pytest.raises(InputError, match="conditions: exact is impossible") as caught:
            split_conditions(given, "exact")
        assert why in str(caught.value)
        return why
    assert len(split.exact) == len(conditions) - len(split.reasons)
    if not split.reasons:
        return None
    (why,) = split.reasons.values()
    assert split.soft[0] == split_conditions(given, "default").soft[0]
    with pytest.raises(InputError, match="conditions: exact is impossible") as caught:
        split_conditions(given, "exact")
    assert why in str(caught.value)
    return why


def smoothstep(s: Tensor) -> Tensor:
    """s²(3 - 2s) between 0 and 1, constant on either side: its second derivative jumps."""
    s = s.clamp(0, 1)
    return s * s * (3 - 2 * s)


def interpolated(x: Tensor) -> Tensor:
    """A table of sin πx at 201 points, linear between them."""
    cell = torch.floor(200 * x).detach()
    left, right = (torch.sin(pi * (cell + end) / 200) for end in (0, 1))
    return left + (right - left) * (200 * x - cell)


KINKED: dict[str, Function] = {
    "hat": lambda x: 1 - abs(2 * x - 1),
    "relu": lambda x: torch.relu(x - 0.3),
    "leaky relu": lambda x: torch.nn.functional.leaky_relu(x - 0.3),
    "clamp": lambda x: torch.clamp(3 * x, max=1.0),
    "max": lambda x: torch.maximum(x, 1 - x**2),
    "min": lambda x: torch.minimum(torch.sin(pi * x), 0 * x + 0.5),
    "where": lambda x: torch.where(x < 0.25, 4 * x, (4 - 4 * x) / 3),
    "near the end": lambda x: torch.sin(pi * x).clamp(min=1e-3),
    "small on waves": lambda x: 0.05 * abs(x - 0.3) + torch.sin(50 * x),
    "on large numbers": lambda x: 1e6 + abs(x - 0.3),
    "of small numbers": lambda x: 1e-9 * abs(x - 0.3),
    "narrow": lambda x: torch.relu(1 - 500 * abs(x - 0.52345)),
    "in single precision": lambda x: abs(x.float() - 0.3),
    "interpolated": interpolated,
    "cusp": lambda x: torch.sqrt(abs(x - 0.3)),
    "root": lambda x: torch.sign(x - 0.3) * abs(x - 0.3) ** (1 / 3),
}
JUMPING: dict[str, Function] = {
    "sign": lambda x: torch.sign(x - 0.4) * x**0,
    "where": lambda x: torch.where(x < 0.5, x, 2 - x),
    "where with equal slopes": lambda x: torch.where(x < 0.5, x, x + 1),
    "small": lambda x: torch.where(x < 0.3, torch.sin(9 * x), torch.sin(9 * x) + 1e-3),
    "floor": lambda x: torch.floor(5 * x) + 0 * x,
    "round": lambda x: torch.round(5 * x) + x,
}
DETACHED: dict[str, Function] = {
    "a factor": lambda x: x * torch.sin(3 * x).detach(),
    "a summand": lambda x: x + torch.sin(3 * x).detach(),
    "fine steps": lambda x: torch.round(1e5 * x) / 1e5 + 0 * x,
}
SMOOTH: dict[str, Function] = {
    "sine": lambda x: torch.sin(pi * x),
    "waves": lambda x: torch.sin(50 * x),
    "many waves": lambda x: torch.sin(2000 * x),
    "front": lambda x: torch.tanh(200 * (x - 0.5)),
    "sharp front": lambda x: torch.tanh(5000 * (x - 0.52)),
    "sharper front": lambda x: torch.sigmoid(1e5 * (x - 1 / 3)),
    "bell": lambda x: torch.exp(-1000 * (x - 0.5) ** 2),
    "needle": lambda x: torch.exp(-1e6 * (x - 0.5) ** 2),
    "Runge": lambda x: 1 / (1 + 25 * (2 * x - 1) ** 2),
    "root at an end": lambda x: 2 * torch.sqrt(x),
    "roots at both ends": lambda x: torch.sqrt(x * (1 - x)),
    "steep at an end": lambda x: x**0.1,
    "layer at an end": lambda x: torch.exp(-x / 1e-3),
    "|x|³": lambda x: abs(x - 0.3) ** 3,
    "|x|^1.5": lambda x: abs(x - 0.3) ** 1.5,
    "x|x|": lambda x: (x - 0.3) * abs(x - 0.3),
    "smoothstep": lambda x: smoothstep((x - 0.3) / 0.2),
    "abs of one sign": lambda x: abs(x + 1) + torch.relu(x + 2) + torch.clamp(x, max=2.0),
    "kink at an end": lambda x: abs(x) + 1,
    "large numbers": lambda x: 1e8 + 1e-3 * torch.sin(pi * x),
    "small numbers": lambda x: 1e-9 * torch.sin(pi * x),
    "constant": lambda x: 3 + 0 * x,
    "single precision": lambda x: 100 + torch.sin(pi * x.float()),
    "waves in single precision": lambda x: torch.sin(50 * x.float()),
}


@pytest.mark.parametrize("name", KINKED)
def test_data_with_a_kink_are_soft(name: str) -> None:
    assert "have a kink at x=0." in (why_soft(initial(KINKED[name])) or "")


@pytest.mark.parametrize("name", JUMPING)
def test_data_that_jump_are_soft(name: str) -> None:
    assert "its data jump at x=0." in (why_soft(initial(JUMPING[name])) or "")


@pytest.mark.parametrize("name", DETACHED)
def test_data_that_are_detached_in_part_are_soft(name: str) -> None:
    assert "the derivative of order 1 of its data along x is wrong" in (why_soft(initial(DETACHED[name])) or "")


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_data_are_exact_however_steep(name: str) -> None:
    assert why_soft(initial(SMOOTH[name])) is None


@settings(max_examples=8, deadline=None)
@given(
    st.floats(-100, 100),
    st.floats(0.01, 100),
    st.floats(0.01, 0.99),
    st.floats(-6, 6),
    st.floats(1e-2, 1),
    st.sampled_from([torch.relu, torch.abs, torch.nn.functional.leaky_relu]),
)
def test_a_kink_is_found_wherever_it_is(
    lower: float, side: float, where: float, size: float, part: float, bend: Callable[[Tensor], Tensor]
) -> None:
    def unit(x: Tensor) -> Tensor:
        return (x - lower) / side

    def kinked(x: Tensor) -> Tensor:
        return 10**size * (torch.sin(3 * unit(x)) + part * bend(unit(x) - where))

    def smooth(x: Tensor) -> Tensor:
        return 10**size * (torch.sin(3 * unit(x)) + part * torch.tanh(100 * (unit(x) - where)))

    domain = Box(x=(lower, lower + side), t=(0, 1))
    why = why_soft(initial(kinked), domain=domain) or ""
    found = float(why.split("x=")[1].split(",")[0])
    assert found == pytest.approx(lower + side * where, rel=1e-3, abs=1e-6 * side)
    assert why_soft(initial(smooth), domain=domain) is None


FACES: dict[str, tuple[Domain, tuple[Condition, ...], str | None]] = {
    "a diagonal": (SLAB, (initial(lambda x, y: 2 * torch.maximum(x, y)),), "have a kink at x="),
    "a cone": (SLAB, (initial(lambda x, y: torch.relu(0.2 - torch.hypot(x - 0.6, y - 0.4))),), "have a kink at x="),
    "a cylinder": (SLAB, (initial(lambda x, y: torch.where(x**2 + y**2 < 0.5, x, x + 1)),), "jump at x="),
    "in the second axis": (SLAB, (initial(lambda x, y: x + abs(y - 0.7)),), "have a kink at .*y=0.7"),
    "in time": (SLAB, (dirichlet(lambda t: torch.clamp(4 * t, max=1.0), "x=min"),), "kink at .*t=0.25"),
    "on one wall of four": (SQUARE, (dirichlet(lambda x, y: y * x * abs(x - 0.3)),), "have a kink at x=0.3, y=1"),
    "named axes": (Box(r=(0, 1), s=(0, 2), t=(0, 1)), (dirichlet(lambda s: abs(s - 1), "r"),), "s=1"),
    "order 1": (STRIP, (initial(0.0), initial(KINKED["hat"], order=1)), "have a kink at x=0.5"),
    "order 1, smooth": (STRIP, (initial(0.0), initial(SMOOTH["front"], order=1)), None),
    "periodic": (STRIP, (periodic("x"), initial(lambda x: abs(torch.sin(2 * pi * (x + 0.1))))), "kink at x=0.[49]"),
    "periodic, smooth": (STRIP, (periodic("x"), initial(lambda x: torch.sin(2 * pi * x))), None),
    "smooth in two axes": (SLAB, (initial(lambda x, y: torch.tanh(100 * (x - y)) * torch.exp(x)),), None),
    "the mean of two kinks": (SLAB, (initial(lambda x, y: torch.exp(-200 * ((x - 0.5) ** 2 + abs(y) ** 3))),), None),
    "kinks at edges": (SQUARE, (dirichlet(lambda x, y: abs(x) + torch.relu(1 - y)),), None),
    "points alone": (INTERVAL, (dirichlet(lambda x: abs(x - 0.5)),), None),
}


@pytest.mark.parametrize("name", FACES)
def test_data_are_looked_at_along_all_axes_of_their_faces(name: str) -> None:
    domain, conditions, expected = FACES[name]
    why = why_soft(*conditions, domain=domain, residual=lambda self, u: u.d(domain.axes[0], 2))
    if expected is None:
        assert why is None
    else:
        assert why is not None
        assert re.search(expected, why), why


def test_only_the_condition_with_the_kink_is_soft() -> None:
    hat, wave = initial(KINKED["hat"], of="v"), initial(SMOOTH["sine"], of="u")
    given = posed(STRIP, hat, wave, dirichlet(0.0, "x", of="v"), outputs=("u", "v"), residual=lambda self, u, v: u + v)
    with pytest.raises(InputError, match=r"exact=True is impossible: initial_v: its data have a kink[^;]*$"):
        split_conditions(given, "default")


def test_ten_axes_take_no_longer_than_they_must() -> None:
    axes = {f"x{number}": (0, 1) for number in range(1, 10)}
    domain = Box(**axes, t=(0, 1))
    laplace: Function = lambda self, u: u.t - u.laplacian  # noqa: E731
    assert why_soft(initial(lambda points: torch.exp(points[:, :9].sum(1))), domain=domain, residual=laplace) is None
    assert "x7=0.4" in str(why_soft(initial(lambda x2, x7: x2 + abs(x7 - 0.4)), domain=domain, residual=laplace))


@pytest.mark.parametrize(
    ("name", "residual"),
    [
        ("x|x|", lambda self, u: u.t + u.xxx),
        ("smoothstep", lambda self, u: u.t + u.d("x", 4)),
        ("|x|³", lambda self, u: u.t + u.biharmonic),
    ],
)
def test_equations_of_higher_order_need_smoother_data(name: str, residual: Function) -> None:
    assert "have a derivative of order" in (why_soft(initial(SMOOTH[name]), residual=residual) or "")
    assert why_soft(initial(SMOOTH["sine"]), residual=residual) is None
    assert why_soft(initial(SMOOTH["front"]), residual=residual) is None


def test_data_with_one_derivative_only_are_soft() -> None:
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Tensor) -> Tensor:
            context.save_for_backward(x)
            return x.sin()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context: Any, gradient: Tensor) -> Tensor:
            return gradient * context.saved_tensors[0].cos()

    assert "the derivative of order 2 of its data along x is wrong" in (
        why_soft(initial(lambda x: 1 + Once.apply(x))) or ""
    )


@pytest.mark.parametrize("name", registry.find())
def test_shipped_data_are_smooth(name: str) -> None:
    reasons = split_conditions(problem(name), "default").reasons
    # where a period ends there may be a corner, which is of no harm to the data; of most shapes no condition is exact
    others = [why for condition, why in reasons.items() if condition != "periodic"]
    assert not [why for why in others if not why.startswith("only boxes, balls")]


def test_a_run_says_which_condition_is_soft(caplog: pytest.LogCaptureFixture) -> None:
    given = posed(STRIP, dirichlet(lambda t: abs(t - 0.3), "x"))
    small = {"network": {"hidden": [3]}, "points": {"interior": 10, "boundary": 4}, "evaluate": {"grid": [4, 4]}}
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        pinnreg.solve({"problem": given, **small, "train": [{"optimiser": "sgd", "steps": 1}]}, out=False)
    assert "condition 'dirichlet' is soft here: its data have a kink" in caplog.text


def test_a_hat_does_not_solve_the_heat_equation() -> None:
    with pytest.raises(InputError, match=r"exact=True is impossible: initial: its data have a kink"):
        split_conditions(posed(STRIP, initial(KINKED["hat"]), dirichlet(0.0, "x")), "default")
    given = posed(STRIP, initial(KINKED["hat"], exact=None), dirichlet(0.0, "x"))
    small = {"network": {"hidden": [10]}, "points": {"interior": 100, "boundary": 40}, "evaluate": {"grid": [20, 20]}}
    train = [{"optimiser": "gauss_newton", "steps": 20}]
    solution = pinnreg.solve({"problem": given, **small, "train": train}, out=False)
    # the hat has 0.5 there for ever; the first mode alone has decayed to 0.04
    assert abs(float(solution([[0.5, 0.3]]).squeeze())) < 0.2
