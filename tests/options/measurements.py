"""What the keys of measurements and unknown coefficients change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from options.cases import Config, Slope, all_values, case, config, differ, prepared, same, solved
from pinnreg import Box, InputError, Problem


@dataclass(frozen=True)
class Two(Problem):
    """Two unknown functions."""

    outputs = ("u", "v")
    domain = Box(x=(0, 1))

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.x - v, "second": v.x + u}


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
    (folder / "slope.csv").write_text("x,u,u.x\n0.5,1,1\n")
    slope = config(problem=Two(), measurements=[{"file": str(folder / "slope.csv")}])
    differ(slope, "measurements__0__of", "u", "u.x")


@case("measurements.over")
def measurements_over(folder: Path) -> None:
    (folder / "data.csv").write_text("x,t,u\n0.5,0.5,1\n0.2,0.7,2\n")
    base = config(measurements=[{"file": str(folder / "data.csv")}])
    differ(base, "measurements__0__over", (), "x", "t", ("x", "t"))
    assert same(solved(base), solved(base, measurements__0__over=()))  # the default


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


@case("unknown")
def unknown(_: Path) -> None:
    base = config({"optimiser": "gauss_newton", "steps": 2}, problem=Slope())
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


@case("measurements.batch")
def measurements_batch(_: Path) -> None:
    adam = [{"optimiser": "adam", "steps": 3}]
    differ({**measured(), "train": adam}, "measurements__0__batch", None, 5, 10)
    with pytest.raises(InputError, match=r"measurements\.0: .* batch is a number of values, fewer than all 20"):
        solved(measured(batch=20))
    with pytest.raises(InputError, match="of which a batch shows some only"):
        solved(measured(batch=5, trim=0.1))
    with pytest.raises(InputError, match=r"measurements\.0\.batch runs with adam and sgd only: gauss_newton"):
        solved({**measured(batch=5), "train": [{"optimiser": "gauss_newton"}]})
