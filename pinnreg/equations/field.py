"""`Field`: one output of the trial function at a set of points, differentiated by attribute; `View`: all of them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any, cast, final

import torch
from torch import Tensor

from pinnreg.differentiation import parse_name, space_laplacian
from pinnreg.equations.points import Points
from pinnreg.equations.sweep import Derivatives
from pinnreg.errors import InputError, unknown
from pinnreg.taylor import Operator


@final
class View:
    """What one call of a user's function sees of a sweep: its fields and coordinates, and other places if it asks.

    Args:
        sweep: at points (n, d), or a table in its place.
        shape: that the n points have for the function; None for (n,).
    """

    def __init__(self, sweep: Derivatives, shape: tuple[int, ...] | None = None) -> None:
        self.sweep = sweep
        self.shape = (len(sweep.points),) if shape is None else shape
        self._taken: dict[tuple[object, ...], tuple[View, object]] = {}
        self._count = 0

    def fields(self) -> dict[str, Field]:
        """The outputs by name."""
        return {name: Field(self, number) for number, name in enumerate(self.sweep.trial.outputs)}

    def coordinates(self) -> dict[str, Tensor]:
        """The coordinates by axis, each of the view's shape."""
        columns = self.sweep.points.x.unbind(dim=1)
        return {axis: self.shaped(each) for axis, each in zip(self.sweep.trial.axes, columns, strict=True)}

    def arguments(self) -> dict[str, Any]:
        """All that a function can ask for by name: outputs, axes, `points` and, on faces, `normal`."""
        points = self.sweep.points
        known = {"points": points.x} if points.normals is None else {"points": points.x, "normal": points.normals}
        vectors = {name: self.shaped(each) for name, each in known.items()}
        return {**self.fields(), **self.coordinates(), **vectors}

    def shaped(self, values: Tensor) -> Tensor:
        """What is known of the n points, (n, ...), in the view's shape."""
        return values if len(self.shape) == 1 else values.reshape(*self.shape, *values.shape[1:])

    def at(self, **replaced: float | Tensor) -> View:
        """The view of u where some coordinates are replaced, by numbers or by a tensor each of the view's shape.

        Raises:
            InputError: an axis that there is not, or something else than numbers.
        """
        axes = self.sweep.trial.axes
        for axis, value in replaced.items():
            if axis not in axes:
                raise unknown("axis of .at(...):", axis, axes)
            if isinstance(value, Field):
                raise InputError(f".at({axis}=...): expected a number or a tensor, got a Field; write .value")
            if isinstance(value, bool) or not isinstance(value, (int, float, Tensor)):
                raise InputError(f".at({axis}=...): expected a number or a tensor, got {type(value).__name__}")
            if isinstance(value, Tensor) and value.shape != self.shape[len(self.shape) - value.ndim :]:
                raise InputError(f".at({axis}=...): expected a tensor {self.shape}, got {tuple(value.shape)}")
        key = tuple(
            (axis, id(value) if isinstance(value, Tensor) else float(value))
            for axis, value in sorted(replaced.items(), key=lambda pair: pair[0])
        )
        if key not in self._taken:
            # kept with the tensors themselves, so that no id is used twice
            self._taken[key] = (self.moved(replaced, self.shape), replaced)
        return self._taken[key][0]

    def beside(self, side: float, title: str) -> View:
        """The view at points next to those of an interface, along the normals (1) or against them (-1).

        Raises:
            InputError: where there are no normals.
        """
        points = self.sweep.points
        if points.normals is None:
            raise InputError(f"{title} is what u is next to an interface, and these points lie on none")
        if (key := ("beside", side)) not in self._taken:
            # well above the rounding of coordinates, and well below what u changes by
            eps = torch.finfo(points.x.dtype).eps
            rounding = 16 * eps * points.x.detach()[:, list(points.across)].abs().amax()
            step = rounding.clamp_min(eps ** (2 / 3) * points.extent)
            columns = (points.x + side * step * points.normals).unbind(dim=1)
            replaced = {axis: self.shaped(each) for axis, each in zip(self.sweep.trial.axes, columns, strict=True)}
            self._taken[key] = (self.moved(replaced, self.shape, normals=True), replaced)
        return self._taken[key][0]

    def moved(self, replaced: Mapping[str, float | Tensor], shape: tuple[int, ...], *, normals: bool = False) -> View:
        """The view at other points, whose coordinates broadcast to `shape`; the last are the view's own.

        Args:
            replaced: coordinates by axis, in the place of the view's own.
            shape: of the new points; it ends with the view's own.
            normals: whether the points stay on their faces.
        """
        points = self.sweep.points
        columns = [
            (own if axis not in replaced else torch.as_tensor(replaced[axis], dtype=own.dtype, device=own.device))
            .expand(shape)
            .reshape(-1)
            for axis, own in self.coordinates().items()
        ]
        outward = None
        if normals and points.normals is not None:
            outward = points.normals.repeat(math.prod(shape) // len(points), 1)
        place, self._count = self._count, self._count + 1
        there = Points(
            torch.stack(columns, dim=1), outward, across=points.across, curved=points.curved, extent=points.extent
        )
        return View(self.sweep.elsewhere(place, there), shape)


def _value(operand: Any) -> Any:
    return operand.value if isinstance(operand, Field) else operand


def _binary(function: Callable[[Any, Any], Any]) -> Any:
    def method(self: Field, other: Any) -> Tensor:
        result: Tensor = function(self.value, _value(other))
        return result

    return method


def _reflected(function: Callable[[Any, Any], Any]) -> Any:
    def method(self: Field, other: Any) -> Tensor:
        result: Tensor = function(_value(other), self.value)
        return result

    return method


@final
class Field:
    """One output of the network at the points, (n,), with its partial derivatives as attributes.

    `u.x`, `u.xx`, `u.xxt` differentiate along the named axes; `u.d("x", 3)` says the same where letters do not serve,
    `u.d("x", 2, "t", 1)` for a mixed one; `u.laplacian` and `u.biharmonic`, (n,), and `u.grad`, (n, space axes), leave
    out time and parameters. The first two are cheaper than the sum of their parts, which are not computed one by one.
    On faces `u.n` is the derivative along the outward normal; `u.inside` and `u.outside` are the output on either side
    of an interface, and `u.inside.n` its slope there. `u.at(x=1.0)` is the output where some coordinates are replaced.
    In arithmetic and in `torch.*` functions a Field is its value; the result is a tensor.
    """

    # numpy then leaves `array * field` to the field, and np.sin(field) fails instead of detaching it
    __array_ufunc__ = None

    def __init__(self, view: View, output: int) -> None:
        self._view = view
        self._output = output

    @property
    def value(self) -> Tensor:
        """The output itself, (n,)."""
        return self._derivative((0,) * len(self._axes))

    @property
    def grad(self) -> Tensor:
        """The gradient along the axes of space, (n, number of them)."""
        return torch.stack([self.d(axis) for axis in self._space_axes("grad")], dim=-1)

    @property
    def laplacian(self) -> Tensor:
        """Δu, the sum of the second derivatives along the axes of space, (n,)."""
        return self._power_of_laplacian("laplacian", 1)

    @property
    def biharmonic(self) -> Tensor:
        """Δ²u, the Laplacian of the Laplacian along the axes of space, (n,)."""
        return self._power_of_laplacian("biharmonic", 2)

    def d(self, axis: str, order: int = 1, *more: str | int) -> Tensor:
        """The derivative along one axis, `u.d("x", 3)`, or several, `u.d("x", 2, "t", 1)`; a tensor (n,).

        Raises:
            InputError: an unknown axis or an order that is no integer of at least 0.
        """
        pairs = (axis, order, *more)
        orders = dict.fromkeys(self._axes, 0)
        for name, times in zip(pairs[::2], pairs[1::2], strict=len(pairs) % 2 == 0):
            if name not in orders or not isinstance(times, int) or times < 0:
                raise InputError(
                    f"{self._name}.d{pairs!r}: expected axis names and orders in turn, as in "
                    f"{self._name}.d({self._axes[0]!r}, 2); the axes are {', '.join(self._axes)}"
                )
            orders[str(name)] += times
        if len(pairs) % 2:
            raise InputError(f"{self._name}.d{pairs!r}: the last axis has no order")
        return self._derivative(tuple(orders.values()))

    def at(self, **replaced: float | Tensor) -> Field:
        """The output where some coordinates are replaced: `u.at(x=1.0)`, `u.at(t=t / 2)`, with derivatives of its own.

        Each coordinate is a number or a tensor (n,). The derivative `u.at(x=1.0).x` is that of u at x = 1.

        Raises:
            InputError: an axis that there is not, or something else than numbers.
        """
        return Field(self._view.at(**replaced), self._output)

    @property
    def inside(self) -> Field:
        """On an interface the output just inside of the shape that it bounds, with derivatives of its own."""
        return Field(self._view.beside(-1.0, f"{self._name}.inside"), self._output)

    @property
    def outside(self) -> Field:
        """On an interface the output just outside of the shape that it bounds, with derivatives of its own."""
        return Field(self._view.beside(1.0, f"{self._name}.outside"), self._output)

    def normal(self, order: int = 1) -> Tensor:
        """The derivative of an order along the outward normal, on a boundary; a tensor (n,).

        Raises:
            InputError: where there is no normal.
        """
        points = self._view.sweep.points
        if points.normals is None:
            raise InputError(
                f"{self._name}.n is the derivative along the outward normal, and there is none: only faces have one"
            )
        normals = self._view.shaped(points.normals)
        # only the axes that normals are along, so that no other derivative is computed
        if points.curved:
            indices = list(combinations_with_replacement(points.across, order))
        else:
            indices = [(axis,) * order for axis in points.across]
        terms = []
        for index in indices:
            times = [index.count(axis) for axis in range(len(self._axes))]
            factor = math.factorial(order) // math.prod(map(math.factorial, times))
            along = math.prod((normals[..., axis] ** times[axis] for axis in set(index)), start=1)
            terms.append(factor * along * self._derivative(tuple(times)))
        return cast(Tensor, sum(terms))

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):  # copying and pickling look such names up before there are axes
            raise AttributeError(name)
        index = parse_name(name, self._axes)
        if index is None and name == "n":
            return self.normal()
        if index is None:
            raise AttributeError(
                f"Field {self._name!r} has no attribute {name!r}: derivatives are sequences of the axes "
                f"{', '.join(self._axes)}{f'; for functions write torch.{name}({self._name})' * (name in vars(torch))}"
            )
        return self._derivative(index)

    def _space_axes(self, purpose: str) -> list[str]:
        axes = [axis for axis in self._axes if axis not in ("t", *self._parameters)]
        if not axes:
            left_out = "time and parameters" if self._parameters else "time"
            raise InputError(
                f"{self._name}.{purpose} leaves out {left_out}, and there is no other axis; write {self._name}.t"
            )
        return axes

    def _power_of_laplacian(self, purpose: str, power: int) -> Tensor:
        self._space_axes(purpose)
        operator = space_laplacian(self._axes, power, self._parameters)
        assert operator is not None
        return self._derivative(operator)

    @property
    def _axes(self) -> tuple[str, ...]:
        return self._view.sweep.trial.axes

    @property
    def _parameters(self) -> tuple[str, ...]:
        return self._view.sweep.trial.parameters

    @property
    def _name(self) -> str:
        return self._view.sweep.trial.outputs[self._output]

    def _derivative(self, operator: Operator) -> Tensor:
        return self._view.shaped(self._view.sweep(operator)[:, self._output])

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return function(*_unwrap(args), **_unwrap(dict(kwargs or {})))

    def __neg__(self) -> Tensor:
        return -self.value

    def __pos__(self) -> Tensor:
        return self.value

    def __abs__(self) -> Tensor:
        return self.value.abs()

    def __len__(self) -> int:
        return self._view.shape[0]

    def __getitem__(self, rows: Any) -> Tensor:
        return self.value[rows]

    def __bool__(self) -> bool:
        return bool(self.value)

    __add__, __radd__ = _binary(operator.add), _reflected(operator.add)
    __sub__, __rsub__ = _binary(operator.sub), _reflected(operator.sub)
    __mul__, __rmul__ = _binary(operator.mul), _reflected(operator.mul)
    __truediv__, __rtruediv__ = _binary(operator.truediv), _reflected(operator.truediv)
    __floordiv__, __rfloordiv__ = _binary(operator.floordiv), _reflected(operator.floordiv)
    __mod__, __rmod__ = _binary(operator.mod), _reflected(operator.mod)
    __pow__, __rpow__ = _binary(operator.pow), _reflected(operator.pow)
    __lt__, __le__ = _binary(operator.lt), _binary(operator.le)
    __gt__, __ge__ = _binary(operator.gt), _binary(operator.ge)
    # pointwise like those of tensors: the default, by identity, would make `u == 0` a silent False
    __eq__, __ne__ = _binary(operator.eq), _binary(operator.ne)
    __hash__ = object.__hash__


def _unwrap(arguments: Any) -> Any:
    """`arguments` with every Field in it, one level of tuples, lists and dicts deep, replaced by its value."""
    if isinstance(arguments, dict):
        return {key: _unwrap(value) for key, value in arguments.items()}
    if isinstance(arguments, tuple | list):
        return type(arguments)(_unwrap(value) for value in arguments)
    return _value(arguments)


FIELD_ATTRIBUTES = frozenset(name for name in vars(Field) if not name.startswith("_"))
"""Names that an axis cannot have, since `u.<name>` already means something."""
