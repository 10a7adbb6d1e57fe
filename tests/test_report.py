"""Errors against a reference, and the files that keep them."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pinnreg import Box, InputError
from pinnreg.reference import Reference, Solved, closed_form
from pinnreg.report import (
    Errors,
    Validation,
    compare,
    grid_axes,
    grid_points,
    middle_of,
    read_report,
    relative_l2,
    scattered_points,
    summary,
    validate_on,
    without_reference,
    write_json,
    write_report,
)

AXES = {"x": np.array([0.0, 0.5, 1.0]), "t": np.array([0.0, 1.0])}
EXACT = np.array([[1.0, 2.0], [-2.0, 0.0], [4.0, 0.0]])
OFF = np.array([[0.0, 0.0], [0.0, 3.0], [0.0, -4.0]])
FACTS: dict[str, Any] = {"problem": {"name": "heat"}, "axes": ["x", "t"], "steps": 3}
UNVERIFIED = dataclasses.replace(without_reference({"u": EXACT}, {"residual": OFF}, AXES), facts=FACTS)


def _reference(values: np.ndarray, scipy: Reference | None = None) -> Reference:
    return Reference("made by hand", lambda axes: Solved({"u": values}, 1e-9), scipy)


def test_the_four_errors() -> None:
    """‖e‖₂ = 5, ‖v‖₂ = 5, ‖e‖₁ = 7, ‖v‖₁ = 9 over six points."""
    reference = _reference(EXACT)
    report = compare({"u": EXACT + OFF}, AXES, reference, reference.solve(AXES))
    errors = report.errors["u"]
    assert errors.rel_l2 == pytest.approx(1.0)
    assert errors.rel_l1 == pytest.approx(7 / 9)
    assert errors.max_abs == 4.0
    assert errors.rmse == pytest.approx(5 / math.sqrt(6))
    assert report.reference is not None
    assert (report.reference.kind, report.reference.error_estimate) == ("made by hand", 1e-9)
    np.testing.assert_array_equal(report.fields["u_error"], OFF)  # signed: predicted minus reference
    np.testing.assert_array_equal(report.fields["u_reference"], EXACT)
    np.testing.assert_array_equal(report.fields["u"], EXACT + OFF)


def test_the_scipy_reference_is_compared_too() -> None:
    scipy = Reference("finite differences", lambda axes: Solved({"u": EXACT + 0.5 * OFF}, 0.5), None)
    reference = _reference(EXACT, scipy)
    report = compare({"u": EXACT + OFF}, AXES, reference, reference.solve(AXES))
    assert report.reference is not None
    assert report.reference.scipy is not None
    assert report.reference.scipy.errors["u"].max_abs == 2.0
    assert report.errors["u"].max_abs == 4.0
    data = summary(report)["reference"]
    assert data["scipy"]["kind"] == "finite differences"
    assert data["scipy"]["error_estimate"] == 0.5
    assert data["scipy"]["errors"]["u"]["max_abs"] == 2.0


def test_relative_errors_are_unknown_where_the_reference_vanishes() -> None:
    reference = _reference(0 * EXACT)
    errors = compare({"u": OFF}, AXES, reference, reference.solve(AXES)).errors["u"]
    assert math.isnan(errors.rel_l2)
    assert math.isnan(errors.rel_l1)
    assert errors.max_abs == 4.0
    assert math.isnan(relative_l2(OFF, 0 * OFF))


def test_overflow_is_no_warning() -> None:
    assert math.isinf(relative_l2(np.array([1e308, 1e308]), np.array([1.0, -1.0])))
    assert math.isnan(relative_l2(np.array([np.inf, 0.0]), np.array([1.0, np.inf])))


def test_without_a_reference() -> None:
    report = without_reference({"u": EXACT}, {"residual": OFF}, AXES)
    assert report.errors == {}
    assert set(report.fields) == {"u", "residual"}
    np.testing.assert_array_equal(report.fields["residual"], np.abs(OFF))
    several = without_reference({"u": EXACT}, {"mass": OFF, "heat": OFF}, AXES)
    assert set(several.fields) == {"u", "residual_mass", "residual_heat"}


@pytest.mark.parametrize("zero", [False, True])
def test_written_and_read_again(tmp_path: Path, zero: bool) -> None:
    """NaN is null in JSON, and NaN again when read."""
    reference = _reference(0 * EXACT if zero else EXACT, _reference(EXACT))
    report = compare({"u": EXACT + OFF}, AXES, reference, reference.solve(AXES))
    write_report(tmp_path, dataclasses.replace(report, facts=FACTS))
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "fields.npz"}
    again = read_report(tmp_path)
    assert again.facts == FACTS
    np.testing.assert_equal(vars(again.errors["u"]), vars(report.errors["u"]))
    assert again.reference is not None
    assert again.reference.scipy is not None
    assert report.reference is not None
    assert again.reference.scipy == report.reference.scipy
    assert list(again.axes) == ["x", "t"]
    for name, values in report.fields.items():
        np.testing.assert_array_equal(again.fields[name], values)
    assert (json.loads((tmp_path / "report.json").read_text())["errors"]["u"]["rel_l2"] is None) == zero


def test_a_report_without_errors_is_read_again(tmp_path: Path) -> None:
    write_report(tmp_path, UNVERIFIED)
    again = read_report(tmp_path)
    assert again.errors == {}
    assert again.reference is None
    assert summary(again) == summary(UNVERIFIED)


def test_the_validation_is_written_only_where_values_were_held_out(tmp_path: Path) -> None:
    assert "validation" not in summary(UNVERIFIED)
    found = {"probe": validate_on(np.array([1.0, 2.0]), np.array([4.0, 6.0])), "b": Validation(1, math.nan)}
    assert found["probe"] == Validation(2, math.sqrt(12.5))
    write_report(tmp_path, dataclasses.replace(UNVERIFIED, validation=found))
    again = read_report(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["validation"] == {
        "probe": {"count": 2, "rmse": math.sqrt(12.5)},
        "b": {"count": 1, "rmse": None},
    }
    assert again.validation["probe"] == found["probe"]
    assert math.isnan(again.validation["b"].rmse)


def test_measurements_are_written_and_read_again(tmp_path: Path) -> None:
    write_report(tmp_path, UNVERIFIED)
    assert read_report(tmp_path).measurements == {}
    measured = {"a.b": {"x": np.ones(2), "u": np.zeros(2)}, "probe": {"x": np.ones(1)}}
    write_report(tmp_path, dataclasses.replace(UNVERIFIED, measurements=measured))
    again = read_report(tmp_path).measurements
    assert {name: list(columns) for name, columns in again.items()} == {"a.b": ["x", "u"], "probe": ["x"]}
    np.testing.assert_array_equal(again["a.b"]["u"], np.zeros(2))
    (tmp_path / "measurements.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"measurements\.npz: not readable"):
        read_report(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.json", "{"),
        ("report.json", "{}"),
        ("report.json", '{"reference": null, "errors": {}, "axes": ["y"]}'),
        ("report.json", '{"reference": null, "errors": {}, "axes": ["x", "t"], "validation": 3}'),
        ("report.json", '{"reference": null, "errors": {}, "axes": ["x", "t"], "validation": {"m": {}}}'),
        ("fields.npz", "no archive"),
        ("fields.npz", ""),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: str) -> None:
    write_report(tmp_path, UNVERIFIED)
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=r"not a readable report|not readable"):
        read_report(tmp_path)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the run has not ended; go on with --resume"):
        read_report(tmp_path)
    write_json(tmp_path / "report.json", summary(UNVERIFIED))
    with pytest.raises(InputError, match=r"fields\.npz"):
        read_report(tmp_path)


def test_json_is_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "result.json"
    write_json(path, {"ν": 1.5})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ν": 1.5}
    assert "ν" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": math.nan})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ν": 1.5}
    with pytest.raises(FileExistsError):
        write_json(path / "below.json", {})


def test_errors_are_plain_values() -> None:
    assert Errors(1.0, 2.0, 3.0, 4.0) == Errors(1.0, 2.0, 3.0, 4.0)


def test_more_axes_have_a_plane_to_look_at_and_scattered_points_for_errors() -> None:
    domain = Box.cube(29, -1, 2).over(t=(0, 3))
    axes, fixed = grid_axes(domain, None), middle_of(domain, grid_axes(domain, None))
    assert {name: len(axis) for name, axis in axes.items()} == {"x1": 100, "x2": 100}
    assert fixed == {**{f"x{number}": 0.5 for number in range(3, 30)}, "t": 3.0}
    points = grid_points(axes, domain.axes, fixed)
    assert points.shape == (10_000, 30)
    assert points[101].tolist() == [axes["x1"][1], axes["x2"][1], *[0.5] * 27, 3.0]
    scattered = scattered_points(domain, None)
    assert scattered is not None
    assert scattered.shape == (10_000, 30)
    np.testing.assert_allclose(scattered.mean(axis=0), [*[0.5] * 29, 1.5], atol=0.02)
    assert scattered_points(domain, (3,)) is None
    assert scattered_points(Box.cube(4), None) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_standard_error_is_that_of_scattered_points(seed: int) -> None:
    # of many samples of points, the deviation of the errors is what each says of itself
    draws, axes, found = np.random.default_rng(seed), {"x": np.linspace(0, 1, 3)}, []
    known = closed_form(lambda x: 1.0 * np.exp(x))
    for _ in range(300):
        x = draws.uniform(0, 1, 400)
        scattered = {"u": (np.exp(x) + 0.1 * np.sin(5 * x), np.exp(x))}
        each = compare({"u": np.exp(axes["x"])}, axes, known, known.solve(axes), scattered).errors["u"]
        found.append((each.rel_l2, each.standard_error))
    errors, said = np.array(found).T
    assert np.std(errors) == pytest.approx(np.mean(said), rel=0.2)


@pytest.mark.parametrize(
    ("domain", "sizes", "shape"),
    [
        (Box(x=(0, 1)), None, (1001,)),
        (Box(x=(0, 1), t=(0, 2)), None, (256, 100)),
        (Box(x=(0, 1), y=(0, 1), z=(0, 1)), None, (41, 41, 41)),
        (Box.cube(4), None, (16,) * 4),
        (Box.cube(5), (3,), (3,) * 5),
        (Box(x=(0, 1), t=(0, 2)), (7,), (7, 7)),
        (Box(x=(0, 1), t=(0, 2)), (7, 5), (7, 5)),
    ],
)
def test_grids(domain: Box, sizes: tuple[int, ...] | None, shape: tuple[int, ...]) -> None:
    axes = grid_axes(domain, sizes)
    assert list(axes) == list(domain.axes)
    assert tuple(len(axis) for axis in axes.values()) == shape
    for name, (lower, upper) in domain.bounds.items():
        assert (axes[name][0], axes[name][-1]) == (lower, upper)
        np.testing.assert_allclose(np.diff(axes[name]), (upper - lower) / (len(axes[name]) - 1))
