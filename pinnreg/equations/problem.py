"""`Problem`: a partial differential equation with its domain, conditions, parameters and reference."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import typing
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from pinnreg.domain import Domain
from pinnreg.equations.conditions import FaceCondition, Periodic, constants_of
from pinnreg.equations.field import FIELD_ATTRIBUTES
from pinnreg.equations.general import Condition, Equation
from pinnreg.equations.measured import Measurements
from pinnreg.equations.written import check_written
from pinnreg.errors import InputError, place, shortened, unknown, user_code, with_article
from pinnreg.naming import free_name
from pinnreg.reference import Reference, as_reference, remembered

SUFFIXES = ("_reference", "_error", "_estimate", "_band")
"""Of the arrays in fields.npz that stand beside an output."""
RESERVED = frozenset({"residual", "file", "allow_pickle"})
"""Names that neither an axis nor an output can have: of an array of a run's, and of parameters of NumPy's writer."""


class Problem(ABC):
    """A PDE to solve. Subclass it as a frozen dataclass; the fields are its parameters, validated at construction.

    Attributes:
        domain: where the equation holds.
        outputs: names of the unknown functions.
        parameters: axes that are parameters of the equation and no space, as ("alpha",): the solution is found for all
            of their values at once, and `u.laplacian`, faces of space and penalties leave them out.
        conditions: boundary and initial conditions, measurements.
        features: functions of the coordinates by name, in torch.* functions, that the network gets besides these.
        symmetry: of the solution: `odd("x")`, `even("x")`, `shift("x", 2)`, or several; built into the network.
        group: what `pinnreg list` shows it among, such as "waves".
        defaults: settings that this problem needs (sections `network`, `points`, `train`, ... of a config); they stand
            between the global defaults and the user's YAML.

    `domain`, `parameters`, `conditions` and `outputs` are class attributes, or properties where they depend on the
    fields.

    Raises:
        InputError: a parameter of the wrong type or range, or an inconsistent definition.
    """

    # without annotations: a dataclass would take annotated names for its fields
    outputs = ("u",)
    group: ClassVar[str] = ""
    parameters: ClassVar[Any] = ()
    conditions: ClassVar[Any] = ()
    features: ClassVar[Any] = ()
    symmetry: ClassVar[Any] = ()
    domain: ClassVar[Any]
    defaults: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def residual(self, *arguments: Any) -> Any:
        """The PDE's residual, (n,), or a dict of named ones; zero for a solution.

        The parameters are matched by name: outputs give Fields, axes give coordinates (n,), `points` the (n, d) tensor.
        A problem without an equation, only data to fit, says so: `residual = None`.
        """

    @property
    def has_residual(self) -> bool:
        """Whether there is an equation."""
        return self.residual is not None

    @property
    def space_axes(self) -> tuple[str, ...]:
        """The axes other than time and parameters."""
        return tuple(axis for axis in self.domain.space_axes if axis not in self.parameters)

    def reference(self) -> Reference | Callable[..., Any] | Mapping[str, Callable[..., Any]] | None:
        """The known solution: a `Reference`, a NumPy function of the axes (a dict of them by output), or None.

        It depends on the parameters alone: SciPy's solves for equal problems are made once.
        """
        return None

    def __init__(self) -> None:
        # only reached without the decorator, whose __init__ takes the place of this one
        raise InputError(f"{_title(self)}: decorate the class with @dataclass(frozen=True)")

    def __post_init__(self) -> None:
        """Validate parameters and definition."""
        _validate_parameters(self)
        _validate_definition(self)


def named_conditions(problem: Problem, extra: Iterable[Condition] = ()) -> tuple[Condition, ...]:
    """The problem's conditions, and `extra` ones after them, with outputs and names of loss terms filled in.

    A name is the condition's kind, with `_<output>` or a number added where several would share it.

    Raises:
        InputError: an output that the problem lacks or that must be named, two conditions of one name, two values of
            one output on one side, or a face or axis that the domain lacks.
    """
    named = _named(problem, extra)
    for condition in named:
        condition.check(problem.domain)
    _check_interfaces(problem, named)
    _check_values(problem, named)
    return named


def _check_interfaces(problem: Problem, conditions: Iterable[Condition]) -> None:
    """Refuse an interface on which nothing holds: the network's kink there could be any."""
    if not problem.domain.interfaces:
        return
    held = {side for each in conditions if not isinstance(each, Measurements) for side in each.faces(problem.domain)}
    for side in problem.domain.interfaces:
        if side not in held:
            raise InputError(
                f"{_title(problem)}: materials meet at {str(side)!r}, where no condition holds; add "
                f"interface(k inside, k outside, on={str(side)!r})"
            )


def _check_values(problem: Problem, conditions: Iterable[Condition]) -> None:
    """Refuse two different values, or slopes, of one output on one part of the boundary."""
    given = [
        (each, each.faces(problem.domain))
        for each in conditions
        if isinstance(each, FaceCondition) and each.kind != "robin" and each.part.whole
    ]
    for (one, here), (other, there) in itertools.combinations(given, 2):
        if one.of != other.of or one.says != other.says:
            continue
        for side in here:
            if side in there and not one.agrees(other, problem.domain, side):
                raise InputError(
                    f"{_title(problem)}: the conditions {one.name!r} and {other.name!r} give {one.of} two "
                    f"{one.says} on {str(side)!r}; `on` says on which parts each holds"
                )


def condition_at(problem: Problem, condition: Condition) -> Condition:
    """A condition as a problem with other values of its parameters has it, numbers or tensors."""
    if isinstance(condition, Measurements):
        return condition
    return next(each for each in _named(problem) if each.name == condition.name)


def _named(problem: Problem, extra: Iterable[Condition] = ()) -> tuple[Condition, ...]:
    conditions = [_with_output(condition, problem.outputs) for condition in (*problem.conditions, *extra)]
    conditions = [_on_space(condition, problem) for condition in conditions]
    kinds = Counter(condition.kind for condition in conditions if not condition.name)
    named: list[Condition] = []
    taken: set[str] = set()
    for condition in conditions:
        name = condition.name or condition.kind
        if not condition.name and kinds[condition.kind] > 1 and condition.of and len(problem.outputs) > 1:
            name = f"{name}_{condition.of}"
        if not condition.name:
            name = free_name(name, taken)
        taken.add(name)
        named.append(dataclasses.replace(condition, name=name))
    repeated = [name for name, times in Counter(condition.name for condition in named).items() if times > 1]
    if repeated or any(condition.name == "residual" for condition in named):
        raise InputError(f"{_title(problem)}: two loss terms are named {(repeated or ['residual'])[0]!r}")
    return tuple(named)


def reference_of(problem: Problem) -> Reference | None:
    """The problem's reference, whatever form `reference()` returns it in.

    Raises:
        InputError: something that is no reference, or a `reference()` that fails.
    """
    with user_code(f"reference of {type(problem).__name__}"):
        reference = as_reference(problem.reference(), problem.outputs)
    identity = _identity(problem)
    return reference if reference is None or identity is None else remembered(reference, identity)


def _identity(problem: Problem) -> Hashable | None:
    """What tells a problem from all others: its class and parameters, -0.0 apart from 0.0; None if these may change."""
    assert dataclasses.is_dataclass(problem)
    values = tuple(constants_of(problem).values())
    return (type(problem), repr(values)) if _is_plain(values) else None


def _is_plain(value: object) -> bool:
    """Whether a parameter is a number, a text, None or a tuple of them, which `repr` shows in full."""
    return all(map(_is_plain, value)) if type(value) is tuple else type(value) in (bool, int, float, str, type(None))


def _with_output(condition: Condition, outputs: Sequence[str]) -> Condition:
    if not isinstance(condition, Condition):
        raise InputError(f"conditions: expected dirichlet(...), initial(...), ..., got {_in_short(condition)}")
    if isinstance(condition, Equation):
        return condition
    if condition.of is None:
        if len(outputs) == 1:
            return dataclasses.replace(condition, of=outputs[0])
        if not isinstance(condition, Periodic):
            raise InputError(
                f"{with_article(f'{condition.kind} condition')} must say of which output: "
                f"of={' | '.join(map(repr, outputs))}"
            )
    elif condition.of not in outputs:
        refusal = unknown(f"output of {with_article(f'{condition.kind} condition')}:", condition.of, outputs)
        raise InputError(f'{refusal}; several are named by the class, as in outputs = ("u", "v")')
    return condition


def _on_space(condition: Condition, problem: Problem) -> Condition:
    """A condition on all faces of space with these by name, where some axes are no space."""
    if isinstance(condition, Periodic | Measurements) or not problem.parameters:
        return condition
    part = condition.part
    if part.on is not None or part.at or part.inside:
        return condition
    sides = [str(side) for side in problem.domain.faces(None) if side.axis not in problem.parameters]
    if not sides:
        raise InputError(
            f"{_title(problem)}: a {condition.kind} condition holds on all faces of space, and time is the only axis "
            "but parameters; initial(...) says what u is at its start, on='t=max' names its end"
        )
    return dataclasses.replace(condition, part=dataclasses.replace(part, on=tuple(sides)))


def _in_short(given: object) -> str:
    """What stands where conditions should, without the addresses and defaults that its repr has."""
    if isinstance(given, Condition):
        return with_article(f"{given.kind} condition")
    if inspect.isfunction(given):
        name = given.__name__
        return "a lambda; condition(lambda u: ...) makes one of it" if name == "<lambda>" else f"the function {name}"
    return shortened(given)


def _title(problem: Problem) -> str:
    return f"problem {type(problem).__name__}"


def _validate_parameters(problem: Problem) -> None:
    assert dataclasses.is_dataclass(problem)
    hints = typing.get_type_hints(type(problem), include_extras=True)
    for field in dataclasses.fields(problem):
        given = getattr(problem, field.name)
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hints[field.name], config=ConfigDict(allow_inf_nan=False))
        except PydanticUserError:
            raise InputError(
                f"{_title(problem)}: {field.name}: parameters are numbers, texts, or tuples of them; "
                f"{hints[field.name]!r} cannot be checked"
            ) from None
        try:
            if isinstance(given, bool) and hints[field.name] is not bool:
                raise InputError(f"{_title(problem)}: {field.name}: expected a number, got {str(given).lower()}")
            value = adapter.validate_python(given)
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise InputError(f"{_title(problem)}: {field.name}: {what}, got {shortened(given)}") from None
        object.__setattr__(problem, field.name, value)


def _validate_definition(problem: Problem) -> None:
    title = _title(problem)
    try:
        domain = problem.domain
    except AttributeError as error:
        raise InputError(f"{title}: `domain` must be a domain, but{place(error)} {error}") from error
    if not isinstance(domain, Domain):
        raise InputError(f"{title}: `domain` must be a domain, as in Box(x=(0, 1)) or Ball(x=0, y=0, radius=1)")
    axes, outputs = problem.domain.axes, problem.outputs
    if isinstance(outputs, str) or not outputs or not all(isinstance(o, str) and o.isidentifier() for o in outputs):
        raise InputError(f"{title}: `outputs` must be a tuple of names, as in outputs = ('u', 'v'), got {outputs!r}")
    for axis in axes:
        if axis in FIELD_ATTRIBUTES:
            raise InputError(
                f"{title}: the axis name {axis!r} means something else as an attribute of a Field; rename it"
            )
    names = [*outputs, *axes, "points", "normal"]
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise InputError(f"{title}: {repeated[0]!r} names two things; outputs, axes, `points` and `normal` differ")
    arrays = {f"{output}{suffix}" for output in outputs for suffix in SUFFIXES} | RESERVED
    if taken := [name for name in (*outputs, *axes) if name in arrays or name.startswith("residual_")]:
        raise InputError(f"{title}: {taken[0]!r} means something else in fields.npz; rename it")
    _validate_parameter_axes(problem)
    _validate_features(problem)
    check_written(type(problem), Problem, title, (*outputs, *axes, "points"))
    if not isinstance(problem.conditions, tuple | list):
        raise InputError(
            f"{title}: `conditions` must be a tuple: write conditions = (...,) with a comma, got "
            f"{_in_short(problem.conditions)}"
        )
    named_conditions(problem)


def _validate_parameter_axes(problem: Problem) -> None:
    title, given, axes = _title(problem), problem.parameters, problem.domain.axes
    if not isinstance(given, tuple | list) or not all(isinstance(name, str) for name in given):
        raise InputError(
            f"{title}: `parameters` must be a tuple of axes, as in parameters = ('alpha',) with a comma, got {given!r}"
        )
    for name in given:
        if name == "t":
            raise InputError(f"{title}: `parameters`: the axis 't' is time, and no parameter")
        if name not in axes:
            raise unknown(f"axis in `parameters` of {title}:", name, axes)
    if not set(axes) - set(given):
        raise InputError(f"{title}: `parameters` names all of the axes {', '.join(axes)}; one has to be space or time")


def _validate_features(problem: Problem) -> None:
    title, given = _title(problem), problem.features
    if not isinstance(given, tuple | list) or not all(map(callable, given)):
        raise InputError(
            f"{title}: `features` must be a tuple of functions, as in features = (lambda x: torch.exp(-x),), got "
            f"{shortened(given)}"
        )
    for number, function in enumerate(given):
        try:
            parameters = inspect.signature(function).parameters
        except ValueError:
            raise InputError(f"{title}: features.{number}: its arguments have no names; wrap it in a lambda") from None
        for name, parameter in parameters.items():
            if name not in problem.domain.axes and parameter.default is parameter.empty:
                raise unknown(f"axis in the arguments of features.{number} of {title}:", name, problem.domain.axes)
