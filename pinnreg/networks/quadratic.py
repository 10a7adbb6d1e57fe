"""Deep quadratic networks: sums of squares of linear functions, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from pinnreg.errors import InputError, unknown

Variant = Literal["plain", "norm", "orth"]
PROBES = 1024


@final
class QuadraticBlock(nn.Module):
    """One quadratic block, (n, d) -> (n, outputs): y_o = Σ_h λ_oh (w_h · [x, 1])² (+ α_o |[x, 1]|² in "norm").

    The constant feature [x, 1] takes the place of biases. A neuron with λ_oh = 0 for all o and w_h = 0 keeps both
    under gradient steps, so that blocks of different size can be padded to one shape.

    Attributes:
        weight: w, (neurons, d + 1), the last column that of the constant.
        lam: λ, (outputs, neurons).
        alpha: α, (outputs, 1), at first zero; None but in the variant "norm".
    """

    def __init__(
        self,
        inputs: int,
        neurons: int,
        outputs: int,
        *,
        variant: Variant,
        generator: torch.Generator | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty((neurons, inputs + 1), dtype=dtype))
        self.lam = nn.Parameter(torch.empty((outputs, neurons), dtype=dtype))
        self.alpha = nn.Parameter(torch.zeros((outputs, 1), dtype=dtype)) if variant == "norm" else None
        with torch.no_grad():
            if variant == "orth":
                nn.init.orthogonal_(self.weight, generator=generator)
            else:
                nn.init.normal_(self.weight, std=(inputs + 1) ** -0.5, generator=generator)
            nn.init.normal_(self.lam, generator=generator)

    def forward(self, inputs: Tensor) -> Tensor:
        constant = torch.ones((inputs.shape[0], 1), dtype=inputs.dtype, device=inputs.device)
        x = torch.cat([inputs, constant], dim=1)
        # matrix products throughout, of which Gauss-Newton has the Jacobian in one backward pass
        values = functional.linear(functional.linear(x, self.weight).square(), self.lam)
        if self.alpha is not None:
            values = values + functional.linear(x.square().sum(dim=1).unsqueeze(1), self.alpha)
        return values


@final
class Quadratic(nn.Module):
    """A deep quadratic network (n, inputs) -> (n, outputs), `blocks` of squared neurons one after the other.

    The first block sees x, each later one x beside the `width` outputs of the block before, so that L blocks are a
    polynomial of degree 2ᴸ in x, whose lower powers need not pass through all of them.

    Weights begin normal with variance 1/(d + 1), or with orthogonal columns (rows, if there are fewer neurons than
    columns) in "orth"; λ normal, then scaled by what comes out for 1024 points x uniform on [-1, 1]ⁿ: within [-1, 1],
    as x itself, between blocks, and of mean square 1 in the end. Squares of squares would otherwise explode or vanish;
    mean squares of 1 between blocks too leave peaks that do (1e3 at the end of eight blocks). All is drawn on the CPU
    from `generator` (torch's global one if None). `dtype` None means torch's default.

    Args:
        hidden: the neurons of each block.
        width: the outputs of each block but the last; None for as many as there are inputs.
        variant: "plain"; "norm" with α, see `QuadraticBlock`; "orth" with orthogonal weights at the start, which the
            regulariser `orthogonality` keeps near that.

    Raises:
        InputError: an unknown variant, or a size that is not a positive integer.

    Source: Kazemipour, Larsen & Druckmann 2020, arXiv:2001.00098; scaling as Mishkin & Matas 2016, arXiv:1511.06422.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        width: int | None = None,
        variant: Variant = "plain",
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if variant not in get_args(Variant):
            raise unknown("variant", variant, get_args(Variant))
        between = inputs if width is None else width
        sizes = [inputs, *hidden, outputs, between]
        if not hidden or any(type(size) is not int or size < 1 for size in sizes):
            raise InputError(
                f"Quadratic: expected positive integers and at least one block, got inputs {inputs}, "
                f"hidden {list(hidden)}, outputs {outputs}, width {width}"
            )
        last = len(hidden) - 1
        self.blocks = nn.ModuleList(
            QuadraticBlock(
                inputs + between if number else inputs,
                neurons,
                between if number < last else outputs,
                variant=variant,
                generator=generator,
                dtype=dtype,
            )
            for number, neurons in enumerate(hidden)
        )
        self._scale(2 * torch.rand((PROBES, inputs), generator=generator, dtype=dtype) - 1)

    def forward(self, points: Tensor) -> Tensor:
        first, *others = self.blocks
        values: Tensor = first(points)
        for block in others:
            values = block(torch.cat([points, values], dim=1))
        return values

    @torch.no_grad()
    def _scale(self, probes: Tensor) -> None:
        """Scale λ so that outputs are at most 1 at the probes between blocks, and of mean square 1 at the end."""
        seen = probes
        for block in self.blocks:
            assert isinstance(block, QuadraticBlock)
            values = block(seen)
            size = values.square().mean(dim=0).sqrt() if block is self.blocks[-1] else values.abs().amax(dim=0)
            block.lam.div_(size[:, None])
            seen = torch.cat([probes, values / size], dim=1)


def weights_of_blocks(network: nn.Module) -> tuple[str, ...]:
    """The names, among the parameters of a network, of the weights of its quadratic blocks."""
    blocks = (name for name, module in network.named_modules() if isinstance(module, QuadraticBlock))
    return tuple(f"{name}.weight".removeprefix(".") for name in blocks)
