"""The neural tangent kernel of any network, for any linear differential operators."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from pinnreg.analysis.kernels import Kernel, operators_or_value
from pinnreg.differentiation import derivatives as differentiate
from pinnreg.errors import InputError, unknown
from pinnreg.jacobians import jacobian_of
from pinnreg.networks import bound
from pinnreg.taylor import Operator

POINTS = 32
"""At once: a row's gradient needs its own point only, and the backward pass of a row goes over all of a part."""

Parameters = dict[str, Tensor]


def ntk(
    network: nn.Module,
    points: Tensor,
    derivatives: Iterable[Hashable] | None = None,
    *,
    axes: Sequence[str] | None = None,
    other: Tensor | None = None,
    parameters: Mapping[str, Tensor] | None = None,
) -> Kernel:
    """The neural tangent kernel of a network's derivatives, Θ_ab[i, j] = ⟨∂_θ (D_a f)(x_i), ∂_θ (D_b f)(x'_j)⟩.

    Args:
        network: maps (n, d) to (n, outputs), each row from its own point only; left as it is.
        points: x, (n, d).
        derivatives: the linear operators D_a as for `pinnreg.derivatives`: multi-indices, `Laplacian`, or names with
            `axes`; the value alone if not given.
        axes: the names of the d columns, when `derivatives` holds names.
        other: x', (m, d); the points themselves if not given.
        parameters: the θ to differentiate by, and where: tensors by name; the network's other parameters stay as they
            are. All that are trained, as they are, if not given.

    Returns:
        The kernel with the keys of `derivatives`, in the precision of the parameters.

    Raises:
        InputError: operators or points as for `pinnreg.derivatives`, parameters that the network lacks or none at all.

    Source: Jacot, Gabriel & Hongler 2018, arXiv:1806.07572; of derivatives Wang, Yu & Perdikaris 2022,
    arXiv:2007.14527, and Kim & Yang 2023, arXiv:2312.03386.
    """
    operators = operators_or_value(derivatives, points, axes)
    if other is not None and other.shape[1:] != points.shape[1:]:
        raise InputError(f"ntk: expected other points (m, {points.shape[-1]}), got {tuple(other.shape)}")
    at = trained(network, parameters)
    left = _jacobian(network, points, operators, at)
    right = left if other is None else _jacobian(network, other, operators_or_value(operators, other, axes), at)
    return Kernel(left @ right.T, tuple(operators))


def stacked(
    network: nn.Module,
    points: Tensor,
    derivatives: Iterable[Hashable] | None = None,
    *,
    axes: Sequence[str] | None = None,
    parameters: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """The operators applied to a network at points, one number for each row of `ntk`, (k n,). Arguments as there.

    With f and its Jacobian as operators this is the u = (f, J) that a kernel moves in training. Differentiable in
    `parameters`.
    """
    operators = operators_or_value(derivatives, points, axes)
    return torch.cat(list(_by_operator(network, points, operators, trained(network, parameters)).values()))


def trained(network: nn.Module, parameters: Mapping[str, Tensor] | None) -> Parameters:
    """The parameters by name: those given, or all of the network's that are trained.

    Raises:
        InputError: a name or shape that the network has no parameter of, or none at all.
    """
    own = dict(network.named_parameters())
    if parameters is None:
        parameters = {name: each for name, each in own.items() if each.requires_grad}
    for name, each in parameters.items():
        if name not in own:
            raise unknown("parameter of the network", name, own)
        if each.shape != own[name].shape:
            raise InputError(f"parameter {name!r}: expected {tuple(own[name].shape)}, got {tuple(each.shape)}")
    if not parameters:
        raise InputError("ntk: the network has no parameter that is trained")
    return dict(parameters)


def _jacobian(network: nn.Module, points: Tensor, operators: Mapping[Hashable, Operator], at: Parameters) -> Tensor:
    """The derivatives of the operators at points by the parameters, (k n, p)."""
    leaves = {name: each.detach().clone().requires_grad_() for name, each in at.items()}
    parts = [
        jacobian_of(partial(_by_operator, network, part, operators), leaves) for part in points.detach().split(POINTS)
    ]
    return torch.cat([part[number] for number in parts[0] for part in parts])


def _by_operator(
    network: nn.Module, points: Tensor, operators: Mapping[Hashable, Operator], at: Parameters
) -> dict[str, Tensor]:
    """Each operator applied to the network at points, (n · outputs,), by its number."""
    found = differentiate(bound(network, at), points, operators.values())
    return {str(number): found[operator].reshape(-1) for number, operator in enumerate(operators.values())}
