"""A run from the config to its folder, and the Python calls around it."""

from __future__ import annotations

import csv
import dataclasses
import gc
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import pinnreg
from pinnreg import plots
from pinnreg.locks import LOCK
from pinnreg.report import summary
from pinnreg.run import RunFolder, redraw
from pinnreg.run.folder import make_writable
from pinnreg.training import Hooks, Row

PROBLEMS = Path(__file__).parent / "data" / "problems"
FILES = {
    "config.yaml",
    "history.csv",
    "checkpoint.pt",
    "fields.npz",
    "report.json",
    "error_field.png",
    "history.png",
}
UNDRAWN = {name for name in FILES if not name.endswith(".png")}
REPORT_KEYS = {
    "problem",
    "errors",
    "reference",
    "wall_seconds",
    "steps",
    "parameters",
    "device",
    "dtype",
    "stop_reason",
    "regularisers",
}
TINY: dict[str, Any] = {
    "problem": "heat",
    "conditions": "exact",
    "network": {"hidden": [6]},
    "points": {"interior": 20, "boundary": 8},
    "regularisers": [{"kind": "ktv", "samples": 8}],
    "train": [{"optimiser": "adam", "steps": 60, "learning_rate": 1e-2}, {"optimiser": "lbfgs", "steps": 15}],
    "evaluate": {"grid": [9, 7], "every": 35},
    "device": "cpu",
}
SHORT = TINY | {"train": [{"optimiser": "adam", "steps": 3}], "regularisers": []}
# of few panels: figures take longer than runs
PLANE = SHORT | {"problem": {"name": "poisson", "dimension": 2}, "evaluate": {"grid": [9, 7]}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pinnreg.Solution]:
    """One finished run: its folder and its solution."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, pinnreg.solve(TINY, out=folder, figures=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with its figures."""
    folder: Path = tmp_path_factory.mktemp("runs") / "drawn"
    pinnreg.solve(PLANE, out=folder)
    return folder


def _same_weights(one: pinnreg.Solution, other: pinnreg.Solution) -> bool:
    return list(one.parameters) == list(other.parameters) and all(
        torch.equal(one.parameters[name], other.parameters[name]) for name in one.parameters
    )


def test_the_folder_holds_exactly_the_contracts_files(drawn: Path) -> None:
    assert {path.name for path in drawn.iterdir()} == FILES
    for name in ("error_field.png", "history.png"):
        assert (drawn / name).read_bytes().startswith(b"\x89PNG")


def test_report_json(run: tuple[Path, Any]) -> None:
    folder, solution = run
    data = json.loads((folder / "report.json").read_text())
    assert set(data) >= REPORT_KEYS
    assert data["problem"] == {"name": "heat", **dataclasses.asdict(solution.problem)}
    assert data["problem"].items() >= {"alpha": 0.4, "mode": 1, "overtone": 0.0}.items()
    assert set(data["errors"]["u"]) == {"rel_l2", "rel_l1", "max_abs", "rmse"}
    assert data["errors"]["u"]["rel_l2"] == solution.report.errors["u"].rel_l2
    assert set(data["reference"]) == {"kind", "error_estimate", "scipy"}
    scipy = data["reference"]["scipy"]
    assert 0 < scipy["error_estimate"] < 1e-4
    assert scipy["errors"]["u"]["rel_l2"] == pytest.approx(data["errors"]["u"]["rel_l2"], rel=1e-3)
    assert data["steps"] == 75
    assert data["parameters"] == (2 * 6 + 6) + (6 + 1)
    assert data["stop_reason"] == "lbfgs: all 15 steps done"
    assert (data["device"], data["dtype"]) == ("cpu", "float64")
    assert data["wall_seconds"] > 0
    assert data["regularisers"][0]["kind"] == "ktv"


def test_fields_npz(run: tuple[Path, Any]) -> None:
    folder, solution = run
    with np.load(folder / "fields.npz", allow_pickle=False) as file:
        fields = {name: file[name] for name in file.files}
    assert set(fields) == {"x", "t", "u", "u_reference", "u_error", "u_estimate"}
    np.testing.assert_array_equal(fields["x"], np.linspace(0, 1, 9))
    np.testing.assert_array_equal(fields["t"], np.linspace(0, 1, 7))
    assert fields["u"].shape == fields["u_reference"].shape == fields["u_error"].shape == (9, 7)
    np.testing.assert_array_equal(fields["u_error"], fields["u"] - fields["u_reference"])
    x, t = np.meshgrid(fields["x"], fields["t"], indexing="ij")
    np.testing.assert_allclose(fields["u_reference"], np.exp(-0.4 * np.pi**2 * t) * np.sin(np.pi * x), atol=1e-12)
    np.testing.assert_array_equal(fields["u"].ravel(), solution(np.stack([x.ravel(), t.ravel()], axis=1))[:, 0])
    error, reference = fields["u_error"], fields["u_reference"]
    errors = solution.report.errors["u"]
    assert errors.rel_l2 == pytest.approx(np.linalg.norm(error) / np.linalg.norm(reference))
    assert errors.rel_l1 == pytest.approx(np.abs(error).sum() / np.abs(reference).sum())
    assert errors.max_abs == np.abs(error).max()
    assert errors.rmse == pytest.approx(np.sqrt((error**2).mean()))


def test_history_csv(run: tuple[Path, Any]) -> None:
    folder, solution = run
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "step",
        "seconds",
        "sweeps",
        "loss",
        "residual",
        "residual_weighted",
        "ktv",
        "ktv_weighted",
        "error_u",
    ]
    steps = [int(row["step"]) for row in rows]
    assert (steps[0], steps[-1]) == (0, 75)
    assert max(np.diff(steps)) <= 50
    assert {35, 50, 70} <= set(steps)  # each evaluation, and every fifty steps
    assert {int(row["step"]) for row in rows if row["error_u"]} >= {0, 35, 70, 75}
    for row in rows:
        total = float(row["residual_weighted"]) + float(row["ktv_weighted"])
        assert float(row["loss"]) == pytest.approx(total, rel=1e-12)
        assert float(row["ktv_weighted"]) == pytest.approx(1e-6 * float(row["ktv"]), rel=1e-12)
        assert float(row["residual_weighted"]) == float(row["residual"])
    assert list(solution.history) == list(rows[0])
    for name, column in solution.history.items():
        np.testing.assert_array_equal(column, [float(row[name] or "nan") for row in rows])
    assert float(rows[-1]["error_u"]) == solution.report.errors["u"].rel_l2
    assert (np.diff(solution.history["seconds"]) > 0).all()


def test_history_is_flushed_while_running(tmp_path: Path) -> None:
    seen: list[int] = []

    def progress(row: Row) -> None:
        seen.append(int((tmp_path / "run/history.csv").read_text().splitlines()[-1].split(",")[0]))
        assert seen[-1] == row.step
        assert not (tmp_path / "run/report.json").exists()
        assert not (tmp_path / "run/fields.npz").exists()
        assert row.step == 0 or (tmp_path / "run/checkpoint.pt").exists()

    pinnreg.solve(TINY, out=tmp_path / "run", hooks=Hooks(progress=progress))
    assert len(seen) >= 5


def test_a_run_leaves_no_tensor_behind() -> None:
    """A graph that keeps itself is nothing that Python would ever collect: studies grew by a megabyte a run."""

    def tensors() -> int:
        pinnreg.solve({**TINY, "conditions": "soft"}, out=False, progress=False)
        gc.collect()
        return sum(type(each) is torch.Tensor for each in gc.get_objects())

    first = [tensors() for _ in range(2)][-1]
    assert [tensors() for _ in range(2)] == [first, first]


def test_the_written_config_repeats_the_run(run: tuple[Path, Any], tmp_path: Path) -> None:
    folder, solution = run
    again = pinnreg.solve(folder / "config.yaml", out=tmp_path / "again")
    assert _same_weights(again, solution)
    assert again.report.errors == solution.report.errors
    for name in set(again.history) - {"seconds"}:
        np.testing.assert_array_equal(again.history[name], solution.history[name])
    first, second = (yaml.safe_load((path / "config.yaml").read_text()) for path in (folder, tmp_path / "again"))
    assert first == second
    provenance = first["provenance"]
    assert provenance["torch"] == torch.__version__
    assert provenance["threads"] == torch.get_num_threads()
    assert provenance["problem_file"].endswith("problems/heat.py")
    assert len(provenance["problem_sha256"]) == 64


def test_checkpoint_holds_plain_data_only(run: tuple[Path, Any]) -> None:
    state = torch.load(run[0] / "checkpoint.pt", weights_only=True)
    assert {"parameters", "optimiser", "objective", "position", "fingerprint"} <= set(state)


def test_seed_and_settings_change_the_run() -> None:
    base = pinnreg.solve(SHORT, out=False)
    assert _same_weights(base, pinnreg.solve(SHORT, out=False))
    for key, value in {"seed": 1, "points.interior": 21, "train.0.steps": 4, "weights.residual": 2.0}.items():
        other = pinnreg.solve(SHORT, {key: value}, out=False)
        if key == "weights.residual":  # Adam's steps do not depend on the scale of the loss, but the record does
            assert (other.history["loss"] != base.history["loss"]).all()
        else:
            assert not _same_weights(base, other), key


def test_default_folder_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(SHORT))
    pinnreg.solve("quick.yaml")
    pinnreg.solve(Path("quick.yaml"))
    pinnreg.solve(SHORT)
    folders = [path.relative_to(tmp_path) for path in sorted(tmp_path.glob("outputs/*/*"))]
    assert [path.parent.name for path in folders] == ["heat", "quick", "quick"]
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", path.name) for path in folders)
    assert {path.name for path in tmp_path.iterdir()} == {"quick.yaml", "outputs"}


def test_out_false_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    solution = pinnreg.solve(SHORT, out=False)
    assert list(tmp_path.iterdir()) == []
    assert solution.report is not None
    assert len(solution.history["step"]) == 2


def test_a_used_folder_is_refused_and_overwrite_replaces_run_files_only(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    first = pinnreg.solve(SHORT, out=folder)
    (folder / "notes.txt").write_text("mine")
    before = (folder / "checkpoint.pt").read_bytes()
    with pytest.raises(pinnreg.InputError, match="--overwrite"):
        pinnreg.solve(SHORT, {"seed": 1}, out=folder)
    assert (folder / "checkpoint.pt").read_bytes() == before
    with pytest.raises(pinnreg.InputError, match="did you mean"):
        pinnreg.solve(SHORT, {"sed": 1}, out=folder, overwrite=True)
    assert (folder / "checkpoint.pt").read_bytes() == before
    second = pinnreg.solve(SHORT, {"seed": 1}, out=folder, overwrite=True)
    assert not _same_weights(first, second)
    assert _same_weights(pinnreg.load(folder), second)
    assert {path.name for path in folder.iterdir()} == UNDRAWN | {"notes.txt"}
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_foreign_folder_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("mine")
    with pytest.raises(pinnreg.InputError, match="holds no run"):
        pinnreg.solve(SHORT, out=tmp_path, overwrite=True)
    assert (tmp_path / "report.json").read_text() == "mine"


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    pinnreg.solve(SHORT, out=str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == UNDRAWN


def test_load_equals_the_solved_solution(run: tuple[Path, Any]) -> None:
    folder, solution = run
    loaded = pinnreg.load(folder)
    assert _same_weights(loaded, solution)
    points = np.random.default_rng(0).uniform(size=(50, 2))
    np.testing.assert_array_equal(loaded(points), solution(points))
    np.testing.assert_array_equal(loaded.derivative(points, "xx"), solution.derivative(points, "xx"))
    assert loaded.report.errors == solution.report.errors
    assert loaded.report.reference == solution.report.reference
    assert repr(loaded.problem) == repr(solution.problem)
    assert repr(solution.problem).startswith("Heat(alpha=0.4, mode=1, overtone=0.0, ")
    for name, column in solution.history.items():
        np.testing.assert_array_equal(loaded.history[name], column)
    for name, field in solution.report.fields.items():
        np.testing.assert_array_equal(loaded.report.fields[name], field)


def test_load_a_problem_of_the_users_own_folder(tmp_path: Path) -> None:
    overrides = {"train": SHORT["train"], "evaluate.grid": 6, "points.interior": 20, "problem.c": 0.5}
    solution = pinnreg.solve("coupled_waves", overrides, out=tmp_path / "run", problems=PROBLEMS)
    with pytest.raises(pinnreg.InputError, match=rf"it was in .*: say --problems {PROBLEMS}"):
        pinnreg.load(tmp_path / "run")  # a run does not say which code is run
    loaded = pinnreg.load(tmp_path / "run", problems=PROBLEMS)
    assert _same_weights(loaded, solution)
    points = [[1.0, 0.5], [2.0, 0.0]]
    np.testing.assert_array_equal(loaded(points), solution(points))
    assert loaded(points).shape == (2, 2)
    assert loaded.problem.c == 0.5  # type: ignore[attr-defined]
    assert set(loaded.report.errors) == {"u", "v"}


def test_a_changed_problem_file_is_announced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "no_reference.py"
    file.write_text((PROBLEMS / "no_reference.py").read_text())
    overrides = {"train": SHORT["train"], "evaluate.grid": 6, "points.interior": 20}
    pinnreg.solve("no_reference", overrides, out=tmp_path / "run", problems=tmp_path)
    caplog.clear()
    pinnreg.load(tmp_path / "run", problems=tmp_path)
    assert "has changed" not in caplog.text
    file.write_text(file.read_text() + "\n# another one\n")
    pinnreg.load(tmp_path / "run", problems=tmp_path)
    assert "has changed since the run began" in caplog.text


def test_a_run_whose_problem_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "problems"
    folder.mkdir()
    (folder / "mine.py").write_text((PROBLEMS / "no_reference.py").read_text())
    overrides = {"train": SHORT["train"], "evaluate.grid": 6, "points.interior": 20}
    pinnreg.solve("mine", overrides, out=tmp_path / "run", problems=[folder])
    (folder / "mine.py").rename(tmp_path / "mine.py")
    with pytest.raises(pinnreg.InputError, match="the run's problem 'mine' is not found; it was in"):
        pinnreg.load(tmp_path / "run", problems=folder)
    assert pinnreg.load(tmp_path / "run", problems=tmp_path).problem is not None


def test_a_problem_object_is_solved(tmp_path: Path) -> None:
    by_name = pinnreg.solve(SHORT, out=False)
    by_object = pinnreg.solve(SHORT | {"problem": pinnreg.problem("heat")}, out=tmp_path / "run")
    assert _same_weights(by_name, by_object)
    assert _same_weights(pinnreg.load(tmp_path / "run"), by_object)


def test_load_of_a_run_that_has_not_ended(tmp_path: Path) -> None:
    steps = iter(range(100))
    with pytest.raises(pinnreg.Interrupted) as caught:
        pinnreg.solve(TINY, out=tmp_path / "run", hooks=Hooks(interrupted=lambda: 15 if next(steps) == 35 else None))
    assert (caught.value.signal, caught.value.checkpoint) == (15, tmp_path / "run" / "checkpoint.pt")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.yaml", "history.csv", "checkpoint.pt"}
    loaded = pinnreg.load(tmp_path / "run")
    assert loaded.report is None
    assert loaded.history["step"][-1] == 35
    assert np.isfinite(loaded([[0.5, 0.5]])).all()


@pytest.mark.parametrize(
    "points", [[["a", "b"]], [[1.0], [1.0, 2.0]], [[1j, 0]], np.array([["2020-01-01"] * 2], "M8"), 3]
)
def test_points_that_are_no_numbers_are_refused(run: tuple[Path, Any], points: Any) -> None:
    with pytest.raises(pinnreg.InputError, match="points: expected"):
        run[1](points)


def test_points_may_be_a_tensor_in_a_graph(run: tuple[Path, Any]) -> None:
    points = torch.tensor([[0.5, 0.25]], requires_grad=True)
    np.testing.assert_array_equal(run[1](points), run[1](points.detach()))


def test_derivatives_of_a_solution(run: tuple[Path, Any]) -> None:
    _, solution = run
    points = np.random.default_rng(1).uniform(0.1, 0.9, size=(20, 2))
    h = 1e-4
    dx, dt = np.array([h, 0.0]), np.array([0.0, h])
    u = solution(points)
    assert u.shape == (20, 1)
    second = (solution(points + dx) - 2 * u + solution(points - dx)) / h**2
    np.testing.assert_allclose(solution.derivative(points, "xx"), second, atol=1e-5 * np.abs(second).max())
    first = (solution(points + dt) - solution(points - dt)) / (2 * h)
    np.testing.assert_allclose(solution.derivative(points, "t"), first, atol=1e-6 * np.abs(first).max())
    mixed = (solution.derivative(points + dx, "t") - solution.derivative(points - dx, "t")) / (2 * h)
    np.testing.assert_allclose(solution.derivative(points, "xt"), mixed, atol=1e-6 * np.abs(mixed).max())


@pytest.mark.parametrize("points", [[0.5, 0.5], [[0.5]], [[0.1, 0.2, 0.3]], 0.5])
def test_points_of_the_wrong_shape(run: tuple[Path, Any], points: Any) -> None:
    with pytest.raises(pinnreg.InputError, match=r"expected \(n, 2\).*x, t"):
        run[1](points)


def test_an_unknown_derivative(run: tuple[Path, Any]) -> None:
    with pytest.raises(pinnreg.InputError, match=r"'xy'.*axes x, t"):
        run[1].derivative([[0.5, 0.5]], "xy")


def test_exact_conditions_hold_in_the_solution(run: tuple[Path, Any]) -> None:
    x = np.linspace(0, 1, 11)
    start = run[1](np.stack([x, 0 * x], axis=1))[:, 0]
    np.testing.assert_allclose(start, np.sin(np.pi * x), atol=1e-14)
    np.testing.assert_allclose(run[1]([[0.0, 0.3], [1.0, 0.9]]), 0.0, atol=1e-14)


def test_evaluate(run: tuple[Path, Any]) -> None:
    folder, solution = run
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    same = pinnreg.evaluate(folder)
    assert same.report.errors == solution.report.errors
    finer = pinnreg.evaluate(folder, grid=[30, 20], device="cpu")
    assert finer.report.fields["u"].shape == (30, 20)
    assert finer.report.errors["u"].rel_l2 == pytest.approx(solution.report.errors["u"].rel_l2, rel=0.5)
    assert finer.report.errors["u"].rel_l2 != solution.report.errors["u"].rel_l2
    assert pinnreg.evaluate(folder, grid=[5]).report.fields["u"].shape == (5, 5)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_reference_from_a_file(tmp_path: Path) -> None:
    x, t = np.linspace(0, 1, 9), np.linspace(0, 1, 7)
    values = 3.0 + x[:, None] * t[None, :]
    np.savez(tmp_path / "data.npz", x=x, t=t, u=values)
    path = str(tmp_path / "data.npz")
    solution = pinnreg.solve(SHORT, {"evaluate.reference": path}, out=tmp_path / "run")
    fields = solution.report.fields
    np.testing.assert_array_equal(fields["u_reference"], values)
    expected = np.linalg.norm(fields["u"] - values) / np.linalg.norm(values)
    assert solution.report.errors["u"].rel_l2 == pytest.approx(expected)
    assert solution.report.reference.kind == "data file"
    assert solution.report.reference.scipy is None
    assert solution.history["error_u"][-1] == pytest.approx(expected)
    # only the comparison is another one
    assert _same_weights(solution, pinnreg.solve(SHORT, out=False))
    assert json.loads((tmp_path / "run/report.json").read_text())["reference"]["kind"] == "data file"


def test_a_reference_file_serves_a_problem_without_reference(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.linspace(0, 1, 6), u=np.ones(6))
    overrides = {
        "train": SHORT["train"],
        "evaluate.grid": 6,
        "points.interior": 20,
        "evaluate.reference": str(tmp_path / "data.npz"),
    }
    solution = pinnreg.solve("no_reference", overrides, out=False, problems=PROBLEMS)
    assert math.isfinite(solution.report.errors["u"].rel_l2)


def test_float32(tmp_path: Path) -> None:
    solution = pinnreg.solve(SHORT, {"dtype": "float32"}, out=tmp_path / "run")
    assert all(tensor.dtype == torch.float32 for tensor in solution.parameters.values())
    assert json.loads((tmp_path / "run/report.json").read_text())["dtype"] == "float32"
    assert _same_weights(pinnreg.load(tmp_path / "run"), solution)


def test_the_device_argument_stands_above_the_config() -> None:
    if torch.cuda.is_available():
        return
    with pytest.raises(pinnreg.InputError, match="no CUDA device"):
        pinnreg.solve(SHORT, device="cuda", out=False)
    assert pinnreg.solve(SHORT | {"device": "cuda"}, device="cpu", out=False).report is not None


def test_evaluation_does_not_change_the_training() -> None:
    short = {"train.0.steps": 8, "train.1.steps": 12}
    often = pinnreg.solve(TINY, {**short, "evaluate.every": 1}, out=False)
    never = pinnreg.solve(TINY, {**short, "evaluate.every": 10_000, "evaluate.grid": [3, 3]}, out=False)
    assert _same_weights(often, never)
    assert len(often.history["step"]) > len(never.history["step"])


def test_problem_by_name() -> None:
    assert pinnreg.problem("heat", alpha=0.1).alpha == 0.1  # type: ignore[attr-defined]
    with pytest.raises(pinnreg.InputError, match="did you mean 'alpha'"):
        pinnreg.problem("heat", alpa=0.1)
    with pytest.raises(pinnreg.InputError, match="did you mean 'heat'"):
        pinnreg.problem("haet")


def test_resume_needs_to_know_which_run() -> None:
    for out in (None, False, True):
        with pytest.raises(pinnreg.InputError, match="which run"):
            pinnreg.solve(SHORT, out=out, resume=True)
    with pytest.raises(pinnreg.InputError, match="nothing to solve"):
        pinnreg.solve(out=False)


def test_the_names_in_the_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert {folder.config.name, folder.history.name, folder.checkpoint.name, folder.report.name} <= FILES


def test_no_figure_of_any_format_outlives_its_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pinnreg.solve(SHORT, out=folder)
    (folder / "error_field.pdf").write_text("")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(SHORT, out=folder, overwrite=True, hooks=Hooks(interrupted=lambda: 15))
    assert not (folder / "error_field.pdf").exists()
    assert (folder / "notes.txt").read_text() == "mine"


def test_the_solution_knows_its_folder(tmp_path: Path) -> None:
    assert pinnreg.solve(SHORT, out=False).folder is None
    assert pinnreg.solve(SHORT, out=tmp_path / "run").folder == tmp_path / "run"
    assert pinnreg.load(tmp_path / "run").folder == tmp_path / "run"


def test_smoothing_that_no_stage_would_use_is_refused() -> None:
    row = {"kind": "ktv", "power": 1, "smoothing": 1e-2}
    with pytest.raises(pinnreg.InputError, match=r"regularisers\.0\.smoothing has no effect"):
        pinnreg.solve(SHORT | {"regularisers": [row]}, out=False)


@pytest.mark.slow
@pytest.mark.estimates
def test_a_run_without_a_folder_can_be_drawn(drawn: Path, tmp_path: Path) -> None:
    unwritten = pinnreg.solve(PLANE, out=False)
    figures = plots.draw(unwritten.report, unwritten.history)
    assert list(figures) == ["error_field", "history"]
    for name, figure in figures.items():
        plots.save(figure, tmp_path / f"{name}.png")
    # the error field of the same run with a folder; the history shows the seconds, which differ
    assert (tmp_path / "error_field.png").read_bytes() == (drawn / "error_field.png").read_bytes()
    compared = pinnreg.evaluate(drawn)
    assert list(plots.draw(compared.report, compared.history)) == ["error_field"]


@pytest.mark.estimates
def test_the_report_in_memory_is_that_of_the_files(run: tuple[Path, Any]) -> None:
    folder, solution = run
    assert summary(solution.report) == json.loads((folder / "report.json").read_text())
    loaded = pinnreg.load(folder)
    assert loaded.report.facts == solution.report.facts
    unwritten = pinnreg.solve(TINY, out=False).report.facts
    assert {**unwritten, "wall_seconds": 0} == {**solution.report.facts, "wall_seconds": 0}


def test_drawn_again_from_the_files_alone(drawn: Path, tmp_path: Path) -> None:
    again = shutil.copytree(drawn, tmp_path / "again")
    for name in ("checkpoint.pt", "error_field.png", "history.png"):
        (again / name).unlink()
    assert redraw(again, "png") == [again / "error_field.png", again / "history.png"]
    for name in ("error_field.png", "history.png"):
        assert (again / name).read_bytes() == (drawn / name).read_bytes()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pinnreg.solve(SHORT, out=folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for call in ({"resume": True}, {"config": SHORT, "overwrite": True}):
        with (
            RunFolder(folder).held(),
            pytest.raises(pinnreg.InputError, match="another process is at work on the run in this folder; wait"),
        ):
            pinnreg.solve(**call, out=folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    seen: list[str] = []

    def progress(*_: Any) -> None:
        with pytest.raises(pinnreg.InputError, match="another process") as caught:
            pinnreg.solve(out=folder, resume=True)
        seen.append(str(caught.value))

    pinnreg.solve(None, {"train.0.steps": 4}, out=folder, resume=True, hooks=Hooks(progress=progress))
    assert seen
    assert {path.name for path in folder.iterdir()} == UNDRAWN


def test_two_new_runs_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes a run here between the look at the folder and the work in it."""

    def meanwhile(path: Path) -> None:
        make_writable(path)
        (path / "config.yaml").write_text("provenance: {pinnreg: another's}")

    monkeypatch.setattr("pinnreg.run.folder.make_writable", meanwhile)
    with pytest.raises(pinnreg.InputError, match="holds a run"):
        pinnreg.solve(SHORT, out=tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.yaml"}


def test_the_lock_of_a_process_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).touch()
    pinnreg.solve(SHORT, out=tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == UNDRAWN
