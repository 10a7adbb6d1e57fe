"""Films of solutions: what each frame shows, how many there are, and where they may go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_runs import finished, interrupted

import pinnreg
from pinnreg import plots, run
from pinnreg.plots.filming import FILM_MARK
from pinnreg.report import Report
from pinnreg.run.animating import frames_of, in_time


def travelling(*names: str, reference: bool = True) -> Report:
    """A report of a wave that moves along the first axis."""
    axes = {name: np.linspace(0, 1, 7 + number) for number, name in enumerate((*names, "t"))}
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    wave = np.sin(3 * mesh[0] - 2 * mesh[-1]) + sum(mesh[1:-1])
    fields = {"u": wave + 0.1 * mesh[-1]}
    if reference:
        fields |= {"u_reference": wave, "u_error": fields["u"] - wave}
    return Report(axes, fields, None, facts={"problem": {"name": "wave"}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize("reference", [True, False])
def test_curves_of_each_time_stay_on_their_scales(reference: bool) -> None:
    report = travelling("x", reference=reference)
    film = plots.evolution(report)
    ax = film.figure.axes[0]
    limits = ax.get_ylim()
    for number in (0, 3, 7):
        film.show(number)
        fields = ["u", "u_reference"] if reference else ["u"]
        assert len(ax.lines) == len(fields)
        for line, field in zip(ax.lines, fields, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), report.fields[field][:, number])
        assert film.figure.get_suptitle().splitlines() == ["wave", f"t = {number / 7:.2f}"]
        assert ax.get_ylim() == limits
    assert len(film.figure.axes) == (2 if reference else 1)


def test_maps_of_each_time_are_on_one_scale() -> None:
    report = travelling("x", "y")
    film = plots.evolution(report)
    predicted, reference, error = film.figure.axes
    norms = {ax: ax.collections[0].norm for ax in (predicted, reference, error)}
    for number in (0, 4):
        film.show(number)
        for ax, field in ((predicted, "u"), (reference, "u_reference")):
            (mesh,) = ax.collections
            np.testing.assert_array_equal(mesh.get_array(), report.fields[field][..., number].T)
            assert mesh.norm is norms[predicted]
        assert error.collections[0].norm is norms[error]
    assert norms[predicted].vmax >= report.fields["u"].max()


def test_other_axes_are_in_the_middle() -> None:
    report = travelling("x", "y", "z")
    part = in_time(report, "run")
    assert list(part.axes) == ["x", "y", "t"]
    np.testing.assert_array_equal(part.fields["u"], report.fields["u"][:, :, 4])
    assert "plane z = 0.5" in plots.evolution(part).figure.get_suptitle()


def test_a_solution_without_time_is_no_film() -> None:
    still = Report({"x": np.linspace(0, 1, 5)}, {}, None, facts={})
    with pytest.raises(pinnreg.InputError, match="no time to animate: its axes are x"):
        in_time(still, "run")
    kept = Report({"x": np.linspace(0, 1, 5)}, {}, None, facts={"plane": {"t": 1.0}})
    with pytest.raises(pinnreg.InputError, match="kept at the end of time alone"):
        in_time(kept, "run")
    with pytest.raises(pinnreg.InputError, match="its only axis is t"):
        in_time(travelling(), "run")


def test_how_many_frames() -> None:
    assert frames_of(6, 20, 5.0, "") == list(range(6))
    assert frames_of(100, 4, 1.0, "") == [0, 33, 66, 99]
    assert frames_of(100, 1, 0.1, "") == [0, 99]
    with pytest.raises(pinnreg.InputError, match="700 frames, of which 600 are kept at most"):
        frames_of(10_000, 50, 14.0, "run")


def test_a_gif_has_its_frames_and_seconds(folder: Path, tmp_path: Path) -> None:
    path = run.animate(folder, tmp_path / "new" / "film.gif", fps=2, seconds=1.0)
    with Image.open(path) as film:
        assert film.n_frames == 2
        assert film.info["comment"] == FILM_MARK.encode()
        assert film.info["loop"] == 0
        pictures = []
        for number in range(2):
            film.seek(number)
            assert film.info["duration"] == 500
            pictures.append(np.asarray(film.convert("RGB")))
    assert not np.array_equal(*pictures)
    assert pictures[0].shape[1] == 1050
    before = path.read_bytes()
    assert run.animate(folder, path, fps=2, seconds=1.0).read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_an_mp4_is_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    path = run.animate(folder, tmp_path / "film.mp4", fps=3, seconds=1.0)
    before = path.read_bytes()
    assert before[4:8] == b"ftyp"
    assert FILM_MARK.encode() in before
    assert run.animate(folder, path, fps=3, seconds=1.0).read_bytes() == before
    said = subprocess.run(["ffmpeg", "-i", str(path)], capture_output=True, text=True, check=False).stderr
    assert "Duration: 00:00:01.00" in said


def test_mp4_without_ffmpeg(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(pinnreg.InputError, match="MP4 needs ffmpeg, which is not installed here"):
        run.animate(folder, tmp_path / "film.mp4")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fps": 0}, "--fps 0: expected 1 to 50"),
        ({"fps": 51}, "--fps 51"),
        ({"seconds": 0.0}, "--seconds 0: expected more than 0"),
        ({"seconds": float("nan")}, "--seconds nan"),
        ({"out": "film.avi"}, "unknown format of 'film.avi'"),
        ({"out": "taken.gif"}, "exists, and is no file that this command wrote"),
    ],
)
def test_what_is_refused(folder: Path, cli: Any, arguments: dict[str, Any], message: str) -> None:
    Path("taken.gif").write_bytes(b"GIF89a of mine")
    code, out, err = cli("animate", folder, *(f"--{key}={value}" for key, value in arguments.items()))
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert Path("taken.gif").read_bytes() == b"GIF89a of mine"


def test_commands_say_where_the_file_is(folder: Path, cli: Any, tmp_path: Path) -> None:
    copied = interrupted(tmp_path / "copy", folder)
    code, _, err = cli("animate", copied)
    assert code == 2
    assert "the run has not ended" in err
    assert cli("report", copied) == (0, f"{copied}/report.html\n", "")
    shutil.copytree(folder, tmp_path / "whole")
    assert cli("animate", "whole", "--fps", "2", "--seconds", "1") == (0, "whole/evolution.gif\n", "")
    assert cli("report", "whole", "--out", "mine.html") == (0, "mine.html\n", "")
    assert Path("mine.html").stat().st_size > Path("copy/report.html").stat().st_size
