"""`--page`: pages are made from what was measured, figures included, and replace only what such a call wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from small_studies import STUDY, Cli, rows

from pinnreg import __version__, plots
from pinnreg.benchmarks import (
    Benchmark,
    OptimiserBenchmark,
    OptimiserRow,
    OptimiserRun,
    OptimiserSetting,
    Row,
    ScipyRow,
)
from pinnreg.benchmarks.measure import Cost
from pinnreg.cli.page import MARK, Page
from pinnreg.errors import InputError
from pinnreg.plots import Curve, Panel
from pinnreg.reproductions import EXPERIMENTS, Claim, Reproduction, Table
from pinnreg.studies import origins, runner
from pinnreg.studies.mark import note_figures
from pinnreg.studies.model import Study
from pinnreg.studies.summary import number
from pinnreg.studies.worker import Task

FIGURE = b"\x89PNG"


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of a few bytes, since drawing takes longer than all the rest."""
    monkeypatch.setattr(plots, "save", lambda _, path: Path(path).write_bytes(FIGURE))


def table(text: str, after: str = "") -> list[list[str]]:
    """The cells of the first table of a page behind a text, its heading left out."""
    lines = text[text.index(after) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| ---"))
    end = next(number for number, line in enumerate([*lines, ""]) if number > start and not line.startswith("|"))
    return [re.split(r"(?<!\\) \| ", line[2:-2]) for line in lines[start + 1 : end]]


def linked(text: str) -> set[str]:
    return set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", text))


# what may be replaced


def test_a_page_is_written_whole_and_replaced_by_the_next(tmp_path: Path) -> None:
    page = Page(tmp_path / "new" / "gallery", "mine")
    page.check([page.figure("errors")])
    for title in ("First", "Second"):
        body = ["Found.", "", f"![errors]({page.figure('errors').name})"]
        page.write(title, "pinnreg study mine.yaml", body, {page.figure("errors"): title.encode()})
    assert {path.name for path in page.folder.iterdir()} == {"mine.md", "mine_errors.png"}
    text = page.path.read_text(encoding="utf-8")
    assert text.startswith(f"{MARK}\n\n# Second\n\n```sh\npinnreg study mine.yaml\n```\n\nFound.\n")
    assert re.search(rf"\nWritten on \d{{4}}-\d\d-\d\d by pinnreg {__version__}, Python 3.*, torch 2.*\.\n$", text)
    assert page.figure("errors").read_bytes() == b"Second"


def to_a_link(path: Path) -> None:
    (path.parent / "elsewhere").write_text(MARK, encoding="utf-8")
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize(
    "occupy",
    [
        lambda path: path.write_text("my own notes", encoding="utf-8"),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("nowhere"),
        to_a_link,
    ],
    ids=["file", "folder", "broken link", "link"],
)
@pytest.mark.parametrize("name", ["mine.md", "mine_errors.png"])
def test_what_is_not_of_an_earlier_page_is_left_alone(
    tmp_path: Path, occupy: Callable[[Path], object], name: str
) -> None:
    page = Page(tmp_path, "mine")
    occupy(tmp_path / name)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=f"--page .*{name} exists and is no"):
        page.write("Title", "pinnreg", [], {page.figure("errors"): FIGURE})
    assert sorted(tmp_path.iterdir()) == before
    assert not (tmp_path / name).is_file() or (tmp_path / name).read_text(encoding="utf-8") in ("my own notes", MARK)


def test_a_page_owns_only_the_figures_that_it_shows(tmp_path: Path) -> None:
    page = Page(tmp_path, "my study")  # its name is quoted in links
    page.write("Title", "pinnreg", ["![a](my%20study_a.png)"], {page.figure("a"): FIGURE})
    page.check([page.figure("a")])
    page.figure("b").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"my study_b\.png exists and is no figure of"):
        page.check([page.figure("a"), page.figure("b")])


# the commands


def test_a_study_makes_its_page_from_finished_runs(cli: Cli, made: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(study: Study, name: str, folder: Path, *_: object) -> None:
        names = ("errors.png", "fields_5_percent.png")
        note_figures(study, folder, names)
        for figure in names:
            (folder / figure).write_bytes(FIGURE + name.encode())

    monkeypatch.setattr(runner, "write_figures", figures)
    mine = Path("mine.yaml")
    mine.write_text("# Does a penalty\n# help?\n" + mine.read_text(encoding="utf-8"), encoding="utf-8")
    assert cli("study", "mine.yaml", "--quiet")[0] == 0
    made.clear()
    assert cli("study", "mine.yaml", "--page", "gallery", "--quiet")[0] == 0
    assert made == []
    text = Path("gallery/mine.md").read_text(encoding="utf-8")
    assert linked(text) == {"mine_errors.png", "mine_fields_5_percent.png"}
    assert {path.name for path in Path("gallery").iterdir()} == linked(text) | {"mine.md"}
    assert Path("gallery/mine_errors.png").read_bytes() == FIGURE + b"mine"
    head = f"{MARK}\n\n# Study mine\n\n```sh\npinnreg study mine.yaml --page gallery --quiet\n```\n\n"
    assert text.startswith(head + "Does a penalty help?\n\n6 runs: 6 ok.\n")
    # the numbers are those of the study's own tables
    summary = rows(Path("outputs/mine"), "summary.csv")
    assert [(cells[0], cells[2]) for cells in table(text)] == [
        (row["regularisers"], number(float(row["median"]))) for row in summary
    ]
    runs = [row for row in rows(Path("outputs/mine")) if row["chosen"] == "yes" and row["regularisers"] == "none"]
    none = table(text, "## Beside the error")[0]
    assert none[:2] == ["none", number(sum(float(row["residual"]) for row in runs) / 2)]
    assert "- **none**: the baseline" in text
    assert "- **ktv2**: " in text
    assert re.search(r"Its runs were made with:\n\n- pinnreg .*, torch .* \(6 runs\)\n", text)
    assert "--page" not in Path("outputs/mine/summary.md").read_text(encoding="utf-8")


def test_a_study_of_a_dict_has_no_question_and_lost_folders_no_origin(made: list[Task], tmp_path: Path) -> None:
    found = runner.study({**STUDY, "vary": {"seed": [0]}}, tmp_path)
    config = tmp_path / "runs" / found.runs[0].plan.hash / "config.yaml"
    assert "torch" in next(iter(origins(tmp_path, found.runs)))
    config.unlink()
    assert origins(tmp_path, found.runs) == {"unknown": 1}
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").splitlines()[2] == "1 runs: 1 ok."


def test_an_experiment_makes_its_page(cli: Cli, draw: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Reproduction(
        title="Tiny",
        paper="Nobody 2026",
        tables=[Table("Numbers", ["what", "value"], [["|a|", 0.123456], ["b", 3]])],
        claims=[Claim("it is large", 2.5, ">", 1.0, "3"), Claim("... and round", 2.5, "<", 2.0, decisive=False)],
        panels=[Panel("curve", "x", "y", [Curve("", [0, 1], [1, 2])])],
        notes=["a difference"],
        seeds=[0, 1],
        steps=12345,
    )
    monkeypatch.setitem(EXPERIMENTS, "tiny", lambda full, progress: found)  # type: ignore[arg-type]
    assert cli("reproduce", "tiny", "--page", "gallery")[0] == 0
    text = Path("gallery/reproduce_tiny.md").read_text(encoding="utf-8")
    assert linked(text) == {"reproduce_tiny.png"}
    assert Path("gallery/reproduce_tiny.png").read_bytes() == FIGURE
    assert "# Tiny\n\n```sh\npinnreg reproduce tiny --page gallery\n```\n\nNobody 2026.\n" in text
    assert "Verdict: reproduced, 1 of 2 claims hold, 1 differs as noted." in text
    assert table(text) == [["holds", "it is large", "2.5 > 1", "3"], ["differs", "... and round", "2.5 < 2", ""]]
    assert table(text, "## Numbers") == [[r"\|a\|", "0.123"], ["b", "3"]]
    assert "## Notes\n\n- a difference\n" in text
    assert "seeds 0, 1; 12,345 optimiser steps" in text
    assert cli("reproduce", "tiny", "--full", "--page", "gallery")[0] == 0
    assert Path("gallery/reproduce_tiny_full.md").is_file()


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_run(
    cli: Cli, made: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPERIMENTS, "tiny", lambda *_: 1 / 0)  # type: ignore[arg-type,return-value]
    Path("reproduce_tiny.png").write_bytes(b"mine")
    Path("bench_optimisers.png").write_bytes(b"mine")
    for name in ("bench_zoo.md", "bench_derivatives.md", "mine.md"):
        Path(name).write_bytes(b"mine")
    benches = [["bench", name] for name in ("zoo", "derivatives", "optimisers")]
    for command in (["reproduce", "tiny"], *benches, ["study", "mine.yaml"]):
        code, out, err = cli(*command, "--page", ".")
        assert (code, out) == (2, "")
        assert re.fullmatch(r"error: --page \.: \S+ exists and is no .*\n", err)
        assert cli(*command, "--page", "mine.yaml")[0] == 2
    assert made == []


def test_optimisers_make_their_page(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tuple(
        OptimiserRun(seed, (0.1, 1.5), (1.0, error), 20, 5, "stopped", 9.0, ({},))
        for seed, error in enumerate([3e-3, 2e-5])
    )
    scipy = ScipyRow("heat", "method of lines", 0.004, 1e-9, "closed form", None)
    found = OptimiserBenchmark(
        (OptimiserRow("heat", "adam", runs), scipy),
        OptimiserSetting(("heat",), ("adam",), seeds=2, max_seconds=5.0),
        {},
        {"device": "cpu", "threads": 1},
        "2026-01-02",
    )
    monkeypatch.setattr("pinnreg.benchmarks.bench_optimisers", lambda setting, on_row, on_run: on_row(found))
    assert cli("bench", "optimisers", "--seeds", "2", "--page", "gallery")[0] == 0
    text = Path("gallery/bench_optimisers.md").read_text(encoding="utf-8")
    assert linked(text) == {"bench_optimisers.png"}
    assert Path("gallery/bench_optimisers.png").stat().st_size > 5000
    assert "pinnreg bench optimisers --seeds 2 --page gallery" in text
    assert "at most 5 s of training a run, 2 seeds from 0." in text
    assert table(text) == [
        ["heat", "adam", "1.5e-03", "2.0e-05 to 3.0e-03", "1.50", "-", "-", "-", "-", "20", "9.00"],
        ["heat", "scipy", "1.0e-09", "", *["0.0040"] * 4, "-", "-", "0.0040"],
    ]


def test_derivatives_make_their_page(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {"nested": Cost(0.02, 3 * 2**20), "taylor": Cost(0.005, 2**20)}
    found = Benchmark((Row("order 2", costs, {"nested": 0.0, "taylor": 1e-15}),), {"points": 7}, {}, "2026-01-02")
    monkeypatch.setattr("pinnreg.benchmarks.bench_derivatives", lambda *_: found)
    assert cli("bench", "derivatives", "--page", "gallery")[0] == 0
    text = Path("gallery/bench_derivatives.md").read_text(encoding="utf-8")
    assert table(text) == [["order 2", "20.00", "5.00", "4.00x", "-", "-", "3.0", "1.0", "-", "1.0e-15"]]
    assert "points 7." in text


def test_least_squares_makes_its_page(cli: Cli) -> None:
    names = ["Rosenbrock", "trigonometric"]
    chosen = [part for name in names for part in ("--function", name)]
    code, out, err = cli("bench", "least_squares", *chosen, "--json", "found.json", "--page", "gallery")
    assert code == 0, err
    assert "minima, evaluations" in out
    text = Path("gallery/bench_least_squares.md").read_text(encoding="utf-8")
    shown = table(text)
    assert [row[0] for row in shown] == [*names, "minima, evaluations"]
    assert shown[-1][3] == "2 of 2"
    assert shown[1][6].endswith("~")  # SciPy ends at a local minimum
    written = json.loads(Path("found.json").read_text(encoding="utf-8"))
    for row, cells in zip(written["rows"], shown, strict=False):
        assert cells[4] == str(row["fits"]["pinnreg"]["residuals"])
    assert cli("bench", "least_squares", "--function", "Rosenbrok")[0] == 2
