"""Functions that references call: how, and what is said of those that cannot be called so."""

import numpy as np
import pytest

from pinnreg import InputError, reference
from pinnreg.reference.calling import check_call


def lines(rhs=lambda x, u, ux, uxx: uxx, initial=np.sin):
    return reference.method_of_lines(rhs, initial, x=(0, 1), t=(0, 1), boundary=(0.0, 0.0))


def ring(linear=lambda k: -(k**2), nonlinear=lambda u: 0 * u, initial=np.cos, **more):
    return reference.fourier(linear, nonlinear, initial, x=(0, 6), t=(0, 1), **more)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda: reference.ordinary(lambda t, y: -y, (1.0, 2.0), t=(0, 1), outputs=("u", "v")),
            r"rhs: .* F\(t, u, v\)",
        ),
        (lambda: reference.ordinary(lambda t: -t, (1.0,), t=(0, 1)), r"called as F\(t, u\), one argument each"),
        (lambda: reference.ordinary(lambda t, u: -u, (1.0, 0.0), t=(0, 1)), r"F\(t, u, y2\)"),
        (lambda: reference.ordinary(lambda x, u: -u, (1.0, 0.0), t=(0, 1), axis="x"), r"F\(x, u, y2\)"),
        (lambda: reference.ordinary(3.0, (1.0,), t=(0, 1)), "expected a function, called as .*, got float"),
        (lambda: lines(rhs=lambda x, t, u: u), r"method_of_lines: rhs: .* F\(x, u, ux, uxx\)"),
        (lambda: lines(initial=lambda: 1.0), r"method_of_lines: initial: .* F\(x\)"),
        (lambda: ring(linear=lambda u, uxx: uxx), r"fourier: linear: .* F\(k\)"),
        (lambda: ring(nonlinear=lambda x, u: u), r"fourier: nonlinear: .* F\(u\)"),
        (lambda: ring(initial=lambda x, t: x), r"fourier: initial: .* F\(x\)"),
        (lambda: ring(y=(0, 6)), r"fourier: linear: .* F\(kx, ky\)"),
        (lambda: reference.driven_cavity(lambda x, y: x, 10.0), r"driven_cavity: lid: .* F\(x\)"),
        (lambda: reference.poisson(lambda x: x, {"x": (0, 1), "y": (0, 1)}), r"poisson: source: .* F\(x, y\)"),
    ],
)
def test_how_it_is_called_is_said_before_anything_is_solved(made, said):
    with pytest.raises(InputError, match=said):
        made()


def test_one_component_may_return_a_number_or_a_tuple():
    at = {"t": np.array([0.0, 1.0])}
    for rhs in (lambda t, u: -u, lambda t, u: (-u,)):
        found = reference.ordinary(rhs, (1.0,), t=(0, 1)).solve(at).values["u"]
        np.testing.assert_allclose(found, np.exp(-at["t"]), rtol=1e-9)


def test_what_does_not_say_what_it_takes_is_left_alone():
    assert check_call("f", np.add, ("a", "b")) is np.add
    assert check_call("f", lambda *all_of_them: 0, ("a", "b", "c"))
    assert check_call("f", lambda u, x: u, ("u",), ["x"])


def test_a_place_where_a_reference_is_infinite_is_named():
    infinite = reference.closed_form(lambda x, y: 1 / (x - 0.5) + y)
    with np.errstate(divide="ignore"), pytest.raises(InputError, match=r"at 2 of 6 points, the first x=0\.5, y=1$"):
        infinite.solve({"x": np.array([0.0, 0.5, 1.0]), "y": np.array([1.0, 2.0])})
