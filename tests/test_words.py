"""The sentences on a run that the terminal and pages share."""

from __future__ import annotations

from typing import Any

import pytest

from pinnreg.report import words


def facts_of(error: float | None, own: float | None, kind: str = "finite elements") -> dict[str, Any]:
    errors = {"u": {"rel_l2": error, "rel_l1": error, "max_abs": 1e-3, "rmse": 1e-4}}
    return {"reference": {"kind": kind, "error_estimate": own}, "errors": errors, "outputs": ["u"]}


@pytest.mark.parametrize(
    ("error", "own", "said"),
    [
        (2.7e-7, 2.7e-7, True),
        (1e-8, 2.7e-7, True),
        (5.5e-7, 2.7e-7, False),
        (1e-2, None, False),
        (2e-16, 2.2e-16, False),
    ],
)
def test_an_error_of_the_size_of_the_references_own_is_not_said_to_be_the_networks(
    error: float, own: float | None, said: bool
) -> None:
    remarks = words.error_remarks(facts_of(error, own))
    assert any("the reference's own" in each for each in remarks) == said


def test_an_error_relative_to_nothing_is_no_errors_own() -> None:
    assert not any("the reference's own" in each for each in words.error_remarks(facts_of(None, 1e-3)))
