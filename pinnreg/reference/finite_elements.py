"""Linear problems on plane shapes by finite elements (scikit-fem) on meshes of our own, steady and in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import numpy as np

from pinnreg.errors import InputError, unknown
from pinnreg.reference.base import (
    ROUNDING,
    Array,
    Axes,
    Reference,
    Solved,
    axes_within,
    checked_bounds,
    checked_number,
    grid_shape,
    points_of,
)
from pinnreg.reference.calling import check_call
from pinnreg.reference.discrete import Discrete, discrete, evolving
from pinnreg.reference.given import check_names
from pinnreg.reference.outline import Plane, checked_plane, extent, outline, sides
from pinnreg.reference.scattering import finite_difference, masked, plane_grid
from pinnreg.reference.weak import ELEMENTS, ByOutput, Form, Weak

BILINEAR, LINEAR = ("u", "v", "w"), ("v", "w")
"""What forms are called with."""
COARSER = 1.5
"""The ratio of the two sizes whose solutions are compared."""
STEPS, FEWER = 4, 3
"""Of every length, in time."""


def finite_elements(
    domain: Plane,
    form: Form,
    load: Form | float | None = None,
    *,
    dirichlet: Mapping[str, ByOutput] | None = None,
    natural: Mapping[str, Form] | None = None,
    robin: Mapping[str, Form] | None = None,
    outputs: Sequence[str] = ("u",),
    degree: int = 3,
    size: float | None = None,
    interfaces: Sequence[Plane] = (),
    time: tuple[float, float] | None = None,
    initial: ByOutput = 0.0,
    mass: Form | None = None,
) -> Reference:
    """a(u, v) = l(v) for all v, or m(uₜ, v) + a(u, v) = l(v), on any plane shape, by elements of degree p.

    Forms are written as in scikit-fem, with its helpers: `lambda u, v, w: dot(grad(u), grad(v))` for −Δu, `w.x` for
    the coordinates, `w.n` for the normal. The mesh follows curved boundaries and interfaces by quadratic edges, and
    is finer where the boundary bends and towards corners where derivatives are unbounded. Errors in L2 are
    O(hᵖ⁺¹), on curved edges with p ≤ 2.

    Args:
        domain: a shape in two axes.
        form: a(u, v) of (u, v, w), integrated over the domain.
        load: l(v) of (v, w), or with one output a number; 0 if it is not given.
        dirichlet: the values of u by part of the boundary: numbers, or functions of the two coordinates (n,) in NumPy
            or torch; of several outputs the same for all, or a dict by output of those that are prescribed.
        natural: what l gets from parts of the boundary, of (v, w): the normal flux times v.
        robin: what a gets from parts of the boundary, of (u, v, w).
        outputs: their names; with several, u and v are vectors: `u[0]`, `grad(u)[0, 1]`, `ddot`, `sym_grad`.
        degree: p, from 1 to 4.
        size: the longest edges h, at most a quarter of the longer side of the box around the shape; a fortieth of it if
            it is not given.
        interfaces: shapes whose boundaries edges follow, as where a coefficient jumps.
        time: (start, end) for the equation in time; the reference then has the axis t. `load` and `natural` may ask for
            `w.t`, and functions in `dirichlet` take the time as their third argument if that is called t or has no
            default.
        initial: u at the start: a number or a function of the two coordinates; a dict of them by output.
        mass: m(u, v) of (u, v, w); ∫ u·v if it is not given.

    Returns:
        A reference whose values are NaN outside of the domain. Its error estimate is the relative L2 difference from
        a second mesh with edges half as long again, and longer steps in time: the error of that one, two to eight
        times that of the values. In time steps double from the start on, so that initial values need not fit the
        conditions; there they are those given.

    Raises:
        InputError: no plane shape, an unknown part or output, or a degree that there is none of; in `solve` for a
            form that fails, too small a size, a problem without a unique solution, or axes that do not fit.

    Source: T. Gustafsson and G. D. McBain, scikit-fem (2020), doi:10.21105/joss.02369.
    """
    plane = checked_plane("finite_elements", domain)
    others = tuple(checked_plane("finite_elements, interfaces", each) for each in interfaces)
    problem = Weak(
        form,
        load,
        dirichlet={} if dirichlet is None else dirichlet,
        natural={} if natural is None else natural,
        robin={} if robin is None else robin,
        mass=mass,
        initial=initial,
        outputs=tuple(outputs),
        degree=degree,
    )
    _check(plane, problem)
    span = None if time is None else checked_bounds("finite_elements, time", time)
    bounds = {**plane.bounds, **({} if span is None else {"t": span})}
    length = _size(plane, size)

    @cache
    def solved() -> tuple[Discrete, Discrete]:
        found = outline(plane, others)
        sizes = ((length, STEPS), (COARSER * length, FEWER))
        if span is None:
            fine, coarse = (discrete(plane, found, problem, each) for each, _ in sizes)
        else:
            fine, coarse = (evolving(plane, found, problem, each, span, count) for each, count in sizes)
        return fine, coarse

    def compared(values: Callable[[Discrete], Array], shape: tuple[int, ...]) -> Solved:
        fine, coarse = (values(each) for each in solved())
        difference = finite_difference(*(each.reshape(len(each), -1) for each in (coarse, fine)))
        found = {name: each.reshape(shape) for name, each in zip(problem.outputs, fine, strict=True)}
        return Solved(found, max(difference, ROUNDING))

    def solve(axes: Axes) -> Solved:
        x, y, *t = axes_within(axes, bounds).values()

        def values(solution: Discrete) -> Array:
            at = partial(solution.during, times=t[0]) if t else solution.steady
            return masked(plane, plane_grid([x, y]), at)

        return compared(values, grid_shape(axes))

    def scattered(points: Axes) -> Solved:
        x, y, *t = points_of(points, bounds).values()
        places = np.column_stack([x, y])
        return compared(lambda s: masked(plane, places, s.along if t else s.steady, *t), x.shape)

    return Reference("finite elements", solve, scattered=scattered)


def _size(plane: Plane, size: float | None) -> float:
    longest = extent(plane)
    if size is None:
        return longest / 40
    # two meshes of a few triangles may be the same one
    if checked_number("finite_elements: expected size", size, positive=True) > longest / 4:
        raise InputError(f"finite_elements: expected a size from 0 to {longest / 4:g}, got {size!r}")
    return float(size)


def _check(plane: Plane, problem: Weak) -> None:
    if problem.degree not in ELEMENTS:
        raise InputError(
            f"finite_elements: expected a degree of {', '.join(map(str, ELEMENTS))}, got {problem.degree!r}"
        )
    if not problem.outputs or len(set(problem.outputs)) != len(problem.outputs):
        raise InputError(f"finite_elements: expected different names of outputs, got {problem.outputs!r}")
    check_call("finite_elements: form", problem.form, BILINEAR)
    if not isinstance(problem.load, int | float | None):
        check_call("finite_elements: load", problem.load, LINEAR)
    elif problem.load is not None and len(problem.outputs) > 1:
        raise InputError("finite_elements: a number as `load` goes with one output; give a function of (v, w)")
    if problem.mass is not None:
        check_call("finite_elements: mass", problem.mass, BILINEAR)
    _check_parts(problem, sides(plane))


def _check_parts(problem: Weak, parts: Sequence[str]) -> None:
    for name, given in (("dirichlet", problem.dirichlet), ("natural", problem.natural), ("robin", problem.robin)):
        check_names(name, given, parts)
        for part, each in given.items():
            if name != "dirichlet":
                check_call(f"finite_elements: {name} on {part!r}", each, BILINEAR if name == "robin" else LINEAR)
    for what, each in (*(("dirichlet", each) for each in problem.dirichlet.values()), ("initial", problem.initial)):
        for name in each if isinstance(each, Mapping) else ():
            if name not in problem.outputs:
                raise unknown(f"output in `{what}`:", str(name), problem.outputs)
