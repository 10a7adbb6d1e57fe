"""Measurements: read, drawn, held out; and what a run makes of them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import placed

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, initial, measurements
from pinnreg.config import resolve, validate
from pinnreg.equations import Sweep, Trial, reference_of
from pinnreg.equations.measured import Measurements
from pinnreg.observations.drawing import complete, observe
from pinnreg.observations.settings import MeasurementSettings
from pinnreg.reference import Reference, Solved
from pinnreg.report import read_report
from pinnreg.run.prepare import prepare


@dataclass(frozen=True)
class Decay(Problem):
    """A heat equation with a closed form."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - 0.1 * u.xx

    def reference(self) -> Any:
        return decay


@dataclass(frozen=True)
class Pair(Problem):
    """Two outputs on a line, and no reference."""

    outputs = ("u", "v")
    domain = Box(x=(0, 1))
    conditions = (measurements([[0.5]], [0.0], of="v"),)

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.x - v, "second": v.x}


def decay(x: Any, t: Any) -> Any:
    return np.exp(-0.1 * pi**2 * t) * np.sin(pi * x)


def observed(problem: Problem | None = None, seed: int = 0, **settings: Any) -> Measurements:
    problem = problem or Decay()
    (found,) = observe([MeasurementSettings(**settings)], problem, reference_of(problem), seed)
    return found


def drawn(seed: int = 0, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points, and how far the values are from the reference, in units of its root mean square."""
    found = observed(seed=seed, **settings)
    points, values = found.points.numpy(), found.values.numpy()
    clean = decay(*points.T)
    return points, (values - clean) / np.sqrt(np.mean(clean**2))


def same(one: Measurements, other: Measurements) -> bool:
    pairs = ("held_points", "held_values")
    return (
        torch.equal(one.points, other.points)
        and torch.equal(one.values, other.values)
        and all(torch.equal(getattr(one, key), getattr(other, key)) for key in pairs)
    )


TABLE = {"x": [0.5, 1.5, 0.25, 2.0], "t": [0.0, 0.5, 1.0, 0.1], "u": [1.0, -1.0, 0.5, 1e-3]}


def csv_file(folder: Path, text: str | None = None) -> str:
    """The table as a CSV file with its columns in another order and one more, as a spreadsheet may write it."""
    rows = [f"{t}, {i}, {u}, {x}" for i, (x, t, u) in enumerate(zip(*TABLE.values(), strict=True))]
    path = folder / "data.csv"
    path.write_text("\n".join(["t, id, u, x", *rows, "", ",,,"]) if text is None else text, encoding="utf-8-sig")
    return str(path)


def npz_file(folder: Path, **changes: Any) -> str:
    np.savez(folder / "data.npz", **{"weight": np.ones(2), **TABLE, **changes})
    return str(folder / "data.npz")


# drawn


@pytest.mark.parametrize("sampler", ["uniform", "sobol", "latin_hypercube", "grid"])
def test_without_noise_the_values_are_the_references(sampler: Any) -> None:
    points, off = drawn(samples=36, sampler=sampler)
    assert points.shape == (36, 2)
    assert np.abs(off).max() < 1e-14
    assert (points >= 0).all()
    assert (points <= [2, 1]).all()
    assert (points.max(axis=0) > [1.5, 0.75]).all()


def test_the_noise_is_gaussian_of_the_level_that_was_asked_for() -> None:
    _, off = drawn(samples=20000, noise=0.1)
    assert off.std() == pytest.approx(0.1, rel=0.02)
    assert abs(off.mean()) < 4 * 0.1 / np.sqrt(len(off))
    assert np.mean(np.abs(off) < 0.1) == pytest.approx(0.6827, abs=0.015)
    assert 0.3 < np.abs(off).max() < 0.6


@pytest.mark.parametrize("size", [None, 2.0])
def test_the_outliers_are_as_many_and_as_large_as_was_asked_for(size: float | None) -> None:
    _, off = drawn(samples=400, outliers=0.05, outlier_size=size)
    far = off[np.abs(off) > 1e-12]
    assert len(far) == 20
    np.testing.assert_allclose(np.abs(far), size or 5.0, rtol=1e-12)
    assert set(np.sign(far)) == {1.0, -1.0}
    both = drawn(samples=400, outliers=0.05, outlier_size=size, noise=0.01)[1]
    np.testing.assert_allclose(both - drawn(samples=400, noise=0.01)[1], off, atol=1e-12)  # besides the noise


def test_draws_depend_on_seed_and_name_alone() -> None:
    settings: dict[str, Any] = {"samples": 30, "noise": 0.1, "outliers": 0.1, "held_out": 0.2}
    first = observed(**settings)
    assert same(first, observed(**settings))
    assert not same(first, observed(seed=1, **settings))
    assert not same(first, observed(**settings, name="other"))
    reference = reference_of(Decay())
    own = MeasurementSettings(**settings, seed=3, name="a")
    (alone,), (_, beside) = (
        observe([own], Decay(), reference, 0),
        observe([MeasurementSettings(samples=5), own], Decay(), reference, 9),
    )
    assert same(alone, beside)
    assert same(alone, observed(seed=3, **settings, name="a"))  # its own seed, or the run's: the same draws


def test_points_noise_outliers_and_what_is_held_out_are_independent_draws() -> None:
    plain, noisy = observed(samples=40), observed(samples=40, noise=0.1, outliers=0.1)
    assert torch.equal(plain.points, noisy.points)
    held = observed(samples=40, noise=0.1, outliers=0.1, held_out=0.5)
    values = dict(zip(noisy.points[:, 0].tolist(), noisy.values.tolist(), strict=True))
    for x, value in zip(held.points[:, 0].tolist(), held.values.tolist(), strict=True):
        assert values[x] == value


def test_samples_need_a_reference_that_knows_the_output_and_is_not_zero_everywhere() -> None:
    with pytest.raises(InputError, match=r"measurements\.0\.samples: .* problem Pair has none, .*; name a file"):
        observed(Pair(), samples=3, of="u")
    unknowing = Reference("made by hand", lambda axes: Solved({"w": np.ones([len(a) for a in axes.values()])}, None))
    with pytest.raises(InputError, match="reference of Decay: no values for the output 'u'"):
        observe([MeasurementSettings(samples=3)], Decay(), unknowing, 0)
    zero = Reference("made by hand", lambda axes: Solved({"u": np.zeros([len(a) for a in axes.values()])}, None))
    with pytest.raises(InputError, match=r"measurements\.0: noise .* all zero"):
        observe([MeasurementSettings(samples=3, noise=0.1)], Decay(), zero, 0)


# held out


@pytest.mark.parametrize("source", ["samples", "file"])
def test_what_is_held_out_and_what_is_kept_are_disjoint_and_together_all(source: str, tmp_path: Path) -> None:
    count = 40
    x = np.linspace(0, 2, count)
    path = npz_file(tmp_path, x=x, t=x / 2, u=np.arange(count))
    settings: dict[str, Any] = {"samples": count, "noise": 0.1} if source == "samples" else {"file": path}
    whole, part = observed(**settings), observed(**settings, held_out=0.25)
    assert len(whole.held_values) == 0
    assert (len(part.values), len(part.held_values)) == (30, 10)
    together = sorted([*part.values.tolist(), *part.held_values.tolist()])
    assert together == sorted(whole.values.tolist())
    assert not set(part.values.tolist()) & set(part.held_values.tolist())
    assert not same(part, observed(seed=1, **settings, held_out=0.25))
    if source == "file":  # each value stays with its point, in the order of the file
        np.testing.assert_allclose(part.held_points[:, 0], x[part.held_values.long()])
        assert part.values.tolist() == sorted(part.values.tolist())
        assert same(whole, observed(seed=1, **settings))


@pytest.mark.parametrize(
    ("key", "share", "message"),
    [
        ("held_out", 0.05, "is none; at least 0.062 is one"),
        ("held_out", 0.95, "leaves none to train on"),
        ("outliers", 0.01, "is none"),
    ],
)
def test_a_share_that_comes_to_none_or_all_is_refused(key: str, share: float, message: str) -> None:
    with pytest.raises(InputError, match=rf"measurements\.0\.{key}: {share:g} of 8 values {message}"):
        observed(samples=8, **{key: share})


# files


def test_csv_and_npz_read_alike(tmp_path: Path) -> None:
    one, other = observed(file=csv_file(tmp_path)), observed(file=npz_file(tmp_path))
    assert same(one, other)
    np.testing.assert_array_equal(one.points, np.stack([TABLE["x"], TABLE["t"]], axis=1))
    np.testing.assert_array_equal(one.values, TABLE["u"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,t\n0,0", r"unknown column in .*data\.csv: 'u' \(known: x, t\)"),
        ("x,T,u\n0,0,0", "unknown column in .*: 't'"),
        ("x;t;u\n0;0;0", r"known: x;t;u"),
        ("", r"unknown column in .* \(known: none\)"),
        ("x,t,u\n0,0,0\n0,much,0", r"data\.csv, line 3, column 't': expected a number, got 'much'"),
        ("x,t,u\n\n0,0,", r"line 3, column 'u': expected a number, got ''"),
        ("x,t,u\n0,0,nan", r"line 2, column 'u': expected a finite number, got 'nan'"),
        ("x,t,u\n1e999,0,0", r"line 2, column 'x': expected a finite number"),
        ("x,t,u\n0,0", r"line 2: expected 3 values, one for each column of the header, got 2"),
        ('x,t,u\n0,0,0\n0,"0,"0', "cannot be read as a CSV file"),
        ("x,t,u\n1_0,0,0", "expected a number, got '1_0'"),
        ("x,t,u,x\n0,0,0,0", "two columns are named 'x'"),
        ("x,t,u\n", r"data\.csv: no measurements in it"),
        ("x,t,u\n0,0,0\n3,0,0", r"data\.csv: condition 'measurements': 1 points lie outside .* \[3\.0, 0\.0\]"),
    ],
)
def test_csv_files_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        observed(file=csv_file(tmp_path, text))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": np.ones(3)}, r"data\.npz: expected 1-D arrays of one length.* got x \(4,\), t \(4,\), u \(3,\)"),
        ({key: np.ones((2, 2)) for key in TABLE}, "expected 1-D arrays"),
        ({key: np.ones(0) for key in TABLE}, "no measurements in it"),
        ({"u": [0, 0, np.nan, 0]}, r"data\.npz, key 'u': contains NaN or Inf"),
        ({"u": ["a"] * 4}, "key 'u': expected real numbers"),
        ({"x": [9, 8, 0, 0]}, r"data\.npz: condition 'measurements': 2 points lie outside"),
    ],
)
def test_npz_files_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        observed(file=npz_file(tmp_path, **changes))


def test_files_that_are_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "short.npz", x=[0.0], t=[0.0])
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00x")
    (tmp_path / "folder.csv").mkdir()
    for name, message in (
        ("missing.csv", "missing.csv: no such file"),
        ("missing.npz", "missing.npz: no such file"),
        ("data.txt", r"data.txt: measurements are read from a \.csv or an \.npz file"),
        ("short.npz", r"unknown key in .*short\.npz: 'u' \(known: x, t\)"),
        ("binary.csv", r"binary\.csv: cannot be read as a CSV file"),
        ("folder.csv", r"folder\.csv: no regular file"),
    ):
        with pytest.raises(InputError, match=message):
            observed(file=str(tmp_path / name))


# settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"measurements\.0: expected either file, .* got neither"),
        ({"file": "a.csv", "samples": 3}, r"measurements\.0: expected either file, .* got both"),
        ({"file": "a.csv", "outliers": 0.1}, "outliers has no effect on values from a file"),
        ({"file": "a.csv", "sampler": "uniform"}, "sampler has no effect on values from a file"),
        ({"file": "a.csv", "seed": 0}, "seed has no effect: nothing here is drawn"),
        ({"samples": 4, "sampler": "grid", "seed": 0}, "seed has no effect: nothing here is drawn"),
        ({"samples": 4, "outlier_size": 3}, "outlier_size has no effect without outliers"),
        ({"samples": 4, "outliers": 1}, r"measurements\.0\.outliers: .* less than 1"),
        ({"samples": 4, "held_out": -0.1}, r"measurements\.0\.held_out"),
        ({"samples": 4, "trim": 1.5}, r"measurements\.0\.trim"),
        ({"samples": 4, "noise": -1}, r"measurements\.0\.noise"),
        ({"samples": 0}, r"measurements\.0\.samples"),
        ({"samples": 4, "name": ""}, r"measurements\.0\.name"),
        ({"samples": 4, "noize": 1}, "unknown key in measurements.0: 'noize'; did you mean 'noise'"),
        ({"samples": 4, "sampler": "sobel"}, "did you mean 'sobol'"),
    ],
)
def test_settings_that_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        validate({"problem": {}, "measurements": [given]}, "here")


def test_a_seed_has_an_effect_on_what_a_file_holds_out() -> None:
    assert MeasurementSettings(file="a.csv", held_out=0.5, seed=1).seed == 1
    assert MeasurementSettings(samples=4, sampler="grid", noise=0.1, seed=1).seed == 1


def names(problem: Problem, *entries: dict[str, Any]) -> list[str | None]:
    return [
        each.name for each in complete([MeasurementSettings(**{"samples": 3, **entry}) for entry in entries], problem)
    ]


def test_names_are_numbered_where_they_are_taken() -> None:
    assert names(Decay(), {}) == ["measurements"]
    assert names(Decay(), {}, {"name": "probe"}, {}) == ["measurements", "probe", "measurements_2"]
    assert names(Decay(), {}, {"name": "measurements"}) == ["measurements_2", "measurements"]
    assert names(Pair(), {"of": "u"}) == ["measurements_2"]  # the problem has some of its own
    assert names(Pair(), {"of": "u"}, {"of": "v"}) == ["measurements_u", "measurements_v"]


def test_names_and_outputs_that_are_refused() -> None:
    for taken in ("initial", "residual"):
        with pytest.raises(InputError, match=rf"measurements\.1\.name: another loss term is named '{taken}'"):
            names(Decay(), {}, {"name": taken})
    with pytest.raises(InputError, match=r"measurements\.1\.name: another loss term is named 'a'"):
        names(Decay(), {"name": "a"}, {"name": "a"})
    with pytest.raises(InputError, match=r"measurements\.0: must say of which output: of: u \| v"):
        names(Pair(), {})
    with pytest.raises(InputError, match=r"output in measurements\.0\.of: 'w' \(known: u, v\)"):
        names(Pair(), {"of": "w"})


# runs


def config(*entries: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {
        "problem": Decay(),
        "network": {"hidden": [4]},
        "points": {"interior": 16},
        "measurements": list(entries) or [{"samples": 12, "noise": 0.1, "held_out": 0.25}],
        "train": [{"optimiser": "adam", "steps": 3}],
        "evaluate": {"grid": 5},
        "device": "cpu",
        **sections,
    }


@pytest.mark.parametrize("mode", ["default", "exact", "soft"])
def test_measurements_are_soft_beside_exact_conditions(mode: str) -> None:
    split = prepare(resolve(config(conditions=mode)), with_reference=False).split
    assert [c.name for c in split.soft][-1] == "measurements"
    exact = {"default": ["dirichlet"], "exact": ["initial", "dirichlet"], "soft": []}
    assert [c.name for c in split.exact] == exact[mode]
    assert "measurements" not in split.reasons


def test_the_term_is_the_misfit_and_has_weight_one_unless_another_is_given() -> None:
    for weights, expected in (({}, 1.0), ({"measurements": 10}, 10.0)):
        prepared = prepare(resolve(config({"samples": 12}, weights=weights)))
        of = placed(prepared.objective)
        assert of.weights["measurements"] == expected
        condition = prepared.measurements[0]
        predicted = prepared.solution(of.parameters, {})(condition.points.numpy())[:, 0]
        value = of.losses(of.parameters)["measurements"].item()
        assert value == pytest.approx(np.mean((predicted - condition.values.numpy()) ** 2))


@pytest.mark.slow
def test_fitting_the_data_makes_up_for_unknown_conditions() -> None:
    """Without any condition the equation has many solutions; samples choose the one that they were drawn from."""
    found = pinnreg.solve(
        config(
            {"samples": 60, "held_out": 0.2},
            problem=Free(),
            network={"hidden": [12]},
            points={"interior": 100},
            train=[{"optimiser": "gauss_newton", "steps": 40}],
            weights={"measurements": 100},
        ),
        out=False,
    )
    assert found.report is not None
    assert found.report.errors["u"].rel_l2 < 0.02
    validation = found.report.validation["measurements"]
    assert validation.count == 12
    assert validation.rmse < 0.02


@dataclass(frozen=True)
class Free(Problem):
    """The equation alone."""

    domain = Box(x=(0, 2), t=(0, 1))

    def residual(self, u: Any) -> Any:
        return u.t - 0.1 * u.xx

    def reference(self) -> Any:
        return decay


def test_the_problems_reference_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(Decay, "reference", lambda self: calls.append(1) or decay)
    prepare(resolve(config()))
    assert len(calls) == 1
    prepare(resolve(config(measurements=[])), with_reference=False)
    assert len(calls) == 1


def reference_file(folder: Path, value: float) -> str:
    axes = {"x": np.linspace(0, 2, 5), "t": np.linspace(0, 1, 5)}
    np.savez(folder / f"{value}.npz", u=np.full((5, 5), value), **axes)
    return str(folder / f"{value}.npz")


def test_a_reference_from_a_file_is_drawn_from(tmp_path: Path) -> None:
    base = config({"samples": 12}, evaluate={"grid": 5, "reference": reference_file(tmp_path, 2.0)})
    values = prepare(resolve(base)).measurements[0].values
    assert values.tolist() == pytest.approx([2.0] * 12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_report_files_load_evaluate_and_resume(folder: Path) -> None:
    base = config({"samples": 12, "noise": 0.1, "held_out": 0.25}, {"name": "clean", "samples": 5})
    base["problem"] = "heat"
    found = pinnreg.solve(base, out=folder)
    assert found.report is not None
    written = json.loads((folder / "report.json").read_text())["validation"]
    validation = found.report.validation["measurements"]
    assert written == {"measurements": {"count": 3, "rmse": validation.rmse}}
    observed = prepare(resolve(base), with_reference=False).measurements[0]
    off = found(observed.held_points)[:, 0] - observed.held_values.numpy()
    assert validation.rmse == pytest.approx(np.sqrt(np.mean(off**2)))
    assert read_report(folder).validation == found.report.validation
    loaded, again = pinnreg.load(folder), pinnreg.evaluate(folder)
    assert loaded.report is not None
    assert again.report is not None
    assert loaded.report.validation == again.report.validation == found.report.validation
    columns = read_report(folder).measurements
    assert sorted(columns) == ["clean", "measurements"]
    assert columns["measurements"]["held_out"].tolist() == [0.0] * 9 + [1.0] * 3
    np.testing.assert_array_equal(columns["measurements"]["x"][9:], observed.held_points[:, 0])
    np.testing.assert_array_equal(columns["measurements"]["u"][:9], observed.values)
    resumed = pinnreg.solve(overrides={"train.0.steps": 6}, out=folder, resume=True)
    whole = pinnreg.solve(base, {"train.0.steps": 6}, out=False)
    assert all(torch.equal(value, whole.parameters[name]) for name, value in resumed.parameters.items())


def test_a_report_without_held_out_values_has_no_validation(folder: Path) -> None:
    found = pinnreg.solve(config({"samples": 5}), out=folder)
    assert found.report is not None
    assert found.report.validation == {}
    assert "validation" not in json.loads((folder / "report.json").read_text())
    assert read_report(folder).validation == {}


def test_a_run_cannot_go_on_with_data_of_another_reference(folder: Path, tmp_path: Path) -> None:
    one, other = (reference_file(tmp_path, value) for value in (2.0, 3.0))
    base = config({"samples": 5}, evaluate={"grid": 5, "reference": one})
    pinnreg.solve(base, out=folder)
    with pytest.raises(InputError, match=r"differs in evaluate\.reference;"):
        pinnreg.solve({**base, "evaluate": {"grid": 5, "reference": other}}, out=folder, resume=True)
    pinnreg.solve({**base, "evaluate": {"grid": 4, "reference": one}}, out=folder, resume=True)


def test_data_that_have_changed_are_noted(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base = config({"file": csv_file(tmp_path)})
    pinnreg.solve(base, out=folder)
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        pinnreg.load(folder, problem=Decay())
        assert "have changed" not in caplog.text
        csv_file(tmp_path, "x,t,u\n0,0,0")
        pinnreg.load(folder, problem=Decay())
    assert "data.csv have changed since the run began" in caplog.text


def test_a_file_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = csv_file(tmp_path)
    assert resolve(config({"file": "data.csv"})).config.measurements[0].file == path


def test_describe_and_solve_show_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pinnreg.cli import main

    text = "problem: heat\nmeasurements: [{samples: 20, noise: 0.1, held_out: 0.2}, {file: data.csv}]\n"
    (tmp_path / "run.yaml").write_text(text + "train: [{optimiser: adam, steps: 2}]\nevaluate: {grid: 5}\n")
    with pytest.raises(SystemExit):
        main(["describe", str(tmp_path / "run.yaml")])
    shown = capsys.readouterr().out
    assert "measurements = measurements, u 20 values of the reference, noise 0.1, held_out 0.2 (soft)" in shown
    assert "measurements_2 = measurements, u from" in shown
    changes = ["--set", "measurements=[{samples: 20, held_out: 0.2}]", "--set", "points.interior=20"]
    with pytest.raises(SystemExit) as caught:
        main(["solve", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run"), *changes])
    assert caught.value.code == 0
    assert "on 4 values held out of measurements" in capsys.readouterr().out


# derivatives and integrals


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("entry", "columns", "values"),
    [
        ({"of": "u.x"}, ("x", "t", "u.x"), lambda x, t: np.pi * np.cos(np.pi * x) * np.exp(-t)),
        ({"of": "u.xt"}, ("x", "t", "u.xt"), lambda x, t: -np.pi * np.cos(np.pi * x) * np.exp(-t)),
        ({"of": "u.laplacian"}, ("x", "t", "u.laplacian"), lambda x, t: -(np.pi**2) * np.sin(np.pi * x) * np.exp(-t)),
        ({"over": "x"}, ("t", "u"), lambda x, t: 2 / np.pi * np.exp(-t)),
        ({"of": "u.t", "over": ["x"]}, ("t", "u.t"), lambda x, t: -2 / np.pi * np.exp(-t)),
    ],
)
def test_derivatives_and_integrals_are_measured(
    entry: dict[str, Any], columns: tuple[str, ...], values: Any, tmp_path: Path
) -> None:
    x, t = np.linspace(0.1, 0.9, 12), np.linspace(0, 1, 12)
    table = {"x": x, "t": t, columns[-1]: values(x, t)}
    content = np.column_stack([table[name] for name in columns])
    np.savetxt(tmp_path / "m.csv", content, delimiter=",", header=",".join(columns), comments="")
    problem = pinnreg.problem("heat", alpha=1 / np.pi**2)
    (measured,) = observe([MeasurementSettings(file=str(tmp_path / "m.csv"), held_out=0.25, **entry)], problem, None, 0)
    exact = Sweep(
        Trial(("x", "t"), ("u",), ((),)),
        lambda at: torch.sin(np.pi * at[:, :1]) * torch.exp(-at[:, 1:]),
        measured.sample(problem.domain, 1, "uniform", 0),
    )
    assert measured.residual(exact, problem).abs().max() < 1e-12
    assert len(measured.held_values) == 3
    config = {
        "problem": {"name": "heat", "alpha": 1 / np.pi**2},
        "network": {"hidden": [5]},
        "points": {"interior": 20, "boundary": 10},
        "measurements": [{"file": str(tmp_path / "m.csv"), "held_out": 0.25, **entry}],
        "evaluate": {"grid": 12},
        "train": [{"optimiser": "gauss_newton", "steps": 12}],
    }
    report = pinnreg.solve(config, out=tmp_path / "run").report
    assert report is not None
    assert report.validation["measurements"].rmse < 0.05
    assert set(report.measurements["measurements"]) >= {"x", "t", "held_out"}
    assert read_report(tmp_path / "run").measurements.keys() == report.measurements.keys()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"of": "u.x", "samples": 5},
            "samples are drawn of an output itself; derivatives and integrals come from a file",
        ),
        ({"over": "x", "samples": 5}, "samples are drawn of an output itself"),
        ({"of": "w.x", "file": "m.csv"}, "unknown output in measurements.0.of: 'w'"),
        ({"over": "z", "file": "m.csv"}, "unknown axis in measurements.0.over: 'z'"),
        ({"of": "u.q", "file": "m.csv"}, "'q' is no sequence of the axes x, t"),
        ({"of": "u.x", "file": "m.csv", "over": "t"}, "unknown column in .*m.csv: 'u.x'"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    entry: dict[str, Any], message: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.csv").write_text("x,t,u,u.q\n0.5,0.5,1.0,1.0\n")
    with pytest.raises(InputError, match=message):
        prepare(resolve({"problem": {"name": "heat"}, "measurements": [entry]}), with_reference=False)


def test_points_of_measured_integrals_are_no_collocation_points(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "m.csv", [[0.0, 0.6], [0.5, 0.4]], delimiter=",", header="t,u", comments="")
    config = {"problem": "heat", "measurements": [{"file": str(tmp_path / "m.csv"), "over": "x"}]}
    with pytest.raises(InputError, match="there are none, or of integrals only"):
        pinnreg.solve(config, {"points.interior": "data"}, out=False)
