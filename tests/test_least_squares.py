"""`pinnreg.least_squares`: known minima from their standard starts, every form of input, honest ends, pure steps."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pinnreg import InputError, least_squares
from pinnreg.benchmarks.mgh import FUNCTIONS, TestFunction, rosenbrock
from pinnreg.cli import main
from pinnreg.optimisers import GaussNewton
from pinnreg.optimisers import step as stepping
from pinnreg.optimisers.nonlinear import FAILURES
from pinnreg.optimisers.step import Known, Options, init, step
from pinnreg.optimisers.trust_region import CAUTIOUS, Rules
from pinnreg.optimisers.vectors import as_vector

F64 = torch.float64
BY_NAME = {function.name: function for function in FUNCTIONS}
START = (-1.2, 1.0)


def vector(*values: float, dtype: torch.dtype = F64) -> Tensor:
    return torch.tensor(values, dtype=dtype)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


# known minima

LOCAL = {"Freudenstein-Roth"}
"""Where the standard start leads to a local minimum, as it does SciPy's methods."""


@pytest.mark.parametrize("function", FUNCTIONS, ids=[function.name for function in FUNCTIONS])
def test_a_known_minimum_is_reached_from_the_standard_start(function: TestFunction) -> None:
    found = least_squares(function.residuals, function.point())
    value = function.minima[1 if function.name in LOCAL else 0]
    assert found.loss == pytest.approx(value, rel=1e-8, abs=1e-16)
    assert found.converged, found.reason
    assert found.loss == pytest.approx(float(found.residuals.square().sum()), rel=1e-14)
    assert torch.equal(found.residuals, function.residuals(found.parameters))
    assert 0 < found.steps <= found.jacobian_evaluations <= found.steps + 1 < 60
    assert found.jacobian_evaluations < found.residual_evaluations
    # the last step may try all dampings to find that none is of use: each asks for its end, acceleration, a correction
    assert found.residual_evaluations < 20 * (found.jacobian_evaluations - 1) + 3 * (1 + CAUTIOUS)


def ways(**settings: Any) -> list[list[float]]:
    """The losses after each step, for three functions."""
    found = []
    for name in ("Rosenbrock", "helical valley", "Kowalik-Osborne"):
        function, seen = BY_NAME[name], list[float]()
        end = least_squares(
            function.residuals, function.point(), **settings, callback=lambda _, loss, __, seen=seen: seen.append(loss)
        )
        assert end.loss == pytest.approx(function.minima[0], rel=1e-8, abs=1e-16)
        assert all(after < before for before, after in itertools.pairwise(seen))
        found.append(seen)
    return found


@pytest.fixture(scope="module")
def usual_ways() -> list[list[float]]:
    return ways()


@pytest.mark.first(2)
@pytest.mark.parametrize("settings", [{"scaled": False}, {"acceleration": False}, {"corrections": 0}, {"ratio": 0.9}])
def test_the_options_change_the_way_and_not_the_minimum(
    settings: dict[str, Any], usual_ways: list[list[float]]
) -> None:
    assert ways(**settings) != usual_ways


@pytest.mark.parametrize("name", ["Powell badly scaled", "Meyer", "Osborne 1"])
def test_scaled_parameters_may_have_any_units(name: str) -> None:
    function = BY_NAME[name]
    units = 2.0 ** torch.arange(-20, -20 + 11 * len(function.start), 11)  # powers of two do not round

    def in_units(y: Tensor) -> Tensor:
        return function.residuals(y * units)

    one, two = least_squares(function.residuals, function.point()), least_squares(in_units, function.point() / units)
    assert torch.equal(one.parameters, two.parameters * units)
    assert (one.steps, one.residual_evaluations) == (two.steps, two.residual_evaluations)
    plain = least_squares(in_units, function.point() / units, scaled=False, steps=one.steps)
    assert not torch.equal(plain.parameters, two.parameters)


# forms of input

A, B = normal(30, 6, seed=3), normal(30, seed=4)
SOLUTION = torch.linalg.lstsq(A, B[:, None]).solution[:, 0]


def test_a_dict_of_tensors_of_any_shape_comes_back_in_its_form() -> None:
    start = {"slope": torch.zeros(2, 2, dtype=F64), "rest": torch.zeros(2, dtype=F64)}
    before = {name: values.clone() for name, values in start.items()}

    def residuals(at: dict[str, Tensor]) -> dict[str, Tensor]:
        misfit = A @ torch.cat([at["slope"].reshape(-1), at["rest"]]) - B
        return {"first": misfit[:10].reshape(2, 5), "second": misfit[10:]}

    found = least_squares(residuals, start)
    assert found.converged
    assert list(found.parameters) == ["slope", "rest"]
    assert found.parameters["slope"].shape == (2, 2)
    assert torch.allclose(as_vector(found.parameters), SOLUTION, rtol=1e-10)
    assert found.residuals.shape == (30,)
    assert all(torch.equal(start[name], before[name]) for name in start)


def test_a_tensor_of_any_shape_and_one_that_requires_a_gradient() -> None:
    start = torch.zeros(3, 2, dtype=F64, requires_grad=True)
    found = least_squares(lambda x: (A @ x.reshape(-1) - B).reshape(5, 6), start)
    assert found.parameters.shape == (3, 2)
    assert torch.allclose(found.parameters.reshape(-1), SOLUTION, rtol=1e-10)
    assert not found.parameters.requires_grad
    assert not found.residuals.requires_grad
    assert start.grad is None
    assert not start.any()


def test_one_number_is_a_parameter() -> None:
    found = least_squares(lambda x: torch.stack([x - 2, x - 4]), torch.tensor(0.0, dtype=F64))
    assert found.parameters.shape == ()
    assert float(found.parameters) == pytest.approx(3)
    assert found.loss == pytest.approx(2)


def test_fewer_residuals_than_parameters() -> None:
    def residuals(x: Tensor) -> Tensor:
        return torch.stack([x[0] ** 2 + x[1] + x[2] - 3, torch.sin(x[0]) * x[3] + x[4] ** 3 - 1])

    found = least_squares(residuals, vector(0.1, 0.2, 0.3, 0.4, 0.5))
    assert found.converged
    assert found.loss < 1e-25


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_jacobian_of_ones_own_leads_the_same_way(as_dict: bool) -> None:
    function, calls = BY_NAME["Kowalik-Osborne"], []

    def derived(x: Tensor) -> Tensor:
        calls.append(x)
        return torch.func.jacfwd(function.residuals)(x)

    plain = least_squares(function.residuals, function.point())
    if as_dict:
        own = least_squares(
            lambda at: function.residuals(at["x"]), {"x": function.point()}, jacobian=lambda at: {"x": derived(at["x"])}
        ).parameters["x"]
    else:
        own = least_squares(function.residuals, function.point(), jacobian=derived).parameters
    assert torch.equal(own, plain.parameters)
    assert len(calls) == plain.jacobian_evaluations


def test_residuals_that_torch_cannot_differentiate_do_with_their_own_jacobian() -> None:
    def residuals(x: Tensor) -> Tensor:
        return torch.from_numpy(A.numpy() @ x.numpy() - B.numpy())

    found = least_squares(residuals, torch.zeros(6, dtype=F64), jacobian=lambda x: A)
    assert torch.allclose(found.parameters, SOLUTION, rtol=1e-10)
    with pytest.raises(InputError, match="torch cannot differentiate them"):
        least_squares(residuals, torch.zeros(6, dtype=F64))


def curved(x: Tensor) -> Tensor:
    return torch.cat([rosenbrock(x), x.sin()])


def nested(x: Tensor) -> Tensor:
    """`curved` with a derivative inside, by autograd, which `torch.func` does not reach."""
    with torch.enable_grad():
        at = x if x.requires_grad else x.detach().requires_grad_()
        (cosine,) = torch.autograd.grad(-at.cos().sum(), at, create_graph=True)
    return torch.cat([rosenbrock(at), cosine])


def numbered(x: Tensor) -> Tensor:
    """`curved`, asking for a number on the way."""
    return curved(x) if float(x.detach().sum()) < 1e9 else curved(x) + 1


@pytest.mark.parametrize("function", [nested, numbered])
def test_what_torch_func_cannot_do_is_done_row_by_row(function: Callable[[Tensor], Tensor]) -> None:
    assert torch.allclose(function(vector(*START)), curved(vector(*START)))
    one, two = least_squares(curved, vector(*START)), least_squares(function, vector(*START))
    assert torch.allclose(one.parameters, two.parameters, rtol=1e-6)
    assert two.converged


def test_a_forward_mode_that_misses_something_is_not_used() -> None:
    class Square(torch.autograd.Function):
        """Its derivative in forward mode is wrong."""

        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return x**2

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        generate_vmap_rule = True

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return 2 * ctx.saved_tensors[0] * gradient

        @staticmethod
        def jvp(ctx: Any, tangent: Tensor) -> Tensor:
            return -5 * tangent

    found = least_squares(lambda x: torch.stack([10 * (x[1] - Square.apply(x)[0]), 1 - x[0]]), vector(*START))
    assert found.converged
    assert found.parameters.tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_precision_is_that_of_the_parameters(dtype: torch.dtype) -> None:
    found = least_squares(rosenbrock, vector(*START, dtype=dtype))
    assert found.converged
    assert found.parameters.dtype == found.residuals.dtype == dtype
    assert found.parameters.tolist() == pytest.approx([1, 1], rel=100 * torch.finfo(dtype).eps)


def test_mixed_precision_reaches_the_same_minimum_another_way() -> None:
    function = BY_NAME["Osborne 2"]
    one, two = (least_squares(function.residuals, function.point(), mixed_precision=mixed) for mixed in (False, True))
    assert not torch.equal(one.parameters, two.parameters)
    assert two.loss == pytest.approx(one.loss, rel=1e-10)


def scaled_by_floats(x: Tensor) -> Tensor:
    return torch.stack([10.0 * (x[1] - x[0] ** 2), (1.0 - x[0]) / 2.5, 0.5 * x[0] - 0.5])


def test_single_precision_with_numbers_of_python() -> None:
    found = least_squares(scaled_by_floats, vector(*START, dtype=torch.float32))
    assert found.converged
    assert found.parameters.dtype == torch.float32
    assert found.parameters.tolist() == pytest.approx([1, 1], rel=1e-4)


@pytest.mark.parametrize("parameters", [31, 33, 70])
def test_the_derivatives_taken_in_parts_are_those_of_the_whole(parameters: int) -> None:
    mix = normal(80, parameters, seed=5)

    def residuals(x: Tensor) -> Tensor:
        return torch.tanh(mix @ x) - 0.1 + mix @ x / 10

    start = normal(parameters, seed=6) / 10
    for rows in (slice(None), slice(parameters // 2)):  # in forward mode and in reverse
        own = least_squares(
            lambda x, rows=rows: residuals(x)[rows],
            start,
            jacobian=torch.func.jacrev(lambda x, rows=rows: residuals(x)[rows]),
        )
        found = least_squares(lambda x, rows=rows: residuals(x)[rows], start)
        assert found.converged
        assert torch.allclose(found.parameters, own.parameters, atol=1e-8)


def test_what_the_functions_do_to_their_argument_changes_nothing() -> None:
    def residuals(at: dict[str, Tensor]) -> Tensor:
        found = rosenbrock(at["x"])
        at["more"] = found
        return found

    def destroyed(x: Tensor) -> Tensor:
        return rosenbrock(x.mul_(2))

    def callback(number: int, loss: float, at: dict[str, Tensor]) -> None:
        at["x"].zero_()
        at.clear()

    plain = least_squares(rosenbrock, vector(*START))
    found = least_squares(residuals, {"x": vector(*START)}, callback=callback)
    assert list(found.parameters) == ["x"]
    assert torch.equal(found.parameters["x"], plain.parameters)
    found_in_place = least_squares(destroyed, vector(*START) / 2)
    assert (2 * found_in_place.parameters).tolist() == pytest.approx([1, 1])


def test_a_parameter_that_nothing_depends_on_is_named(caplog: pytest.LogCaptureFixture) -> None:
    found = least_squares(lambda x: rosenbrock(x[:2]), vector(*START, 5))
    assert found.parameters.tolist() == pytest.approx([1, 1, 5])
    assert "no residual changes with parameters at 2, as far as torch can see" in caplog.text
    least_squares(lambda at: rosenbrock(at["x"]), {"x": vector(*START), "idle": vector(1)})
    assert "no residual changes with parameters of 'idle', as far as" in caplog.text


@pytest.mark.first(1)
@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_sketch_reaches_the_minimum_though_residuals_do_not_vanish(noise: float, mixed: bool) -> None:
    a = normal(160, 24, seed=0)
    b = a.sum(dim=1) + noise * normal(160, seed=1)
    found = least_squares(lambda x: a @ x - b, torch.zeros(24, dtype=F64), sketch=8, mixed_precision=mixed)
    assert found.converged, found.reason
    assert found.loss == pytest.approx(float((a @ torch.linalg.lstsq(a, b[:, None]).solution[:, 0] - b).square().sum()))


def test_a_sketch_lowers_the_loss_and_its_seed_counts() -> None:
    target = normal(16, seed=1)

    def residuals(x: Tensor) -> Tensor:
        return torch.cat([torch.sinh(x) - target, 0.1 * (x[1:] - x[:-1])])

    whole = least_squares(residuals, torch.zeros(16, dtype=F64))
    seen = [least_squares(residuals, torch.zeros(16, dtype=F64), sketch=4, steps=20, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(seen[0].parameters, seen[1].parameters)
    assert not torch.equal(seen[0].parameters, seen[2].parameters)
    assert whole.loss < seen[0].loss < 0.1 * float(residuals(torch.zeros(16, dtype=F64)).square().sum())
    again = least_squares(residuals, whole.parameters, sketch=4, gradient_tolerance=0)
    assert again.converged
    assert again.reason.startswith(f"in {FAILURES} random subspaces in a row no step promises to lower the loss")
    wrong = least_squares(
        residuals, torch.zeros(16, dtype=F64), sketch=4, jacobian=lambda x: -torch.func.jacrev(residuals)(x)
    )
    assert not wrong.converged
    assert wrong.reason.startswith(f"in {FAILURES} random subspaces in a row no step lowers the loss, though")


# ends


def ended(residuals: Any = rosenbrock, start: Tensor | None = None, **options: Any) -> tuple[bool, str]:
    found = least_squares(residuals, vector(*START) if start is None else start, **options)
    return found.converged, found.reason


def test_steps_end_it_without_convergence() -> None:
    found = least_squares(rosenbrock, vector(*START), steps=2)
    assert (found.steps, found.jacobian_evaluations, found.converged) == (2, 2, False)
    assert found.reason == "all 2 steps done"
    assert 0 < found.loss < float(rosenbrock(vector(*START)).square().sum())


def test_each_tolerance_ends_it_by_its_own_reason() -> None:
    bard = BY_NAME["Bard"]
    none: dict[str, Any] = {"gradient_tolerance": 0.0, "step_tolerance": 0.0, "loss_tolerance": 0.0}
    whole = least_squares(bard.residuals, bard.point(), **none)
    for name, value, reason in (
        ("gradient_tolerance", 1e-3, "the gradient vanishes"),
        ("step_tolerance", 1e-2, "a step changes the parameters by less than 1.0e-02 of them"),
        ("loss_tolerance", 1e-2, "no step promises to lower the loss by 1.0e-02 of it"),
    ):
        found = least_squares(bard.residuals, bard.point(), **{**none, name: value})
        assert found.converged
        assert found.reason.startswith(reason)
        assert found.steps < whole.steps
        assert found.loss == pytest.approx(bard.minima[0], rel=0.05)
    assert whole.converged
    assert whole.loss == pytest.approx(bard.minima[0], rel=1e-10)


def test_residuals_that_vanish_or_do_not_change() -> None:
    assert ended(start=vector(1, 1)) == (True, "the residuals vanish at the start")
    converged, reason = ended(BY_NAME["Powell singular"].residuals, vector(3, -1, 0, 1))
    assert (converged, reason) == (True, "the residuals vanish, to the rounding of the parameters")
    converged, reason = ended(lambda x: 1 + 0 * x)
    assert converged
    assert reason.startswith("the gradient vanishes")


@pytest.mark.parametrize(
    ("residuals", "start", "dtype"),
    [
        (lambda x: torch.exp(x) - 1, 20.0, torch.float32),
        (lambda x: torch.exp(x) - 1, 100.0, F64),
        (lambda x: x**4 - 1, 300.0, torch.float32),
        (lambda x: torch.sinh(x) - 1e-3, 50.0, F64),
    ],
)
def test_huge_residuals_at_the_start_do_not_excuse_large_ones(
    residuals: Callable[[Tensor], Tensor], start: float, dtype: torch.dtype
) -> None:
    found = least_squares(residuals, vector(start, dtype=dtype))
    assert found.converged, found.reason
    assert found.loss < 100 * torch.finfo(dtype).eps ** 1.3


def test_a_wrong_jacobian_is_not_called_convergence() -> None:
    converged, reason = ended(jacobian=lambda x: -torch.func.jacrev(rosenbrock)(x))
    assert not converged
    assert reason == "no step lowers the loss, though the Jacobian promises to: it is wrong, or the residuals are rough"


def test_steps_end_where_the_function_is_defined() -> None:
    found = least_squares(lambda x: torch.stack([torch.log(x[0]), 0.1 * (x[1] - 1)]), vector(50, -3))
    assert found.converged
    assert found.parameters.tolist() == pytest.approx([1, 1])


def test_a_jacobian_that_is_not_finite_on_the_way_ends_it() -> None:
    def jacobian(x: Tensor) -> Tensor:
        return torch.func.jacrev(rosenbrock)(x) * (1 if x[0] < -1.1 else math.nan)

    converged, reason = ended(jacobian=jacobian)
    assert not converged
    assert reason == "the Jacobian is NaN or Inf where the search has come to"


def test_the_callback_sees_each_step_and_may_end_it() -> None:
    seen: list[tuple[int, float, list[float]]] = []

    def callback(number: int, loss: float, x: Tensor) -> bool:
        seen.append((number, loss, x.tolist()))
        return number == 3

    found = least_squares(rosenbrock, vector(*START), callback=callback)
    assert [number for number, _, _ in seen] == [1, 2, 3]
    assert (found.steps, found.converged, found.reason) == (3, False, "stopped by the callback")
    assert seen[-1][1:] == (found.loss, found.parameters.tolist())


# refusals


class Shrinking:
    """Residuals that become fewer."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x if self.calls == 1 else x[:1]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a list": ({"parameters": [1.0, 2.0]}, "parameters: expected a tensor or a dict of tensors, got"),
    "whole numbers": ({"parameters": torch.tensor([1, 2])}, "parameters: expected float64 or float32, got torch.int64"),
    "half precision": ({"parameters": torch.ones(2, dtype=torch.float16)}, "got torch.float16"),
    "complex": ({"parameters": torch.ones(2, dtype=torch.complex128)}, "got torch.complex128"),
    "no parameters": ({"parameters": torch.ones(0, dtype=F64)}, "parameters: there are none"),
    "no tensors": ({"parameters": {}}, "parameters: there are none"),
    "NaN": ({"parameters": {"a": vector(1), "b": vector(math.nan)}}, "parameters of 'b': NaN or Inf at the start"),
    "precisions": (
        {"parameters": {"a": vector(1), "b": torch.ones(1)}},
        "one precision and one device, got torch.float64 on cpu and torch.float32 on cpu",
    ),
    "devices": (
        {"parameters": {"a": vector(1), "b": 3.0}},
        "parameters of 'b': expected a tensor or a dict of tensors, got 3.0",
    ),
    "no residuals": ({"residuals": lambda x: x[:0]}, "residuals: there are none"),
    "an empty dict": ({"residuals": lambda x: {}}, "residuals: expected a tensor or a dict of tensors"),
    "numbers": ({"residuals": lambda x: [1.0]}, "residuals: expected a tensor or a dict of tensors, got list"),
    "NaN residuals": ({"residuals": lambda x: x * math.nan}, "residuals: NaN or Inf at the start"),
    "NaN slopes": (
        {"residuals": lambda x: 1 + torch.sqrt(x - x)},
        "Jacobian of the residuals is NaN or Inf at the start",
    ),
    "other precision": ({"residuals": lambda x: x.float()}, "residuals: expected torch.float64 on cpu like"),
    "shape": ({"jacobian": lambda x: torch.ones(2, 3, dtype=F64)}, r"jacobian: expected \(2, 2\).*got \(2, 3\)"),
    "names": ({"jacobian": lambda x: {"y": x}}, "jacobian: expected one tensor, got a dict of 'y'"),
    "slopes' precision": ({"jacobian": lambda x: torch.ones(2, 2)}, "jacobian: expected .*float64.*got .*float32"),
    "steps": ({"steps": 0}, "steps: .*greater than 0, got 0"),
    "steps are no truth": ({"steps": True}, "steps: .*got True"),
    "ratio": ({"ratio": 1.0}, "ratio: .*less than 1, got 1.0"),
    "corrections": ({"corrections": -1}, "corrections: .*got -1"),
    "acceleration": ({"acceleration": 1}, "acceleration: .*got 1"),
    "other numbers": ({"residuals": Shrinking()}, "residuals: expected 2 as at the start, got 1"),
    "turned": ({"jacobian": lambda x: torch.ones(2, 2, 1, dtype=F64)}, r"jacobian: expected \(2, 2\).*got \(2, 2, 1\)"),
    "numbers of parameters": (
        {"residuals": lambda x: vector(x[0].item() - 3, x[1].item())},
        r"as far as torch can see they do not depend on the parameters.* give their jacobian=",
    ),
    "cut off": ({"residuals": lambda x: x.detach() - 3}, "as far as torch can see they do not depend"),
    "tiny": ({"residuals": lambda x: 1e-170 * x}, "residuals: too small to be squared at the start"),
    "huge": ({"residuals": lambda x: 1e170 * x}, "residuals: .*too large to be squared"),
    "sparse": ({"parameters": vector(1, 2).to_sparse()}, "parameters: expected a dense tensor with values"),
    "meta": ({"parameters": vector(1, 2).to("meta")}, "parameters: expected a dense tensor with values"),
    "sketch": ({"sketch": 0}, "sketch: .*got 0"),
    "scaled": ({"scaled": "yes"}, "scaled: expected True or False, got 'yes'"),
    "seed": ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
    "gradient_tolerance": ({"gradient_tolerance": -1e-3}, "gradient_tolerance: expected a number of at least 0"),
    "step_tolerance": ({"step_tolerance": math.nan}, "step_tolerance: expected a number"),
    "loss_tolerance": ({"loss_tolerance": "small"}, "loss_tolerance: expected a number"),
    "mixed": ({"parameters": torch.ones(2), "mixed_precision": True}, "mixed_precision has no effect on float32"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_clear_message(name: str) -> None:
    changes, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        least_squares(**{"residuals": lambda x: x**2 - 2, "parameters": vector(1, 2), **changes})


def test_devices_are_not_mixed() -> None:
    with pytest.raises(InputError, match=r"got torch\.float64 on cpu and torch\.float64 on meta"):
        least_squares(lambda at: at["a"], {"a": vector(1), "b": vector(1).to("meta")})


def test_an_error_in_the_function_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        least_squares(lambda x: x * (1 / 0), vector(1, 2))


# one step as a function


@dataclasses.dataclass(frozen=True)
class Plain:
    """Residuals of one tensor x, as the trust region and the stage see them."""

    of: Callable[[Tensor], Tensor]
    seed: int = 0
    annealing: bool = False
    stochastic: bool = False
    keeps_points: bool = True

    def residuals(self, parameters: dict[str, Tensor]) -> Tensor:
        return self.of(parameters["x"].detach())

    def linearise(self, parameters: dict[str, Tensor]) -> Any:
        x = parameters["x"].detach()
        known = Known(self.of(x), torch.func.jacrev(self.of)(x).T.contiguous().T)
        return dataclasses.make_dataclass("Named", ["losses", "rows", "residuals", "jacobian"])(
            {"loss": known.residuals.square().mean()}, {"loss": slice(0, 99)}, known.residuals, known.jacobian
        )


def test_a_step_changes_nothing_that_it_was_given() -> None:
    target, parameters = Plain(rosenbrock), {"x": vector(*START)}
    options = Options(Rules(0.075, True, 3), scaled=True)
    at = target.linearise(parameters)
    once, state, info = step(target, at, parameters, init(), options)
    assert init() == stepping.State()
    assert parameters["x"].tolist() == list(START)
    assert info.found is not None
    assert float(rosenbrock(once["x"]).square().sum()) == info.found.loss < info.loss
    assert (state.number, state.damping) == (1, info.found.damping)
    kept = state.units.clone() if state.units is not None else None
    for field in dataclasses.fields(state):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(state, field.name, None)
    # from the same values it is the same step, as often as one likes
    after = [step(target, target.linearise(once), once, state, options) for _ in range(2)]
    assert torch.equal(after[0][0]["x"], after[1][0]["x"])
    assert after[0][1].damping == after[1][1].damping
    assert state.units is not None
    assert kept is not None
    assert torch.equal(state.units, kept)
    assert bool((after[0][1].units >= state.units).all())  # type: ignore[operator]


def test_the_stage_is_made_of_the_same_steps() -> None:
    target, leaf = Plain(BY_NAME["Wood"].residuals), {"x": BY_NAME["Wood"].point().requires_grad_()}
    optimiser, options = GaussNewton().start(leaf), Options(Rules(0.075, True, 3))
    here, state = {"x": BY_NAME["Wood"].point()}, init()
    for number in range(12):
        optimiser.advance(target, number, 1)  # type: ignore[arg-type]
        here, state, _ = step(target, target.linearise(here), here, state, options)
        assert torch.equal(here["x"], leaf["x"])
    assert state.damping == optimiser.state()["damping"]


def test_damping_does_not_fall_where_it_has_no_effect() -> None:
    """Or it could not come back: without a limit this ended far above the minimum."""
    wood = BY_NAME["Wood"]
    found = least_squares(wood.residuals, wood.point(), corrections=0)
    assert found.loss < 1e-20
    rules = Rules(0.075, True, 0, worth=1e-15)
    here, state = {"x": vector(0, 0)}, init()
    target = Plain(lambda x: torch.cat([x - vector(1, 2), vector(1)]))
    for _ in range(10):
        here, state, _ = step(target, target.linearise(here), here, state, Options(rules))
    assert state.damping is not None
    assert state.damping > 1e-12


# the benchmark


def test_the_benchmark_prints_a_table_and_writes_json(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "fits.json"
    names = ["Rosenbrock", "Freudenstein-Roth"]
    with pytest.raises(SystemExit) as caught:
        main(["bench", "least_squares", *(f"--function={name}" for name in names), "--json", str(file)])
    out, err = capfd.readouterr()
    assert (caught.value.code, err) == (0, "")
    lines = out.splitlines()
    assert [line[:17].strip() for line in lines[2:4]] == names
    assert "4.89843e+01~" in lines[3]
    assert lines[4].startswith("minima, evaluations")
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    for row in rows:
        assert (row["parameters"], row["residuals"]) == (2, 2)
        assert list(row["fits"]) == ["pinnreg", "trf", "lm"]
        ours = row["fits"]["pinnreg"]
        found = least_squares(BY_NAME[row["function"]].residuals, BY_NAME[row["function"]].point())
        assert (ours["residuals"], ours["jacobians"]) == (found.residual_evaluations, found.jacobian_evaluations)
        for fit in row["fits"].values():
            assert fit["minimum"]
            assert fit["least"] == (row["function"] == "Rosenbrock")
            assert f"{fit['residuals']:5} {fit['jacobians']:3}" in lines[2 + names.index(row["function"])]


def test_an_unknown_function_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", "least_squares", "--function", "Rosenbrok"])
    assert caught.value.code == 2
    assert "did you mean 'Rosenbrock'?" in capfd.readouterr().err
