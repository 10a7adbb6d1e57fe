"""The `figures` section: what the figures of a run show, and how large they are. It changes no result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool
from pydantic.dataclasses import dataclass

from pinnreg.errors import near
from pinnreg.settings import STRICT, no_boolean

MILLIMETRES = 25.4
"""In an inch."""
SMALLEST, LARGEST = 30.0, 2000.0
"""Millimetres of a figure's sides."""

Named = Literal["screen", "single-column", "double-column"]
Panel = Literal["solution", "reference", "error", "residual"]
Number = Annotated[float, BeforeValidator(no_boolean)]

WIDTHS: Mapping[str, float] = {"screen": 266.7, "single-column": 85.0, "double-column": 175.0}
"""In millimetres; heights are what the content asks for."""


def _name_or_sides(value: Any) -> Any:
    """One message for a wrong name and for what is neither a name nor a pair of lengths."""
    names = get_args(Named)
    expected = f"expected {', '.join(names)}, or [width, height] in millimetres, as in [85, 60]"
    if isinstance(value, str):
        if value not in names:
            raise ValueError(f"{expected}, got {value!r}{near(value, names)}")
        return value
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{expected}, got {value!r}")
    for side in value:
        if isinstance(side, bool) or not isinstance(side, int | float) or not SMALLEST <= side <= LARGEST:
            raise ValueError(f"{expected}, each from {SMALLEST:g} to {LARGEST:g}, got {list(value)}")
    return tuple(map(float, value))


def _one_or_several(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a number, or a list of numbers, got {value!r}")
    return value


def _once_each(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(value)) < len(value):
        raise ValueError(f"expected each only once, got {list(value)}")
    return value


Several = Annotated[
    tuple[Number, ...], Field(min_length=1), AfterValidator(_once_each), BeforeValidator(_one_or_several)
]


@dataclass(frozen=True, config=STRICT)
class FigureSettings:
    """The `figures` section: what `error_field` and `history` show, and how large they are. It changes no result.

    Attributes:
        times: at which slices, or maps, are drawn; null: round ones from the start to the end.
        planes: of three or more axes of space, where the planes lie that are drawn: a coordinate, or several, for each
            axis that is cut, as in `{z: [0.25, 0.5]}`; empty: through the middle.
        size: `screen`, `single-column` (85 mm wide), `double-column` (175 mm), as high as the content asks for, or
            `[width, height]` in millimetres.
        titles: whether there is a heading, and whether panels say the errors; a caption may do so instead.
        labels: what outputs and axes are called, as in `{u: "T [K]"}`; between dollar signs it is mathematics.
        panels: of `solution`, `reference`, `error` and `residual` those that are shown, in this order; without a
            reference the estimated error stands for the error, or else the residual.
    """

    times: Several | None = None
    planes: dict[str, Several] = Field(default_factory=dict)
    size: Annotated[Named | tuple[float, float], BeforeValidator(_name_or_sides)] = "screen"
    titles: StrictBool = True
    labels: dict[str, str] = Field(default_factory=dict)
    panels: Annotated[tuple[Panel, ...], Field(min_length=1), AfterValidator(_once_each)] = (
        "solution",
        "reference",
        "error",
    )

    @property
    def width(self) -> float:
        """Of a figure, in inches."""
        return (WIDTHS[self.size] if isinstance(self.size, str) else self.size[0]) / MILLIMETRES

    @property
    def height(self) -> float | None:
        """Of a figure, in inches; None for what its content asks for."""
        return None if isinstance(self.size, str) else self.size[1] / MILLIMETRES

    @property
    def content(self) -> tuple[Any, ...]:
        """What decides which values are shown, and not only how."""
        return self.times, tuple(sorted(self.planes.items())), "residual" in self.panels
