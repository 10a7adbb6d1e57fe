"""Linear elliptic problems on plane shapes by finite elements (scikit-fem) on meshes of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np
import scipy
import skfem

from pinnreg.errors import InputError, unknown, user_code
from pinnreg.reference.base import ROUNDING, Array, Axes, Reference, Solved, Values, axes_within, checked_axes
from pinnreg.reference.given import Given, check_names, evaluated
from pinnreg.reference.grading import lengths
from pinnreg.reference.locating import values_at
from pinnreg.reference.outline import Outline, Plane, checked_plane, outline
from pinnreg.reference.scattering import finite_difference, masked, on_tensor_grid
from pinnreg.reference.triangles import Triangles, triangulate

Form = Callable[..., Any]

COARSER = 1.5
"""The ratio of the two sizes whose solutions are compared."""
SINGULAR = 1e-13
"""Between the pivots of a matrix that has a null space."""
ELEMENTS = {1: skfem.ElementTriP1, 2: skfem.ElementTriP2, 3: skfem.ElementTriP3, 4: skfem.ElementTriP4}


@final
@dataclass(frozen=True)
class Weak:
    """The problem as given."""

    form: Form
    load: Form | float | None
    dirichlet: Mapping[str, Given | Mapping[str, Given]]
    natural: Mapping[str, Form]
    robin: Mapping[str, Form]
    outputs: tuple[str, ...]
    degree: int


@final
@dataclass(frozen=True)
class Discrete:
    """A solution on one mesh."""

    triangles: Triangles
    basis: Any
    coefficients: Array

    def at(self, points: Array) -> Array:
        return values_at(self.triangles, self.basis, self.coefficients, points)


def finite_elements(
    domain: Plane,
    form: Form,
    load: Form | float | None = None,
    *,
    dirichlet: Mapping[str, Given | Mapping[str, Given]] | None = None,
    natural: Mapping[str, Form] | None = None,
    robin: Mapping[str, Form] | None = None,
    outputs: Sequence[str] = ("u",),
    degree: int = 3,
    size: float | None = None,
    interfaces: Sequence[Plane] = (),
) -> Reference:
    """a(u, v) = l(v) for all v, on any plane shape, by continuous elements of degree p.

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
        size: the longest edges h; a fortieth of the longer side of the box around the shape if it is not given.
        interfaces: shapes whose boundaries edges follow, as where a coefficient jumps.

    Returns:
        A reference whose values are NaN outside of the domain. Its error estimate is the relative L2 difference from
        a second mesh with edges half as long again: the error of that one, two to eight times that of the values.

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
        outputs=tuple(outputs),
        degree=degree,
    )
    _check(plane, problem)
    length = _size(plane, size)

    @cache
    def solved() -> tuple[Discrete, Discrete]:
        found = outline(plane, others)
        fine, coarse = (solve_weak(plane, found, problem, each) for each in (length, COARSER * length))
        return fine, coarse

    def at(points: Array) -> tuple[Values, float]:
        fine, coarse = (masked(plane, points, each.at) for each in solved())
        return dict(zip(problem.outputs, fine, strict=True)), max(finite_difference(coarse, fine), ROUNDING)

    def solve(axes: Axes) -> Solved:
        return on_tensor_grid(axes_within(axes, plane.bounds), at)

    def scattered(points: Axes) -> Solved:
        return Solved(*at(np.column_stack(list(checked_axes(points).values()))))

    return Reference("finite elements", solve, scattered=scattered)


def _size(plane: Plane, size: float | None) -> float:
    longest = max(upper - lower for lower, upper in plane.bounds.values())
    if size is None:
        return longest / 40
    if not 0 < size <= longest:
        raise InputError(f"finite_elements: expected a size from 0 to {longest:g}, got {size!r}")
    return float(size)


def _check(plane: Plane, problem: Weak) -> None:
    if problem.degree not in ELEMENTS:
        raise InputError(
            f"finite_elements: expected a degree of {', '.join(map(str, ELEMENTS))}, got {problem.degree!r}"
        )
    if not problem.outputs or len(set(problem.outputs)) != len(problem.outputs):
        raise InputError(f"finite_elements: expected different names of outputs, got {problem.outputs!r}")
    for name, each in (("form", problem.form), ("load", problem.load)):
        if not callable(each) and (name == "form" or not isinstance(each, int | float | None)):
            raise InputError(f"finite_elements: expected `{name}` as a function, got {type(each).__name__}")
    if isinstance(problem.load, int | float) and len(problem.outputs) > 1:
        raise InputError("finite_elements: a number as `load` goes with one output; give a function of (v, w)")
    _check_parts(problem, [str(side) for side in plane.faces(None)])


def _check_parts(problem: Weak, parts: Sequence[str]) -> None:
    for name, given in (("dirichlet", problem.dirichlet), ("natural", problem.natural), ("robin", problem.robin)):
        check_names(name, given, parts)
        for part, each in given.items():
            if name != "dirichlet" and not callable(each):
                raise InputError(f"finite_elements: expected `{name}` on {part!r} as a function, got {each!r}")
    for values in problem.dirichlet.values():
        for name in values if isinstance(values, Mapping) else ():
            if name not in problem.outputs:
                raise unknown("output in `dirichlet`:", str(name), problem.outputs)


def solve_weak(plane: Plane, found: Outline, problem: Weak, size: float) -> Discrete:
    """The solution on a mesh of one size."""
    wanted = lengths(found, size, problem.degree, problem.dirichlet)
    triangles = triangulate(plane, found, wanted)
    mesh = mesh_of(triangles, found, curved=problem.degree > 1 and not all(arc.straight for arc in found.arcs))
    basis = skfem.Basis(mesh, element_of(problem))
    matrix, right = assembled(problem, basis)
    values, known = prescribed(problem, basis)
    free = np.setdiff1d(np.arange(basis.N), known)
    right = right - matrix @ values
    values[free] = _solved(matrix[free][:, free], right[free])
    return Discrete(triangles, basis, values)


def mesh_of(triangles: Triangles, found: Outline, *, curved: bool) -> Any:
    """Scikit-fem's mesh with the sides' names; linear elements would no longer be linear on curved triangles."""
    used, numbers = np.unique(triangles.corners, return_inverse=True)
    where = np.full(len(triangles.points), -1)
    where[used] = np.arange(len(used))
    corners = numbers.reshape(triangles.corners.shape).T
    mesh = skfem.MeshTri(np.ascontiguousarray(triangles.points[used].T), np.ascontiguousarray(corners))
    low, high = np.sort(where[triangles.segments.points], axis=1).T
    facets = {(int(a), int(b)): k for k, (a, b) in enumerate(np.sort(mesh.facets, axis=0).T)}
    own = np.array([facets[int(a), int(b)] for a, b in zip(low, high, strict=True)])
    if curved:
        mesh = skfem.MeshTri2.from_mesh(mesh)
        mesh.doflocs[:, mesh.dofs.facet_dofs[0, own]] = triangles.segments.middles(found.arcs).T
    names = np.array([arc.name if arc.curve == 0 else "" for arc in found.arcs])[triangles.segments.arcs]
    return mesh.with_boundaries({str(name): np.sort(own[names == name]) for name in np.unique(names) if name})


def element_of(problem: Weak) -> Any:
    element = ELEMENTS[problem.degree]()
    return element if len(problem.outputs) == 1 else skfem.ElementVector(element, len(problem.outputs))


def assembled(problem: Weak, basis: Any) -> tuple[Any, Array]:
    """The matrix and the right-hand side."""
    matrix = _assembled(skfem.BilinearForm, problem.form, basis, "form")
    right = np.zeros(basis.N)
    if problem.load is not None:
        constant = problem.load
        load = constant if callable(constant) else lambda v, w: constant * v
        right = right + _assembled(skfem.LinearForm, load, basis, "load")
    for part, each in problem.natural.items():
        right = right + _assembled(skfem.LinearForm, each, basis.boundary(part), f"natural on {part!r}")
    for part, each in problem.robin.items():
        matrix = matrix + _assembled(skfem.BilinearForm, each, basis.boundary(part), f"robin on {part!r}")
    return matrix.tocsr(), right


def _assembled(kind: Any, form: Form, basis: Any, what: str) -> Any:
    with user_code(f"`{what}` of finite_elements"), np.errstate(all="ignore"):
        found = kind(form).assemble(basis)
    entries = found.data if scipy.sparse.issparse(found) else found
    if not np.isfinite(entries).all():
        raise InputError(f"`{what}` of finite_elements: is NaN or Inf somewhere in the domain")
    return found


def prescribed(problem: Weak, basis: Any) -> tuple[Array, Any]:
    """The coefficients with the prescribed ones set, (N,), and which these are."""
    values, known = np.zeros(basis.N), [np.empty(0, dtype=np.intp)]
    for part, given in problem.dirichlet.items():
        dofs = basis.get_dofs(part)
        by_output = given if isinstance(given, Mapping) else dict.fromkeys(problem.outputs, given)
        for output, each in by_output.items():
            number = problem.outputs.index(output)
            own = dofs.flatten() if len(problem.outputs) == 1 else dofs.all(_names_of(basis, number))
            x, y = basis.doflocs[:, own]
            values[own] = evaluated(each, (x, y), f"dirichlet on {part!r}")
            known.append(own)
    return values, np.unique(np.concatenate(known))


def _names_of(basis: Any, number: int) -> list[str]:
    """Scikit-fem's names of the unknowns of one component of a vector."""
    return [name for name in set(basis.elem.dofnames) if name.endswith(f"^{number + 1}")]


def _solved(matrix: Any, right: Array) -> Array:
    try:
        factors = scipy.sparse.linalg.splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.1)
        pivots = np.abs(factors.U.diagonal())
    except RuntimeError:
        pivots = np.zeros(1)
    if pivots.min(initial=np.inf) <= SINGULAR * pivots.max(initial=0):
        raise InputError("finite_elements: the solution is not unique; are prescribed values missing in `dirichlet`?")
    found = factors.solve(right)
    return np.asarray(found + factors.solve(right - matrix @ found))
