"""Closed forms, what a problem may return as its reference, and data files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pinnreg.errors import InputError
from pinnreg.reference import Reference, as_reference, closed_form, from_file

X = np.linspace(0, 1, 7)
T = np.linspace(0, 2, 5)
AXES = {"x": X, "t": T}


def test_arguments_are_matched_by_name_not_by_position():
    values = closed_form(lambda t, x: x + 10 * t).solve(AXES).values["u"]
    assert np.array_equal(values, X[:, None] + 10 * T)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x**2, np.repeat(X[:, None] ** 2, 5, axis=1)),
        (lambda: 3, np.full((7, 5), 3.0)),
        (lambda *axes: sum(axes), X[:, None] + T),
        (lambda x, /, nu=2.0, *, t: nu * x * t, 2 * X[:, None] * T),
        (lambda x, t=100.0: x + t, X[:, None] + T),
        (lambda x, **_: x + np.zeros(5), np.repeat(X[:, None], 5, axis=1)),
    ],
    ids=["one axis", "constant", "all axes", "default kept", "default of an axis", "keywords"],
)
def test_a_closed_form_is_broadcast_to_the_grid(function, expected):
    solved = closed_form(function).solve(AXES)
    assert solved.values["u"].dtype == np.float64
    assert np.array_equal(solved.values["u"], expected)
    assert solved.error_estimate == np.finfo(float).eps


def test_a_dict_gives_several_outputs_and_an_independent_solve_is_kept():
    inner = closed_form(lambda x: x)
    found = closed_form({"u": lambda x: x, "v": lambda t: t}, scipy=inner)
    assert found.kind == "closed form"
    assert found.scipy is inner
    assert list(found.solve(AXES).values) == ["u", "v"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda y: y, r"'y'.*known: x, t"),
        (lambda x, *rest: x, r"\*args"),
        (lambda x: np.zeros(3), r"shape \(3,\).*\(7, 5\)"),
        (lambda x: np.zeros((2, 7, 5)), r"shape \(2, 7, 5\)"),
        (lambda x: "no", "real numbers"),
        (lambda x: None, "real numbers"),
        (lambda x: 1j * x, "complex"),
        (lambda x: [1.0, [2.0]], "array of numbers"),
        (lambda x: 1 / x, "NaN or Inf at 5 of 35"),
        (lambda x: np.sqrt(x - 1), "NaN or Inf"),
    ],
)
def test_a_closed_form_that_does_not_fit_is_refused(function, message):
    with pytest.raises(InputError, match=message):
        closed_form(function).solve(AXES)


@pytest.mark.parametrize("given", [3, "sin", {}, {"u": 1.0}, max])
def test_what_is_no_readable_function_is_refused_at_once(given):
    with pytest.raises(InputError, match="closed form"):
        closed_form(given)


@pytest.mark.parametrize("axis", [np.zeros((2, 2)), np.zeros(0), np.array([0.0, np.nan])])
def test_a_wrong_axis_is_refused(axis):
    with pytest.raises(InputError, match="axis 'x'"):
        closed_form(lambda x: x).solve({"x": axis})


def test_as_reference_takes_what_a_problem_may_return():
    given = closed_form(lambda x: x)
    assert as_reference(None, ("u",)) is None
    assert as_reference(given, ("u",)) is given
    bare = as_reference(lambda x: x, ("w",))
    assert isinstance(bare, Reference)
    assert list(bare.solve(AXES).values) == ["w"]
    several = as_reference({"v": lambda t: t, "u": lambda x: x}, ("u", "v"))
    assert isinstance(several, Reference)
    assert list(several.solve(AXES).values) == ["u", "v"]
    together = as_reference(lambda x, t: (x + t, x - t), ("u", "v"))
    assert isinstance(together, Reference)
    x, t = np.meshgrid(*AXES.values(), indexing="ij")
    np.testing.assert_array_equal(together.solve(AXES).values["v"], x - t)


@pytest.mark.parametrize("given", [lambda x: x, lambda x: (x,), lambda x, t: (x, t, x)])
def test_a_function_of_all_outputs_returns_as_many_values(given):
    with pytest.raises(InputError, match="one function for 2 outputs returns a tuple of the values of u, v, got"):
        as_reference(given, ("u", "v")).solve(AXES)


@given(st.floats(-3, 3), st.floats(0, 2))
def test_a_closed_form_is_the_same_in_numpy_and_in_torch(x, t):
    at = {"x": np.array([x]), "t": np.array([t])}
    one, other = (
        closed_form(lambda x, t, lib=lib, choose=choose: choose(x > t, lib.exp(-t) * lib.sin(x), x * t))
        for lib, choose in ((np, np.where), (torch, torch.where))
    )
    np.testing.assert_allclose(one.solve(at).values["u"], other.solve(at).values["u"], rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(one.at(at)["u"], other.at(at)["u"], rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize(
    ("given", "outputs", "message"),
    [
        ({}, ("u", "v"), "the dict of functions is empty"),
        ({"uu": lambda x: x}, ("u",), "'uu'"),
        (np.zeros(3), ("u",), "ndarray"),
        ("file.npz", ("u",), "str"),
    ],
)
def test_as_reference_refuses_the_rest(given, outputs, message):
    with pytest.raises(InputError, match=message):
        as_reference(given, outputs)


def smooth(x, t):
    return np.sin(3 * x) * np.exp(-t)


def write(folder, nx=41, nt=21, **changes):
    x, t = np.linspace(0, 1, nx), np.linspace(0, 2, nt)
    arrays = {"x": x, "t": t, "u": smooth(x[:, None], t)} | changes
    path = folder / "data.npz"
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


def test_a_file_gives_its_own_grid_back_untouched(tmp_path):
    found = from_file(write(tmp_path), ("x", "t"), ("u",))
    x, t = np.linspace(0, 1, 41), np.linspace(0, 2, 21)
    solved = found.solve({"x": x, "t": t})
    assert found.kind == "data file"
    assert solved.error_estimate is None
    assert np.array_equal(solved.values["u"], smooth(x[:, None], t))


def test_interpolation_of_a_file_is_fourth_order_and_honest(tmp_path):
    asked = {"x": np.linspace(0, 1, 33), "t": np.linspace(0, 2, 13)}
    truth = smooth(asked["x"][:, None], asked["t"])
    sizes = np.array([21, 41, 81])
    errors = []
    for size in sizes:
        solved = from_file(write(tmp_path, size, size), ("x", "t"), ("u",)).solve(asked)
        errors.append(np.linalg.norm(solved.values["u"] - truth) / np.linalg.norm(truth))
        assert errors[-1] / 10 <= solved.error_estimate
    slope = np.polyfit(np.log(sizes - 1), np.log(errors), 1)[0]
    assert -4.7 < slope < -3.7


def test_short_axes_of_a_file_are_interpolated_at_the_degree_they_allow(tmp_path):
    t, x = np.array([0.0, 1.0]), np.array([0.5])
    path = write(tmp_path, x=x, t=t, u=np.array([[2.0, 4.0]]))
    solved = from_file(str(path), ("x", "t"), ("u",)).solve({"x": x, "t": np.array([0.25, 0.5])})
    assert np.allclose(solved.values["u"], [[2.5, 3.0]], rtol=0, atol=1e-15)
    assert solved.error_estimate is None


def test_a_file_refuses_points_outside_and_axes_of_another_name(tmp_path):
    path = write(tmp_path)
    found = from_file(path, ("x", "t"), ("u",))
    with pytest.raises(InputError, match=r"data\.npz.*axis 't'.*\[0, 2\]"):
        found.solve({"x": X, "t": np.array([0.0, 2.1])})
    with pytest.raises(InputError, match=r"data\.npz.*unknown axis 'y'"):
        found.solve({"y": X, "t": T})
    with pytest.raises(InputError, match="in this order"):
        found.solve({"t": T, "x": X})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": None}, r"'u' \(known: x, t\)"),
        ({"t": None}, "'t'"),
        ({"u": np.zeros((41, 20))}, r"key 'u'.*\(41, 20\).*\(41, 21\)"),
        ({"u": np.full((41, 21), np.nan)}, "key 'u'.*NaN"),
        ({"u": np.full((41, 21), "a")}, "key 'u'.*real numbers"),
        ({"u": np.full((41, 21), None)}, "plain numbers"),
        ({"x": np.zeros(41)}, "key 'x'.*increasing"),
        ({"x": np.linspace(1, 0, 41)}, "key 'x'.*increasing"),
        ({"x": np.zeros((41, 1))}, r"key 'x'.*1-D.*\(41, 1\)"),
        ({"x": np.full(41, np.inf)}, "key 'x'.*Inf"),
    ],
)
def test_a_wrong_key_is_named_with_the_file(tmp_path, changes, message):
    with pytest.raises(InputError, match=rf"data\.npz.*{message}"):
        from_file(write(tmp_path, **changes), ("x", "t"), ("u",))


def test_a_file_that_is_no_archive_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        from_file(tmp_path / "none.npz", ("x",), ("u",))
    with pytest.raises(InputError, match="no regular file"):
        from_file(tmp_path, ("x",), ("u",))
    for name, content in (("empty.npz", b""), ("text.npz", b"hello"), ("cut.npz", b"PK\x03\x04nonsense")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: cannot be read"):
            from_file(tmp_path / name, ("x",), ("u",))
    np.save(tmp_path / "single.npy", X)
    with pytest.raises(InputError, match=r"single\.npy: expected an \.npz"):
        from_file(tmp_path / "single.npy", ("x",), ("u",))


def test_scattered_points_get_the_values_of_the_grid():
    """Points that share coordinates, in no order, for every kind of reference."""
    rng = np.random.default_rng(0)
    points = {"x": rng.choice(rng.random(40), 100), "t": rng.choice(rng.random(40), 100)}
    u, v = lambda x, t: np.sin(x) * t, lambda x, t: x - t
    for reference in (closed_form({"u": u, "v": v}), Reference("by hand", closed_form({"u": u, "v": v}).solve)):
        found = reference.at(points)
        assert list(found) == ["u", "v"]
        np.testing.assert_array_equal(found["u"], u(**points))
        np.testing.assert_array_equal(found["v"], v(**points))


@pytest.mark.parametrize(("axes", "pointwise", "calls"), [("xt", True, 13), ("xt", False, 1), ("x", True, 2)])
def test_how_often_a_reference_is_solved_for_scattered_points(axes, pointwise, calls):
    """A formula for a few points at a time, a whole solve once."""
    seen = []

    def solve(grid):
        seen.append({name: len(axis) for name, axis in grid.items()})
        return closed_form(lambda x: x).solve(grid)

    points = dict.fromkeys(axes, np.random.default_rng(0).random(100))
    np.testing.assert_array_equal(Reference("by hand", solve, pointwise=pointwise).at(points)["u"], points["x"])
    assert len(seen) == calls
    assert max(np.prod(list(sizes.values())) for sizes in seen) <= (64 if pointwise else 2**22)
