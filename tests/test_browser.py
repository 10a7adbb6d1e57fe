"""Pages in headless Chromium: reports of runs, and a notebook that solves a problem and shows its solution."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_runs import TINY, finished, interrupted

from pinnreg import run

pytestmark = [
    pytest.mark.browser,
    # of what the tests use, and of nobody else's concern
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(jupyter|nb|zmq|traitlets|selenium|websocket).*"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "disable-dev-shm-usage"),
)
WIDTHS = (400, 1400)
CELLS = (
    f"import pinnreg\nsolution = pinnreg.solve({TINY!r}, out=False, progress=False)",
    "solution",
    "solution.plot(time=0.5, panel='error')",
)


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The notebook, executed by a kernel of its own."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(each) for each in CELLS]
    made = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(made, timeout=300, kernel_name="python3").execute()
    return made


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, notebook: Any) -> dict[str, Path]:
    nbconvert = pytest.importorskip("nbconvert")
    folder = tmp_path_factory.mktemp("pages")
    whole = finished(folder / "run", measurements=[{"samples": 8, "held_out": 0.5}], unknown={"alpha": {"start": 1.0}})
    # what a notebook would fetch for formulas and widgets, of which this one has none
    exporter = nbconvert.HTMLExporter(mathjax_url="", require_js_url="", jquery_url="")
    shown, _ = exporter.from_notebook_node(notebook)
    (folder / "notebook.html").write_text(shown, encoding="utf-8")
    return {
        "report": run.report_page(whole),
        "unfinished": run.report_page(interrupted(folder / "stopped", whole)),
        "notebook": folder / "notebook.html",
    }


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that logs what it fetches and what pages complain of."""
    webdriver = pytest.importorskip("selenium.webdriver")
    driver = shutil.which("chromedriver")
    assert driver is not None, "chromedriver is missing: apt-get install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.get("about:blank")
    yield browser
    browser.quit()


def opened(browser: Any, page: Path, width: int, scheme: str) -> None:
    """Open a page in a window of some width, in light or dark, with nothing in the logs from before."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    scheme_is = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme_is})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.resolve().as_uri())


def fetched(browser: Any) -> list[str]:
    events = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    return [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]


def luminance(colour: str) -> float:
    """Of `rgb(r, g, b)`, from 0 to 1."""
    parts = [float(each) / 255 for each in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "unfinished", "notebook"])
def test_a_page_is_whole_quiet_and_fits(
    chromium: Any, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    opened(chromium, pages[name], width, scheme)
    wide = chromium.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    drawn = chromium.execute_script("return [...document.images].map(each => each.naturalWidth)")
    assert drawn
    assert min(drawn) > 0
    assert [each for each in chromium.get_log("browser") if each["level"] != "INFO"] == []
    places = fetched(chromium)
    assert pages[name].resolve().as_uri() in places  # else nothing would be seen
    assert [place for place in places if not place.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_legible_in_either_scheme(chromium: Any, pages: dict[str, Path], scheme: str) -> None:
    opened(chromium, pages["report"], 1400, scheme)
    script = """return ['body', 'figcaption', 'th', 'dt', '.status', '.equation'].map(
        each => getComputedStyle(document.querySelector(each)).color
    ).concat(getComputedStyle(document.body).backgroundColor)"""
    *inks, ground = map(luminance, chromium.execute_script(script))
    assert (ground < 0.1) == (scheme == "dark")
    for ink in inks:  # as WCAG asks of small text
        high, low = max(ink, ground), min(ink, ground)
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_a_figure_of_a_report_stays_legible_where_the_page_is_narrow(chromium: Any, pages: dict[str, Path]) -> None:
    opened(chromium, pages["report"], 400, "light")
    script = "return [...document.images].map(each => each.getBoundingClientRect().width)"
    assert min(chromium.execute_script(script)) >= 700


def test_what_is_folded_opens(chromium: Any, pages: dict[str, Path]) -> None:
    opened(chromium, pages["report"], 1400, "light")
    script = "return [...document.querySelectorAll('details')].map(each => each.getBoundingClientRect().height)"
    before = chromium.execute_script(script)
    chromium.execute_script("document.querySelectorAll('summary').forEach(each => each.click())")
    assert all(now > then for now, then in zip(chromium.execute_script(script), before, strict=True))
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 1400


def test_a_notebook_shows_the_solution_and_its_errors(notebook: Any) -> None:
    _, shown, plotted = (cell.outputs for cell in notebook.cells)
    (solution,), (figure,) = shown, plotted
    assert solution.data["text/plain"].startswith("Solution(heat: u(x, t), relative L2 error ")
    assert "data:image/png;base64," in solution.data["text/html"]
    assert "relative L2</th>" in solution.data["text/html"]
    assert figure.data["image/png"]
