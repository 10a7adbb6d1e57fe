"""Which of a test's parameters the quick suite takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def only(each: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters of a test, all slow but those named."""
    given = list(each)
    assert all(one in given for one in quick), (given, quick)
    return [pytest.param(one, marks=() if one in quick else pytest.mark.slow) for one in given]
