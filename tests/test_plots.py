"""Figures: what they show, that nothing is cut off or overlaps, and when matplotlib is imported."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.text import Text

from pinnreg import plots
from pinnreg.errors import InputError

DOMAINS = [("x",), ("t",), ("x", "y"), ("x", "t"), ("x", "y", "t"), ("x", "y", "z"), ("x", "y", "z", "t")]
DOMAINS += [("w", "x", "y", "z")]
DRAWN = [("x",), ("x", "y"), ("x", "y", "z"), ("x", "y", "z", "t")]  # layouts of which no more rows are drawn below


def grid(names, points=13):
    axes = {name: np.linspace(-1 if name == "x" else 0, 1, points + i) for i, name in enumerate(names)}
    return axes, np.meshgrid(*axes.values(), indexing="ij")


@functools.cache
def drawn(names):
    """A figure with measurements, and these; tests only read both."""
    axes, mesh = grid(names, 7 if len(names) > 3 else 13)
    rng = np.random.default_rng(0)
    columns = {name: rng.random(6) for name in (*names, "u")}
    other = {**columns, "v": columns["u"]}
    del other["u"]
    measured = [columns | {"held_out": np.array([0, 0, 0, 0, 1, 1])}, other | {"held_out": np.zeros(6)}]
    return columns, plots.error_field(axes, solved(mesh), title="wave", errors={"u": 3.2e-5}, measured=measured)


def solved(mesh, *, offset=0.0, name="u", size=1e-4):
    """A wave with a smooth error that changes sign."""
    reference = offset + np.prod([np.cos(2 * x + 0.3) for x in mesh], axis=0)
    error = size * np.sin(5 * mesh[0]) * (1.2 + mesh[-1])
    return {name: reference + error, f"{name}_reference": reference, f"{name}_error": error}


def panels(figure):
    """The axes by the first word of their title that tells what they show."""
    found = {"predicted": [], "reference": [], "|error|": [], "|residual|": []}
    for ax in figure.axes:
        for kind, axes in found.items():
            if kind in ax.get_title():
                axes.append(ax)
    return found


def maps(figure):
    """The heat maps of each kind of panel."""
    return {kind: [ax.collections[0] for ax in axes if ax.collections] for kind, axes in panels(figure).items()}


def heading(figure):
    return figure.get_suptitle()


def visible_texts(figure):
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    everything = [part for ax in figure.axes for part in (ax, *ax.child_axes)]
    ticks = {}
    for axis in itertools.chain.from_iterable((ax.xaxis, ax.yaxis) for ax in everything):
        low, high = sorted(axis.get_view_interval())
        pad = 1e-9 * (high - low)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            shown = low - pad <= tick.get_loc() <= high + pad
            ticks |= {tick.label1: shown, tick.label2: shown}
    return [t for t in texts if ticks.get(t, True)]


def assert_legible(figure):
    """Every text lies within the figure, is at least 9 points high, and covers no other one."""
    figure.draw_without_rendering()
    texts = visible_texts(figure)
    assert min(text.get_fontsize() for text in texts) >= 9
    low, high = np.moveaxis([text.get_window_extent().get_points() for text in texts], 1, 0)
    inside = (low >= -0.5).all(axis=1) & (high <= figure.bbox.max + 0.5).all(axis=1)
    assert not [text for text, kept in zip(texts, inside, strict=True) if not kept]
    shared = (np.minimum(high[:, None], high) - np.maximum(low[:, None], low)).min(axis=2)
    covering = np.argwhere(np.triu(shared > 1.5, k=1))
    assert not [(texts[one], texts[other]) for one, other in covering]


@pytest.mark.first(4)
@pytest.mark.parametrize("names", DOMAINS, ids="".join)
def test_every_domain_with_a_reference(names):
    _, figure = drawn(names)
    assert heading(figure).startswith("wave")
    assert "not verified" not in heading(figure)
    assert sum("relative L2 error 3.2e-05" in ax.get_title() for ax in figure.axes) == 1
    assert len(panels(figure)["|error|"]) == (3 if names == ("x", "y", "t") else 1)
    if names in DRAWN:
        assert_legible(figure)


@pytest.mark.parametrize("names", DOMAINS[1:-1], ids="".join)
def test_every_domain_without_a_reference(names):
    axes, mesh = grid(names, 7 if len(names) > 3 else 13)
    fields = {"u": np.cos(mesh[0]), "residual": 1e-3 * np.sin(mesh[0])}
    figure = plots.error_field(axes, fields, title="wave", errors=None)
    assert "no reference: not verified" in heading(figure)
    shown = panels(figure)
    assert shown["|residual|"]
    assert not shown["reference"]
    assert not shown["|error|"]
    if names in DRAWN[:2]:  # curves and maps; more panels are above
        assert_legible(figure)


def legend(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def circles(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


@pytest.mark.parametrize("names", DOMAINS, ids="".join)
def test_measurements_are_circles_where_a_plane_or_a_line_shows_them_all(names):
    columns, figure = drawn(names)
    found = [(ax, line) for ax in figure.axes for line in circles(ax)]
    assert ("measurements" in legend(figure)) == bool(found) == (len(names) < 3)
    upright = names != ("x", "t")
    horizontal, vertical = (*names, "u")[:2] if upright else names[::-1]
    for ax, line in found:
        assert len(names) == 1 or ax.get_title() == "predicted u"
        np.testing.assert_array_equal(line.get_xdata(), columns[horizontal][:4])
        np.testing.assert_array_equal(line.get_ydata(), columns[vertical][:4])


def test_measurements_of_another_output_leave_no_circles():
    axes, mesh = grid(("x", "t"))
    measured = [{"x": np.ones(1), "t": np.ones(1), "v": np.ones(1), "held_out": np.zeros(1)}]
    figure = plots.error_field(axes, solved(mesh), title="", errors={"u": 0.1}, measured=measured)
    assert not [ax for ax in figure.axes if circles(ax)]
    assert "measurements" not in legend(figure)


@pytest.mark.parametrize("names", [n for n in DOMAINS if len(n) > 1], ids="".join)
def test_predicted_and_reference_share_one_norm_and_the_error_is_logarithmic(names):
    shown = maps(drawn(names)[1])
    values = shown["predicted"] + shown["reference"]
    assert len(shown["predicted"]) == len(shown["reference"]) == len(shown["|error|"])
    assert len({id(m.norm) for m in values}) == 1
    assert len({m.get_cmap().name for m in values}) == 1
    assert all(isinstance(m.norm, LogNorm) for m in shown["|error|"])
    assert len({id(m.norm) for m in shown["|error|"]}) == 1


@pytest.mark.parametrize(("offset", "diverging"), [(0.0, True), (5.0, False), (-5.0, False)])
def test_the_colour_map_diverges_about_zero_where_values_change_sign(offset, diverging):
    axes, mesh = grid(("x", "y"))
    figure = plots.error_field(axes, solved(mesh, offset=offset), title="", errors={"u": 0.1})
    shown = maps(figure)["predicted"][0]
    assert shown.get_cmap().name == ("RdBu_r" if diverging else "viridis")
    assert (shown.norm.vmin == -shown.norm.vmax) == diverging


def test_a_slight_undershoot_is_no_change_of_sign():
    axes, mesh = grid(("x", "y"))
    fields = solved(mesh)
    fields["u_reference"] = mesh[1] ** 2
    fields["u"] = fields["u_reference"] - 1e-3
    assert maps(plots.error_field(axes, fields, title="", errors=None))["predicted"][0].get_cmap().name == "viridis"


def test_isolated_zeros_of_the_error_do_not_stretch_its_scale():
    axes, mesh = grid(("x", "y"))
    fields = solved(mesh)
    fields["u_error"] = 1e-2 * mesh[0]
    shown = maps(plots.error_field(axes, fields, title="", errors={"u": 0.1}))["|error|"][0]
    assert shown.norm.vmax == pytest.approx(1e-2)
    assert shown.norm.vmin == pytest.approx(1e-6)
    assert shown.colorbar.extend == "min"
    assert not np.ma.getmaskarray(shown.get_array()).any()


def test_an_error_without_zeros_needs_no_extended_colour_bar():
    axes, mesh = grid(("x", "y"))
    fields = solved(mesh) | {"u_error": 1e-2 * np.exp(-3 * mesh[1])}
    shown = maps(plots.error_field(axes, fields, title="", errors={"u": 0.1}))["|error|"][0]
    assert shown.norm.vmin == fields["u_error"].min()
    assert shown.colorbar.extend == "neither"


def test_a_prediction_far_outside_does_not_hide_the_reference():
    axes, mesh = grid(("x", "y"))
    fields = solved(mesh, offset=5.0)
    fields["u"] = fields["u_reference"] + 1e6
    shown = maps(plots.error_field(axes, fields, title="", errors={"u": 2e5}))["reference"][0]
    assert shown.norm.vmax < 10
    assert shown.colorbar.extend == "max"


def test_arrays_are_drawn_the_right_way_round():
    """A bump near x = 1, y = 0 (or t = 0) lies at the right bottom (or, time being horizontal, left top)."""
    for names, row, column in ((("x", "y"), 0, -1), (("x", "t"), -1, 0)):
        axes, mesh = grid(names)
        bump = np.exp(-9 * ((mesh[0] - 1) ** 2 + mesh[1] ** 2))
        fields = {"u": bump, "u_reference": bump, "u_error": 0.1 * bump}
        figure = plots.error_field(axes, fields, title="", errors={"u": 0.1})
        for kind in ("predicted", "reference", "|error|"):
            (shown,) = maps(figure)[kind]
            array = shown.get_array()
            assert array[row, column] == array.max()
        ax = panels(figure)["predicted"][0]
        assert (ax.get_xlabel(), ax.get_ylabel()) == (("x", "y") if names[1] == "y" else ("t", "x"))


@pytest.mark.parametrize("names", DOMAINS, ids="".join)
def test_every_panel_names_its_axes_and_every_colour_bar_its_quantity(names):
    _, figure = drawn(names)
    for ax in figure.axes:
        assert ax.get_xlabel() in names
        # Panels that share a vertical axis are named at the first of them.
        assert ax.get_ylabel() or not ax.yaxis.get_tick_params()["labelleft"]
        for bar in ax.child_axes:
            assert bar.get_ylabel() in ("u", "|error|")
    heat_maps = [ax for ax in figure.axes if ax.collections]
    assert sum(len(ax.child_axes) for ax in heat_maps) == 2 * len(heat_maps) / 3


def test_space_is_drawn_to_scale_unless_too_slender():
    for length, aspect in ((1.2, 1.0), (30.0, "auto")):
        axes, mesh = grid(("x", "y"))
        axes["x"] = axes["x"] * length
        figure = plots.error_field(axes, solved(mesh), title="", errors={"u": 0.1})
        assert panels(figure)["predicted"][0].get_aspect() == aspect


def test_slices_share_their_limits_and_show_predicted_and_reference():
    axes, mesh = grid(("x", "t"), 41)
    figure = plots.error_field(axes, solved(mesh), title="", errors={"u": 0.1})
    slices = [ax for ax in figure.axes if ax.get_title().startswith("t = ")]
    errors = [ax for ax in figure.axes if ax.get_yscale() == "log"]
    assert len(slices) == len(errors) == 5
    assert [ax.get_title() for ax in (slices[0], slices[-1])] == ["t = 0", "t = 1"]
    assert legend(figure) == ["predicted", "reference", "times of the slices"]
    for row in (slices, errors):
        assert len({ax.get_ylim() for ax in row}) == 1
    for ax in slices:
        solid, dashed = ax.lines
        assert (solid.get_label(), dashed.get_label()) == ("predicted", "reference")
        assert solid.get_linestyle() == "-"
        assert dashed.get_linestyle() == "--"
    index = int(np.abs(axes["t"] - 0.5).argmin())
    np.testing.assert_array_equal(slices[2].lines[0].get_ydata(), solved(mesh)["u"][:, index])


def test_the_plane_shown_is_the_grid_plane_nearest_the_middle():
    axes, mesh = grid(("x", "y", "z"))
    axes["z"] = np.array([0.0, 0.1, 0.45, *np.linspace(0.7, 1.0, 12)])
    fields = solved(mesh)
    figure = plots.error_field(axes, fields, title="cube", errors={"u": 0.1})
    assert "z = 0.45" in heading(figure)
    np.testing.assert_array_equal(maps(figure)["predicted"][0].get_array(), fields["u"][:, :, 2].T)


def test_in_four_axes_time_stands_at_its_end():
    axes, mesh = grid(("x", "y", "z", "t"), 5)
    fields = solved(mesh)
    figure = plots.error_field(axes, fields, title="", errors={"u": 0.1})
    assert "t = 1" in heading(figure)
    index = int(np.abs(axes["z"] - 0.5).argmin())
    np.testing.assert_array_equal(maps(figure)["reference"][0].get_array(), fields["u_reference"][:, :, index, -1].T)


@pytest.mark.parametrize("names", [("x",), pytest.param(("x", "t"), marks=pytest.mark.slow)], ids="".join)
def test_several_outputs_each_have_a_row_with_their_own_scale_and_error(names):
    axes, mesh = grid(names)
    fields = solved(mesh) | solved(mesh, offset=2e4, name="temperature")
    measured = [dict.fromkeys((*names, "u"), np.ones(1)) | {"held_out": np.zeros(1)}]  # for the longest heading
    figure = plots.error_field(axes, fields, title="two", errors={"u": 1e-3, "temperature": 2e-4}, measured=measured)
    titles = [ax.get_title() for ax in figure.axes]
    assert sum("relative L2 error 1.0e-03" in title for title in titles) == 1
    assert sum("relative L2 error 2.0e-04" in title for title in titles) == 1
    if len(names) > 1:
        assert len({id(m.norm) for m in maps(figure)["predicted"]}) == 2
    assert_legible(figure)


def test_an_output_without_reference_beside_one_with_is_named():
    axes, mesh = grid(("x", "y", "t"), 7)
    fields = solved(mesh) | {"p": mesh[0], "residual_conservation_of_mass": mesh[1]}
    figure = plots.error_field(axes, fields, title="flow", errors={"u": 1e-3})
    assert "no reference for p: not verified" in heading(figure)
    assert len(panels(figure)["reference"]) == 3
    assert len(panels(figure)["|residual|"]) == 3
    assert_legible(figure)


@pytest.mark.parametrize("names", [("x",), ("x", "y")], ids="".join)
def test_more_residuals_than_outputs_are_all_shown(names):
    axes, mesh = grid(names)
    residuals = {f"residual_{name}": mesh[0] for name in ("mass", "v", "energy")}
    fields = {"u": mesh[0], "v": mesh[0] ** 2} | residuals
    figure = plots.error_field(axes, fields, title="flow", errors=None)
    titles = [ax.get_title() for ax in panels(figure)["|residual|"]]
    assert [title.split()[2] for title in titles] == ["mass", "v", "energy"]
    if len(names) == 2:
        assert_legible(figure)


@pytest.mark.parametrize(
    "value",
    [
        0.0,
        pytest.param(np.nan, marks=pytest.mark.slow),
        pytest.param(1e-310, marks=pytest.mark.slow),
        pytest.param(3.0, marks=pytest.mark.slow),
    ],
)
def test_degenerate_errors_neither_fail_nor_warn(value):
    axes, mesh = grid(("x", "t"), 5)  # a layout that has both heat maps and curves
    fields = solved(mesh)
    fields["u_error"] = np.full_like(mesh[0], value)
    if np.isnan(value):
        fields["u_error"][0] = np.inf
    fields["u"] = fields["u_reference"] + fields["u_error"]
    figure = plots.error_field(axes, fields, title="", errors={"u": value})
    if not value > 0:  # zero and NaN, whose scale is no number
        figure.draw_without_rendering()
    note = {0.0: "identically zero", 1e-310: "identically zero", 3.0: "max 3.0e+00"}.get(value, "no finite value")
    assert note in panels(figure)["|error|"][0].get_title()


@pytest.mark.parametrize(
    "value", [0.0, pytest.param(7.0, marks=pytest.mark.slow), pytest.param(np.nan, marks=pytest.mark.slow)]
)
def test_constant_fields_neither_fail_nor_warn(value):
    axes, mesh = grid(("x", "y"), 5)
    constant = np.full_like(mesh[0], value)
    fields = {"u": constant, "u_reference": constant, "u_error": constant - constant}
    plots.error_field(axes, fields, title="", errors={"u": 0.0}).draw_without_rendering()


def test_holes_of_the_domain_are_left_out():
    axes, mesh = grid(("x", "y"))
    hole = np.where((mesh[0] > 0) & (mesh[1] > 0.5), np.nan, 1.0)
    fields = {key: field * hole for key, field in solved(mesh).items()}
    shown = maps(plots.error_field(axes, fields, title="", errors={"u": 0.1}))
    for kind in ("predicted", "reference", "|error|"):
        np.testing.assert_array_equal(np.ma.getmaskarray(shown[kind][0].get_array()), np.isnan(hole.T))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda axes, fields, errors: fields.pop("u_error"), "'u_error' is missing"),
        (lambda axes, fields, errors: fields.pop("u_reference"), "'u_reference' is missing"),
        (lambda axes, fields, errors: fields.pop("u"), "no output"),
        (
            lambda axes, fields, errors: fields.update(v_error=fields["u"], v_reference=fields["u"]),
            "prediction 'v'",
        ),
        (lambda axes, fields, errors: fields.update(u=fields["u"].T), r"expected shape \(13, 14\) \(x, t\)"),
        (lambda axes, fields, errors: fields.update(x=fields["u"]), "'x' is an axis"),
        (lambda axes, fields, errors: errors.clear(), "'u' has a reference but no error"),
        (lambda axes, fields, errors: errors.update(w=1.0), "'w' is not an output"),
        (lambda axes, fields, errors: axes.clear(), "at least one axis"),
        (lambda axes, fields, errors: axes.update(x=axes["x"][::-1]), "strictly increasing"),
        (lambda axes, fields, errors: axes.update(x=axes["x"][:1]), "two or more points"),
        (lambda axes, fields, errors: axes.update(y=axes["x"]), "must stand last"),
    ],
)
def test_bad_input_is_named(change, message):
    axes, mesh = grid(("x", "t"))
    fields, errors = solved(mesh), {"u": 0.1}
    change(axes, fields, errors)
    with pytest.raises(InputError, match=message):
        plots.error_field(axes, fields, title="", errors=errors)


def course(terms=("residual", "initial"), rows=200):
    step = np.arange(rows) * 10.0
    decay = 10.0 ** (-4 * step / max(step.max(initial=0), 1))
    columns = {"step": step, "seconds": step * 0.02, "loss": len(terms) * decay}
    for number, name in enumerate(terms):
        columns |= {name: 7 * decay, f"{name}_weighted": decay / (number + 1)}
    columns["error_u"] = np.where(np.arange(rows) % 10 == 0, decay, np.nan)
    return columns


def test_history_shows_the_loss_each_weighted_term_and_the_errors():
    columns = course()
    figure = plots.history(columns, title="burgers")
    left, right = figure.axes
    assert [line.get_label() for line in left.lines] == ["loss", "residual", "initial"]
    assert left.lines[0].get_color() == "black"
    np.testing.assert_array_equal(left.lines[2].get_ydata(), columns["initial_weighted"])
    np.testing.assert_array_equal(left.lines[2].get_xdata(), columns["seconds"])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), columns["error_u"][::10])
    assert left.get_yscale() == right.get_yscale() == "log"
    assert left.get_xlabel() == right.get_xlabel() == "seconds"
    assert left.get_xlim() == right.get_xlim()
    assert heading(figure) == "burgers"
    assert_legible(figure)


@pytest.mark.parametrize("present", [True, False])
def test_history_without_errors_has_one_panel(present):
    columns = course()
    if present:
        columns["error_u"][:] = np.nan
    else:
        del columns["error_u"]
    (ax,) = plots.history(columns, title="").axes
    assert ax.get_ylabel() == "loss"


def test_history_masks_what_has_no_logarithm():
    columns = course(terms=("residual", "ktv"))
    columns["ktv_weighted"][:] = 0
    columns["loss"][[3, 5, 7]] = np.nan, -1, np.inf
    figure = plots.history(columns, title="")
    loss, _, ktv = figure.axes[0].lines
    assert loss.get_xdata().size == 197
    assert ktv.get_xdata().size == 0
    assert "never > 0" in ktv.get_label()
    assert_legible(figure)


def test_history_of_many_terms_stays_legible_and_distinct():
    figure = plots.history(course(tuple(f"condition number {k}" for k in range(11))), title="many")
    looks = [(line.get_color(), line.get_linestyle(), line._dash_pattern) for line in figure.axes[0].lines]
    assert len({str(look) for look in looks}) == 12
    assert_legible(figure)


@pytest.mark.parametrize("rows", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_history_of_a_run_that_has_hardly_begun(rows):
    assert_legible(plots.history(course(rows=rows), title="short"))


def test_history_names_round_steps_and_the_last_one_where_they_were_reached():
    columns = course()
    (upper,) = plots.history(columns, title="").axes[0].child_axes
    labels = {text.get_text(): place for text, place in zip(upper.get_xticklabels(), upper.get_xticks(), strict=True)}
    assert "1990" in labels
    for label, place in labels.items():
        assert place == pytest.approx(float(label) * 0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda columns: columns.pop("seconds"), "'seconds' is missing"),
        (lambda columns: columns.pop("loss"), "'loss' is missing"),
        (lambda columns: columns.update(error_u=np.ones(3)), "'error_u' has shape"),
        (lambda columns: columns.update(initial_weighted=np.ones((200, 1))), "'initial_weighted' has shape"),
    ],
)
def test_bad_history_is_named(change, message):
    columns = course()
    change(columns)
    with pytest.raises(InputError, match=message):
        plots.history(columns, title="")


def descent(methods=("Gauss-Newton", "Adam, L-BFGS"), seeds=3, points=None):
    """Errors that fall as a power of the time, each repetition ten times as high as the last."""
    seconds = np.geomspace(0.02, 60, 50)
    curves = {
        method: [(seconds * (seed + 1), 10.0 ** (seed - 2) * seconds ** -(rate + 1.0)) for seed in range(seeds)]
        for rate, method in enumerate(methods)
    }
    return plots.Convergence(curves, {"SciPy": (0.003, 1e-13)} if points is None else points)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(1, marks=pytest.mark.slow),
        pytest.param(2, marks=pytest.mark.slow),
        4,
        pytest.param(6, marks=pytest.mark.slow),
    ],
)
def test_convergence_has_a_panel_for_each_problem_and_one_legend(number):
    names = [f"poisson_frequency{k}" for k in range(number)]
    figure = plots.convergence({name: descent() for name in names}, title="race", note="thin: each of 3 seeds")
    assert [ax.get_title() for ax in figure.axes] == names
    assert heading(figure) == "race\nthin: each of 3 seeds"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Gauss-Newton", "Adam, L-BFGS", "SciPy"]
    for ax in figure.axes:
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert [text.get_text() for text in ax.texts] == ["SciPy"]
        assert len({(*other.get_xlim(), *other.get_ylim()) for other in figure.axes}) == 1
    labelled = {ax.get_xlabel() for ax in figure.axes[-min(number, 3) :]}
    assert labelled == {"seconds"}
    assert figure.axes[0].get_ylabel() == "relative L2 error"
    if number in (1, 4):  # one row, and two of which one has gaps
        assert_legible(figure)


def test_a_thick_line_is_the_median_of_the_thin_ones_and_one_line_is_its_own():
    (ax,) = plots.convergence({"heat": descent(("Adam",))}, title="").axes
    *thin, thick, star = ax.lines
    assert len(thin) == 3
    assert thick.get_linewidth() > 2 * thin[0].get_linewidth()
    assert {line.get_color() for line in thin} == {thick.get_color()} != {star.get_color()}
    times, found = thick.get_data()
    assert times[0] == pytest.approx(0.06)  # when the last repetition begins
    assert times[-1] == pytest.approx(180.0)
    between = (times > 0.07) & (times < 59)
    expected = np.median([10.0 ** (seed - 2) * (times / (seed + 1)) ** -1.0 for seed in range(3)], axis=0)
    np.testing.assert_allclose(found[between], expected[between], rtol=1e-6)
    (alone, _) = plots.convergence({"heat": descent(("Adam",), 1)}, title="").axes[0].lines
    assert alone.get_linewidth() == thick.get_linewidth()
    np.testing.assert_array_equal(alone.get_xdata(), np.geomspace(0.02, 60, 50))


def test_what_a_logarithmic_axis_cannot_show_is_left_out():
    bad = plots.Convergence({"Adam": [([0.0, 1.0, 2.0, 3.0], [1.0, np.nan, 0.0, 0.5])]}, {"SciPy": (1.0, np.nan)})
    none = plots.Convergence({"Adam": [([], []), ([1.0], [np.inf])]}, {})
    first, second = plots.convergence({"a": bad, "b": none}, title="").axes
    (line,) = first.lines
    assert line.get_data() == (pytest.approx([3.0]), pytest.approx([0.5]))
    assert not first.texts
    assert not second.lines


def test_convergence_refuses_nothing_and_curves_of_two_lengths():
    with pytest.raises(InputError, match="nothing to draw"):
        plots.convergence({}, title="")
    with pytest.raises(InputError, match=r"'Adam' has seconds of shape \(2,\), errors of \(1,\)"):
        plots.convergence({"a": plots.Convergence({"Adam": [([1, 2], [1])]}, {})}, title="")


SIGNATURES = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.parametrize("suffix", SIGNATURES)
def test_save_writes_the_format_of_the_suffix_and_nothing_else(tmp_path, suffix):
    path = tmp_path / f"error_field.{suffix}"
    path.write_text("an older figure")
    written = set()
    columns = {key: np.arange(1.0, 9.0) for key in ("step", "seconds", "loss")}
    title = "burgers, $nu$ = 0.01"
    for _ in range(2):
        # names in an SVG could differ from figure to figure; for the others any will do
        figure = plots.history(columns, title=title) if suffix == "svg" else Figure(figsize=(3, 2))
        figure.suptitle(title)
        plots.save(figure, path)
        written.add(path.read_bytes())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert len(written) == 1  # the same data give the same bytes, at another date too
    assert b"Date" not in path.read_bytes()
    assert written.pop().startswith(SIGNATURES[suffix])


def test_save_at_150_dots_per_inch(tmp_path):
    figure = Figure(figsize=(3, 2))
    plots.save(figure, tmp_path / "history.PNG")
    header = (tmp_path / "history.PNG").read_bytes()[16:24]
    assert int.from_bytes(header[:4], "big") == pytest.approx(150 * figure.get_figwidth(), abs=1)


def test_a_failed_save_leaves_the_older_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "history.png"
    path.write_text("an older figure")
    figure = plots.history(course(), title="")

    def fail(file, **options):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plots.save(figure, path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "an older figure"


def test_save_refuses_other_formats(tmp_path):
    figure = plots.history(course(), title="")
    with pytest.raises(InputError, match=r"history\.jpg.*known: png, pdf, svg"):
        plots.save(figure, tmp_path / "history.jpg")
    assert not list(tmp_path.iterdir())


def test_drawing_leaves_matplotlib_as_it_was(tmp_path):
    before = dict(matplotlib.rcParams)
    axes, mesh = grid(("x",))
    plots.save(plots.error_field(axes, solved(mesh), title="", errors={"u": 0.1}), tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
def test_matplotlib_is_imported_only_to_draw_and_pyplot_never():
    code = """
import sys
import numpy as np
from pinnreg import plots
assert "matplotlib" not in sys.modules
x = np.linspace(0, 1, 5)
plots.error_field({"x": x}, {"u": x, "residual": x}, title="", errors=None)
plots.history({"step": x, "seconds": x, "loss": x}, title="")
plots.convergence({"a": plots.Convergence({"b": [(x, x)]}, {})}, title="")
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
