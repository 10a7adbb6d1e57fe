"""What the keys of regularisers change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from options.cases import Case, Config, Slope, all_values, case, config, differ, prepared, same, solved, with_ktv
from pinnreg import Box, InputError, Problem


@dataclass(frozen=True)
class Pair(Problem):
    """Two outputs, without conditions."""

    domain = Box(x=(0, 2), y=(0, 1))
    outputs = ("u", "v")

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.x + v.y - 1, "second": u.y - v.x}


@case("regularisers.ktv.kind")
def ktv_kind(_: Path) -> None:
    without, penalised = solved(with_ktv(), regularisers=[]), solved(with_ktv())
    assert not same(without, penalised)
    assert "ktv" in set(penalised.history) - set(without.history)
    with pytest.raises(InputError, match=r"regularisers\.0: unknown kind .tkv."):
        solved(with_ktv(), regularisers__0__kind="tkv")


@case("regularisers.ktv.order")
def ktv_order(_: Path) -> None:
    differ(with_ktv(), "regularisers__0__order", 1, 2, 3, 4)


@case("regularisers.ktv.power")
def ktv_power(_: Path) -> None:
    one, two = differ(with_ktv(samples=1, axes=["x"]), "regularisers__0__power", 1, 2)
    # a single row: the square of the variation is the variation of power two
    assert two.history["ktv"][0] == pytest.approx(one.history["ktv"][0] ** 2)


@case("regularisers.ktv.weight")
def ktv_weight(_: Path) -> None:
    zero, one, two = differ(with_ktv(), "regularisers__0__weight", 0.0, 1.0, 2.0)
    assert same(zero, solved(with_ktv(), regularisers=[]))
    assert two.history["ktv_weighted"][0] == pytest.approx(2 * one.history["ktv_weighted"][0])


@case("regularisers.ktv.samples")
def ktv_samples(_: Path) -> None:
    differ(with_ktv(), "regularisers__0__samples", 1, 8, 64)


@case("regularisers.ktv.axes")
def ktv_axes(_: Path) -> None:
    differ(with_ktv(), "regularisers__0__axes", "all", "space", ["t"])
    assert same(solved(with_ktv(axes="space")), solved(with_ktv(axes=["x"])))


@case("regularisers.ktv.mixed")
def ktv_mixed(_: Path) -> None:
    differ(with_ktv(), "regularisers__0__mixed", *all_values("regularisers.ktv.mixed"))
    with pytest.raises(InputError, match=r"mixed: full .* needs power: 2"):
        prepared(with_ktv(mixed="full", power=1))


@case("regularisers.ktv.schedule")
def ktv_schedule(_: Path) -> None:
    differ(with_ktv(), "regularisers__0__schedule", *all_values("regularisers.ktv.schedule"))


@case("regularisers.ktv.smoothing")
def ktv_smoothing(_: Path) -> None:
    base = with_ktv({"optimiser": "lbfgs", "steps": 6}, power=1, order=1)
    differ(base, "regularisers__0__smoothing", None, 0.1, 0.5)
    assert same(solved(base), solved(base, regularisers__0__smoothing=1e-3))  # the default
    with pytest.raises(InputError, match="smoothing acts on power 1 only"):
        solved(with_ktv(), regularisers__0__smoothing=0.1)


SGD_STEPS = {"optimiser": "sgd", "steps": 4, "learning_rate": 1e-4}


def penalised(kind: str, **settings: Any) -> Config:
    """A run with one regulariser, strong enough to be seen in four steps."""
    strength = "sigma" if "noise" in kind else "weight"
    network = {"kind": "quadratic" if kind == "orthogonality" else "mlp", "hidden": [4]}
    regularisers = [{"kind": kind, strength: 0.5, **settings}]
    return config(SGD_STEPS, problem=Slope(), network=network, regularisers=regularisers)


def has_kind(kind: str) -> Case:
    def of_kind(_: Path) -> None:
        plain, other = solved(penalised(kind), regularisers=[]), solved(penalised(kind))
        assert not same(plain, other)
        is_term = "noise" not in kind
        assert (kind in other.history) == is_term
        with pytest.raises(InputError, match=r"regularisers\.0: unknown kind.*did you mean"):
            solved(penalised(kind), regularisers__0__kind=kind[:-1])

    return of_kind


def has_strength(kind: str, key: str) -> Case:
    def strength(_: Path) -> None:
        zero, one, two = differ(penalised(kind), f"regularisers__0__{key}", 0.0, 0.5, 1.0)
        assert same(zero, solved(penalised(kind), regularisers=[]))
        if key == "weight":
            assert two.history[f"{kind}_weighted"][0] == pytest.approx(2 * one.history[f"{kind}_weighted"][0])

    return strength


def has_regulariser_schedule(kind: str) -> Case:
    def schedule(_: Path) -> None:
        differ(penalised(kind), "regularisers__0__schedule", *all_values(f"regularisers.{kind}.schedule"))

    return schedule


def has_sites(kind: str) -> Case:
    """Where a penalty on derivatives is taken."""

    def sites(_: Path) -> None:
        at_collocation, few, many = differ(penalised(kind), "regularisers__0__samples", None, 3, 30)
        assert at_collocation.history[kind][0] != few.history[kind][0] != many.history[kind][0]

    return sites


def has_axes(kind: str) -> Case:
    def axes(_: Path) -> None:
        differ(penalised(kind), "regularisers__0__axes", "all", "space", ["t"])
        assert same(solved(penalised(kind, axes="space")), solved(penalised(kind, axes=["x"])))

    return axes


for _kind in ("jacobian", "gpinn", "ridge", "orthogonality", "noise_stability", "weight_noise"):
    case(f"regularisers.{_kind}.kind")(has_kind(_kind))
    case(f"regularisers.{_kind}.schedule")(has_regulariser_schedule(_kind))
    _key = "sigma" if "noise" in _kind else "weight"
    case(f"regularisers.{_kind}.{_key}")(has_strength(_kind, _key))
for _kind in ("jacobian", "gpinn"):
    case(f"regularisers.{_kind}.samples")(has_sites(_kind))
    case(f"regularisers.{_kind}.axes")(has_axes(_kind))


@case("regularisers.jacobian.projections")
def jacobian_projections(_: Path) -> None:
    base = {**penalised("jacobian"), "problem": Pair()}
    differ(base, "regularisers__0__projections", None, 1, 3)
    with pytest.raises(InputError, match="projections has no effect with one output"):
        prepared(penalised("jacobian", projections=2))


@case("regularisers.jacobian.centre")
def jacobian_centre(_: Path) -> None:
    differ(penalised("jacobian"), "regularisers__0__centre", "zero", "data", {"x": 1.5}, {"x": 1.5, "t": -1.0})
    with pytest.raises(InputError, match=r"unknown axis .* 'y'"):
        prepared(penalised("jacobian", centre={"y": 1.0}))
    with pytest.raises(InputError, match="centre: data has no effect"):
        prepared({**penalised("jacobian", centre="data"), "problem": Pair()})


@case("regularisers.noise_stability.samples")
def noise_samples(_: Path) -> None:
    differ(penalised("noise_stability"), "regularisers__0__samples", 1, 2, 4)


@case("regularisers.noise_stability.unperturbed")
def noise_unperturbed(_: Path) -> None:
    differ(penalised("noise_stability"), "regularisers__0__unperturbed", 0.0, 0.3, 0.9)


@case("regularisers.noise_stability.sides")
def noise_sides(_: Path) -> None:
    differ(penalised("noise_stability"), "regularisers__0__sides", *all_values("regularisers.noise_stability.sides"))
    with pytest.raises(InputError, match=r"one side .* runs with adam and sgd only: gauss_newton"):
        prepared({**penalised("noise_stability", sides="one"), "train": [{"optimiser": "gauss_newton"}]})


@case("regularisers.weight_noise.scheme")
def weight_noise_scheme(_: Path) -> None:
    differ(penalised("weight_noise"), "regularisers__0__scheme", *all_values("regularisers.weight_noise.scheme"))
    with pytest.raises(InputError, match="runs with adam and sgd only: lbfgs"):
        prepared({**penalised("weight_noise"), "train": [{"optimiser": "adam"}, {"optimiser": "lbfgs"}]})
