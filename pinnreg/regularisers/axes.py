"""The axes along which a penalty differentiates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator

from pinnreg.errors import InputError, unknown

if TYPE_CHECKING:
    from pinnreg.domain import Domain


def _one_axis(value: object) -> object:
    return (value,) if isinstance(value, str) and value not in ("all", "space") else value


Axes = Annotated[Literal["all", "space"] | tuple[str, ...], BeforeValidator(_one_axis)]
""""all" (all but parameters), "space" (without t, too), or a list of names."""


def named_axes(
    axes: Literal["all", "space"] | tuple[str, ...], kind: str, domain: Domain, parameters: Sequence[str] = ()
) -> tuple[str, ...]:
    """The axes that the setting `axes` of a regulariser of some kind means on a domain, of which some are parameters.

    Raises:
        InputError: an axis that the domain lacks, or no axis at all.
    """
    named = {"all": domain.axes, "space": domain.space_axes}
    if isinstance(axes, str):
        chosen = tuple(axis for axis in named[axes] if axis not in parameters)
    else:
        chosen = tuple(dict.fromkeys(axes))
    for axis in chosen:
        if axis not in domain.axes:
            raise unknown(f"axis in regularisers: {kind}: axes:", axis, domain.axes)
    if not chosen:
        raise InputError(f"axes of {kind}: {axes!r} names none of the axes {', '.join(domain.axes)}")
    return chosen
