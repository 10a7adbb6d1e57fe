"""Kernels of infinitely wide networks in closed form, for their values and first derivatives together.

The network, in the NTK parametrisation (`WideNetwork` is one of finite width m),

    f(x) = 1/√m Σ_i a_i φ(z_i(x)),    z_i(x) = σ_w/√d w_i · x + σ_b b_i,    all a, w, b ~ N(0, 1),

and with further hidden layers z ↦ σ_w/√m W φ(z) + σ_b b in between. As m → ∞ it is a Gaussian process at the start, of
covariance Σ, and gradient flow follows its neural tangent kernel Θ. With Λ(x, x') = σ_w²/d x · x' + σ_b² and

    F(p, q, r) = E φ(z) φ(z'),    G(p, q, r) = E φ'(z) φ'(z') = ∂F/∂r,    (z, z') ~ N(0, [[p, r], [r, q]]),

a hidden layer takes (Σ, Θ) to (F, F + Θ G), where p = Σ(x, x), q = Σ(x', x'), r = Σ(x, x'); the first begins with
(Λ, Λ). Derivatives in x and x' are carried through the layers by the chain rule.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from pinnreg.analysis.kernels import Kernel, operators_or_value
from pinnreg.analysis.moments import MOMENTS, Moment, Moments
from pinnreg.errors import InputError, unknown

WideActivation = Literal["erf", "relu"]


@final
@dataclass(frozen=True)
class InfiniteKernels:
    """The kernels of an infinitely wide network.

    Attributes:
        nngp: Σ, the covariance of the operators applied to the network at the start.
        ntk: Θ, their neural tangent kernel.
    """

    nngp: Kernel
    ntk: Kernel


def infinite_kernels(
    points: Tensor,
    derivatives: Iterable[Hashable] | None = None,
    *,
    axes: Sequence[str] | None = None,
    other: Tensor | None = None,
    activation: WideActivation = "erf",
    hidden: int = 1,
    weight_scale: float = 1.0,
    bias_scale: float = 1.0,
) -> InfiniteKernels:
    """Covariance and neural tangent kernel of an infinitely wide network, of its value and its first derivatives.

    Cov(∂_a f(x), ∂_b f(x')) = ∂_{x_a} ∂_{x'_b} Σ(x, x'), and so for Θ where φ is smooth. For ReLU, Θ is that of the
    gradients which automatic differentiation takes and training follows, with φ'' = 0: the derivatives of G, which grow
    like 1/|x - x'|, do not enter. At coincident and parallel points the limits are taken: for ReLU and one hidden layer
    Cov(∂_a f(x), ∂_b f(x)) = σ_w²/(2d) δ_ab.

    Args:
        points: x, (n, d).
        derivatives: the operators, as for `pinnreg.derivatives`: value and first derivatives; the value if not given.
        axes: the names of the d columns, when `derivatives` holds names.
        other: x', (m, d); the points themselves if not given.
        activation: φ.
        hidden: number of hidden layers.
        weight_scale: σ_w.
        bias_scale: σ_b.

    Returns:
        Kernels with the keys of `derivatives`, in double precision whatever that of the points is.

    Raises:
        InputError: an operator that is neither the value nor a first derivative, an unknown activation, no hidden
            layer, or other points of another dimension.

    Source: Williams 1997 and Cho & Saul 2009 for F and G; Jacot, Gabriel & Hongler 2018, arXiv:1806.07572, for Θ; Kim &
    Yang 2023, arXiv:2312.03386, for the blocks with derivatives.
    """
    if activation not in MOMENTS:
        raise unknown("activation", activation, MOMENTS)
    if type(hidden) is not int or hidden < 1:
        raise InputError(f"infinite_kernels: expected at least 1 hidden layer, got {hidden}")
    operators = operators_or_value(derivatives, points, axes)
    if high := [key for key, each in operators.items() if not isinstance(each, tuple) or sum(each) > 1]:
        raise InputError(f"infinite_kernels: expected the value and first derivatives, got {high[0]!r}")
    left = points.detach().double()
    right = left if other is None else other.detach().to(left)
    if right.ndim != 2 or right.shape[1] != left.shape[1]:
        raise InputError(f"infinite_kernels: expected other points (m, {left.shape[1]}), got {tuple(right.shape)}")
    sigma, theta = _through(_first(left, right, weight_scale**2, bias_scale**2), MOMENTS[activation], hidden - 1)
    columns = [_axis(each) for each in operators.values()]
    return InfiniteKernels(*(Kernel(_assembled(each, columns), tuple(operators)) for each in (sigma, theta)))


@final
@dataclass(frozen=True)
class _Jet:
    """A function of x and x' with first derivatives: values (n, m), by x and by x' (n, m, d), by both (n, m, d, d)."""

    value: Tensor
    left: Tensor
    right: Tensor
    both: Tensor

    def __add__(self, other: _Jet) -> _Jet:
        return _Jet(self.value + other.value, self.left + other.left, self.right + other.right, self.both + other.both)

    def __mul__(self, other: _Jet) -> _Jet:
        return _Jet(
            self.value * other.value,
            self.value[..., None] * other.left + other.value[..., None] * self.left,
            self.value[..., None] * other.right + other.value[..., None] * self.right,
            self.value[..., None, None] * other.both
            + other.value[..., None, None] * self.both
            + _outer(self.left, other.right)
            + _outer(other.left, self.right),
        )

    def affine(self, factor: float, constant: float) -> _Jet:
        """factor · self + constant."""
        return _Jet(factor * self.value + constant, factor * self.left, factor * self.right, factor * self.both)


@final
@dataclass(frozen=True)
class _Layer:
    """What goes into a hidden layer: Σ(x, x'), the variances Σ(x, x) and Σ(x', x'), and the scales of layers.

    The variances are jets that depend on x or on x' alone, of shapes (n, 1) and (1, m).
    """

    sigma: _Jet
    p: _Jet
    q: _Jet
    factor: float
    constant: float

    def after(self, value: _Jet, moments: Moments) -> _Layer:
        """What goes into the next layer; `value` is F."""
        sigma, p, q = (
            each.affine(self.factor, self.constant)
            for each in (value, _variance(moments, self.p), _variance(moments, self.q))
        )
        return _Layer(sigma, p, q, self.factor, self.constant)


def _first(left: Tensor, right: Tensor, factor: float, constant: float) -> _Layer:
    """Λ(x, x') = σ_w²/d x · x' + σ_b²."""
    (n, d), m = left.shape, len(right)
    scale = factor / d
    x, y = left[:, None, :], right[None, :, :]
    identity = scale * torch.eye(d).to(left)
    sigma = _Jet(scale * left @ right.T + constant, scale * y.expand(n, m, d), scale * x.expand(n, m, d), identity)
    none, nothing = torch.zeros_like, identity.new_zeros((d, d))
    p = _Jet(scale * x.square().sum(-1) + constant, 2 * scale * x, none(x), nothing)
    q = _Jet(scale * y.square().sum(-1) + constant, none(y), 2 * scale * y, nothing)
    return _Layer(sigma, p, q, factor, constant)


def _through(layer: _Layer, moments: Moments, more: int) -> tuple[_Jet, _Jet]:
    """Σ and Θ of the network's output after this hidden layer and `more` others."""
    theta = layer.sigma
    while True:
        value, slope = (
            _composed(each, layer.p, layer.q, layer.sigma)
            for each in moments(layer.p.value, layer.q.value, layer.sigma.value)
        )
        theta = value + theta * slope
        if not more:
            return value, theta
        layer, theta, more = layer.after(value, moments), theta.affine(layer.factor, layer.constant), more - 1


def _composed(moment: Moment, p: _Jet, q: _Jet, r: _Jet) -> _Jet:
    """A function of p(x), q(x'), r(x, x') by the chain rule."""
    return _Jet(
        moment.value,
        moment.p[..., None] * p.left + moment.r[..., None] * r.left,
        moment.q[..., None] * q.right + moment.r[..., None] * r.right,
        moment.pq[..., None, None] * _outer(p.left, q.right)
        + moment.pr[..., None, None] * _outer(p.left, r.right)
        + moment.qr[..., None, None] * _outer(r.left, q.right)
        + moment.rr[..., None, None] * _outer(r.left, r.right)
        + moment.r[..., None, None] * r.both,
    )


def _variance(moments: Moments, p: _Jet) -> _Jet:
    """F(p, p, p), which depends on one of x and x' only, as p does."""
    f, _ = moments(p.value, p.value, p.value)
    slope = (f.p + f.q + f.r)[..., None]
    return _Jet(f.value, slope * p.left, slope * p.right, p.both)


def _outer(left: Tensor, right: Tensor) -> Tensor:
    return left[..., :, None] * right[..., None, :]


def _axis(operator: object) -> int | None:
    """The axis of a first derivative; None for the value."""
    assert isinstance(operator, tuple)
    return operator.index(1) if 1 in operator else None


def _assembled(jet: _Jet, columns: Sequence[int | None]) -> Tensor:
    """The matrix of all blocks."""

    def block(a: int | None, b: int | None) -> Tensor:
        if a is None:
            return jet.value if b is None else jet.right[..., b]
        return jet.left[..., a] if b is None else jet.both[..., a, b].expand(jet.value.shape)

    return torch.cat([torch.cat([block(a, b) for b in columns], dim=1) for a in columns])
