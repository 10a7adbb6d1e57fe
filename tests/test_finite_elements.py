"""Finite elements on shapes, against closed forms."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch
from quick import only
from skfem.helpers import ddot, div, dot, grad, sym_grad

from pinnreg.domain import Annulus, Ball, Box, Ellipse, Polygon, Star
from pinnreg.errors import InputError
from pinnreg.reference import finite_elements, polar
from pinnreg.reference.grading import lengths
from pinnreg.reference.outline import opening, outline
from pinnreg.reference.triangles import triangulate

SQUARE = Box(x=(0, 1), y=(0, 1))
L_SHAPE = Polygon(
    [(-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1)], edges=["outer"] * 2 + ["notch"] * 2 + ["outer"] * 2
)
PLATE = Box(x=(0, 2), y=(0, 2)) - Ball(x=0, y=0, radius=0.5, name="hole")
SHAPES = {
    "disc": Ball(x=0, y=0, radius=1),
    "annulus": Annulus(x=1, y=0, inner=0.5, outer=1),
    "ellipse": Ellipse(1, 0.5, x=0, y=0, angle=0.4),
    "star": Star(lambda theta: 1 + 0.2 * torch.cos(3 * theta), x=0, y=0),
    "L-shape": L_SHAPE,
    "plate with a hole": PLATE,
    "lens": Ball(x=0, y=0, radius=1) & Ball(x=1, y=0, radius=1, name="other"),
    "key": Box(x=(0, 2), y=(-0.3, 0.3)) | Ball(x=2, y=0, radius=0.7),
}


def laplace(u, v, w):
    return dot(grad(u), grad(v))


def exact(x, y):
    """−Δu = −3u... of sin(2x + 1) eʸ: Δu = (1 − 4) u."""
    return np.sin(2 * x + 1) * np.exp(y)


def load(v, w):
    return 3 * exact(*w.x) * v


def grid(shape, count=31):
    return {axis: np.linspace(*ends, count) for axis, ends in shape.bounds.items()}


def names(shape):
    return [str(side) for side in shape.faces(None)]


def error(solved, exact, axes, output="u"):
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    values = solved.values[output]
    there = np.isfinite(values)
    truth = exact(*(each[there] for each in mesh))
    return np.linalg.norm(values[there] - truth) / np.linalg.norm(truth)


@pytest.mark.parametrize("name", only(SHAPES, "annulus", "L-shape", "lens"))
def test_a_manufactured_solution_on_any_shape_with_an_honest_estimate(name):
    shape, axes = SHAPES[name], grid(SHAPES[name])
    found = finite_elements(shape, laplace, load, dirichlet=dict.fromkeys(names(shape), exact), degree=3, size=0.25)
    solved = found.solve(axes)
    wrong = error(solved, exact, axes)
    assert wrong < 1e-4
    assert wrong / 2 < solved.error_estimate < 10 * wrong


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_order_in_l2_is_one_more_than_the_degree(degree):
    disc = SHAPES["disc"]
    sizes, axes = np.array([0.25, 0.17, 0.11]), grid(disc)
    errors = [
        error(
            finite_elements(disc, laplace, load, dirichlet={"boundary": exact}, degree=degree, size=size).solve(axes),
            exact,
            axes,
        )
        for size in sizes
    ]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert degree + 0.7 < slope < degree + 1.5


def test_natural_and_robin_conditions_on_curved_parts():
    """u = x² − y² with u = given, ∂u/∂n = given and ∂u/∂n + 2u = given on one part each."""

    def truth(x, y):
        return x**2 - y**2

    def flux(w):
        return 2 * w.x[0] * w.n[0] - 2 * w.x[1] * w.n[1]

    found = finite_elements(
        PLATE,
        laplace,
        dirichlet={"x=max": truth},
        natural={
            "y=max": lambda v, w: flux(w) * v,
            "hole": lambda v, w: (flux(w) + 2 * truth(*w.x)) * v,
        },
        robin={"hole": lambda u, v, w: 2 * u * v},
        degree=2,
        size=0.25,
    )
    solved = found.solve(grid(PLATE))
    # on the edges of symmetry the flux vanishes
    assert error(solved, truth, grid(PLATE)) < 5e-5


@pytest.mark.slow
@pytest.mark.parametrize("far", [0.0, 100.0])
def test_fluxes_beside_prescribed_values_on_a_curved_mesh(far):
    """u = x y: the mesh has triangles of 1e-5 where a prescribed and another side meet, and in places a curved one."""
    plate = Box(x=(far - 1, far + 1), y=(-1, 1)) - Ball(x=far, y=0, radius=0.4, name="hole")

    def flux(w):
        return w.x[1] * w.n[0] + w.x[0] * w.n[1]

    others = ("x=min", "x=max", "y=max", "hole")
    found = finite_elements(
        plate,
        laplace,
        dirichlet={"y=min": lambda x, y: x * y},
        natural=dict.fromkeys(others, lambda v, w: (flux(w) + 2 * w.x[0] * w.x[1]) * v),
        robin=dict.fromkeys(others, lambda u, v, w: 2 * u * v),
    )
    solved = found.solve(grid(plate))
    assert error(solved, lambda x, y: x * y, grid(plate)) < 1e-4


def test_values_are_nan_outside_only_and_points_on_curves_count():
    disc = SHAPES["disc"]
    found = finite_elements(disc, laplace, 4.0, dirichlet={"boundary": 0.0}, degree=2, size=0.25)
    values = found.solve(grid(disc)).values["u"]
    x, y = np.meshgrid(*grid(disc).values(), indexing="ij")
    assert np.array_equal(np.isnan(values), np.hypot(x, y) > 1 + 1e-12)
    angles = np.linspace(0, 2 * pi, 100)
    around = found.at({"x": np.cos(angles), "y": np.sin(angles)})["u"]
    assert np.abs(around).max() < 1e-3
    # −Δ(1 − r²) = 4
    some = {"x": np.array([0.0, 0.3, 5.0]), "y": np.array([0.0, -0.4, 0.0])}
    assert np.allclose(found.at(some)["u"], [1, 0.75, np.nan], atol=1e-3, equal_nan=True)


@pytest.mark.parametrize("shape", [SQUARE, Ball(x=0.5, y=0.5, radius=0.6)], ids=["square", "disc"])
@pytest.mark.parametrize("degree", [1, 2])
def test_two_materials_are_solved_to_rounding(shape, degree):
    """A flux across an oblique interface: linear on either side."""
    half_plane = Polygon([(-3, -3), (0.2, -3), (0.9, 4), (-3, 4)])

    def depth(x, y):
        return ((x - 0.2) * 7 - (y + 3) * 0.7) / 7

    def truth(x, y):
        return np.where(depth(x, y) < 0, depth(x, y), depth(x, y) / 10)

    found = finite_elements(
        shape,
        lambda u, v, w: np.where(depth(*w.x) < 0, 1.0, 10.0) * dot(grad(u), grad(v)),
        dirichlet=dict.fromkeys(names(shape), truth),
        degree=degree,
        size=0.2,
        interfaces=[half_plane],
    )
    axes = grid(shape)
    assert error(found.solve(axes), truth, axes) < 1e-13


def test_a_round_inclusion_is_followed_by_curved_edges():
    k, radius = 5.0, 0.5
    disc, inclusion = Ball(x=0, y=0, radius=1), Ball(x=0, y=0, radius=radius)

    def truth(x, y):
        squares = np.maximum(x**2 + y**2, 1e-9)
        return np.where(squares < radius**2, 2 / (1 + k) * x, x * (1 - (k - 1) / (k + 1) * radius**2 / squares))

    found = finite_elements(
        disc,
        lambda u, v, w: np.where(np.hypot(*w.x) < radius, k, 1.0) * dot(grad(u), grad(v)),
        dirichlet={"boundary": truth},
        size=0.1,
        interfaces=[inclusion],
    )
    solved = found.solve(grid(disc))
    wrong = error(solved, truth, grid(disc))
    assert wrong < 1e-5
    assert wrong / 2 < solved.error_estimate < 10 * wrong


RADIUS, YOUNG, POISSON = 0.5, 1.0, 0.3
SHEAR = YOUNG / 2 / (1 + POISSON)


def kirsch_stress(x, y):
    """σxx, σyy, σxy around a hole in an infinite plate under unit tension along x (G. Kirsch 1898)."""
    q, theta = (RADIUS / np.hypot(x, y)) ** 2, np.arctan2(y, x)
    two, four = 2 * theta, 4 * theta
    return (
        1 - q * (1.5 * np.cos(two) + np.cos(four)) + 1.5 * q**2 * np.cos(four),
        -q * (0.5 * np.cos(two) - np.cos(four)) - 1.5 * q**2 * np.cos(four),
        -q * (0.5 * np.sin(two) + np.sin(four)) + 1.5 * q**2 * np.sin(four),
    )


def kirsch_displacement(x, y):
    r, theta, kappa = np.hypot(x, y) / RADIUS, np.arctan2(y, x), (3 - POISSON) / (1 + POISSON)
    factor = RADIUS / 8 / SHEAR
    along = (
        r * (kappa + 1) * np.cos(theta)
        + 2 / r * ((1 + kappa) * np.cos(theta) + np.cos(3 * theta))
        - 2 / r**3 * np.cos(3 * theta)
    )
    across = (
        r * (kappa - 3) * np.sin(theta)
        + 2 / r * ((1 - kappa) * np.sin(theta) + np.sin(3 * theta))
        - 2 / r**3 * np.sin(3 * theta)
    )
    return factor * along, factor * across


def test_a_plate_with_a_hole_has_three_times_the_stress_there():
    lame = YOUNG * POISSON / (1 - POISSON**2)

    def traction(v, w):
        xx, yy, xy = kirsch_stress(*w.x)
        return (xx * w.n[0] + xy * w.n[1]) * v[0] + (xy * w.n[0] + yy * w.n[1]) * v[1]

    found = finite_elements(
        PLATE,
        lambda u, v, w: lame * div(u) * div(v) + 2 * SHEAR * ddot(sym_grad(u), sym_grad(v)),
        dirichlet={"x=min": {"u": 0.0}, "y=min": {"v": 0.0}},
        natural={"x=max": traction, "y=max": traction},
        outputs=("u", "v"),
        size=0.2,
    )
    axes = grid(PLATE)
    solved = found.solve(axes)
    errors = [error(solved, lambda x, y, k=k: kirsch_displacement(x, y)[k], axes, "uv"[k]) for k in range(2)]
    assert max(errors) < 1e-4
    assert max(errors) / 2 < solved.error_estimate < 10 * max(errors)
    step = 1e-3
    u = found.at({"x": step * np.arange(3), "y": np.full(3, RADIUS)})["u"]
    # σyy = 0 at the free edge
    assert YOUNG * (4 * u[1] - u[2] - 3 * u[0]) / (2 * step) == pytest.approx(3, rel=2e-3)


def test_the_l_shape_converges_in_spite_of_its_corner():
    found = finite_elements(L_SHAPE, laplace, 1.0, dirichlet={"outer": 0.0, "notch": 0.0}, size=0.12)
    value = found.at({"x": np.array([-0.5]), "y": np.array([-0.5])})["u"].item()
    assert value == pytest.approx(0.131052962, abs=2e-7)


# in time


def test_heat_that_does_not_fit_its_boundary_agrees_with_its_modes():
    disc = SHAPES["disc"]
    axes = {**grid(disc, 15), "t": np.array([0.0, 0.02, 0.1, 0.3])}
    conditions = {"dirichlet": {"boundary": lambda x, y: x}, "initial": 1.0, "time": (0, 0.3)}
    sharp = polar(disc, 1.0, **conditions).solve(axes).values["u"]
    solved = finite_elements(disc, laplace, 1.0, **conditions, size=0.2).solve(axes)
    there = np.isfinite(sharp)
    wrong = np.linalg.norm((solved.values["u"] - sharp)[there]) / np.linalg.norm(sharp[there])
    assert np.array_equal(there, np.isfinite(solved.values["u"]))
    assert np.array_equal(solved.values["u"][..., 0][there[..., 0]], np.ones(there[..., 0].sum()))
    assert wrong < 3e-4
    assert wrong / 2 < solved.error_estimate < 10 * wrong


def test_data_may_change_with_time():
    def truth(x, y, t=0.0):
        return np.sin(x) * np.exp(y) * np.cos(5 * t)

    found = finite_elements(
        SQUARE,
        laplace,
        lambda v, w: -10 * truth(*w.x) * np.sin(5 * w.t) * v,
        dirichlet={"x=min": truth, "x=max": truth, "y=min": truth},
        natural={"y=max": lambda v, w: truth(*w.x, w.t) * v},
        mass=lambda u, v, w: 2 * u * v,
        initial=truth,
        time=(0, 2),
        size=0.25,
    )
    rng = np.random.default_rng(0)
    points = {"x": rng.random(50), "y": rng.random(50), "t": 2 * rng.random(50)}
    solved = found.scattered(points)
    wrong = np.linalg.norm(solved.values["u"] - truth(**points)) / np.linalg.norm(truth(**points))
    assert wrong < 2e-4
    assert wrong / 2 < solved.error_estimate < 10 * wrong


def test_several_outputs_decay_each_for_itself():
    found = finite_elements(
        SQUARE,
        lambda u, v, w: u[0] * v[0] + 2 * u[1] * v[1],
        outputs=("u", "v"),
        initial={"u": lambda x, y: 1 + x, "v": 3.0},
        time=(0, 1),
        degree=1,
        size=0.25,
    )
    values = found.at({"x": np.array([0.3]), "y": np.array([0.6]), "t": np.array([0.7])})
    assert values["u"].item() == pytest.approx(1.3 * np.exp(-0.7), rel=1e-8)
    assert values["v"].item() == pytest.approx(3 * np.exp(-1.4), rel=1e-8)


# meshes


def areas(points, corners):
    one, other = points[corners[:, 1]] - points[corners[:, 0]], points[corners[:, 2]] - points[corners[:, 0]]
    return np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) / 2


@pytest.mark.parametrize("name", SHAPES)
def test_triangles_fill_the_shape_and_none_is_flat(name):
    shape = SHAPES[name]
    found = outline(shape)
    mesh = triangulate(shape, found, lengths(found, 0.15, 2, names(shape)))
    sizes = areas(mesh.points, mesh.corners)
    assert sizes.sum() == pytest.approx(shape.volume, rel=1e-2)
    edges = sum(((mesh.points[mesh.corners[:, k]] - mesh.points[mesh.corners[:, k - 1]]) ** 2).sum(1) for k in range(3))
    assert (4 * 3**0.5 * sizes / edges).min() > 0.4


def test_corners_of_set_operations_are_found_to_rounding():
    found = outline(SHAPES["lens"])
    tips = found.vertices[np.abs(found.vertices[:, 1]) > 0.5]
    assert np.allclose(np.sort(tips, axis=0), [[0.5, -(0.75**0.5)], [0.5, 0.75**0.5]], atol=1e-12)
    number = int(np.argmax(found.vertices[:, 1]))
    angle, meeting = opening(found.arcs, number)
    assert angle == pytest.approx(2 * pi / 3, abs=1e-6)
    assert set(meeting) == {"boundary", "other"}
    corner = outline(L_SHAPE)
    at = int(np.argmin(np.hypot(*corner.vertices.T)))
    assert opening(corner.arcs, at)[0] == pytest.approx(1.5 * pi)


def test_a_short_arc_of_a_long_side_is_not_missed():
    corner = Ball(x=0, y=0, radius=1e-4) & Box(x=(0, 1), y=(0, 1))
    found = outline(corner)
    assert sorted(arc.name for arc in found.arcs) == ["boundary", "x=min", "y=min"]
    assert np.allclose(sorted(found.vertices.round(12).tolist()), [[0, 0], [0, 1e-4], [1e-4, 0]], atol=1e-12)


@pytest.mark.parametrize("x", [2, 3.2, 7])
@pytest.mark.parametrize("y", [4, 6, 11])
def test_circles_of_one_name_may_begin_on_an_edge(x, y):
    # half of one, then another: from one to the next is a leap, just where the one leaves the boundary
    plate = (
        Box(x=(0, 8), y=(0, 12)) - Ball(x=x, y=0, radius=0.4, name="holes") - Ball(x=x, y=y, radius=0.4, name="holes")
    )
    arcs = [arc for arc in outline(plate).arcs if arc.name == "holes"]
    assert [arc.lengths[-1] for arc in arcs] == pytest.approx([0.4 * pi, 0.8 * pi], rel=1e-5)


def test_interfaces_are_cut_where_they_meet():
    """Two boxes with an edge in common, of which one has another on the boundary of the domain."""
    found = outline(SQUARE, [Box(x=(0, 0.5), y=(0.2, 0.6)), Box(x=(0.5, 0.8), y=(0.2, 0.6))])
    inside = [arc for arc in found.arcs if arc.curve > 0]
    assert sum(float(arc.lengths[-1]) for arc in inside) == pytest.approx(2 * 0.5 + 0.4 + 2 * 0.3 + 0.4)
    assert sum(float(arc.lengths[-1]) for arc in found.arcs if arc.curve == 0) == pytest.approx(4)
    assert len(found.vertices) == 4 + 2 + 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"domain": 3}, "shape of pinnreg.domain"),
        ({"domain": Box(x=(0, 1))}, "two axes, got x"),
        ({"domain": SQUARE.over(t=(0, 1))}, "without the axis t"),
        ({"form": 3}, "form: expected a function, called as F(u, v, w), got int"),
        ({"load": "a"}, "load: expected a function, called as F(v, w), got str"),
        ({"load": 1.0, "outputs": ("u", "v")}, "one output"),
        ({"outputs": ()}, "names of outputs"),
        ({"degree": 5}, "degree of 1, 2, 3, 4"),
        ({"size": 0.5}, "size from 0 to 0.25"),
        ({"dirichlet": {"x=mn": 0.0}}, "did you mean 'x=min'"),
        ({"dirichlet": {"x=min": {"q": 0.0}}}, "unknown output.*'q'"),
        ({"dirichlet": 0.0}, "dict by part"),
        ({"natural": {"top": 1}}, "unknown part.*`natural`"),
        ({"natural": {"x=min": 1}}, "natural on 'x=min': expected a function, called as F(v, w)"),
        ({"interfaces": [1]}, "interfaces"),
        ({"time": (1, 0)}, "finite_elements, time"),
        ({"initial": {"q": 0.0}}, "unknown output in `initial`.*'q'"),
        ({"mass": 1.0}, "mass: expected a function, called as F(u, v, w), got float"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)")):
        finite_elements(**{"domain": SQUARE, "form": laplace} | arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": lambda u, v, w: w.nothing * u * v}, "`form`.*nothing"),
        ({"load": lambda v, w: v / (0 * w.x[0])}, "`load`.*NaN or Inf"),
        ({"dirichlet": {"x=min": lambda x, y: x[:2]}}, "dirichlet on 'x=min'.*broadcast"),
        ({"dirichlet": {"x=min": lambda x, y: x / (0 * x)}}, "NaN or Inf"),
        ({"dirichlet": {"x=min": "a"}}, "number or a function"),
        ({"dirichlet": {"x=min": lambda x, y: missing(x)}}, "missing"),  # noqa: F821
        ({}, "not unique"),
        ({"size": 1e-4}, "larger one"),
        ({"load": lambda v, w: w.t * v}, "`load`.*'t' not found"),
        ({"time": (0, 1), "initial": "a"}, "initial.*number or a function"),
    ],
)
def test_what_fails_in_a_solve_is_told(options, message):
    with pytest.raises(InputError, match=message):
        finite_elements(**{"domain": SQUARE, "form": laplace, "size": 0.25} | options).solve(
            {**grid(SQUARE), **({"t": np.ones(1)} if "time" in options else {})}
        )


def test_functions_of_coordinates_may_be_of_torch():
    found = finite_elements(
        SQUARE, laplace, dirichlet={"x=min": lambda x, y: torch.ones_like(x), "x=max": 1}, size=0.25, degree=1
    )
    assert np.allclose(found.solve(grid(SQUARE)).values["u"], 1, rtol=0, atol=1e-13)


def test_points_outside_of_the_box_are_refused_on_a_grid():
    with pytest.raises(InputError, match="axis 'x'"):
        finite_elements(SQUARE, laplace).solve({"x": np.array([2.0]), "y": np.array([0.5])})


def test_an_argument_with_a_default_is_no_time():
    def value(x, y, k=2.0):
        return k + 0 * x

    disc, held = SHAPES["disc"], {"boundary": value}
    steady = finite_elements(disc, laplace, dirichlet=held, size=0.3, degree=1)
    timed = finite_elements(disc, laplace, dirichlet=held, size=0.3, degree=1, time=(0, 1), initial=2.0)
    at = {"x": np.array([0.1]), "y": np.array([0.2])}
    assert steady.at(at)["u"] == pytest.approx(2)
    assert timed.at({**at, "t": np.array([0.5])})["u"] == pytest.approx(2)


@pytest.mark.parametrize("size", ["a", True, 0, -1, float("nan")])
def test_a_size_that_is_no_length_is_refused(size):
    with pytest.raises(InputError, match="expected size as a positive number"):
        finite_elements(SHAPES["disc"], laplace, dirichlet={"boundary": 0.0}, size=size)
