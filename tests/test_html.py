"""Reports of runs in HTML: all that they say, nothing that they fetch, and no file of others in their way."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from small_runs import TINY, finished, interrupted

import pinnreg
from pinnreg import html, run
from pinnreg.config import changes, validate
from pinnreg.html import results
from pinnreg.report import words

VOID = {"meta", "link", "img"}


class Seen(HTMLParser):
    """What a page holds: its texts, its attributes by element; refuses elements that are not closed in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("runs") / "run", {"seed": 3})


@pytest.fixture(scope="module")
def seen(folder: Path) -> Seen:
    return Seen(run.report_page(folder).read_text(encoding="utf-8"))


def test_a_report_says_what_the_run_came_to(folder: Path, seen: Seen) -> None:
    facts = json.loads((folder / "report.json").read_text())
    errors = facts["errors"]["u"]
    for value in errors.values():
        assert words.number(value) in seen.text
    assert (
        f"The relative L2 error of u is {words.number(errors['rel_l2'])} against the reference (closed form)"
        in seen.text
    )
    assert facts["convergence"] in seen.text
    assert "Stopped: adam: all 4 steps done (4 steps" in seen.text
    assert "not converged" in seen.texts
    assert "uₜ = α uₓₓ" in seen.text
    assert "method of lines" in seen.texts  # the second reference
    version = json.loads(json.dumps(pinnreg.__version__))
    assert version in seen.texts


def test_settings_that_differ_come_before_all_of_them(seen: Seen) -> None:
    settings = seen.texts[seen.texts.index("Settings") :]
    differing = settings[: settings.index("all settings")]
    said = dict(zip(differing[1::2], differing[2::2], strict=False))
    assert said["seed"] == "3"
    assert said["network.hidden"] == "[5]"
    assert said["train.0.optimiser"] == "adam"
    assert "points.sampler" not in said
    assert "sampler: sobol" in " ".join(settings)


def test_a_report_fetches_nothing(seen: Seen) -> None:
    places = [value for _, given in seen.elements for key, value in given.items() if key in ("src", "href", "srcset")]
    assert len([place for place in places if place.startswith("data:image/png;base64,")]) == 2
    assert all(place.startswith("data:") for place in places)
    assert not {"script", "iframe", "object", "embed"} & {tag for tag, _ in seen.elements}
    (style,) = re.findall("<style>(.*?)</style>", html.page("", html.text("")), re.DOTALL)
    assert not re.search(r"url\(|@import|@font-face", style)
    assert "prefers-color-scheme: dark" in style


def test_every_image_says_what_it_shows(seen: Seen) -> None:
    assert all(given["alt"] for tag, given in seen.elements if tag == "img")


def test_a_run_that_has_not_ended_has_a_report(folder: Path, tmp_path: Path) -> None:
    stopped = interrupted(tmp_path / "stopped", folder)
    seen = Seen(run.report_page(stopped).read_text(encoding="utf-8"))
    assert "has not ended" in seen.texts
    assert "Step 4 after" in seen.text
    assert "The error of u against the reference was" in seen.text
    assert [tag for tag, _ in seen.elements].count("img") == 1
    (stopped / "history.csv").unlink()
    assert "img" not in {tag for tag, _ in Seen(run.report_page(stopped).read_text()).elements}


def test_names_of_users_are_only_text(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>&amp;"
    measured = [{"samples": 8, "name": name, "held_out": 0.5}]
    path = run.report_page(finished(tmp_path / "run", measurements=measured, unknown={"alpha": {"start": 1.0}}))
    page = path.read_text(encoding="utf-8")
    assert "<img src=x" not in page
    seen = Seen(page)
    assert f"4 values held out of {name}" in seen.text
    assert [tag for tag, _ in seen.elements].count("img") == 2
    assert "alpha" in seen.texts[seen.texts.index("Coefficients") :]


@pytest.mark.slow
def test_an_analysis_is_in_the_report(folder: Path, tmp_path: Path) -> None:
    copied = interrupted(tmp_path / "copy", folder)
    pinnreg.analyse(copied, eigenvalues=1)
    assert [tag for tag, _ in Seen(run.report_page(copied).read_text()).elements].count("img") == 2
    (copied / "analysis.json").write_text('{"pinnreg": "1"}')
    with pytest.raises(pinnreg.InputError, match=r"analysis\.json: not a readable analysis"):
        run.report_page(copied)


def test_where_a_report_goes(folder: Path, tmp_path: Path) -> None:
    path = run.report_page(folder, tmp_path / "new" / "mine.html")
    assert path.read_bytes() == run.report_page(folder, path).read_bytes()  # its own may be replaced
    path.write_text("<p>mine: pinnreg report RUN</p>")
    with pytest.raises(pinnreg.InputError, match="exists, and is no file that this command wrote"):
        run.report_page(folder, path)
    (tmp_path / "folder.html").mkdir()
    other = interrupted(tmp_path / "other", folder)
    for wrong, message in [
        (other / "report.html", "pinnreg keeps a file of its own"),
        (folder / "history.csv", "expected a name that ends in .html"),
        (tmp_path / "folder.html", "it is a folder"),
        (folder / "config.yaml" / "x.html", "is no folder"),
    ]:
        with pytest.raises(pinnreg.InputError, match=message):
            run.report_page(folder, wrong)
    with pytest.raises(pinnreg.InputError, match=r"no such folder"):
        run.report_page(tmp_path / "none")


def test_a_report_that_another_wrote_stays(folder: Path, tmp_path: Path) -> None:
    copied = interrupted(tmp_path / "copy", folder)
    (copied / "report.html").write_text("mine")
    with pytest.raises(pinnreg.InputError, match=r"report\.html: exists"):
        run.report_page(copied)
    assert (copied / "report.html").read_text() == "mine"


def test_a_run_that_goes_on_leaves_no_old_report(folder: Path, tmp_path: Path) -> None:
    copied = interrupted(tmp_path / "copy", folder)
    run.report_page(copied)
    pinnreg.solve(None, {"train.0.steps": 5}, out=copied, resume=True, figures=False, progress=False)
    assert not (copied / "report.html").exists()


FACTS: dict[str, Any] = {
    "errors": {},
    "reference": None,
    "estimated_errors": {"u": {"rel_l2": 2e-3, "max_abs": 3e-3, "reliability": "good", "kind": "defect"}},
    "estimate": "two resolutions agree",
    "outputs": ["u"],
    "converged": None,
    "convergence": "no equations",
    "stop_reason": "adam: all 4 steps done",
    "steps": 4,
    "wall_seconds": 1.0,
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "relative L2 error of u is estimated as 2.00e-03 (by the linearised defect): a good estimate"),
        (
            {"estimated_errors": {"u": {"rel_l2": None, "max_abs": 3e-3, "reliability": "poor", "kind": "twin"}}},
            "largest error of u is estimated as 3.00e-03 (the difference to a second run): an uncertain estimate",
        ),
        ({"estimated_errors": {}}, "u was compared with nothing"),
    ],
)
def test_a_summary_without_a_reference(changed: dict[str, Any], said: str) -> None:
    assert said in results.summary({**FACTS, **changed})


def test_what_differs_from_the_defaults() -> None:
    assert changes(validate({"problem": {"name": "heat"}}, "")) == {"problem": {"name": "heat"}}
    given = {
        "regularisers": [{"kind": "ktv", "order": 3, "weight": 1e-4}],
        "train": [{"optimiser": "adam", "steps": 7}],
    }
    found = changes(validate({**TINY, **given}, ""))
    assert found["train"] == [{"optimiser": "adam", "steps": 7}]
    assert found["regularisers"] == [{"kind": "ktv", "order": 3, "weight": 1e-4}]
