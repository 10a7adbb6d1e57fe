"""Orthogonality: the weights of quadratic blocks near those with orthonormal columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from pinnreg.errors import InputError
from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, NonNegative

if TYPE_CHECKING:
    from torch import Tensor, nn


@final
@dataclass(frozen=True, config=STRICT)
class Orthogonality:
    """Orthogonality: weight · Σ_blocks mean_ij (WᵀW - I)²_ij, W (neurons, inputs + 1) the weights of a quadratic block.

    The neurons of W then span all directions, and where those with λ ≠ 0 do, a stationary point of a single block
    fitted to data is a global minimum. A block with fewer neurons than columns cannot make the penalty zero. It needs a
    network of kind `quadratic`.

    Attributes:
        weight: the factor, at least 0; in the paper the squared norm of the data.
        schedule: as for `ktv`.

    Source: Kazemipour, Larsen & Druckmann 2020, arXiv:2001.00098.
    """

    kind: Literal["orthogonality"] = "orthogonality"
    weight: NonNegative = 1e-4
    schedule: Schedule = "constant"

    role: ClassVar[Literal["parameters"]] = "parameters"
    vanishes: ClassVar[bool] = False
    diagonal: ClassVar[bool] = False

    def rows(self, network: nn.Module, parameters: Mapping[str, Tensor]) -> Tensor:
        """One row an entry on and above the diagonal of each WᵀW - I, which is symmetric.

        Args:
            network: which of its parameters are weights of quadratic blocks.
            parameters: all parameters by name.

        Raises:
            InputError: a network without quadratic blocks.
        """
        import torch  # noqa: PLC0415, since a config needs no torch

        from pinnreg.networks import weights_of_blocks  # noqa: PLC0415

        names = weights_of_blocks(network)
        if not names:
            raise InputError(
                "regularisers: orthogonality penalises the weights of quadratic blocks, and the network has none; it "
                "needs network: {kind: quadratic}"
            )
        return torch.cat([_entries(parameters[name]) for name in names])


def _entries(weight: Tensor) -> Tensor:
    """A vector whose sum of squares is the mean of those of all entries of WᵀW - I."""
    import torch  # noqa: PLC0415

    columns = weight.shape[1]
    unit = torch.eye(columns, dtype=weight.dtype, device=weight.device)
    row, column = torch.triu_indices(columns, columns, device=weight.device)
    counts = torch.where(row == column, 1.0, 2.0).to(weight.dtype).sqrt()
    entries: Tensor = counts * (weight.T @ weight - unit)[row, column] / columns
    return entries
