"""The figures of runs: at round places, in the sizes of journals, drawn again by other settings, changing no result."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import LogNorm, SymLogNorm
from matplotlib.figure import Figure
from options.figures import Cube, drawn, titles
from small_runs import TINY, finished, interrupted
from test_plots import assert_legible, grid, maps, solved, visible_texts

import pinnreg
from pinnreg import InputError, plots
from pinnreg.config import FigureSettings, fingerprint, resolve
from pinnreg.plots.panels import Curve, Panel
from pinnreg.plots.scales import misfit_scale, value_scale
from pinnreg.report import View, read_report
from pinnreg.report.views import packed, unpacked
from pinnreg.run import redraw
from pinnreg.run.viewing import round_times
from pinnreg.studies.plan import run_hash


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context():
        return finished(tmp_path_factory.mktemp("figures") / "run")


ROUND = {(0, 1): (0.25, 0.5, 0.75), (0.1, 1): (0.325, 0.55, 0.775), (0, 12): (3, 6, 9), (0, 4e-5): (1e-5, 2e-5, 3e-5)}


@pytest.mark.parametrize(("bounds", "inner"), ROUND.items())
def test_times_are_round_and_the_ends_are_among_them(bounds: tuple[float, float], inner: tuple[float, ...]) -> None:
    assert round_times(bounds, (0, 0.25, 0.5, 0.75, 1)) == pytest.approx((bounds[0], *inner, bounds[1]))


@pytest.mark.first(2)
@pytest.mark.parametrize("size", ["single-column", pytest.param("double-column", marks=pytest.mark.slow)])
@pytest.mark.parametrize("names", [("x",), ("x", "y"), ("x", "t"), ("x", "y", "t")], ids="".join)
def test_every_layout_is_readable_in_a_column(names: tuple[str, ...], size: Any) -> None:
    axes, mesh = grid(names, 7)
    fields = solved(mesh) | {"residual": mesh[0]}
    settings = FigureSettings(size=size, panels=("solution", "reference", "error", "residual"))
    figure = plots.error_field(axes, fields, title="wave", errors={"u": 0.1}, figures=settings)
    figure.draw_without_rendering()
    for text in visible_texts(figure):
        assert text.get_fontsize() >= 7
        low, high = text.get_window_extent().get_points()
        assert (low >= -1).all()
        assert (high <= figure.bbox.max + 1).all()
    assert figure.dpi == 300


@pytest.mark.slow
def test_maps_of_several_outputs_have_one_width() -> None:
    axes, mesh = grid(("x", "t"))
    fields = solved(mesh) | solved(mesh, offset=2e6, name="temperature")
    figure = plots.error_field(axes, fields, title="", errors={"u": 0.1, "temperature": 0.1})
    figure.draw_without_rendering()
    widths = {round(mesh.axes.get_window_extent().width) for each in maps(figure).values() for mesh in each}
    assert max(widths) - min(widths) <= 1


def test_three_axes_of_space_show_three_fine_planes_and_say_errors_of_one_set_of_points() -> None:
    figure = drawn(Cube())
    assert len([title for title in titles(figure) if title.startswith("|error|")]) == 3
    (line,) = (line for line in figure.get_suptitle().splitlines() if line.startswith("u: "))
    assert "relative L2 error" in line
    assert "max |error|" in line
    assert line.endswith("at the 5 × 5 × 5 points of the grid")
    assert_legible(figure)


def test_views_come_back_from_their_file() -> None:
    x = np.linspace(0, 1, 3)
    views = (
        View({"x": x}, {"t": 0.5}, {"u": x, "u_error": 0 * x}),
        View({"x": x, "y": x}, {}, {"u": np.eye(3)}, {"first": x}),
    )
    again = unpacked(packed(views))
    assert [list(each.fields) for each in again] == [["u", "u_error"], ["u"]]
    assert again[0].fixed == {"t": 0.5}
    np.testing.assert_array_equal(again[1].fields["u"], np.eye(3))
    np.testing.assert_array_equal(again[1].outline["first"], x)
    with pytest.raises(ValueError, match="is not on the axes x"):
        unpacked({"0.axes.x": x, "0.fields.u": np.ones(2)})


def test_no_corner_and_no_outlier_leaves_the_rest_of_a_map_in_one_colour() -> None:
    field = np.full((40, 40), 1e-5) * np.linspace(1, 3, 40)
    field[0, 0] = 1.0
    scale = misfit_scale([field])
    assert isinstance(scale.norm, LogNorm)
    assert scale.norm.vmax == pytest.approx(3e-5, rel=0.1)
    assert scale.extend == "max"
    shares = scale.norm(field[1:])
    assert float(shares.max() - shares.min()) > 0.4
    peak = np.where(np.arange(1000) == 3, 1e3, np.sin(np.arange(1000)))
    assert isinstance(value_scale([peak], [peak]).norm, SymLogNorm)
    assert "logarithmic beyond 1" in value_scale([peak], [peak]).note
    assert not value_scale([np.sin(peak)], [np.sin(peak)]).note


def test_the_fields_of_a_study_are_seen_however_far_they_are_apart() -> None:
    axes, mesh = grid(("x", "y"))
    fields = {
        name: size * (1.2 + np.sin(3 * mesh[0] + mesh[1])) for name, size in (("a", 1.0), ("b", 1e-3), ("c", 1e-7))
    }
    figure = plots.study_fields(axes, fields, kind="|error|", title="")
    for ax, field in zip(figure.axes, fields.values(), strict=False):
        shares = np.asarray(ax.collections[0].norm(field))
        assert (shares > 0).mean() > 0.85


def test_legends_of_panels_stand_below_them_and_what_is_counted_has_whole_ticks() -> None:
    seeds = np.arange(3)
    curves = [Curve(f"curve number {n}", seeds, seeds * n, kind="points") for n in range(5)]
    figure = plots.panels(
        [Panel("a", "seed", "error", curves), Panel("b", "x", "f", [Curve("f", seeds / 2, seeds)])], title=""
    )
    assert_legible(figure)
    legends = [each.get_legend() for each in figure.axes if each.get_legend()]
    data = [each for each in figure.axes if each.axison]
    assert len(legends) == len(data) == 2
    for legend in legends:
        assert not any(legend.get_window_extent().overlaps(each.get_window_extent()) for each in data)
    assert all(tick == round(tick) for tick in data[0].get_xticks())
    assert not all(tick == round(tick) for tick in data[1].get_xticks())


def test_a_found_coefficient_is_said_in_the_place_of_the_truth() -> None:
    x = np.linspace(0, 1, 5)
    found = {"estimate": 0.41234, "truth": 0.4, "start": 1.0, "relative_error": 0.03, "interval": [0.40, 0.42]}
    facts = {"problem": {"name": "heat", "alpha": 0.4, "mode": 1}, "unknown": {"alpha": found}}
    figure = plots.draw(pinnreg.report.Report({"x": x}, {"u": x}, None, facts=facts), {})["error_field"]
    assert "heat (mode = 1)" in figure.get_suptitle()
    assert "found alpha = 0.4123, 95 % within 0.4 and 0.42, the truth 0.4" in figure.get_suptitle()


@pytest.mark.parametrize("suffix", ["pdf", "svg"])
def test_fonts_are_in_the_file(tmp_path: Path, suffix: str) -> None:
    axes, mesh = grid(("x",))
    path = tmp_path / f"figure.{suffix}"
    plots.save(plots.error_field(axes, solved(mesh), title="wave", errors={"u": 0.1}), path)
    content = path.read_bytes()
    if suffix == "pdf":
        assert b"/FontFile2" in content
        assert b"/Type3" not in content
    else:
        assert b"<text" not in content
        assert b"font-family" not in content


def test_figures_change_nothing_that_a_run_is_known_by(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = (resolve(TINY, {"figures.size": size}) for size in ("screen", "single-column"))
    assert fingerprint(plain.config) == fingerprint(other.config)
    assert run_hash(plain) == run_hash(other)
    monkeypatch.setattr(
        "pinnreg.studies.plan.json.dumps", lambda data, **_: "figures" if "figures" in data["config"] else ""
    )
    nothing = run_hash(plain)
    monkeypatch.setattr("pinnreg.studies.plan.json.dumps", lambda *_, **__: "")
    assert run_hash(plain) == nothing  # of runs from before the section


def test_a_run_is_drawn_again_by_other_settings(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, seen = shutil.copytree(run, tmp_path / "run"), dict[str, Figure]()
    monkeypatch.setattr("pinnreg.plots.save", lambda figure, path: seen.update({path.name: figure}))
    redraw(copy, "pdf", overrides={"figures.times": [0.3], "figures.size": "single-column"})
    figure = seen["error_field.pdf"]
    assert [title for title in titles(figure) if title.startswith("t = ")] == ["t = 0.3"]
    assert figure.get_figwidth() == pytest.approx(85 / 25.4)
    assert seen["history.pdf"].get_figwidth() == pytest.approx(85 / 25.4)
    for key, message in (
        ("figures.tmes", "unknown key in figures: 'tmes'; did you mean 'times'"),
        ("train.0.steps", "only the figures can be set"),
    ):
        with pytest.raises(InputError, match=message):
            redraw(copy, "pdf", overrides={key: 3})


def test_a_run_that_cannot_be_evaluated_is_drawn_from_its_files(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    copy, seen = shutil.copytree(run, tmp_path / "run"), dict[str, Figure]()
    monkeypatch.setattr("pinnreg.plots.save", lambda figure, path: seen.update({path.name: figure}))
    (copy / "checkpoint.pt").unlink()
    redraw(copy, "png")
    assert "drawn from the run's files alone" in caplog.text
    assert next(title for title in titles(seen["error_field.png"]) if title.startswith("t = ")) == "t = 0"
    with pytest.raises(InputError, match=r"checkpoint\.pt"):
        redraw(copy, "png", overrides={"figures.panels": ["residual"]})


def test_one_that_has_not_ended_has_slices_at_round_times_too(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Figure] = {}
    monkeypatch.setattr("pinnreg.plots.save", lambda figure, path: seen.update({path.name: figure}))
    redraw(interrupted(tmp_path / "run", run), "png", overrides={"figures.titles": True})
    assert "t = 0.25" in titles(seen["unfinished_error_field.png"])


@pytest.mark.figures
def test_figures_that_do_not_fit_cost_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "run"
    pinnreg.solve(TINY, {"figures.size": [40, 30]}, out=folder, progress=False)
    assert "no figures: figures.size: [40, 30] mm are too small" in caplog.text
    assert (folder / "report.json").is_file()
    assert not (folder / "error_field.png").exists()
    assert len(read_report(folder).views) == 5
    assert redraw(folder, "png", overrides={"figures.size": "screen"})
