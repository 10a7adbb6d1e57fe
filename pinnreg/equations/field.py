"""`Field`: one output of the trial function at a set of points, differentiated by attribute."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.differentiation import parse_name, space_laplacian, sweep
from pinnreg.equations.points import Points
from pinnreg.equations.trial import Lift, Network, Trial
from pinnreg.errors import InputError
from pinnreg.taylor import Algebra, Operator


@final
class Sweep:
    """Derivatives of a trial function at points, computed together.

    `operators` are computed at once. One that is first asked for later joins them, and the sweep is repeated.
    `chunk` bounds how many points the network sees at once.
    """

    def __init__(
        self,
        trial: Trial,
        network: Network,
        points: Points,
        operators: Iterable[Operator] = (),
        *,
        chunk: int | None = None,
    ) -> None:
        self.trial = trial
        self.points = points
        self._network = network
        self._chunk = chunk
        self._table: dict[Operator, Tensor] = {}
        if wanted := frozenset(operators):
            # now, since a recording of the network's layers does not see inside arithmetic of fields
            self._run(wanted)

    @property
    def operators(self) -> frozenset[Operator]:
        """All that have been computed."""
        return frozenset(self._table)

    def __call__(self, operator: Operator) -> Tensor:
        """The operator applied to u, (n, outputs)."""
        if operator not in self._table:
            self._run(self.operators | {operator})
        return self._table[operator]

    def g(self, operators: Sequence[Operator]) -> list[Tensor]:
        """The operators applied to the part of u that carries exact data, each (n, outputs).

        Raises:
            ValueError: no exact data but zero.
        """
        series, _ = self._lift(Algebra.of(operators, len(self.trial.axes)))
        if series is None:
            raise ValueError("no exact condition has data but zero")
        return series.derivatives(operators)

    def fields(self) -> dict[str, Field]:
        """The outputs by name."""
        return {name: Field(self, number) for number, name in enumerate(self.trial.outputs)}

    def _run(self, operators: frozenset[Operator]) -> None:
        algebra = Algebra.of(operators, len(self.trial.axes))
        inner = sweep(self._network, self.points.x, algebra, chunk=self._chunk)
        series = self.trial.lifted(inner, self._lift(algebra))
        wanted = list(operators)
        self._table = dict(zip(wanted, series.derivatives(wanted), strict=True))

    def _lift(self, algebra: Algebra) -> Lift:
        known = self.points.lifts.get(algebra)
        return self.trial.lift(self.points.x, algebra) if known is None else known


@final
class Table:
    """Derivatives at coordinates (n, d) as given values, in the place of a sweep; what is not given comes from it."""

    def __init__(self, sweep: Sweep, x: Tensor, values: Mapping[Operator, Tensor]) -> None:
        self.trial = sweep.trial
        self.points = Points(x)
        self._sweep = sweep
        self._values = dict(values)

    @property
    def values(self) -> dict[Operator, Tensor]:
        """All that was given or asked for."""
        return dict(self._values)

    def __call__(self, operator: Operator) -> Tensor:
        """The operator applied to u, (n, outputs)."""
        if operator not in self._values:
            self._values[operator] = self._sweep(operator)
        return self._values[operator]

    def fields(self) -> dict[str, Field]:
        """The outputs by name."""
        return {name: Field(self, number) for number, name in enumerate(self.trial.outputs)}


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
    out time. The first two are cheaper than the sum of their parts, which are not computed one by one. In arithmetic
    and in `torch.*` functions a Field is its value; the result is a tensor.
    """

    # numpy then leaves `array * field` to the field, and np.sin(field) fails instead of detaching it
    __array_ufunc__ = None

    def __init__(self, sweep: Sweep | Table, output: int) -> None:
        self._sweep = sweep
        self._output = output

    @property
    def value(self) -> Tensor:
        """The output itself, (n,)."""
        return self._derivative((0,) * len(self._axes))

    @property
    def grad(self) -> Tensor:
        """The gradient along the axes other than `t`, (n, number of them)."""
        return torch.stack([self.d(axis) for axis in self._space_axes("grad")], dim=1)

    @property
    def laplacian(self) -> Tensor:
        """Δu, the sum of the second derivatives along the axes other than `t`, (n,)."""
        return self._power_of_laplacian("laplacian", 1)

    @property
    def biharmonic(self) -> Tensor:
        """Δ²u, the Laplacian of the Laplacian along the axes other than `t`, (n,)."""
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

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):  # copying and pickling look such names up before there are axes
            raise AttributeError(name)
        index = parse_name(name, self._axes)
        if index is None:
            raise AttributeError(
                f"Field {self._name!r} has no attribute {name!r}: derivatives are sequences of the axes "
                f"{', '.join(self._axes)}; for functions write torch.{name}({self._name})"
            )
        return self._derivative(index)

    def _space_axes(self, purpose: str) -> list[str]:
        axes = [axis for axis in self._axes if axis != "t"]
        if not axes:
            raise InputError(
                f"{self._name}.{purpose} leaves out time, and there is no other axis; write {self._name}.t"
            )
        return axes

    def _power_of_laplacian(self, purpose: str, power: int) -> Tensor:
        self._space_axes(purpose)
        operator = space_laplacian(self._axes, power)
        assert operator is not None
        return self._derivative(operator)

    @property
    def _axes(self) -> tuple[str, ...]:
        return self._sweep.trial.axes

    @property
    def _name(self) -> str:
        return self._sweep.trial.outputs[self._output]

    def _derivative(self, operator: Operator) -> Tensor:
        return self._sweep(operator)[:, self._output]

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
        return len(self._sweep.points)

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
