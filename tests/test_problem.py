"""Problems: their parameters and definition are checked once, at construction; their terms have names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from pinnreg import Box, InputError, Problem, dirichlet, initial, measurements, neumann, periodic, robin
from pinnreg.equations import Condition, named_conditions, reference_of
from pinnreg.equations.field import FIELD_ATTRIBUTES


@dataclass(frozen=True)
class Sample(Problem):
    """One parameter of each kind that problem files use."""

    nu: PositiveFloat = 0.1
    shift: float = 0.0
    mode: PositiveInt = 1
    count: int = 3
    source: NonNegativeFloat = 0.0
    dimension: Literal[1, 2] = 1
    shape: str = "round"
    upwind: bool = False
    centre: tuple[float, ...] = (0.0, 0.0)
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = property(lambda self: (dirichlet(self.nu, "x"), initial(self.nu)))

    def residual(self, u: Any) -> Any:
        return u.t


def defined(**members: Any) -> Problem:
    """An instance of a problem class with the given class attributes."""
    body = {"residual": lambda self, u: u.x, "domain": Box(x=(0, 1), t=(0, 1)), **members}
    return dataclass(frozen=True)(type("Local", (Problem,), body))()


def test_good_parameters_are_kept_and_converted() -> None:
    sample = Sample(nu=1, shift=-2, mode=4, count=0, dimension=2, shape="square", upwind=True, centre=[1, 2])
    assert (sample.nu, type(sample.nu)) == (1.0, float)
    assert (sample.shift, type(sample.shift)) == (-2.0, float)
    assert sample.centre == (1.0, 2.0)
    assert (sample.mode, sample.count, sample.dimension, sample.shape, sample.upwind) == (4, 0, 2, "square", True)
    assert [type(v) for v in (Sample(nu=np.float64(2)).nu, Sample(mode=np.int64(2)).mode)] == [float, int]
    assert Sample() == Sample(nu=0.1)
    assert hash(Sample()) == hash(Sample(nu=0.1))
    assert Sample(nu=0.2) != Sample()
    with pytest.raises(FrozenInstanceError):
        sample.nu = 3.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nu": 0.0}, r"problem Sample: nu: .*greater than 0, got 0\.0"),
        ({"nu": -1.0}, "nu: .*greater than 0"),
        ({"nu": math.nan}, "nu: "),
        ({"nu": math.inf}, "nu: "),
        ({"shift": math.nan}, "shift: .*finite"),
        ({"shift": -math.inf}, "shift: .*finite"),
        ({"source": math.nan}, "source: "),
        ({"centre": (0.0, math.nan)}, "centre: "),
        ({"nu": "much"}, "nu: .*got 'much'"),
        ({"nu": None}, "nu: "),
        ({"nu": True}, "nu: expected a number, got true"),
        ({"shift": False}, "shift: expected a number, got false"),
        ({"mode": True}, "mode: expected a number, got true"),
        ({"count": False}, "count: expected a number, got false"),
        ({"dimension": True}, "dimension: expected a number, got true"),
        ({"mode": 0}, "mode: .*greater than 0"),
        ({"mode": -2}, "mode: .*greater than 0"),
        ({"mode": 1.5}, "mode: .*integer.*got 1.5"),
        ({"dimension": 3}, "dimension: .*1 or 2"),
        ({"shape": 3}, "shape: .*string"),
        ({"upwind": "perhaps"}, "upwind: "),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sample(**parameters)


@given(
    st.one_of(
        st.integers(-5, 5),
        st.floats(-1e9, 1e9),
        st.just(math.inf),
        st.just(math.nan),
        st.booleans(),
        st.none(),
        st.text(max_size=3),
    )
)
def test_a_positive_integer_is_one_or_refused(value: Any) -> None:
    try:
        mode = Sample(mode=value).mode
    except InputError:
        # what is refused is none: no integer, not even written as a float or as text
        assert isinstance(value, bool) or not _is_positive_integer(value)
    else:
        assert type(mode) is int
        assert mode > 0
        assert mode == float(value)


def _is_positive_integer(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0 and value == int(value)


def test_conditions_and_domain_may_depend_on_parameters() -> None:
    first, _ = named_conditions(Sample(nu=0.7))
    assert first.value == 0.7  # type: ignore[union-attr]
    assert [c.value for c in named_conditions(Sample())] == [0.1, 0.1]  # type: ignore[union-attr]


def test_class_attributes_are_no_parameters() -> None:
    names = {field.name for field in fields(Sample)}
    assert names == {"nu", "shift", "mode", "count", "source", "dimension", "shape", "upwind", "centre"}
    with pytest.raises(TypeError):
        Sample(domain=Box(x=(0, 2)))  # type: ignore[call-arg]


@pytest.mark.parametrize("name", sorted(FIELD_ATTRIBUTES))
def test_an_axis_that_means_something_on_a_field_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"problem Local: the axis name {name!r} means something else"):
        defined(domain=Box(**{name: (0, 1)}))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"domain": (0, 1)}, "`domain` must be a domain"),
        ({"domain": None}, "`domain` must be a domain"),
        ({"outputs": "uv"}, "`outputs` must be a tuple of names.*'uv'"),
        ({"outputs": ()}, "`outputs` must be a tuple of names"),
        ({"outputs": ("u v",)}, "`outputs` must be a tuple of names"),
        ({"outputs": (1,)}, "`outputs` must be a tuple of names"),
        ({"outputs": ("u", "u")}, "'u' names two things"),
        ({"outputs": ("u", "x")}, "'x' names two things"),
        ({"outputs": ("points",)}, "'points' names two things"),
        ({"domain": Box(points=(0, 1))}, "'points' names two things"),
        ({"conditions": dirichlet(0.0)}, "with a comma"),
        ({"conditions": (dirichlet(0.0)), "outputs": ("u",)}, "with a comma"),
        ({"conditions": (0.0,)}, r"expected dirichlet\(...\).*got 0.0"),
        ({"conditions": (dirichlet,)}, r"expected dirichlet\(...\)"),
        ({"conditions": None}, "`conditions` must be a tuple"),
        ({"conditions": (dirichlet(0.0, of="w"),)}, "unknown output of a dirichlet condition: 'w'.*known: u"),
        ({"conditions": (periodic("x", of="w"),)}, "unknown output of a periodic condition: 'w'"),
        ({"conditions": (dirichlet(0.0),), "outputs": ("u", "v")}, "a dirichlet condition must say.*of='u' | 'v'"),
        ({"conditions": (measurements([[0.5, 0.5]], [1.0]),), "outputs": ("u", "v")}, "a measurements condition must"),
        ({"conditions": (dirichlet(0.0, name="a"), neumann(0.0, name="a"))}, "two loss terms are named 'a'"),
        ({"conditions": (initial(0.0), dirichlet(0.0, name="initial"))}, "two loss terms are named 'initial'"),
        ({"conditions": (dirichlet(0.0, name="residual"),)}, "two loss terms are named 'residual'"),
        ({"conditions": (dirichlet(0.0, "y"),)}, "unknown face 'y'"),
        ({"conditions": (periodic("y"),)}, "'y'"),
        ({"conditions": (initial(0.0),), "domain": Box(x=(0, 1))}, "no axis 't'"),
        ({"conditions": (measurements([[2.0, 0.5]], [1.0]),)}, "'measurements': 1 points lie outside"),
    ],
)
def test_an_inconsistent_definition_is_refused(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        defined(**members)


def test_time_must_stand_last() -> None:
    with pytest.raises(InputError, match="must stand last"):
        defined(domain=property(lambda self: Box(t=(0, 1), x=(0, 1))))


def test_a_problem_without_a_domain_or_residual_or_decorator_is_refused() -> None:
    with pytest.raises(InputError, match="`domain` must be a domain"):
        dataclass(frozen=True)(type("Local", (Problem,), {"residual": lambda self, u: u}))()
    with pytest.raises(TypeError, match="residual"):
        dataclass(frozen=True)(type("Local", (Problem,), {"domain": Box(x=(0, 1))}))()
    undecorated = type("Local", (Problem,), {"residual": lambda self, u: u, "domain": Box(x=(0, 1))})
    with pytest.raises(InputError, match="problem Local: decorate the class with @dataclass"):
        undecorated()


def names(*conditions: Condition, outputs: tuple[str, ...] = ("u",)) -> list[str]:
    return [c.name for c in named_conditions(defined(conditions=conditions, outputs=outputs))]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (names, []),
        (lambda: names(dirichlet(0.0), initial(0.0)), ["dirichlet", "initial"]),
        (
            lambda: names(neumann(0.0, "x"), robin(1, 1, 0), periodic("x"), measurements([[0, 0]], [0])),
            ["neumann", "robin", "periodic", "measurements"],
        ),
        (lambda: names(initial(0.0), initial(0.0, order=1)), ["initial", "initial_2"]),
        (lambda: names(*(dirichlet(0.0, "x") for _ in range(3))), ["dirichlet", "dirichlet_2", "dirichlet_3"]),
        (lambda: names(dirichlet(0.0, name="wall"), dirichlet(0.0)), ["wall", "dirichlet"]),
        (
            lambda: names(dirichlet(0.0, of="u"), dirichlet(0.0, of="v"), outputs=("u", "v")),
            ["dirichlet_u", "dirichlet_v"],
        ),
        (
            lambda: names(dirichlet(0.0, of="u"), initial(0.0, of="u"), initial(0.0, of="v"), outputs=("u", "v")),
            ["dirichlet", "initial_u", "initial_v"],
        ),
        (
            lambda: names(*(dirichlet(0.0, of="u"),) * 2, dirichlet(0.0, of="v"), outputs=("u", "v")),
            ["dirichlet_u", "dirichlet_u_2", "dirichlet_v"],
        ),
        (lambda: names(periodic("x"), outputs=("u", "v")), ["periodic"]),
    ],
)
def test_terms_are_named_after_their_kind_and_what_tells_them_apart(
    found: Callable[[], list[str]], expected: list[str]
) -> None:
    assert found() == expected


@given(
    st.lists(
        st.tuples(st.sampled_from([dirichlet, initial, neumann]), st.sampled_from("uvw"), st.sampled_from(["", "a"])),
        max_size=8,
    )
)
def test_names_are_always_different(chosen: list[tuple[Callable[..., Condition], str, str]]) -> None:
    # at most one condition keeps the given name
    seen: set[str] = set()
    conditions = []
    for make, of, name in chosen:
        conditions.append(make(0.0, of=of, name="" if name in seen else name))
        seen.add(name)
    found = names(*conditions, outputs=("u", "v", "w"))
    assert len(set(found)) == len(found) == len(chosen)
    kinds = [c.kind for c in conditions]
    assert all(name == "a" or name.startswith(kind) for name, kind in zip(found, kinds, strict=True))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"conditions": dirichlet(0.0)}, r"must be a tuple: write conditions = \(...,\) .*got a dirichlet condition$"),
        ({"conditions": (dirichlet,)}, r"expected dirichlet\(...\).*got the function dirichlet$"),
        ({"conditions": (lambda u: u,)}, r"got a lambda; condition\(lambda u: ...\) makes one of it"),
        ({"condition": (dirichlet(0.0),)}, "`condition` is nothing that a problem has; did you mean `conditions`"),
        ({"default": {}}, "did you mean `defaults`"),
        ({"output": ("u",)}, "did you mean `outputs`"),
        ({"references": lambda self: None}, "did you mean `reference`"),
        ({"residual": lambda u, x: u.x}, r"`residual` has the first parameter 'u'; .* def residual\(self, ...\)"),
        ({"reference": lambda: None}, "`reference` has no parameter"),
    ],
)
def test_a_class_that_was_not_written_as_meant_is_refused(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        defined(**members)


def test_helpers_may_have_names_near_to_those_of_a_problem() -> None:
    near = {"condition": lambda self: dirichlet(0.0), "load": 1.0, "mean": 0.0, "residual_at": lambda self: 0.0}
    found = defined(conditions=(dirichlet(0.0),), **near)
    assert len(found.conditions) == 1


def test_the_single_output_is_filled_in_but_periodicity_is_of_all() -> None:
    (first,) = named_conditions(defined(conditions=(dirichlet(0.0),), outputs=("h",)))
    assert first.of == "h"
    (both,) = named_conditions(defined(conditions=(periodic("x"),), outputs=("u", "v")))
    assert both.of is None


def test_the_problem_s_own_conditions_are_not_changed() -> None:
    condition = dirichlet(0.0)
    named_conditions(defined(conditions=(condition,)))
    assert (condition.name, condition.of) == ("", None)


def test_a_reference_may_be_missing_or_a_function() -> None:
    assert reference_of(defined()) is None
    found = reference_of(defined(reference=lambda self: lambda x, t: x + 10 * t))
    assert found is not None
    axes = {"x": np.linspace(0, 1, 3), "t": np.linspace(0, 1, 4)}
    assert np.array_equal(found.solve(axes).values["u"], axes["x"][:, None] + 10 * axes["t"])
    with pytest.raises(InputError):
        reference_of(defined(reference=lambda self: 3.0))


def test_a_residual_method_s_result_is_not_needed_to_define_a_problem() -> None:
    def residual(self: Problem, u: Any) -> Any:
        raise AssertionError("the residual must not run before there are points")

    assert isinstance(defined(residual=residual), Problem)
    assert torch.is_grad_enabled()
