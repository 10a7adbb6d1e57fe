"""What the keys of the network change."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from options.cases import Held, all_values, case, config, differ, prepared, same, solved
from pinnreg import Box, InputError, Problem, even, initial, periodic
from pinnreg.networks import Symmetric


@dataclass(frozen=True)
class Ring(Problem):
    """Advection on a ring."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (periodic("x"), initial(lambda x: torch.sin(pi * x)))

    def residual(self, u: Any) -> Any:
        return u.t + u.x


@dataclass(frozen=True)
class Mirrored(Problem):
    """A rod whose halves are alike."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (initial(lambda x: torch.cos(pi * x)),)
    symmetry = even("x")

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@case("network.kind")
def network_kind(_: Path) -> None:
    mlp, quadratic = (solved(config(), network__kind=kind) for kind in ("mlp", "quadratic"))
    assert same(mlp, solved(config()))  # the default
    assert {name.split(".")[1] for name in mlp.parameters} == {"layers"}
    assert {name.split(".")[1] for name in quadratic.parameters} == {"blocks"}
    with pytest.raises(InputError, match=r"network: unknown kind 'transformer' \(known: mlp, quadratic\)"):
        solved(config(), network__kind="transformer")


@case("network.hidden")
def network_hidden(_: Path) -> None:
    for hidden in ([3], [7, 5], [2, 2, 2]):
        shapes = [tuple(p.shape) for p in solved(config(), network__hidden=hidden).parameters.values() if p.ndim == 2]
        assert shapes == list(zip([*hidden, 1], [2, *hidden], strict=True))
    for hidden in ([3], [7, 5]):
        parameters = solved(config(), network={"kind": "quadratic", "hidden": hidden}).parameters
        assert [len(each) for name, each in parameters.items() if name.endswith("weight")] == hidden


@case("network.activation")
def network_activation(_: Path) -> None:
    differ(config(), "network__activation", *all_values("network.activation"))


@case("network.spread")
def network_spread(_: Path) -> None:
    runs = differ(config(), "network__spread", None, 0.5, 1.0, 2.0)
    assert same(runs[2], solved(config()))  # the default


@case("network.scale")
def network_scale(_: Path) -> None:
    runs = differ(config(), "network__scale", "auto", 1.0, 3.0)
    assert same(runs[0], solved(config(network={"hidden": [4]})))  # the default
    assert runs[2].trial.sizes == (3.0,)


@case("network.symmetry")
def network_symmetry(_: Path) -> None:
    """What it does is in test_symmetry."""
    bound, free, default = (
        solved(config(problem=Mirrored()), **each)
        for each in ({"network__symmetry": True}, {"network__symmetry": False}, {})
    )
    assert isinstance(bound.network, Symmetric)
    assert not isinstance(free.network, Symmetric)
    assert same(bound, default)


@case("network.width")
def network_width(_: Path) -> None:
    base = config(network={"kind": "quadratic", "hidden": [4, 3]})
    runs = differ(base, "network__width", None, 1, 5)
    assert [run.parameters["1.blocks.0.lam"].shape[0] for run in runs] == [2, 1, 5]  # by default as many as inputs
    assert same(runs[0], solved(base, network__width=2))
    with pytest.raises(InputError, match="no effect with one block"):
        prepared(base, network__hidden=[4], network__width=2)


@case("network.variant")
def network_variant(_: Path) -> None:
    base = config(network={"kind": "quadratic", "hidden": [4]}, regularisers=[{"kind": "orthogonality"}])
    plain, _norm, _orth = differ(base, "network__variant", "plain", "norm", "orth")
    assert same(plain, solved(base))  # the default
    assert sorted(all_values("network.variant")) == ["norm", "orth", "plain"]
    with pytest.raises(InputError, match=r"network\.variant: orth .* needs regularisers: \[\{kind: orthogonality"):
        prepared(base, network__variant="orth", regularisers=[{"kind": "ridge"}])


@case("network.features.periodic")
def network_periodic(_: Path) -> None:
    base = config(problem=Ring())
    one, two = differ(base, "network__features", {"periodic": {"x": 1}}, {"periodic": {"x": 3}})
    widths = [next(iter(run.parameters.values())).shape[1] for run in (one, two)]
    assert widths == [3, 7]  # cosine and sine of each harmonic, and t
    assert two([[0.0, 0.5]]) == pytest.approx(two([[2.0, 0.5]]))
    with pytest.raises(InputError, match="'t' has no exact periodic condition"):
        solved(base, network__features={"periodic": {"t": 1}})


@case("network.features.corner")
def corner(_: Path) -> None:
    base = config(problem={"name": "poisson_lshape"}, evaluate={"grid": 9})
    singular, plain, default = (
        solved(base, **each) for each in ({"network__features__corner": True}, {"network__features__corner": False}, {})
    )
    assert [next(iter(run.parameters.values())).shape[1] for run in (singular, plain)] == [3, 2]
    assert same(singular, default)


@case("network.features.fourier.count")
def fourier_count(_: Path) -> None:
    without = solved(config())
    few, many = differ(config(), "network__features__fourier__count", 2, 5)
    widths = [next(iter(run.parameters.values())).shape[1] for run in (without, few, many)]
    assert widths == [2, 6, 12]


@case("network.features.fourier.scale")
def fourier_scale(_: Path) -> None:
    base = config(problem=Held(), network={"hidden": [4], "features": {"fourier": {"count": 3}}})
    runs = differ(base, "network__features__fourier__scale", 0.1, 1.0, 10.0)
    slopes = [np.abs(run.derivative([[0.31, 0.4]], "xx")).item() for run in runs]
    assert slopes[2] > slopes[0]
