"""Parametrisations in which any two values meet, for faults that it takes two to show, without the whole product."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest


def pairwise(**values: Sequence[Any]) -> pytest.MarkDecorator:
    """A test by name of its parameters and their values: each value of one with each value of every other one."""
    columns = list(values.values())
    products = list(itertools.product(*(range(len(column)) for column in columns)))
    missing = set().union(*map(_pairs, products))
    chosen = []
    while missing:
        best = max(products, key=lambda case: len(_pairs(case) & missing))
        missing -= _pairs(best)
        chosen.append(best)
    cases = [tuple(column[i] for column, i in zip(columns, case, strict=True)) for case in sorted(chosen)]
    return pytest.mark.parametrize(tuple(values), cases)


def _pairs(case: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    return set(itertools.combinations(enumerate(case), 2))
