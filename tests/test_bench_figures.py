"""`pinnreg bench figures`: a page with every kind of figure, each made by the lines that the page shows."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from small_studies import Cli

from pinnreg.benchmarks import EXAMPLES, Picture

PICTURES = [picture for example in EXAMPLES for picture in example.pictures]


def test_names_are_of_one_picture_each_and_lines_are_commands() -> None:
    assert len({picture.name for picture in PICTURES}) == len(PICTURES)
    for example in EXAMPLES:
        for line in (*example.before, *(picture.command for picture in example.pictures)):
            assert shlex.split(line)[0] == "pinnreg"


@pytest.mark.figures
def test_a_page_has_the_pictures_and_what_makes_them(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve, others = EXAMPLES[0], EXAMPLES[1:]
    line = "pinnreg plot mine --set figures.size=single-column"
    again = Picture("curve_narrow", line, "mine/error_field.png", "Narrow")
    monkeypatch.setattr("pinnreg.benchmarks.EXAMPLES", (replace(curve, pictures=(*curve.pictures, again)), *others))
    code, out, err = cli("bench", "figures", "--only", "curve", "--steps", "2", "--page", tmp_path / "pages")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["curve", "curve_narrow"]
    text = (tmp_path / "pages" / "bench_figures.md").read_text(encoding="utf-8")
    assert "pinnreg solve mine.yaml --out mine" in text
    for name in ("curve", "curve_narrow"):
        assert f"](bench_figures_{name}.png)" in text
        assert (tmp_path / "pages" / f"bench_figures_{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_there_is_not_and_a_line_that_fails_are_said(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = cli("bench", "figures", "--only", "curv", "--page", tmp_path / "pages")
    assert code == 2
    assert "did you mean 'curve'" in err
    wrong = Picture("curve", "pinnreg solve mine.yaml --set problem.dimensio=1", "no.png", "")
    monkeypatch.setattr("pinnreg.benchmarks.EXAMPLES", (replace(EXAMPLES[0], pictures=(wrong,)),))
    code, _, err = cli("bench", "figures", "--page", tmp_path / "pages")
    assert code == 2
    assert "pinnreg solve mine.yaml --set problem.dimensio=1: error:" in err
    assert list((tmp_path / "pages").iterdir()) == []
