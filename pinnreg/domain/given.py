"""What users give to domains: points in any form, how many are wanted and how they are spread, and names of parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from pinnreg.domain.settings import SAMPLERS
from pinnreg.errors import InputError, shortened, unknown

KEPT = (torch.float64, torch.float32)
"""Precisions of tensors that stay as they are."""


def points_of(what: str, axes: Sequence[str], points: object) -> Tensor:
    """Points (n, d) as a tensor: float64, but for tensors of float32.

    Args:
        what: is asked of them, for messages.
        axes: of the domain.
        points: a tensor, an array or nested lists of real numbers.

    Raises:
        InputError: other than real numbers, or another shape.
    """
    if isinstance(points, Tensor):
        found, real = points, not points.is_complex() and points.dtype != torch.bool
    else:
        try:
            array = np.asarray(points)
        except ValueError:  # rows of different lengths
            array = np.asarray(None)
        real = array.dtype.kind in "fiu"
        found = torch.from_numpy(array.astype(np.float64)) if real else torch.empty(0)
    expected = f"{what}: expected points (n, {len(axes)}), in rows of {', '.join(axes)}"
    if not real:
        raise InputError(f"{expected}, as a tensor, an array or lists of real numbers; got {shortened(points)}")
    if found.ndim != 2 or found.shape[1] != len(axes):
        raise InputError(f"{expected}; got the shape {tuple(found.shape)}")
    return found if found.dtype in KEPT else found.double()


def check_drawing(what: str, count: object, sampler: object, seed: object) -> None:
    """Refuse a number of points that is none, a sampler that there is not, or a seed that is none."""
    if not _whole(count) or count < 1:  # type: ignore[operator]
        raise InputError(f"{what}: expected a positive number of points, got {count!r}")
    if sampler not in SAMPLERS:
        raise unknown(f"sampler of {what}:", str(sampler), SAMPLERS)
    if not _whole(seed) or seed < 0:  # type: ignore[operator]
        raise InputError(f"{what}: expected a seed of 0 or more, got {seed!r}")


def _whole(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def names_of(on: object) -> list[str]:
    """The names of parts of a boundary, one or several, as a list.

    Raises:
        InputError: anything that is no text.
    """
    given = list(on) if isinstance(on, Iterable) and not isinstance(on, str) else [on]
    names = [name for name in given if isinstance(name, str)]
    if len(names) < len(given):
        raise InputError(f"faces {on!r}: expected the names of parts of the boundary")
    return names
