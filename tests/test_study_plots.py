"""The figures of studies: what they show, and that every text can be read."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from test_plots import assert_legible

from pinnreg import plots
from pinnreg.errors import InputError
from pinnreg.plots import ErrorRow, RatioCell, WeightCurves
from pinnreg.studies import figures, study
from pinnreg.studies.entries import entries_of
from pinnreg.studies.measures import Run
from pinnreg.studies.model import read_study
from pinnreg.studies.plan import plan
from pinnreg.studies.tasks import task_of

TINY = {
    "problem": {"name": "poisson", "dimension": 2},
    "network": {"hidden": [5]},
    "points": {"interior": 10},
    "train": [{"optimiser": "adam", "steps": 2, "learning_rate": 1e-2}],
    "evaluate": {"grid": 8},
}
LONG = "a name that is much longer than a row of a figure with several panels is wide"


def drawn(ax: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in ax.lines]


@pytest.mark.parametrize(
    ("panels", "decades"),
    [pytest.param(1, 0.2, marks=pytest.mark.slow), pytest.param(2, 6, marks=pytest.mark.slow), (5, 6)],
)
def test_error_figures_are_legible(panels: int, decades: float) -> None:
    errors = list(np.logspace(-3 - decades, -3, 5))
    rows = [
        ErrorRow("none", errors, baseline=True),
        ErrorRow("ktv2", errors[:3], hindsight=2e-3, note="3 of 5 seeds"),
        ErrorRow(LONG, [], note="0 of 5 seeds"),
    ]
    figure = plots.study_errors({f"network {n}": rows for n in range(panels)}, title="Study", note="note")
    assert_legible(figure)
    assert len(figure.axes) == panels


def test_an_error_figure_shows_each_seed_the_median_and_the_hindsight() -> None:
    rows = [ErrorRow("none", [1e-3, 1e-1, 1e-2], baseline=True), ErrorRow("a", [1e-2, np.nan, 0.0], hindsight=5e-3)]
    (ax,) = plots.study_errors({"": rows}, title="Study").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["none", "a"]
    assert ax.yaxis_inverted()
    points, median, base, other, other_median, diamond, *_ = drawn(ax)
    assert points[0].tolist() == [1e-3, 1e-1, 1e-2]
    assert median[0].tolist() == base[0].tolist() == [1e-2, 1e-2]
    assert other[0].tolist() == [1e-2]  # what has no logarithm is left out
    assert other_median[0].tolist() == [1e-2, 1e-2]
    assert diamond[0].tolist() == [5e-3]
    assert diamond[1].tolist() == [1]


@pytest.mark.parametrize("panels", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_matrices_are_legible_and_hatched_where_undecided(panels: int) -> None:
    cells = [RatioCell(1e-5, True), RatioCell(1.2, False), RatioCell(math.nan, False)]
    rows = {name: dict(zip(("ktv2", "noise stability", "gpinn"), cells, strict=True)) for name in ("heat", "burgers")}
    figure = plots.study_ratios({f"part {n}": {**rows, "all": rows["heat"]} for n in range(panels)}, title="Study")
    assert_legible(figure)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["heat", "burgers", "all"]
    helps, undecided, missing = ax.patches[:3]
    assert [bool(each.get_hatch()) for each in (helps, undecided, missing)] == [False, True, False]
    red, _, blue, _ = helps.get_facecolor()
    assert red < blue
    assert [text.get_text() for text in ax.texts[:3]] == ["1e-5", "1.2", ""]
    with pytest.raises(InputError, match="nothing to draw"):
        plots.study_ratios({}, title="Study")


@pytest.mark.parametrize(
    "panels", [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 4]
)
def test_weight_figures_are_legible_and_mark_what_was_chosen(panels: int) -> None:
    errors = {"0": [1.0, 0.1, 0.3], "1": [0.5, 0.4, 0.2], "2": [0.7, np.nan, 0.3]}
    curves = WeightCurves("weight", [1e-7, 1e-5, 1e-3], errors, {"0": 1, "1": 0}, 0.6)
    figure = plots.study_weights({f"entry {n}": curves for n in range(panels)}, title="Study", note="note")
    assert_legible(figure)
    lines = drawn(figure.axes[0])
    assert [(x.item(), y.item()) for x, y in lines if x.size == 1] == [(1e-5, 0.1), (1e-7, 0.5)]
    # no median where a seed has no error, which would be that of other seeds
    assert [y.tolist() for x, y in lines if x.size == 3][-1] == pytest.approx([0.7, np.nan, 0.3], nan_ok=True)


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("names", "count"),
    [
        # curves and maps, alone, in a row, in rows of which the last has gaps, and as many as there may be
        (("x",), 5),
        (("x", "y"), 3),
        (("x", "t"), 5),
        (("x", "y", "t"), 1),
        (("x", "y", "z"), 2),
        # each number of axes is among the others
        pytest.param(("x",), 1, marks=pytest.mark.slow),
        pytest.param(("x", "y"), 12, marks=pytest.mark.slow),
        pytest.param(("x",), 12, marks=pytest.mark.slow),
        pytest.param(("x", "y", "z"), 5, marks=pytest.mark.slow),
    ],
)
def test_field_figures_are_legible_and_share_one_scale(names: tuple[str, ...], count: int) -> None:
    axes = {name: np.linspace(0, 1, 9 + i) for i, name in enumerate(names)}
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    fields = {f"entry {n}": 10.0**-n * np.sin(3 * sum(mesh) + n) for n in range(count)}
    figure = plots.study_fields(axes, fields, kind="|error|", title="Study")
    assert_legible(figure)
    used = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title().split("\n")[0] for ax in used] == list(fields)
    limits = {ax.collections[0].norm.vmax if ax.collections else ax.get_ylim() for ax in used}
    assert len(limits) == 1


@pytest.mark.parametrize("names", [pytest.param(("x",), marks=pytest.mark.slow), ("x", "y")], ids="".join)
def test_what_is_missing_has_an_empty_panel_that_says_why(names: tuple[str, ...]) -> None:
    axes = {name: np.linspace(0, 1, 9) for name in names}
    field = np.abs(np.sin(3 * sum(np.meshgrid(*axes.values(), indexing="ij")))) + 0.1
    fields = {"lost": "diverged", "here": field, "gone": "no run", "small": 1e-7 * field}
    figure = plots.study_fields(axes, fields, kind="|error|", title="Study")
    assert_legible(figure)
    used = {ax.get_title().split("\n")[0]: ax for ax in figure.axes if ax.get_title()}
    assert list(used) == list(fields)
    assert [text.get_text() for name in ("lost", "gone") for text in used[name].texts] == ["diverged", "no run"]
    assert not used["here"].texts
    # below the largest value of the smallest field, lest it be one colour
    ax = used["small"]
    low = ax.get_ylim()[0] if len(names) == 1 else ax.collections[0].norm.vmin
    assert low < 1e-7 * field.max()
    with pytest.raises(InputError, match="nothing to draw"):
        plots.study_fields(axes, {"lost": "diverged"}, kind="", title="")


@pytest.mark.slow
def test_dollar_signs_in_names_are_no_mathematics() -> None:
    name = "cost $^_ of $5"
    curves = WeightCurves(name, [1.0, 2.0], {"0": [1.0, 2.0]}, {"0": 0}, None)
    x = {"x": np.linspace(0, 1, 5)}
    figures = [
        plots.study_errors({name: [ErrorRow(name, [0.1])]}, title=name),
        plots.study_weights({name: curves}, title=name),
        plots.study_fields(x, {name: np.ones(5), f"no {name}": name}, kind="|error|", title=name),
    ]
    for figure in figures:
        assert_legible(figure)


def test_panels_above_others_show_their_numbers() -> None:
    rows = [ErrorRow("none", [1e-3, 2e-3])]
    figure = plots.study_errors({f"panel {n}": rows for n in range(3)}, title="Study")
    figure.draw_without_rendering()
    for ax in figure.axes[1:]:
        ticks = [*ax.xaxis.get_major_ticks(), *ax.xaxis.get_minor_ticks()]
        assert any(tick.label1.get_visible() and tick.label1.get_text() for tick in ticks)


@pytest.mark.parametrize(
    "call",
    [
        lambda: plots.study_errors({}, title=""),
        lambda: plots.study_errors({"a": []}, title=""),
        lambda: plots.study_weights({}, title=""),
        lambda: plots.study_fields({"x": np.arange(3.0)}, {}, kind="", title=""),
        lambda: plots.study_fields({"x": np.arange(3.0)}, {"a": np.zeros(4)}, kind="", title=""),
    ],
)
def test_nothing_to_draw_is_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(InputError, match=r"nothing to draw|expected shape"):
        call()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose runs are there, but for the processes that would have made them."""
    from pinnreg.studies.worker import work

    asked, _, where, _ = read_study(ASKED)
    folder = tmp_path_factory.mktemp("studies")
    (folder / ".pinnreg-claim").write_text("mine", encoding="utf-8")
    for planned in plan(asked, where):
        work(task_of(planned, folder, "mine"))
    return folder


@pytest.fixture
def finished(made_once: Path, tmp_path: Path) -> Path:
    """A copy of it, to draw in."""
    return shutil.copytree(made_once, tmp_path / "study")


KTV = {"kind": "ktv", "samples": 4, "weight": [1e-7, 1e-5]}
ASKED = {
    "base": TINY,
    "vary": {"regularisers": {"none": [], "ktv": [KTV]}, "evaluate.grid": {"one": 8, "other": 9}},
}


@pytest.mark.figures
def test_a_study_draws_its_figures(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Figure] = {}
    monkeypatch.setattr("pinnreg.plots.save", lambda figure, path: drawn.setdefault(path.name, figure))
    study(ASKED, finished)
    assert set(drawn) == {"errors.png", "weights.png", "fields_one.png", "fields_other.png"}
    for figure in drawn.values():
        assert_legible(figure)
    assert [ax.get_title() for ax in drawn["errors.png"].axes] == ["evaluate.grid one", "evaluate.grid other"]
    titles = [ax.get_title() for ax in drawn["weights.png"].axes]
    assert titles == ["evaluate.grid one, ktv", "evaluate.grid other, ktv"]
    for value in ("one", "other"):
        figure = drawn[f"fields_{value}.png"]
        assert [ax.get_title().split("\n")[0] for ax in figure.axes if ax.get_title()] == ["none", "ktv"]
        assert f"Study: |error| of u, evaluate.grid {value}, seed 0" in figure.get_suptitle()


@pytest.mark.figures
def test_a_figure_that_cannot_be_drawn_is_a_warning(
    finished: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pinnreg.plots.study_errors", lambda *_, **__: 1 / 0)
    study(ASKED, finished)
    assert "errors.png cannot be drawn: ZeroDivisionError: division by zero" in caplog.text
    assert {path.name for path in finished.glob("*.png")} == {"weights.png", "fields_one.png", "fields_other.png"}


def test_fields_are_those_of_the_seed_that_most_entries_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def field(_: Path, run: Run) -> figures._ErrorField:
        return figures._ErrorField({"x": np.arange(3.0)}, np.full(3, int(run.plan.seed) + 1.0), "u", "|error|")

    monkeypatch.setattr(figures, "_field", field)
    monkeypatch.setattr("pinnreg.plots.save", lambda *_: None)
    monkeypatch.setattr("pinnreg.plots.study_fields", lambda _, panels, **rest: seen.update(panels=panels, **rest))
    asked, _, where, _ = read_study({"base": TINY, "vary": {"network.hidden": {"a": [3], "b": [4]}, "seed": [0, 1]}})
    runs = [
        Run(planned, "diverged" if planned.title.endswith("a, seed 0") else "ok", {"rel_l2": 0.1})
        for planned in plan(asked, where)
    ]
    entries = entries_of(asked, runs, "validation_residual")
    for draw in figures._fields_by_group(asked, "Study", tmp_path, entries).values():
        draw()
    assert seen["title"] == "Study: |error| of u, seed 1"
    assert [panel.tolist() for panel in seen["panels"].values()] == [[2.0] * 3] * 2
    runs = [Run(run.plan, run.status if run.plan.seed == "0" else "failed: x", run.measures) for run in runs]
    drawn = figures._fields_by_group(asked, "Study", tmp_path, entries_of(asked, runs, "validation_residual"))
    for draw in drawn.values():
        draw()
    assert seen["panels"]["a"] == "diverged"
    assert seen["panels"]["b"].tolist() == [1.0] * 3


def test_each_group_of_fields_has_a_file_of_its_own(tmp_path: Path) -> None:
    assert figures._paths(tmp_path, [("a",)]) == [tmp_path / "fields.png"]
    found = figures._paths(tmp_path, [("[3, 3]", "x/y"), ("[3 3]", "x y"), ("ä",)])
    assert [path.name for path in found] == ["fields_3_3_x_y.png", "fields_3_3_x_y_2.png", "fields_ä.png"]


@pytest.mark.slow
@pytest.mark.figures
def test_figures_that_do_not_fit_any_more_are_removed(finished: Path) -> None:
    study(ASKED, finished)
    assert (finished / "fields_other.png").is_file()
    assert (finished / "weights.png").read_bytes().startswith(b"\x89PNG")
    vary = {"regularisers": {"none": []}, "evaluate.grid": {"one": 8}}
    study({"base": TINY, "vary": vary}, finished)
    assert {path.name for path in finished.glob("*.png")} == {"errors.png", "fields.png"}
    for folder in (finished / "runs").iterdir():
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["status"] == "ok"
