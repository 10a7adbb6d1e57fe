"""The figure of estimates against true errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pinnreg import InputError, plots


def test_good_ones_are_filled_poor_ones_hollow_and_the_band_is_shaded() -> None:
    pairs = {"heat": [(1e-3, 1e-3, True), (1e-5, 4e-5, False)], "wave": [(1e-4, 1e-6, False)]}
    figure = plots.calibration(pairs, factor=3, title="estimates", note="few")
    (ax,) = figure.axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    heat = [line for line in ax.lines if line.get_color() == plots.style.COLOURS[0]]
    points = {line.get_markerfacecolor() == "none": line.get_xydata() for line in heat}
    assert points[False] == pytest.approx(np.array([[1e-3, 1e-3]]))
    assert points[True] == pytest.approx(np.array([[1e-5, 4e-5]]))
    low, high = ax.get_ylim()
    assert low < 1e-6
    assert high > 1e-3
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert np.max(corners[:, 1] / corners[:, 0]) == pytest.approx(3)
    assert np.min(corners[:, 1] / corners[:, 0]) == pytest.approx(1 / 3)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["heat", "wave"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "called good", "called poor", "within a factor of 3",
    ]  # fmt: skip


def test_each_name_has_a_look_of_its_own() -> None:
    pairs = {str(number): [(1e-3, 1e-3, True)] for number in range(20)}
    (ax,) = plots.calibration(pairs, factor=3, title="").axes
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines if line.get_marker() != "None"}
    assert len(looks) == 20


def test_what_has_no_logarithm_is_left_out_and_nothing_is_refused() -> None:
    bad = [(0.0, 1.0, True), (1.0, math.nan, True), (math.inf, 1.0, False)]
    (ax,) = plots.calibration({"a": bad, "b": [(1.0, 1.0, True)]}, factor=3, title="").axes
    assert sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() != "None") == 1
    with pytest.raises(InputError, match="calibration: nothing to draw"):
        plots.calibration({"a": bad}, factor=3, title="")
