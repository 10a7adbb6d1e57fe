"""Conditions: named equations that hold on part of the domain.

Each condition is a residual at its own points. Whether it enters the loss (soft) or the trial function (exact) is
decided in `exact`; a condition itself knows its points, its equation and whether it could be exact. Those here are
linear in u and known by their data; measurements are in `measured`, any other equation in `general`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal, Protocol, final

import torch
from torch import Tensor

from pinnreg.domain import Domain, Sampler, Side, flat, sample_side, unit_points
from pinnreg.equations.call import TWO_OUTPUTS, Data, evaluate_data, names_of
from pinnreg.equations.field import View
from pinnreg.equations.part import On, Part, Where, part_of
from pinnreg.equations.points import Points
from pinnreg.equations.sweep import Derivatives
from pinnreg.errors import InputError, with_article
from pinnreg.randomness import derive

ROUNDINGS = 64.0
"""Of what data are inside: where they are no larger on a boundary they are zero there."""
SEVERAL = 64
"""Points at which the data of two conditions on one side are compared."""


class Setting(Protocol):
    """The problem that a condition is one of: its domain, and parameters as fields of a dataclass."""

    @property
    def domain(self) -> Domain: ...


@final
@dataclass(frozen=True)
class FaceCondition:
    """value_factor · u + normal_factor · ∂ᵏu/∂nᵏ = value on a part of the domain, n the outward normal, k the order.

    Dirichlet, Neumann, Robin and initial conditions are all of this form: u_t at the first time is -∂u/∂n. Data are
    numbers, tensors without dimension, as unknown coefficients are, or functions of coordinates.
    """

    kind: Literal["dirichlet", "neumann", "robin", "initial"]
    value: Data
    part: Part
    of: str | None
    name: str
    value_factor: Data
    normal_factor: Data
    exact: bool | None = None
    order: int = 1

    def __post_init__(self) -> None:
        for data in (self.value, self.value_factor, self.normal_factor):
            check_data(data, self.kind)

    @property
    def slope(self) -> bool:
        """Whether this is an initial condition of order 1."""
        return self.kind == "initial" and _counts(self.normal_factor)

    @property
    def says(self) -> str:
        """What it says of an output, in words; two that say the same of one output on one side have to agree."""
        if self.kind == "neumann":
            return f"normal derivatives of order {self.order}"
        return "slopes in time" if self.slope else "values"

    @property
    def anytime(self) -> bool:
        """Whether it holds on whole faces, of which each part of the time has its own."""
        return self.part.whole

    @property
    def why_soft(self) -> str | None:
        """Why it is never exact; None if it may be."""
        if not self.part.whole:
            return "a condition on a part of a face, or at points, is always soft"
        may = self.kind in ("dirichlet", "initial")
        return None if may else f"{with_article(f'{self.kind} condition')} is always soft"

    def exact_by_default(self, domain: Domain) -> bool:
        """Whether it is to be exact where nobody says so; not the start of a time beside space."""
        return self.kind == "dirichlet" or domain.axes == ("t",)

    @property
    def formula(self) -> str:
        """The condition as it is written, with its numbers and what its functions depend on."""
        u = self.of or "u"
        if self.kind == "initial":
            return f"{f'∂{u}/∂t' if self.slope else u} = {written(self.value)}"
        power = {1: "", 2: "²", 3: "³"}.get(self.order, f"^{self.order}")
        terms = [
            f"{_factor(factor)}{of}"
            for factor, of in ((self.value_factor, u), (self.normal_factor, f"∂{power}{u}/∂n{power}"))
            if _counts(factor)
        ]
        return f"{' + '.join(terms) or 0} = {written(self.value)}"

    def place(self, domain: Domain) -> str:
        """Where it holds, in words."""
        return self.part.said(domain)

    def check(self, domain: Domain) -> None:
        """Refuse a domain that lacks the condition's faces or points."""
        sides = self.faces(domain)
        self.part.check(domain, self.name)
        if _counts(self.normal_factor) and (both := [side for side in sides if side in domain.interfaces]):
            raise InputError(
                f"condition {self.name!r}: ∂u/∂n has two values at the interface {str(both[0])!r}; see interface(...), "
                "or condition(lambda u: u.inside.n - ..., on=...)"
            )

    def faces(self, domain: Domain) -> tuple[Side, ...]:
        """The faces on which the condition holds, or on parts of which; none if it holds at points."""
        if self.kind == "initial" and "t" not in domain.axes:
            raise InputError(f"condition {self.name!r}: the domain {domain!r} has no axis 't' for an initial condition")
        if self.kind == "dirichlet" and domain.axes == ("t",) and self.part == Part():
            raise InputError(
                f"condition {self.name!r}: dirichlet holds on all faces of space, and time is the only axis here; "
                "initial(...) says what u is at its start, on='t=min' and on='t=max' name its ends"
            )
        return self.part.faces(domain)

    def sample(self, domain: Domain, count: int, sampler: Sampler, seed: int) -> Points:
        """About `count` points, spread evenly over the faces."""
        return self.part.sample(domain, count, sampler, seed, self.name)

    def residual(self, sweep: Derivatives, problem: Setting) -> Tensor:
        """value_factor · u + normal_factor · ∂ᵏu/∂nᵏ - value at the points of a sweep, (n,)."""
        u, axes, x = View(sweep).fields()[str(self.of)], sweep.trial.axes, sweep.points.x
        result = -self._evaluate(self.value, axes, x)
        if _counts(self.value_factor):
            result = result + self._evaluate(self.value_factor, axes, x) * u
        if _counts(self.normal_factor):
            result = result + self._evaluate(self.normal_factor, axes, x) * u.normal(self.order)
        return result

    def prescribed(self, setting: Setting, count: int, like: Tensor) -> tuple[Tensor, Tensor] | None:
        """About `count` points (n, d) and what the output is there, (n,), if it says so."""
        if self.slope or self.kind not in ("dirichlet", "initial"):
            return None
        return self._values(setting, count, like)

    def steepest(self, setting: Setting, count: int, like: Tensor) -> float:
        """How far u gets across the domain by the largest slope that it prescribes; 0 if it does not."""
        if not (self.kind == "neumann" or self.slope):
            return 0.0
        domain = setting.domain
        axes = {axis for side in self.faces(domain) for axis in ([side.axis] if side.axis else domain.space_axes)}
        ends = [domain.bounds[axis] for axis in axes]
        length: float = max(upper - lower for lower, upper in ends) ** self.order
        return length * float(self._values(setting, count, like)[1].abs().max())

    def agrees(self, other: FaceCondition, domain: Domain, side: Side) -> bool:
        """Whether another condition says the same on a side, as far as some points show and numbers are known."""
        if isinstance(self.value, Tensor) or isinstance(other.value, Tensor):
            return True  # an unknown coefficient
        if self.value is other.value:
            return True
        if not callable(self.value) and not callable(other.value):
            return math.isclose(self.value, other.value, rel_tol=1e-8, abs_tol=1e-12)
        x, _ = sample_side(domain, side, SEVERAL, "uniform", 0)
        one, two = (each._evaluate(each.value, domain.axes, x).detach() for each in (self, other))
        # NaN, as a coefficient may be that is tried out, differs from nothing
        return not bool(((one - two).abs() > 1e-12 + 1e-8 * torch.maximum(one.abs(), two.abs())).any())

    def _values(self, setting: Setting, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
        points, axes = self.sample(setting.domain, count, "sobol", 0).on(like), setting.domain.axes
        values = self._evaluate(self.value, axes, points.x).detach()
        return points.x, torch.zeros_like(values) if self._is_rounding(values, setting, count, like) else values

    def _is_rounding(self, values: Tensor, setting: Setting, count: int, like: Tensor) -> bool:
        """Whether data are zero but for rounding, as 1 - x² - y² is on a circle, and say nothing of the size of u."""
        largest = float(values.abs().max())
        if not callable(self.value) or largest == 0:
            return False
        inside = setting.domain.sample(count, "sobol", 0).to(like)
        with contextlib.suppress(InputError):  # they may have no meaning there
            found = self._evaluate(self.value, setting.domain.axes, inside).detach().nan_to_num(0, 0, 0)
            return largest <= ROUNDINGS * torch.finfo(values.dtype).eps * float(found.abs().max())
        return False

    def data(self, points: Points, axes: Sequence[str]) -> Tensor:
        """Values and factors at points, (3 n,)."""
        data = (self.value, self.value_factor, self.normal_factor)
        return torch.cat([self._evaluate(each, axes, points.x) for each in data])

    def _evaluate(self, data: Data, axes: Sequence[str], points: Tensor) -> Tensor:
        return evaluate_data(data, axes, points, f"condition {self.name!r}")


@final
@dataclass(frozen=True)
class Periodic:
    """u and its normal derivatives up to `order` agree on the two faces of an axis."""

    kind: Literal["periodic"]
    on: str
    of: str | None
    name: str
    order: int
    exact: bool | None = None

    anytime: ClassVar[bool] = True
    why_soft: ClassVar[None] = None

    def exact_by_default(self, domain: Domain) -> bool:
        """Input features make all derivatives periodic: more than is asked for where only values are to be."""
        return self.order > 0

    @property
    def formula(self) -> str:
        """What is periodic."""
        return self.of or "all outputs"

    def place(self, domain: Domain) -> str:
        """Where it holds, in words."""
        return f"on {', '.join(map(str, self.faces(domain)))}"

    def check(self, domain: Domain) -> None:
        """Refuse a domain that lacks the condition's axis."""
        self.faces(domain)

    def faces(self, domain: Domain) -> tuple[Side, ...]:
        """The two faces that are identified."""
        # the name is used as it stands, by the input features too: no spaces, no face
        if self.on not in domain.axes:
            known = ", ".join(domain.axes)
            raise InputError(f"condition {self.name!r}: periodic needs one of the axes {known}, got {self.on!r}")
        try:
            sides = flat(domain.faces(self.on))
        except InputError:  # no part of that name
            sides = []
        if len(sides) != 2:
            raise InputError(
                f"condition {self.name!r}: {domain!r} has no two flat faces across {self.on!r}, which a period needs: "
                f"those of a Box, or of shape.over({self.on}=...)"
            )
        return tuple(sides)

    def sample(self, domain: Domain, count: int, sampler: Sampler, seed: int) -> Points:
        """`count` pairs of points, those of the lower face first."""
        low, high = self.faces(domain)
        unit = unit_points(sampler, count, domain.dimension - 1, derive(seed, "periodic"))
        sides = [domain.placed_on(side, unit) for side in (low, high)]
        points = torch.cat([x if kept is None else x[kept] for x, _, kept in sides])
        return Points(points, points_per_row=2)

    def residual(self, sweep: Derivatives, problem: Setting) -> Tensor:
        """The jumps of the derivatives of orders 0..order of each output, one after the other, (n (order + 1),)."""
        fields = View(sweep).fields()
        outputs = list(fields) if self.of is None else [self.of]
        jumps = []
        for name in outputs:
            for order in range(self.order + 1):
                low, high = fields[name].d(self.on, order).chunk(2)
                jumps.append(high - low)
        return torch.cat(jumps)

    def data(self, points: Points, axes: Sequence[str]) -> Tensor:
        """None, (0,)."""
        return points.x.new_empty(0)


def check_data(data: object, kind: str) -> None:
    """Refuse data that are neither a number nor a function."""
    if isinstance(data, complex) or (isinstance(data, Tensor) and data.is_complex()):
        raise InputError(f"{kind}: its data are complex; {TWO_OUTPUTS}")
    number = isinstance(data, Real) and not isinstance(data, bool) and math.isfinite(data)
    if data is None:
        raise InputError(
            f"{kind}: expected a number or a function of coordinates, got None; a coefficient that is to be found has "
            "a number in the class, as h: float = 1.0, and its start under `unknown`"
        )
    if not callable(data) and not number and not (isinstance(data, Tensor) and data.ndim == 0):
        raise InputError(f"{kind}: expected a number or a function of coordinates, got {data!r}")


def _counts(factor: Data) -> bool:
    """Whether a factor is there at all."""
    return callable(factor) or isinstance(factor, Tensor) or factor != 0


def written(data: Data) -> str:
    """Data as they stand in a formula: a number, or what a function depends on."""
    if callable(data):
        return f"f({', '.join(names_of(data))})"
    return "a coefficient" if isinstance(data, Tensor) else f"{data:g}"


def constants_of(problem: Setting) -> dict[str, Any]:
    """The parameters of a problem by name, as they are."""
    return {each.name: getattr(problem, each.name) for each in dataclasses.fields(problem)}  # type: ignore[arg-type]


def _factor(data: Data) -> str:
    return "" if not callable(data) and data == 1 else f"{written(data)} "


def dirichlet(
    value: Data,
    on: On = None,
    *,
    at: Mapping[str, float] | None = None,
    where: Where | None = None,
    of: str | None = None,
    name: str = "",
    exact: bool | None = None,
) -> FaceCondition:
    """u = value on faces, or at points.

    Args:
        value: a number or a function of coordinates named by its parameters, `lambda x, t: ...`, in torch.* functions;
            `lambda points: ...` gets all of them as (n, d).
        on: "x" (both faces), "x=min", "x=max" or several of these; None for every face of space.
        at: coordinates that are fixed, in the place of faces, as a corner or a point inside: {"x": 0.0, "y": 0.5}. The
            condition holds for all values of those that are not.
        where: a part of the faces, `lambda x, y: y < 0.5`: what gives True of coordinates belongs to it.
        of: the output, when there are several.
        name: the name of the loss term; "dirichlet" if not given.
        exact: whether it is to hold exactly, where that is possible: on whole faces; None: yes.

    Raises:
        InputError: no number, faces and points at once, or exact on a part.
    """
    part = part_of("dirichlet", on, at, where)
    if exact and not part.whole:
        raise InputError("dirichlet: only on whole faces can it hold exactly")
    return FaceCondition("dirichlet", value, part, of, name, 1.0, 0.0, exact)


def neumann(
    value: Data,
    on: On = None,
    *,
    order: int = 1,
    where: Where | None = None,
    of: str | None = None,
    name: str = "",
) -> FaceCondition:
    """∂u/∂n = value on faces, n the outward normal; ∂ᵏu/∂nᵏ of order k, as 2 and 3 at the ends of a beam.

    `value`, `on`, `where`, `of` and `name` as in `dirichlet`.

    Raises:
        InputError: an order that is no integer of at least 1.
    """
    if type(order) is not int or order < 1:
        raise InputError(f"neumann: order must be an integer of at least 1, got {order!r}")
    return FaceCondition("neumann", value, part_of("neumann", on, None, where), of, name, 0.0, 1.0, order=order)


def robin(
    alpha: Data,
    beta: Data,
    value: Data,
    on: On = None,
    *,
    where: Where | None = None,
    of: str | None = None,
    name: str = "",
) -> FaceCondition:
    """α u + β ∂u/∂n = value on faces, n the outward normal; α, β and value as `value` in `dirichlet`."""
    return FaceCondition("robin", value, part_of("robin", on, None, where), of, name, alpha, beta)


def initial(
    value: Data,
    order: Literal[0, 1] = 0,
    *,
    where: Where | None = None,
    of: str | None = None,
    name: str = "",
    exact: bool | None = None,
) -> FaceCondition:
    """u = value (order 0) or ∂u/∂t = value (order 1) at the first time.

    Other arguments as in `dirichlet`, but for `exact`: None means only where time is the only axis.

    Raises:
        InputError: an order other than 0 and 1, or exact on a part.
    """
    if order not in (0, 1):
        raise InputError(f"initial: order must be 0 (u) or 1 (its time derivative), got {order!r}")
    if exact and where is not None:
        raise InputError("initial: only on the whole face can it hold exactly")
    part = part_of("initial", "t=min", None, where)
    return FaceCondition("initial", value, part, of, name, 1.0 - order, -float(order), exact)


def periodic(on: str, *, order: int = 1, of: str | None = None, name: str = "", exact: bool | None = None) -> Periodic:
    """u is periodic along an axis.

    Exact makes every derivative periodic; soft matches those of orders 0..order on the two faces.

    Args:
        on: the axis, such as "x".
        order: the highest derivative that a soft condition matches.
        of: the output; None for all.
        name: the name of the loss term; "periodic" if not given.
        exact: whether it is to hold exactly; None: yes, unless only values are to agree (order 0).

    Raises:
        InputError: a negative order.
    """
    if not isinstance(order, int) or order < 0:
        raise InputError(f"periodic: order must be an integer of at least 0, got {order!r}")
    return Periodic("periodic", on, of, name, order, exact)
