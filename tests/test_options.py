"""Every key of the config changes what it should: a key of the schema without a case here fails."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, initial, neumann, periodic, registry
from pinnreg.config import json_schema, resolve
from pinnreg.report import Solution
from pinnreg.run.prepare import Prepared, prepare

Config = dict[str, Any]
Case = Callable[[Path], None]


@dataclass(frozen=True)
class Decay(Problem):
    """A heat equation with a closed form."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - 0.1 * u.xx

    def reference(self) -> Any:
        return lambda x, t: np.exp(-0.1 * pi**2 * t) * np.sin(pi * x)


@dataclass(frozen=True)
class Ring(Problem):
    """Advection on a ring."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (periodic("x"), initial(lambda x: torch.sin(pi * x)))

    def residual(self, u: Any) -> Any:
        return u.t + u.x


@dataclass(frozen=True)
class Flux(Problem):
    """A problem with a condition that cannot be exact."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(0.0), neumann(1.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@dataclass(frozen=True)
class Two(Problem):
    """Two unknown functions."""

    outputs = ("u", "v")
    domain = Box(x=(0, 1))

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.x - v, "second": v.x + u}


def config(*stages: Config, **sections: Any) -> Config:
    return {
        "problem": Decay(),
        "network": {"hidden": [4]},
        "points": {"interior": 16, "boundary": 8},
        "train": list(stages) or [{"optimiser": "adam", "steps": 4}],
        "evaluate": {"grid": 5},
        **sections,
    }


def solved(base: Config, **overrides: Any) -> Solution:
    """A tiny run; overrides are written with `__` for the dots."""
    return pinnreg.solve(base, {key.replace("__", "."): value for key, value in overrides.items()}, out=False)


def prepared(base: Config, **overrides: Any) -> Prepared:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return prepare(resolve(base, changes), with_reference=False)


def same(one: Solution, two: Solution) -> bool:
    """Whether two runs ended with the same weights."""
    a, b = one.parameters, two.parameters
    return all(a[name].shape == b[name].shape and torch.equal(a[name], b[name].to(a[name].dtype)) for name in a)


def differ(base: Config, key: str, *values: Any) -> list[Solution]:
    """Runs that differ in one key; fails unless all end with different weights, and equal ones with equal weights."""
    runs = [solved(base, **{key: value}) for value in values]
    for (i, one), (j, two) in itertools.combinations(enumerate(runs), 2):
        assert not same(one, two), f"{key}: {values[i]!r} and {values[j]!r} train the same network"
    assert same(runs[0], solved(base, **{key: values[0]})), f"{key}: {values[0]!r} does not repeat"
    return runs


# the schema's keys


def followed(schema: Config, root: Config) -> Config:
    return root["$defs"][schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def alternatives(schema: Config, root: Config) -> list[Config]:
    schema = followed(schema, root)
    choices = [each for kind in ("anyOf", "oneOf") for each in schema.get(kind, [])]
    return [leaf for each in choices for leaf in alternatives(each, root)] or [schema]


def tag_of(schema: Config) -> str:
    """What the elements of a list of sections are told apart by: `optimiser` or `kind`; "" if all are of one kind."""
    return next((str(each["const"]) for each in schema["properties"].values() if "const" in each), "")


def leaves(schema: Config, root: Config, path: str = "") -> Iterator[tuple[str, list[Config]]]:
    """All keys without keys of their own, with their schemas; `train.adam.steps` for a key of a list's element."""
    choices = alternatives(schema, root)
    nested = []
    for choice in choices:
        if "properties" in choice:
            nested += [(f"{path}.{key}", each) for key, each in choice["properties"].items()]
        for item in alternatives(choice["items"], root) if "items" in choice else []:
            if "properties" in item:
                section = ".".join(filter(None, (path, tag_of(item))))
                nested += [(f"{section}.{key}", each) for key, each in item["properties"].items()]
    if not nested:
        yield path.removeprefix("."), choices
    for key, each in nested:
        yield from leaves(each, root, key)


SCHEMA = json_schema()
KEYS = dict(leaves(SCHEMA, SCHEMA))
CASES: dict[str, Case] = {}


def case(*keys: str) -> Callable[[Case], Case]:
    """Register a case for keys of the config."""

    def register(function: Case) -> Case:
        for key in keys:
            assert key not in CASES
            CASES[key] = function
        return function

    return register


def all_values(key: str) -> list[str]:
    """The values that the schema lists for a key."""
    return [value for schema in KEYS[key] for value in schema.get("enum", [])]


def test_the_walk_finds_keys_at_every_depth() -> None:
    assert {"seed", "network.hidden", "network.features.fourier.count", "regularisers.ktv.order"} <= set(KEYS)
    assert {"train.adam.steps", "train.sgd.momentum", "train.lbfgs.history", "points.resample"} <= set(KEYS)
    assert all_values("network.activation") == ["tanh", "sin", "gelu", "softplus", "swish"]


def test_every_key_of_the_config_has_a_case() -> None:
    assert sorted(CASES) == sorted(KEYS)


# problem


@case("problem")
def problem(_: Path) -> None:
    names = sorted(registry.find())
    losses = [solved(config(problem={"name": name}, evaluate={"grid": 5})).history["loss"][0] for name in names]
    assert len(names) >= 3
    assert len(set(losses)) == len(names)


def parameters_of_problems() -> list[tuple[str, str]]:
    return [
        (name, field.name)
        for name in sorted(registry.find())
        for field in dataclasses.fields(registry.load(registry.find()[name]))  # type: ignore[arg-type]
    ]


def other_value(name: str, parameter: str) -> Any:
    """A valid value of a problem's parameter other than its default."""
    problem = pinnreg.problem(name)
    default = getattr(problem, parameter)
    choices = [choice for choice in get_args(get_type_hints(type(problem))[parameter]) if choice != default]
    for value in choices or (default + 1, default - 1, 2 * default):
        try:
            pinnreg.problem(name, **{parameter: value})
        except InputError:
            continue
        return value
    raise AssertionError(f"no other value for {name}.{parameter}")


@pytest.mark.parametrize(("name", "parameter"), parameters_of_problems())
def test_every_parameter_of_every_problem_changes_problem_and_reference(name: str, parameter: str) -> None:
    base = config(problem={"name": name})
    one, two = solved(base), solved(base, **{f"problem__{parameter}": other_value(name, parameter)})
    assert one.history["loss"][0] != two.history["loss"][0]
    assert one.report is not None
    assert two.report is not None
    references = [report.fields["u_reference"] for report in (one.report, two.report)]
    assert references[0].shape != references[1].shape or not np.allclose(*references)


# network


@case("network.kind")
def network_kind(_: Path) -> None:
    assert solved(config(), network__kind="mlp").parameters  # the only kind so far
    with pytest.raises(InputError, match=r"network\.kind"):
        solved(config(), network__kind="transformer")


@case("network.hidden")
def network_hidden(_: Path) -> None:
    for hidden in ([3], [7, 5], [2, 2, 2]):
        shapes = [tuple(p.shape) for p in solved(config(), network__hidden=hidden).parameters.values() if p.ndim == 2]
        assert shapes == list(zip([*hidden, 1], [2, *hidden], strict=True))


@case("network.activation")
def network_activation(_: Path) -> None:
    differ(config(), "network__activation", *all_values("network.activation"))


@case("network.spread")
def network_spread(_: Path) -> None:
    runs = differ(config(), "network__spread", None, 0.5, 1.0, 2.0)
    assert same(runs[2], solved(config()))  # the default


@case("network.features.periodic")
def network_periodic(_: Path) -> None:
    base = config(problem=Ring())
    one, two = differ(base, "network__features", {"periodic": {"x": 1}}, {"periodic": {"x": 3}})
    widths = [next(iter(run.parameters.values())).shape[1] for run in (one, two)]
    assert widths == [3, 7]  # cosine and sine of each harmonic, and t
    assert two([[0.0, 0.5]]) == pytest.approx(two([[2.0, 0.5]]))
    with pytest.raises(InputError, match="'t' has no exact periodic condition"):
        solved(base, network__features={"periodic": {"t": 1}})


@case("network.features.fourier.count")
def fourier_count(_: Path) -> None:
    without = solved(config())
    few, many = differ(config(), "network__features__fourier__count", 2, 5)
    widths = [next(iter(run.parameters.values())).shape[1] for run in (without, few, many)]
    assert widths == [2, 6, 12]


@case("network.features.fourier.scale")
def fourier_scale(_: Path) -> None:
    base = config(network={"hidden": [4], "features": {"fourier": {"count": 3}}})
    runs = differ(base, "network__features__fourier__scale", 0.1, 1.0, 10.0)
    slopes = [np.abs(run.derivative([[0.31, 0.4]], "xx")).item() for run in runs]
    assert slopes[2] > slopes[0]


# points


@case("points.interior")
def points_interior(_: Path) -> None:
    differ(config(), "points__interior", 8, 16, 32)
    of = prepared(config(), points__interior=13).objective
    assert len(of.rows(of.parameters)["residual"].values) == 13


@case("points.boundary")
def points_boundary(_: Path) -> None:
    differ(config(conditions="soft"), "points__boundary", 4, 8)
    of = prepared(config(conditions="soft"), points__boundary=10).objective
    rows = of.rows(of.parameters)
    assert len(rows["initial"].values) == len(rows["dirichlet"].values) == 10


@case("points.chunk")
def points_chunk(_: Path) -> None:
    seen: list[int] = []
    of = prepared(config(conditions="soft"), points__chunk=7).objective
    of.network[-1].register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    with torch.no_grad():
        chunked = of.losses(of.parameters)
        assert max(seen) == 7
        whole = prepared(config(conditions="soft")).objective
        for name, value in whole.losses(whole.parameters).items():
            assert float(chunked[name]) == pytest.approx(float(value), rel=1e-12)


@case("points.sampler")
def points_sampler(_: Path) -> None:
    differ(config(), "points__sampler", *all_values("points.sampler"))
    differ(config(conditions="soft"), "points__sampler", *all_values("points.sampler"))


@case("points.resample_every")
def points_resample_every(_: Path) -> None:
    differ(config(), "points__resample_every", None, 1, 2, 3)
    differ(config({"optimiser": "lbfgs", "steps": 25}), "points__resample_every", None, 10, 20)


@case("points.resample")
def points_resample(_: Path) -> None:
    base = config(points={"interior": 16, "resample_every": 2})
    differ(base, "points__resample", *all_values("points.resample"))


@case("points.importance")
def points_importance(_: Path) -> None:
    base = config(points={"interior": 16, "resample_every": 2, "resample": "residual"})
    _, without = differ(base, "points__importance", True, False)
    assert same(without, solved(base))  # the default


# conditions, weights


@case("conditions")
def conditions(_: Path) -> None:
    soft, default, exact = (solved(config(), conditions=mode) for mode in ("soft", "default", "exact"))
    assert {"initial", "dirichlet"} <= set(soft.history)
    assert not {"initial", "dirichlet"} & set(default.history)
    assert same(default, exact)  # here all conditions can be exact
    assert not same(default, soft)
    edge = [[0.0, 0.5], [1.0, 0.2]]
    assert np.abs(default(edge)).max() < 1e-15 < np.abs(soft(edge)).max()
    assert "neumann" in solved(config(problem=Flux())).history
    with pytest.raises(InputError, match="exact is impossible: neumann"):
        solved(config(problem=Flux()), conditions="exact")
    assert sorted(all_values("conditions")) == ["default", "exact", "soft"]


@case("weights")
def weights(_: Path) -> None:
    one, two = differ(config(conditions="soft"), "weights", {"initial": 1.0}, {"initial": 50.0})
    assert two.history["initial"][0] == one.history["initial"][0]
    assert two.history["initial_weighted"][0] == pytest.approx(50 * one.history["initial_weighted"][0])
    differ(config({"optimiser": "sgd", "steps": 2}), "weights", {"residual": 1.0}, {"residual": 2.0})


@case("balance")
def balance(_: Path) -> None:
    on, off = differ(config(conditions="soft"), "balance", True, False)
    for name in ("initial", "dirichlet"):
        assert off.history[f"{name}_weighted"][0] == off.history[name][0] == on.history[name][0]
        assert on.history[f"{name}_weighted"][0] != on.history[name][0]
    ones = {"initial": 1.0, "dirichlet": 1.0}
    assert same(off, solved(config(conditions="soft"), weights=ones))  # these leave nothing to balance
    assert same(solved(config(), balance=True), solved(config(), balance=False))  # neither do exact conditions


# measurements


def measured(**settings: Any) -> Config:
    return config(measurements=[{"samples": 20, **settings}])


@case("measurements.samples")
def measurements_samples(_: Path) -> None:
    runs = differ(config(), "measurements", [], [{"samples": 5}], [{"samples": 20}])
    assert same(runs[0], solved(config()))  # the default
    assert ["measurements" in run.history for run in runs] == [False, True, True]
    with pytest.raises(InputError, match=r"measurements\.0: expected either file, .* got neither"):
        solved(config(), measurements=[{}])


@case("measurements.file")
def measurements_file(folder: Path) -> None:
    for name, value in (("one", 1), ("two", 2)):
        (folder / f"{name}.csv").write_text(f"u,t,x\n{value},0.5,0.5\n")
    differ(config(), "measurements", *([{"file": str(folder / f"{name}.csv")}] for name in ("one", "two")))


@case("measurements.name")
def measurements_name(_: Path) -> None:
    runs = differ(measured(), "measurements__0__name", None, "probe")  # other points: a draw depends on the name
    assert [name in run.history for run, name in zip(runs, ("measurements", "probe"), strict=True)] == [True, True]


@case("measurements.of")
def measurements_of(folder: Path) -> None:
    (folder / "data.csv").write_text("x,u,v\n0.5,1,2\n")
    base = config(problem=Two(), measurements=[{"file": str(folder / "data.csv")}])
    differ(base, "measurements__0__of", "u", "v")
    with pytest.raises(InputError, match=r"measurements\.0: must say of which output: of: u \| v"):
        solved(base)


@case("measurements.sampler")
def measurements_sampler(_: Path) -> None:
    assert sorted(all_values("measurements.sampler")) == sorted(all_values("points.sampler"))
    differ(measured(), "measurements__0__sampler", *all_values("measurements.sampler"))
    assert same(solved(measured()), solved(measured(sampler="uniform")))  # the default


@case("measurements.noise")
def measurements_noise(_: Path) -> None:
    runs = differ(measured(), "measurements__0__noise", 0.0, 0.1, 0.2)
    assert same(runs[0], solved(measured()))


@case("measurements.outliers")
def measurements_outliers(_: Path) -> None:
    runs = differ(measured(), "measurements__0__outliers", 0.0, 0.1, 0.3)
    assert same(runs[0], solved(measured()))


@case("measurements.outlier_size")
def measurements_outlier_size(_: Path) -> None:
    base = measured(outliers=0.2)
    differ(base, "measurements__0__outlier_size", 1.0, 5.0, 10.0)
    assert same(solved(base), solved(base, measurements__0__outlier_size=5.0))  # the default


@case("measurements.seed")
def measurements_seed(_: Path) -> None:
    first, *_others = differ(measured(noise=0.1), "measurements__0__seed", None, 1, 2)
    assert same(first, solved(measured(noise=0.1), measurements__0__seed=0))  # the run's


@case("measurements.held_out")
def measurements_held_out(_: Path) -> None:
    runs = differ(measured(), "measurements__0__held_out", 0.0, 0.25, 0.5)
    counts = [[each.count for each in run.report.validation.values()] for run in runs if run.report]
    assert counts == [[], [5], [10]]


@case("measurements.trim")
def measurements_trim(_: Path) -> None:
    differ(measured(samples=20, outliers=0.2), "measurements__0__trim", 0.0, 0.25, 0.5)


@case("measurements.batch")
def measurements_batch(_: Path) -> None:
    differ(measured(), "measurements__0__batch", None, 5, 10)
    with pytest.raises(
        InputError, match=r"measurements\.0: measurements: batch is a number of values from 1 to all 20"
    ):
        solved(measured(batch=21))
    with pytest.raises(InputError, match="of which a batch shows some only"):
        solved(measured(batch=5, trim=0.1))


# regularisers


def with_ktv(*stages: Config, **settings: Any) -> Config:
    ktv = {"kind": "ktv", "samples": 8, "weight": 1.0, **settings}
    return config(*(stages or [{"optimiser": "sgd", "steps": 4, "learning_rate": 1e-4}]), regularisers=[ktv])


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


@dataclass(frozen=True)
class Pair(Problem):
    """Two outputs, without conditions."""

    domain = Box(x=(0, 2), y=(0, 1))
    outputs = ("u", "v")

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.x + v.y - 1, "second": u.y - v.x}


@dataclass(frozen=True)
class Slope(Problem):
    """Exact data that are no constant, so that their interpolation has a slope."""

    alpha: float = 0.3
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: x), dirichlet(lambda x: x, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - self.alpha * u.xx - 1


SGD_STEPS = {"optimiser": "sgd", "steps": 4, "learning_rate": 1e-4}


def penalised(kind: str, **settings: Any) -> Config:
    """A run with one regulariser, strong enough to be seen in four steps."""
    strength = "sigma" if "noise" in kind else "weight"
    return config(SGD_STEPS, problem=Slope(), regularisers=[{"kind": kind, strength: 0.5, **settings}])


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


for _kind in ("jacobian", "gpinn", "ridge", "noise_stability", "weight_noise"):
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


# unknown coefficients


@case("unknown")
def unknown(_: Path) -> None:
    base = config({"optimiser": "gauss_newton", "steps": 3}, problem=Slope())
    known, found = solved(base), solved(base, unknown={"alpha": {"start": 1.0}})
    assert known.unknown == {}
    assert found.unknown.keys() == {"alpha"}
    assert found.history["unknown_alpha"][0] == 1.0
    assert found.unknown["alpha"] == found.history["unknown_alpha"][-1] != 1.0
    other = solved(base, unknown={"alpha": {"start": 2.0}})
    assert other.history["unknown_alpha"][0] == 2.0
    free, positive = (solved(base, unknown={"alpha": {"start": 1.0, "positive": each}}) for each in (False, True))
    assert free.unknown != positive.unknown
    with pytest.raises(InputError, match="'beta'"):
        prepared(base, unknown={"beta": {}})


# train


OPTIMISERS = ("adam", "sgd", "lbfgs", "ssbroyden", "gauss_newton")


@case(*(f"train.{name}.optimiser" for name in OPTIMISERS))
def train_optimiser(_: Path) -> None:
    differ(config({"steps": 3, "optimiser": "adam"}), "train__0__optimiser", *OPTIMISERS)
    with pytest.raises(InputError, match="'adm'; did you mean 'adam'"):
        solved(config(), train__0__optimiser="adm")


def has_steps(optimiser: str) -> Case:
    def steps(_: Path) -> None:
        runs = differ(config({"optimiser": optimiser}), "train__0__steps", 2, 5, 12)
        assert [run.history["step"][-1] for run in runs] == [2, 5, 12]

    return steps


def has_max_seconds(optimiser: str) -> Case:
    def max_seconds(_: Path) -> None:
        base = config({"optimiser": optimiser, "steps": 20})
        free, short, long = (solved(base, train__0__max_seconds=each) for each in (None, 1e-9, 1e9))
        assert free.history["step"][-1] == long.history["step"][-1] == 20
        assert short.history["step"][-1] < 20
        assert same(free, long)

    return max_seconds


def has_max_sweeps(optimiser: str) -> Case:
    def max_sweeps(_: Path) -> None:
        base = config({"optimiser": optimiser, "steps": 20})
        free, short, long = (solved(base, train__0__max_sweeps=each) for each in (None, 100, 1e9))
        assert free.history["step"][-1] == long.history["step"][-1] == 20
        assert short.history["step"][-1] < 20
        assert short.history["sweeps"][-1] >= 100 > short.history["sweeps"][0] == 0
        assert same(free, long)

    return max_sweeps


def has_learning_rate(optimiser: str) -> Case:
    def learning_rate(_: Path) -> None:
        base = config({"optimiser": optimiser, "steps": 1})
        start = prepared(base).objective.parameters
        runs = differ(base, "train__0__learning_rate", 1e-4, 2e-4)
        moves = [
            torch.cat([(run.parameters[name] - value).reshape(-1) for name, value in start.items()]) for run in runs
        ]
        assert torch.allclose(moves[1], 2 * moves[0], rtol=1e-6)

    return learning_rate


def has_schedule(optimiser: str) -> Case:
    def schedule(_: Path) -> None:
        key = f"train.{optimiser}.schedule"
        differ(config({"optimiser": optimiser, "steps": 4}), "train__0__schedule", *all_values(key))

    return schedule


def has_final_learning_rate(optimiser: str) -> Case:
    def final_learning_rate(_: Path) -> None:
        for schedule in ("cosine", "exponential"):
            base = config({"optimiser": optimiser, "steps": 4, "schedule": schedule})
            default, *_others = differ(base, "train__0__final_learning_rate", None, 1e-4, 1e-3)
            assert same(default, solved(base, train__0__final_learning_rate=1e-6))  # 1e-3 of the first
        with pytest.raises(InputError, match="final_learning_rate has no effect with schedule: constant"):
            solved(config({"optimiser": optimiser}), train__0__final_learning_rate=1e-4)

    return final_learning_rate


for _name in OPTIMISERS:
    case(f"train.{_name}.steps")(has_steps(_name))
    case(f"train.{_name}.max_seconds")(has_max_seconds(_name))
    case(f"train.{_name}.max_sweeps")(has_max_sweeps(_name))
for _name in ("adam", "sgd"):
    case(f"train.{_name}.learning_rate")(has_learning_rate(_name))
    case(f"train.{_name}.schedule")(has_schedule(_name))
    case(f"train.{_name}.final_learning_rate")(has_final_learning_rate(_name))


@case("train.sgd.momentum")
def sgd_momentum(_: Path) -> None:
    differ(config({"optimiser": "sgd", "steps": 4}), "train__0__momentum", 0.0, 0.5, 0.9)


@case("train.lbfgs.history")
def lbfgs_history(_: Path) -> None:
    differ(config({"optimiser": "lbfgs", "steps": 15}), "train__0__history", 1, 3, 50)


def has_redraw_every(optimiser: str) -> Case:
    def redraw_every(_: Path) -> None:
        base = with_ktv({"optimiser": optimiser, "steps": 25})
        differ(base, "train__0__redraw_every", 3, 5, 10, 15, 200)
        plain = config({"optimiser": optimiser, "steps": 25})  # without a regulariser there is nothing to draw
        assert same(solved(plain, train__0__redraw_every=3), solved(plain, train__0__redraw_every=200))

    return redraw_every


for _name in ("lbfgs", "ssbroyden"):
    case(f"train.{_name}.redraw_every")(has_redraw_every(_name))


@case("train.ssbroyden.update")
def ssbroyden_update(_: Path) -> None:
    base = config({"optimiser": "ssbroyden", "steps": 15})
    differ(base, "train__0__update", *all_values("train.ssbroyden.update"))


@case("train.gauss_newton.ratio")
def gauss_newton_ratio(_: Path) -> None:
    differ(config({"optimiser": "gauss_newton", "steps": 8}), "train__0__ratio", 0.075, 0.7, 0.95)


@case("train.gauss_newton.acceleration")
def gauss_newton_acceleration(_: Path) -> None:
    differ(config({"optimiser": "gauss_newton", "steps": 4}), "train__0__acceleration", True, False)


@case("train.gauss_newton.corrections")
def gauss_newton_corrections(_: Path) -> None:
    differ(config({"optimiser": "gauss_newton", "steps": 4}), "train__0__corrections", 0, 1, 3)


@case("train.gauss_newton.sketch")
def gauss_newton_sketch(_: Path) -> None:
    base = config({"optimiser": "gauss_newton", "steps": 4})
    whole, *_others = differ(base, "train__0__sketch", None, 5, 10)
    parameters = sum(values.numel() for values in whole.parameters.values())
    assert same(whole, solved(base, train__0__sketch=parameters))  # no subspace is larger


@case("train.gauss_newton.mixed_precision")
def gauss_newton_mixed_precision(_: Path) -> None:
    base = config({"optimiser": "gauss_newton", "steps": 4})
    double, single = differ(base, "train__0__mixed_precision", False, True)
    assert single.history["loss"][-1] == pytest.approx(double.history["loss"][-1], rel=1e-3)


# evaluate


@case("evaluate.grid")
def evaluate_grid(_: Path) -> None:
    runs = [solved(config(), evaluate__grid=grid) for grid in (4, [6, 3], None)]
    shapes = [run.report.fields["u_error"].shape for run in runs if run.report]
    assert shapes == [(4, 4), (6, 3), (256, 100)]
    assert same(runs[0], runs[1])
    with pytest.raises(InputError, match="expected one number or 2, for the axes x, t"):
        solved(config(), evaluate__grid=[4, 4, 4])


@case("evaluate.every")
def evaluate_every(_: Path) -> None:
    base = config({"optimiser": "adam", "steps": 10})
    often, never = solved(base, evaluate__every=2), solved(base, evaluate__every=100)
    evaluated = [run.history["step"][np.isfinite(run.history["error_u"])].tolist() for run in (often, never)]
    assert evaluated == [[0, 2, 4, 6, 8, 10], [0, 10]]
    assert same(often, never)
    newton = solved(config({"optimiser": "gauss_newton", "steps": 25}))  # by default more often, since steps are few
    assert newton.history["step"][np.isfinite(newton.history["error_u"])].tolist() == [0, 10, 20, 25]


@case("evaluate.reference")
def evaluate_reference(folder: Path) -> None:
    axes = {"x": np.linspace(0, 1, 5), "t": np.linspace(0, 1, 5)}
    np.savez(folder / "other.npz", u=np.full((5, 5), 2.0), **axes)
    own, other = solved(config()), solved(config(), evaluate__reference=str(folder / "other.npz"))
    assert own.report is not None
    assert other.report is not None
    assert (other.report.fields["u_reference"] == 2.0).all()
    assert own.report.errors["u"] != other.report.errors["u"]
    assert other.report.reference is not None
    assert other.report.reference.kind == "data file"
    assert same(own, other)
    with pytest.raises(InputError, match=r"missing\.npz"):
        solved(config(), evaluate__reference=str(folder / "missing.npz"))


# the rest


@case("seed")
def seed(_: Path) -> None:
    runs = differ(config(), "seed", 0, 1, 2)
    assert len({run.history["loss"][0] for run in runs}) == 3


@case("device")
def device(_: Path) -> None:
    assert prepared(config(), device="cpu").device.type == "cpu"
    if torch.cuda.is_available():
        assert prepared(config(), device="auto").device.type == prepared(config(), device="cuda").device.type == "cuda"
    else:
        assert prepared(config(), device="auto").device.type == "cpu"
        with pytest.raises(InputError, match="no CUDA device; use 'cpu' or 'auto'"):
            prepared(config(), device="cuda")


@case("dtype")
def dtype(_: Path) -> None:
    single, double = solved(config(), dtype="float32"), solved(config(), dtype="float64")
    assert {value.dtype for value in single.parameters.values()} == {torch.float32}
    assert {value.dtype for value in double.parameters.values()} == {torch.float64}
    one, two = (prepared(config(), dtype=name).objective for name in ("float32", "float64"))
    drawn = {name: value.double() for name, value in one.parameters.items()}
    found, expected = one.losses(one.parameters)["residual"].item(), two.losses(drawn)["residual"].item()
    assert 0 < abs(found / expected - 1) < 1e-4


@case("compile")
def compile_(_: Path) -> None:
    """What it does is in test_compilation; here, that the key arrives, and gives the same gradient to rounding."""
    plain, compiled = prepared(config()).objective, prepared(config(), compile=True).objective
    assert plain._compiled is None
    assert compiled._compiled is not None
    expected, found = plain.gradient(plain.parameters), compiled.gradient(compiled.parameters)
    for name, values in expected[1].items():
        assert torch.allclose(found[1][name], values, rtol=0, atol=1e-12 * float(values.abs().max()))


@case("provenance")
def provenance(_: Path) -> None:
    """The one key that changes nothing: it is written for the reader, and ignored on loading."""
    noted = {**config(), "provenance": {"pinnreg": "0.0", "seed": 5}}
    assert same(solved(noted), solved(config()))
    assert resolve(noted).config == resolve(config()).config


@pytest.mark.parametrize("key", CASES)
def test_the_key_changes_what_it_should(key: str, tmp_path: Path) -> None:
    CASES[key](tmp_path)
