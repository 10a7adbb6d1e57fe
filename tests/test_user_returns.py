"""What residuals, conditions and references of the user return is checked before training, and said in one line."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet
from pinnreg.config import resolve
from pinnreg.run.prepare import prepare

Residual = Callable[..., Any]


def problem(
    residual: Residual | None = None, conditions: tuple[Any, ...] = (), reference: Any = None, outputs: Any = ("u",)
) -> Problem:
    @dataclass(frozen=True)
    class Mine(Problem):
        domain = Box(x=(0, 1))

        def residual(self, u: Any, x: Tensor) -> Any:
            return u.xx - x if residual is None else residual(u, x)

        def reference(self) -> Any:
            return reference

    Mine.outputs, Mine.conditions = outputs, conditions
    return Mine()


def refusal(given: Problem, **sections: Any) -> str:
    base = {"problem": given, "network": {"hidden": [3]}, "points": {"interior": 8, "boundary": 2}, **sections}
    with pytest.raises(InputError) as caught:
        prepare(resolve({"train": [{"optimiser": "adam", "steps": 1}], "evaluate": {"grid": 4}, **base}))
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Odd(BaseException):
    """As libraries have them to get past `except Exception`."""


def raised(error: BaseException) -> None:
    raise error


REFUSED: dict[str, tuple[Residual, str]] = {
    "complex": (lambda u, x: torch.complex(u.value, u.x), "its real and its imaginary part as two equations"),
    "integer": (lambda u, x: u.value.long(), "must be real"),
    "boolean": (lambda u, x: u.value > 0, "must be real"),
    "half": (lambda u, x: u.value.half(), "must be real, in float32 or float64"),
    "bfloat": (lambda u, x: u.value.bfloat16(), "must be real, in float32 or float64"),
    "detached": (lambda u, x: u.xx.detach(), "does not depend on what is trained"),
    "constant": (lambda u, x: x - 1, "does not depend on what is trained"),
    "one constant": (lambda u, x: {"first": u.xx, "second": x}, "second does not depend on what is trained"),
    "numpy": (lambda u, x: torch.from_numpy(np.sin(u.value.numpy())), "use torch.* functions"),
    "slope in numpy": (lambda u, x: u.xx + np.sin(u.x), "torch cannot differentiate what NumPy computes"),
    "choice of numpy": (lambda u, x: u.xx + np.where(u > 0, 1.0, 2.0), "torch cannot differentiate what NumPy"),
    "math": (lambda u, x: u.xx + math.sin(u.x), "torch cannot differentiate what Python's math computes"),
    "float": (lambda u, x: u.xx + float(u), "torch cannot differentiate what Python's float computes"),
    "tensor of data": (
        lambda u, x: torch.tensor(u.value.tolist(), dtype=x.dtype),
        "does not depend on what is trained",
    ),
    "exit": (lambda u, x: sys.exit("enough"), "SystemExit: enough"),
    "single in double": (lambda u, x: u.value.float(), "must be torch.float64 as the points"),
    "own exception": (lambda u, x: raised(Odd("it")), "Odd: it"),
    "NaN": (lambda u, x: u.value / 0 * 0, "NaN or Inf at the start"),
    "function of numpy": (lambda u, x: u.xx + np.sin(u), "use torch.* functions"),
    "none": (lambda u, x: None, "must be a torch tensor"),
}


@pytest.mark.filterwarnings("ignore:.*requires_grad.*:UserWarning")
@pytest.mark.parametrize(("residual", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_residual_that_cannot_be_trained_is_refused(residual: Residual, reason: str) -> None:
    message = refusal(problem(residual))
    assert reason in message
    assert "residual" in message or "second" in message


def test_without_gradients_it_is_refused() -> None:
    @torch.no_grad()
    def residual(u: Any, x: Tensor) -> Any:
        return 2 * u.xx

    assert "does not depend on what is trained" in refusal(problem(residual))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda x: 1j * x, "complex"),
        (lambda x: sys.exit(), "SystemExit"),
        (lambda x: x[:1], "shape"),
        (lambda x: x / 0 * 0, "NaN"),
    ],
)
@pytest.mark.parametrize("mode", ["exact", "soft"])
def test_data_of_a_condition_that_are_no_real_numbers_are_refused(data: Any, reason: str, mode: str) -> None:
    assert reason in refusal(problem(conditions=(dirichlet(data, on="x"),)), conditions=mode)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (lambda x: 1j * x, "expected real numbers"),
        (lambda x: np.where(x > 0.5, np.nan, x), "is NaN or Inf at 2 of 4 points"),
        (lambda x: sys.exit(), "SystemExit"),
        (lambda x: x[:2], "does not broadcast"),
        (lambda x: "u", "expected real numbers"),
    ],
)
def test_a_reference_that_gives_no_real_numbers_is_refused(reference: Any, reason: str) -> None:
    assert reason in refusal(problem(reference=reference))


@pytest.mark.parametrize(
    "outputs",
    [
        ("file",),
        ("allow_pickle",),
        ("residual",),
        ("u", "u_error"),
        ("u", "u_band"),
        ("u", "u_estimate"),
        ("residual_u",),
    ],
)
def test_names_that_the_files_of_a_run_need_are_refused(outputs: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"means something else in fields\.npz"):
        problem(outputs=outputs)


@pytest.mark.parametrize(
    "defaults", [3, [], "train", {"points": 3}, {"nothing": {}}, {3: {}}, {"points": {3: 4}}, {"train": [{3: 4}]}]
)
def test_defaults_that_are_none_are_refused(defaults: Any) -> None:
    given = problem()
    type(given).defaults = defaults
    assert "defaults of problem 'mine'" in refusal(given)


@pytest.mark.slow
def test_hundreds_of_conditions_have_names() -> None:
    many = tuple(dirichlet(0.0, on="x") for _ in range(150))
    prepared = prepare(
        resolve(
            {
                "problem": problem(conditions=many),
                "conditions": "soft",
                "network": {"hidden": [3]},
                "points": {"interior": 8, "boundary": 2},
                "evaluate": {"grid": 4},
            }
        )
    )
    assert len(set(prepared.objective.names)) == 151


def test_a_stage_that_cannot_take_so_many_parameters_is_refused_before_the_first_one(tmp_path: Any) -> None:
    stages = [{"optimiser": "adam", "steps": 1}, {"optimiser": "ssbroyden"}]
    with pytest.raises(InputError, match=r"ssbroyden: .* parameters need a dense matrix"):
        pinnreg.solve({"problem": problem(), "network": {"hidden": [200, 200]}, "train": stages}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    study = {"base": "poisson", "set": {"network.hidden": [200, 200], "train": stages}, "vary": {"seed": [0]}}
    with pytest.raises(InputError, match=r"seed 0: ssbroyden: .* parameters"):
        pinnreg.study(study, out=tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_reference_whose_square_overflows_is_refused() -> None:
    assert "would overflow" in refusal(problem(reference=lambda x: 1e200 * np.ones_like(x)))
