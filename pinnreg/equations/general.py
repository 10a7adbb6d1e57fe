"""Conditions that are any equation: of fields and coordinates on a part of the domain, or of integrals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal, final, overload

from torch import Tensor

from pinnreg.domain import Domain, Sampler, Side
from pinnreg.equations.call import Data, evaluate_data, names_of
from pinnreg.equations.conditions import (
    FaceCondition,
    Periodic,
    Setting,
    check_data,
    constants_of,
    written,
)
from pinnreg.equations.evaluate import evaluate_rows, scene
from pinnreg.equations.integrals import Over, axes_of, check_nodes, integrated
from pinnreg.equations.measured import Measurements
from pinnreg.equations.part import On, Part, Where, part_of
from pinnreg.equations.points import Points
from pinnreg.equations.sweep import Derivatives
from pinnreg.errors import InputError, unknown


@final
@dataclass(frozen=True)
class Equation:
    """function = 0 on a part of the domain.

    Attributes:
        kind: what it is called where it has no name.
        function: of fields, coordinates and the problem's parameters by name.
        part: where it holds.
        name: of the loss term.
        formula: the equation, as far as it can be written.
        of: no output of its own.
    """

    kind: Literal["condition", "integral", "interface"]
    function: Callable[..., Any]
    part: Part
    name: str
    formula: str
    of: None = None
    anytime: ClassVar[bool] = False
    why_soft: ClassVar[str] = "an equation is always soft"

    def place(self, domain: Domain) -> str:
        """Where it holds, in words; nothing of an integral over the domain itself."""
        return "" if self.part.over and self.part.inside else self.part.said(domain)

    def check(self, domain: Domain) -> None:
        """Refuse a domain that lacks the condition's faces, axes or points."""
        if self.kind == "interface" and not domain.interfaces:
            name = self.part.on if isinstance(self.part.on, str) else "interface"
            raise InputError(
                f"condition {self.name!r}: no materials meet in {domain!r}; say where they do, as in domain = "
                f"Split(..., Ball(...), name={name!r})"
            )
        self.part.check(domain, self.name)
        others = [side for side in self.faces(domain) if side not in domain.interfaces]
        if self.kind == "interface" and others:
            known = ", ".join(map(str, domain.interfaces)) or "none"
            raise InputError(
                f"condition {self.name!r}: {str(others[0])!r} is no interface of {domain!r} (known: {known})"
            )

    def faces(self, domain: Domain) -> tuple[Side, ...]:
        """The faces on which it holds, or on parts of which."""
        return self.part.faces(domain)

    def sample(self, domain: Domain, count: int, sampler: Sampler, seed: int) -> Points:
        """About `count` points; a single one where all coordinates are fixed or integrated over."""
        return self.part.sample(domain, count, sampler, seed, self.name)

    def residual(self, sweep: Derivatives, problem: Setting) -> Tensor:
        """What vanishes, at the points of a sweep, (n,)."""
        title = f"condition {self.name!r}"
        rows = evaluate_rows(
            self.function, sweep, title, self.name, domain=problem.domain, constants=constants_of(problem)
        )
        if list(rows) != [self.name]:
            raise InputError(f"{title}: expected one (n,) tensor; several equations are several conditions")
        return rows[self.name]


Condition = FaceCondition | Periodic | Measurements | Equation


def condition(
    function: Callable[..., Any],
    on: On = None,
    *,
    at: Mapping[str, float] | None = None,
    where: Where | None = None,
    name: str = "",
) -> Equation:
    """function = 0 on a part of the domain.

        condition(lambda u: u.n + h * u**4, on="x=max")          # radiation
        condition(lambda u, v: u.x + v.y, at={"x": 0, "y": 0})   # at a point
        condition(lambda u: u.at(t=1.0) - u, on="t=min")         # values elsewhere

    Args:
        function: of what its parameters name: outputs are Fields, with `u.n` along the outward normal on faces; axes
            are coordinates (n,), `points` and `normal` (n, d), and the problem's parameters, among them unknown
            coefficients, are what they are. It gives a tensor (n,).
        on: faces, as in `dirichlet`; None, without `at`, for the inside of the domain.
        at: coordinates that are fixed, as in `dirichlet`.
        where: a part of these, as in `dirichlet`.
        name: of the loss term; "condition" if not given.

    Raises:
        InputError: no function, faces and points at once.
    """
    if not callable(function):
        raise InputError(f"condition: expected a function, as in lambda u: u.n + u**4, got {function!r}")
    part = part_of("condition", on, at, where, inside=True)
    return Equation("condition", function, part, name, f"{written(function)} = 0")


def interface(inside: Data, outside: Data, on: On = "interface", *, of: str | None = None, name: str = "") -> Equation:
    """k ∂u/∂n is the same on both sides of an interface; that u is the same is so by itself.

        domain = Split(Box(x=(-1, 1), y=(-1, 1)), Ball(x=0, y=0, radius=0.5), name="fibre")
        conditions = (dirichlet(0.0), interface(10.0, 1.0, on="fibre"))

    For other laws: `condition(lambda u: u.outside.n - u.inside.n - q, on="fibre")`.

    Args:
        inside: k inside of the shape that the interface bounds, as `value` in `dirichlet`.
        outside: k outside.
        on: the name of the interface.
        of: the output, when there are several.
        name: of the loss term; "interface" if not given.

    Raises:
        InputError: k that is neither a positive number nor a function.
    """
    for data, where in ((inside, "inside"), (outside, "outside")):
        check_data(data, "interface")
        if isinstance(data, Real) and data <= 0:
            raise InputError(f"interface: k {where} of the shape must be positive, got {data!r}")

    def flux() -> Tensor:
        here = scene()
        assert here is not None  # it is called as any condition's function
        sweep, fields = here.view.sweep, here.view.fields()
        if of is None and len(fields) > 1:
            raise InputError(f"an interface condition must say of which output: of={' | '.join(map(repr, fields))}")
        if of is not None and of not in fields:
            raise unknown("output of an interface condition:", of, fields)
        u = next(iter(fields.values())) if of is None else fields[of]
        one, other = (evaluate_data(each, sweep.trial.axes, sweep.points.x, "interface") for each in (inside, outside))
        return one * u.inside.n - other * u.outside.n

    part = part_of("interface", on, None, None)
    text = f"{written(inside)} ∂{of or 'u'}/∂n inside = {written(outside)} ∂{of or 'u'}/∂n outside"
    return Equation("interface", flux, part, name, text)


@overload
def integral(function: Callable[..., Any], over: Over, *, nodes: int | None = None) -> Tensor: ...
@overload
def integral(
    function: Callable[..., Any],
    over: Over,
    *,
    equals: Data,
    on: On = None,
    at: Mapping[str, float] | None = None,
    nodes: int | None = None,
    name: str = "",
) -> Equation: ...
def integral(
    function: Callable[..., Any],
    over: Over,
    *,
    equals: Data | None = None,
    on: On = None,
    at: Mapping[str, float] | None = None,
    nodes: int | None = None,
    name: str = "",
) -> Tensor | Equation:
    """∫ function over some axes: a condition where it `equals` something, a number at each point in a residual.

        conditions = (integral(lambda u: u**2, over="x", equals=1.0),)         # the norm of an eigenfunction
        conditions = (integral(lambda u: u.n, over="y", on="x=max", equals=q),)  # the flux through a face

        def residual(self, u, x, t):
            return u.t - u.xx - integral(lambda u: u, over="x")
            return u.value - integral(lambda u, x: kernel(x0 - x) * u, over="x")   # with x0 = x of outside
            return u.t - integral(lambda u, t: K(t) * u, over={"t": (0.0, t)})     # Volterra, up to each t

    Args:
        function: of fields and coordinates at the nodes by name, of the shape (nodes, n), with which tensors (n,) from
            outside broadcast.
        over: one axis or several; a mapping gives limits, numbers or in a residual tensors (n,).
        equals: what it equals, a number or a function of the other coordinates; None in a residual.
        on: faces on whose remaining axes it is taken, for a condition.
        at: coordinates that are fixed, for a condition.
        nodes: of Gauss and Legendre's rule along each axis; None for 32, for two and three axes 16 and 8. Over more
            axes so many Sobol points, 1024.
        name: of the loss term; "integral" if not given.

    Raises:
        InputError: no axes, a number of nodes that is none, or outside of a residual no `equals`.
    """
    axes = axes_of(over, "integral")
    check_nodes(nodes, len(axes), "integral")
    if equals is None:
        here = scene()
        if here is None:
            raise InputError(
                "integral: a condition says what it equals, as in integral(lambda u: u, over='x', equals=1.0)"
            )
        if on is not None or at is not None:
            raise InputError("integral: `on` and `at` are of a condition, which says what it equals")
        return integrated(function, over, nodes, here)
    if scene() is not None:
        raise InputError("integral: with `equals` it is a condition, and stands among the conditions of a problem")
    check_data(equals, "integral")
    if inside := [axis for axis in axes if axis in names_of(equals)]:
        raise InputError(f"integral: what it equals cannot depend on {inside[0]!r}, which is integrated over")

    def excess() -> Tensor:
        here = scene()
        assert here is not None  # it is called as any condition's function
        sweep = here.view.sweep
        return integrated(function, over, nodes, here) - evaluate_data(
            equals, sweep.trial.axes, sweep.points.x, "integral"
        )

    part = part_of("integral", on, at, None, inside=True, over=tuple(axes))
    return Equation("integral", excess, part, name, f"∫ {written(function)} d{' d'.join(axes)} = {written(equals)}")
