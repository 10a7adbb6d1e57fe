"""Types shared by the settings classes: one validated dataclass beside each thing that a config can name.

A settings class is a frozen pydantic dataclass with `config=STRICT`, so that Python callers and YAML files meet the
same checks; `config` assembles them and turns pydantic's errors into messages.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)

from pinnreg.errors import near

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True, validate_default=False)


def no_boolean(value: Any) -> Any:
    """Refuse a boolean where a number is expected."""
    # Python and pydantic count True as 1; `steps: yes` in a YAML file is a mistake
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    return value


def countable(value: int) -> int:
    """Refuse an integer that no float holds: shares of counts are taken."""
    if value.bit_length() > 1000:
        raise ValueError(f"expected fewer than 10^300, got a number of {len(f'{value:x}')} hexadecimal digits")
    return value


Count = Annotated[int, Field(gt=0), BeforeValidator(no_boolean), AfterValidator(countable)]
"""A positive integer."""

Positive = Annotated[float, Field(gt=0), BeforeValidator(no_boolean)]
"""A positive finite number."""

Share = Annotated[float, Field(ge=0, lt=1), BeforeValidator(no_boolean)]
"""A number of at least 0 and below 1."""

Seed = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(no_boolean)]
"""What random numbers are drawn from."""

NonNegative = Annotated[float, Field(ge=0), BeforeValidator(no_boolean)]
"""A finite number, zero or more."""


def number_or_auto(value: Any) -> Any:
    """Refuse what is neither a number nor auto, by one message for both."""
    if isinstance(value, str) and value != "auto":
        try:
            return float(value)  # as 1e-3 is in YAML
        except ValueError:
            raise ValueError(f"expected a number or auto, got {value!r}{near(value, ['auto'])}") from None
    return no_boolean(value)


Weight = Annotated[NonNegative | Literal["auto"], BeforeValidator(number_or_auto)]
"""The factor of a penalty, or "auto" for one that is found while the network is trained."""


@runtime_checkable
class Own(Protocol):
    """A part of a user's own, which stands in a config where settings of a shipped one could."""

    def plain(self) -> Any:
        """What a config file says of it."""


def own_or_valid(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """A part of a user's own as it is, anything else validated."""
    return value if isinstance(value, Own) else validate(value)


def own_or_dumped(value: Any, dump: SerializerFunctionWrapHandler) -> Any:
    """What a config file says of a part, a user's own or not."""
    return value.plain() if isinstance(value, Own) else dump(value)


OWN = (WrapValidator(own_or_valid), WrapSerializer(own_or_dumped))
"""Annotates a field that can hold a part of a user's own as well."""
