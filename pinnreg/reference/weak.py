"""Weak forms on a mesh: matrices, right-hand sides and prescribed values, by scikit-fem."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import scipy
import skfem

from pinnreg.errors import InputError, user_code
from pinnreg.reference.base import Array, Integers
from pinnreg.reference.given import Given, evaluated
from pinnreg.reference.outline import Outline
from pinnreg.reference.triangles import Triangles

Form = Callable[..., Any]
ByOutput = Given | Mapping[str, Given]
"""The same for all outputs, or by output."""

NEWTON = 64
"""Roundings of a coordinate by which a place in a triangle is found."""
SINGULAR = 1e-13
"""Between the pivots of a matrix that has a null space."""
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
ELEMENTS = {1: skfem.ElementTriP1, 2: skfem.ElementTriP2, 3: skfem.ElementTriP3, 4: skfem.ElementTriP4}


@final
@dataclass(frozen=True)
class Weak:
    """The problem as given, in the arguments of `finite_elements`."""

    form: Form
    load: Form | float | None
    dirichlet: Mapping[str, ByOutput]
    natural: Mapping[str, Form]
    robin: Mapping[str, Form]
    mass: Form | None
    initial: ByOutput
    outputs: tuple[str, ...]
    degree: int

    def by_output(self, given: ByOutput) -> Mapping[str, Given]:
        return given if isinstance(given, Mapping) else dict.fromkeys(self.outputs, given)

    def start(self, points: Array) -> Array:
        """The initial values, (c, n), at points (n, 2); 0 of an output that is not given."""
        given = self.by_output(self.initial)
        x, y = points.T
        return np.array([evaluated(given.get(name, 0.0), (x, y), "initial") for name in self.outputs])


def mesh_of(triangles: Triangles, found: Outline, *, curved: bool) -> Any:
    """Scikit-fem's mesh with the sides' names; with quadratic edges along the arcs if it is `curved`.

    Raises:
        InputError: an interface that leaves the domain within an edge.
    """
    used, numbers = np.unique(triangles.corners, return_inverse=True)
    where = np.full(len(triangles.points), -1)
    where[used] = np.arange(len(used))
    corners = numbers.reshape(triangles.corners.shape).T
    mesh = skfem.MeshTri(np.ascontiguousarray(triangles.points[used].T), np.ascontiguousarray(corners))
    low, high = np.sort(where[triangles.segments.points], axis=1).T
    facets = {(int(a), int(b)): k for k, (a, b) in enumerate(np.sort(mesh.facets, axis=0).T)}
    own = np.array([facets.get((int(a), int(b)), -1) for a, b in zip(low, high, strict=True)])
    if own.min() < 0:
        raise InputError("finite_elements: an interface leaves the domain between two points of the mesh")
    if curved:
        mesh = skfem.MeshTri2.from_mesh(mesh)
        mesh.doflocs[:, mesh.dofs.facet_dofs[0, own]] = triangles.segments.middles(found.arcs).T
    names = np.array([arc.name if arc.curve == 0 else "" for arc in found.arcs])[triangles.segments.arcs]
    return mesh.with_boundaries({str(name): np.sort(own[names == name]) for name in np.unique(names) if name})


class Curved(skfem.MappingIsoparametric):  # type: ignore[misc]
    """Scikit-fem's map onto curved triangles, whose inverse is found to rounding also in triangles as small as 1e-5."""

    def invF(self, x: Any, tind: Any = None, newton_max_iters: int = 50, newton_tol: float = 1e-12) -> Any:
        """The places in the reference triangle of points, by Newton's method."""
        ends = self.mesh.p[:, self.mesh.facets]
        shortest = np.hypot(*(ends[:, 1] - ends[:, 0])).min()
        rounding = NEWTON * np.finfo(np.float64).eps * np.abs(self.mesh.p).max() / shortest
        return super().invF(x, tind, newton_max_iters, max(newton_tol, rounding))


def basis_of(problem: Weak, mesh: Any) -> Any:
    """That of the elements of the problem on a mesh."""
    mapping = Curved(mesh, mesh.elem(), mesh.bndelem) if isinstance(mesh, skfem.MeshTri2) else None
    return skfem.Basis(mesh, element_of(problem), mapping=mapping)


def element_of(problem: Weak) -> Any:
    """Scikit-fem's element of the degree, a vector of them for several outputs."""
    element = ELEMENTS[problem.degree]()
    return element if len(problem.outputs) == 1 else skfem.ElementVector(element, len(problem.outputs))


def matrix_of(problem: Weak, basis: Any) -> Any:
    """That of a(u, v), (N, N), with v in rows."""
    matrix = assembled(skfem.BilinearForm, problem.form, basis, "form")
    for part, each in problem.robin.items():
        matrix = matrix + assembled(skfem.BilinearForm, each, basis.boundary(part), f"robin on {part!r}")
    return matrix.tocsr()


def mass_of(problem: Weak, basis: Any) -> Any:
    """That of ∫ u·v, or as given, (N, N)."""

    def plain(u: Any, v: Any, w: Any) -> Any:
        return u * v if len(problem.outputs) == 1 else sum(u[k] * v[k] for k in range(len(problem.outputs)))

    return assembled(skfem.BilinearForm, problem.mass or plain, basis, "mass").tocsr()


def start_of(problem: Weak, basis: Any) -> Array:
    """∫ u₀·v of the initial values, (N,)."""

    def tested(v: Any, w: Any) -> Any:
        shape = w.x.shape[1:]
        values = problem.start(w.x.reshape(2, -1).T).reshape(-1, *shape)
        return values[0] * v if len(problem.outputs) == 1 else sum(each * v[k] for k, each in enumerate(values))

    return np.asarray(assembled(skfem.LinearForm, tested, basis, "initial"))


def load_of(problem: Weak, basis: Any) -> Callable[[float | None], Array]:
    """The right-hand side, (N,), by time; what does not ask for `w.t` is integrated once."""
    parts: list[tuple[Form, Any, str]] = []
    timed: list[tuple[Form, Any, str]] = []
    steady = np.zeros(basis.N)
    if problem.load is not None:
        load = problem.load
        parts.append((load if callable(load) else lambda v, w: load * v, basis, "load"))
    parts += [(each, basis.boundary(part), f"natural on {part!r}") for part, each in problem.natural.items()]
    for form, where, what in parts:
        if _asks_for_time(form, where):
            timed.append((form, where, what))
        else:
            steady = steady + assembled(skfem.LinearForm, form, where, what)

    def at(time: float | None) -> Array:
        known = {} if time is None else {"t": time}
        total = steady
        for form, where, what in timed:
            total = total + assembled(skfem.LinearForm, form, where, what, **known)
        return total

    return at


def _asks_for_time(form: Form, basis: Any) -> bool:
    try:
        _integrated(skfem.LinearForm, form, basis)
    except (AttributeError, KeyError) as error:
        return "'t'" in str(error)
    except Exception:
        return False  # and is told when it is integrated
    return False


def _integrated(kind: Any, form: Form, basis: Any, **known: float) -> Any:
    with np.errstate(all="ignore"):
        return kind(lambda *given: form(*given)).assemble(basis, **known)  # noqa: PLW0108, scikit-fem asks for a name


def assembled(kind: Any, form: Form, basis: Any, what: str, **known: float) -> Any:
    """A user's form, integrated; an `InputError` says which one failed."""
    with user_code(f"`{what}` of finite_elements"):
        found = _integrated(kind, form, basis, **known)
    entries = found.data if scipy.sparse.issparse(found) else found
    if not np.isfinite(entries).all():
        raise InputError(f"`{what}` of finite_elements: is NaN or Inf somewhere in the domain")
    return found


def prescribed(problem: Weak, basis: Any) -> tuple[Integers, Callable[[float | None], Array]]:
    """Which coefficients are free, (k,), and by time all coefficients, (N,), of which the free ones are 0."""
    pieces = []
    for part, given in problem.dirichlet.items():
        dofs = basis.get_dofs(part)
        for output, each in problem.by_output(given).items():
            number = problem.outputs.index(output)
            own = dofs.flatten() if len(problem.outputs) == 1 else dofs.all(_names_of(basis, number))
            pieces.append((own, each, f"dirichlet on {part!r}"))
    known = np.concatenate([np.empty(0, dtype=np.intp), *(own for own, *_ in pieces)])

    def at(time: float | None) -> Array:
        values = np.zeros(basis.N)
        for own, each, what in pieces:
            columns = list(basis.doflocs[:, own])
            if time is not None and callable(each) and _takes_time(each):
                columns.append(np.full(len(own), time))
            values[own] = evaluated(each, columns, what)
        return values

    return np.setdiff1d(np.arange(basis.N), known), at


def _takes_time(function: Callable[..., Any]) -> bool:
    """Whether a function's third argument is the time: it has no default, or it is called t."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    third = [each for each in parameters if each.kind in POSITIONAL][2:3]
    return any(each.default is each.empty or each.name == "t" for each in third)


def _names_of(basis: Any, number: int) -> list[str]:
    """Scikit-fem's names of the unknowns of one component of a vector."""
    return [name for name in set(basis.elem.dofnames) if name.endswith(f"^{number + 1}")]


def factorised(matrix: Any) -> Any:
    """The factors of a sparse matrix; an `InputError` if it is singular to rounding."""
    try:
        factors = scipy.sparse.linalg.splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.1)
        pivots = np.abs(factors.U.diagonal())
    except RuntimeError:
        pivots = np.zeros(1)
    if pivots.min(initial=np.inf) <= SINGULAR * pivots.max(initial=0):
        raise InputError("finite_elements: the solution is not unique; are prescribed values missing in `dirichlet`?")
    return factors
