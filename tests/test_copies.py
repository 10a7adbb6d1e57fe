"""Tables that are kept in each precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pinnreg.compilation import recorded
from pinnreg.domain.copies import Copies

TABLE = torch.arange(3, dtype=torch.float64) / 3


def test_a_copy_is_made_once() -> None:
    copies, like = Copies(TABLE, -TABLE), torch.ones(3)
    assert copies.at(TABLE)[0] is TABLE
    one, other = copies.at(like)
    assert torch.equal(one, TABLE.float())
    assert torch.equal(other, -TABLE.float())
    assert copies.at(like)[0] is one


@pytest.mark.parametrize(
    "use",
    [
        lambda function, like: recorded(function, like)(like),
        lambda function, like: torch.func.grad(function)(like),
        lambda function, like: torch.func.jvp(function, (like,), (like,)),
        lambda function, like: torch.func.vmap(function)(like[None]),
        torch.inference_mode()(lambda function, like: function(like)),
    ],
)
def test_what_is_first_used_within_something_else_is_right_later(
    use: Callable[[Callable[[Tensor], Tensor], Tensor], object],
) -> None:
    copies, like = Copies(TABLE), torch.ones(3)

    def function(values: Tensor) -> Tensor:
        return (copies.at(values)[0] * values).sum()

    use(function, like)
    like.requires_grad_()
    function(like).backward()
    assert like.grad is not None
    assert torch.equal(like.grad, TABLE.float())
