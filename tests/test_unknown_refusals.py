"""Unknown coefficients that cannot be trained: refused in one line, or noted."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from pydantic import PositiveFloat, ValidationError

from pinnreg import Box, InputError, Problem, dirichlet, initial, measurements
from pinnreg.config import resolve
from pinnreg.equations import Unknown
from pinnreg.run.prepare import prepare


@dataclass(frozen=True)
class Rod(Problem):
    """Coefficients of the residual, and parameters that are used elsewhere or are no real numbers."""

    rate: float = 0.5
    power: PositiveFloat = 1.5
    mode: int = 2
    label: str = "rod"
    height: float = 1.0
    size: float = 1.0
    spare: float = 1.0
    domain = property(lambda self: Box(x=(0, self.size), t=(0, 1)))
    rounded: float = 0.0
    conditions = property(
        lambda self: (
            initial(lambda x: self.height * x),
            dirichlet(float(torch.as_tensor(self.rounded).detach()), on="x"),
        )
    )

    def residual(self, u: Any) -> Any:
        return u.t - torch.exp(self.rate) * u.xx + self.power * u


def prepared(unknown: dict[str, Any], problem: Problem | None = None) -> None:
    config = {"problem": problem or Rod(), "network": {"hidden": [4]}, "points": {"interior": 11, "boundary": 4}}
    prepare(resolve({**config, "unknown": unknown}), with_reference=False)


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        (
            {"size": {}},
            "unknown.size: the domain, the symmetry or the defaults of Rod depend on size; only .* residual",
        ),
        ({"rounded": {}}, "unknown.rounded: the data of 'dirichlet' depend on rounded, but have no derivative by it"),
        ({"mode": {}}, "unknown.mode: only a real number can be trained, and mode is no real number"),
        ({"mode": {"start": 1.5}}, "unknown.mode.start: problem Rod: mode: .* integer"),
        ({"label": {}}, "unknown.label.start: problem Rod: label: .* string"),
        ({"rat": {}}, "unknown coefficient in unknown: 'rat'; did you mean 'rate'"),
        ({"power": {"start": -1.0}}, "unknown.power.start: problem Rod: power: .* greater than 0, got -1.0"),
        ({"power": {"start": -1.0, "positive": True}}, "unknown.power: start must be positive .* got -1"),
        ({"rate": {"start": True}}, "unknown.rate.start: expected a number, got true"),
        ({"rate": {"start": float("nan")}}, "unknown.rate.start: .* finite number"),
        ({"rate": {"begin": 1.0}}, r"unknown key in unknown\.rate: 'begin' \(known: start, positive\)"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(unknown: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        prepared(unknown)
    assert "\n" not in str(caught.value)


def test_settings_are_checked_without_a_config_too() -> None:
    for start in (-1.0, 0.0):
        with pytest.raises(ValidationError, match="start must be positive with positive: true"):
            Unknown(start, positive=True)


@dataclass(frozen=True)
class Detached(Problem):
    """A coefficient that the residual turns into a number of Python's."""

    rate: float = 0.5
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return u.xx - math.exp(self.rate)


@dataclass(frozen=True)
class Data(Problem):
    """A coefficient without an equation."""

    rate: float = 0.5
    domain = Box(x=(0, 1))
    conditions = (measurements([[0.5]], [1.0]),)
    residual = None  # type: ignore[assignment]


@pytest.mark.filterwarnings("ignore:Converting a tensor")
def test_a_coefficient_that_nothing_trains_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    def noted(problem: Problem, *names: str) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="pinnreg"):
            prepared({name: {} for name in names}, problem)
        return [record.message.partition(":")[0] for record in caplog.records if "may keep" in record.message]

    assert noted(Rod(), "rate", "power") == []
    assert noted(Rod(), "rate", "spare") == ["unknown.spare"]
    assert noted(Detached(), "rate") == ["unknown.rate"]
    assert noted(Data(), "rate") == ["unknown.rate"]
