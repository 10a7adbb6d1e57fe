"""Regularisers of a user's own: any object with a method `rows`, as a penalty that the objective knows.

    @dataclass(frozen=True)
    class Curvature:
        \"\"\"weight · mean κ², κ the curvature of the graph of u.\"\"\"

        weight: float = 1e-6

        def rows(self, u):
            return u.xx / (1 + u.x**2) ** 1.5

`rows` names what it needs, as a problem's `residual` does: outputs (as Fields), axes, `points`; it returns a vector
(n,), or a dict of them. The penalty is weight · mean over the points of Σ rows². `rows(self, parameters)` is a penalty
on the network's parameters, a dict of tensors by name, and returns a vector of any length, whose sum of squares counts.
Class attributes change that: `power = 1` for |rows|, `integral = True` for the integral over the domain instead of the
mean over its points. `weight`, `schedule` and `samples` are settings of every penalty; a class that has fields of these
names keeps them itself.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pinnreg.errors import InputError, unknown, user_code
from pinnreg.regularisers.interface import Regulariser
from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, Count, NonNegative

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from pinnreg.equations import Problem, Sweep, Trial

PARAMETERS = "parameters"
"""What `rows` of a penalty on the parameters names, and nothing else."""


@final
@dataclass(frozen=True, config=STRICT)
class Common:
    """The settings that every penalty has.

    Attributes:
        weight: the factor, at least 0.
        schedule: as for `ktv`.
        samples: the number of points drawn uniformly at each step; null takes the collocation points.
    """

    weight: NonNegative = 1e-6
    schedule: Schedule = "constant"
    samples: Count | None = None


COMMON = tuple(field.name for field in dataclasses.fields(Common))


@final
@dataclasses.dataclass(frozen=True)
class CustomPenalty:
    """A user's penalty at points.

    Attributes:
        kind: its name in a config, and of its loss term.
        own: the user's object, whose `rows` is called.
        weight: the factor.
        schedule: how the weight falls.
        samples: the number of points drawn at each step; None takes the collocation points.
        power: of the rows.
        integral: whether the mean over the points is multiplied by the domain's volume.
        settings: those of `own`, as a config says them.
    """

    kind: str
    own: Any
    weight: float
    schedule: Schedule
    samples: int | None
    power: Literal[1, 2] = 2
    integral: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)

    role: ClassVar[Literal["points"]] = "points"
    vanishes: ClassVar[bool] = False
    smoothing: ClassVar[None] = None
    stochastic: ClassVar[bool] = False

    def check(self, problem: Problem, trial: Trial) -> None:
        """Refuse a problem that lacks what `rows` names."""
        known = (*problem.outputs, *problem.domain.axes, "points")
        for name, parameter in inspect.signature(self.own.rows).parameters.items():
            if name not in known and parameter.default is parameter.empty:
                what = f"argument of rows of regulariser {self.kind!r}:"
                raise unknown(what, name, (*known, PARAMETERS))

    def plain(self) -> dict[str, Any]:
        """What a config file says of it."""
        common = {"weight": self.weight, "schedule": self.schedule, "samples": self.samples}
        return {"kind": self.kind, **common, **self.settings}

    def draw(self, points: int, outputs: int, draws: torch.Generator, like: Tensor) -> None:
        """Nothing."""

    def rows(self, problem: Problem, sweep: Sweep) -> Sequence[Tensor]:
        """What the user's `rows` gives."""
        from pinnreg.equations import evaluate_rows  # noqa: PLC0415, since a config needs no torch

        return list(evaluate_rows(self.own.rows, sweep, f"rows of regulariser {self.kind!r}", self.kind).values())


@final
@dataclasses.dataclass(frozen=True)
class CustomParameterPenalty:
    """A user's penalty on the network's parameters. Attributes as of `CustomPenalty`."""

    kind: str
    own: Any
    weight: float
    schedule: Schedule
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)

    role: ClassVar[Literal["parameters"]] = "parameters"
    vanishes: ClassVar[bool] = False
    diagonal: ClassVar[bool] = False

    def plain(self) -> dict[str, Any]:
        """What a config file says of it."""
        return {"kind": self.kind, "weight": self.weight, "schedule": self.schedule, **self.settings}

    def rows(self, network: nn.Module, parameters: Mapping[str, Tensor]) -> Tensor:
        """What the user's `rows` gives, as one vector."""
        import torch  # noqa: PLC0415, since a config needs no torch

        title = f"rows of regulariser {self.kind!r}"
        with user_code(title):
            found = self.own.rows(**{PARAMETERS: dict(parameters)})
        if not isinstance(found, torch.Tensor) or not found.is_floating_point() or not found.numel():
            got = f"{tuple(found.shape)} of {found.dtype}" if isinstance(found, torch.Tensor) else type(found).__name__
            raise InputError(f"{title}: expected a torch tensor of real numbers, got {got}")
        return found.reshape(-1)


Custom = CustomPenalty | CustomParameterPenalty


def but_weight(regulariser: Regulariser) -> object:
    """A regulariser with the weight 0, to tell by it whether two differ in more than that; noise as it is."""
    if regulariser.role == "noise" or not dataclasses.is_dataclass(regulariser):
        return regulariser
    found = dataclasses.replace(regulariser, weight=0.0)
    # a user's own may have a field of that name
    if isinstance(found, CustomPenalty | CustomParameterPenalty) and dataclasses.is_dataclass(found.own):
        has_one = any(each.name == "weight" for each in dataclasses.fields(found.own))
        return dataclasses.replace(found, own=dataclasses.replace(found.own, weight=0.0)) if has_one else found
    return found


def custom(
    kind: str, own: Any, settings: Mapping[str, Any] | None = None, plain: Mapping[str, Any] | None = None
) -> Custom:
    """A user's object as a penalty.

    Args:
        kind: what it is called.
        own: has a method `rows`.
        settings: values of `weight`, `schedule` and `samples` that `own` has no attributes for.
        plain: the settings of `own`, as a config says them.

    Raises:
        InputError: no method `rows`, or one whose arguments have no names; settings of the wrong type or range.
    """
    title = f"regulariser {kind!r}"
    names = _arguments(own, title)
    given = _settings_of(own) | dict(settings or {})
    try:
        common = TypeAdapter(Common).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{title}: {'.'.join(map(str, first['loc']))}: {first['msg']}, got {first['input']!r}"
        ) from None
    power, integral = getattr(own, "power", 2), bool(getattr(own, "integral", False))
    if power not in (1, 2) or isinstance(power, bool):
        raise InputError(f"{title}: power must be 1 or 2, got {power!r}")
    if PARAMETERS not in names:
        exponent: Literal[1, 2] = 1 if power == 1 else 2
        return CustomPenalty(
            kind, own, common.weight, common.schedule, common.samples, exponent, integral, dict(plain or {})
        )
    for name, needed in names.items():
        if needed and name != PARAMETERS:
            raise unknown(f"argument of rows of {title} on the parameters:", name, (PARAMETERS,))
    if common.samples is not None or power != 2 or integral:
        raise InputError(f"{title}: samples, power and integral have no effect on a penalty on the parameters")
    return CustomParameterPenalty(kind, own, common.weight, common.schedule, dict(plain or {}))


def _arguments(own: Any, title: str) -> dict[str, bool]:
    """The names of the arguments of `rows`, and whether each has to be given."""
    if inspect.isclass(own):
        raise InputError(f"{title}: expected an object, got the class {own.__name__}: give {own.__name__}(...)")
    rows = getattr(own, "rows", None)
    if not callable(rows):
        raise InputError(f"{title}: expected an object with a method rows, got {type(own).__name__}")
    try:
        parameters = inspect.signature(rows).parameters
    except ValueError:
        raise InputError(f"{title}: the arguments of rows have no names") from None
    for each in parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
            raise InputError(f"{title}: rows must name each thing that it needs, which {each} does not")
    return {name: each.default is each.empty for name, each in parameters.items()}


def _settings_of(own: Any) -> dict[str, Any]:
    """The settings of every penalty that an object has itself."""
    missing = object()
    found = {name: getattr(own, name, missing) for name in COMMON}
    return {name: value for name, value in found.items() if value is not missing}
