"""The numbers of docs/tutorial.md and docs/scaling.md are those of the runs that they tell of, made in full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import pinnreg

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "tutorial.md").read_text(encoding="utf-8")
PROBLEM, _, PROBES, FIGURE = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
CONFIGS = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "slab.py").write_text(PROBLEM, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
@pytest.mark.estimates
def test_the_tutorial_ends_as_it_says(folder: Path) -> None:
    solution = pinnreg.solve("slab", out="outputs/slab", figures=False)
    limit = re.search(r"The relative error ends below (\S+?)\.\s", TEXT)
    assert limit is not None
    assert solution.report.errors["u"].rel_l2 < float(limit[1])
    estimate = pinnreg.evaluate("outputs/slab", estimate="defect").report.estimates["u"]
    assert estimate.reliability == "good"
    assert estimate.rel_l2 == pytest.approx(8e-8, abs=2e-8)

    names: dict[str, Any] = {"solution": solution}
    exec(PROBES + FIGURE, names)
    assert (folder / "slab.pdf").stat().st_size > 5000

    few, inverse = map(yaml.safe_load, CONFIGS)
    with_penalty = pinnreg.solve(few, out=False)
    without = pinnreg.solve({**few, "regularisers": []}, out=False)
    assert with_penalty.report.facts["converged"] is without.report.facts["converged"] is False
    said = re.search(r"the penalty brings the error from (\S+) down to (\S+),", TEXT)
    assert said is not None
    errors = [each.report.errors["u"].rel_l2 for each in (without, with_penalty)]
    assert errors == pytest.approx([float(each) for each in said.groups()], abs=0.05)

    found = pinnreg.solve(inverse, out=False).report.facts["unknown"]["r"]
    assert found["interval"][0] < 5 < found["interval"][1]


@pytest.mark.slow
@pytest.mark.estimates
def test_a_weight_in_units_makes_the_inverse_problem_converge() -> None:
    text = (DOCS / "scaling.md").read_text(encoding="utf-8")
    config = yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[0])
    good, bad = (pinnreg.solve({**config, "weights": each}, out=False) for each in (config["weights"], {}))
    assert good.report.facts["converged"]
    assert good.unknown["alpha"] == pytest.approx(5.15e-5, abs=2e-7)
    assert good.report.facts["unknown"]["alpha"]["standard_error"] == pytest.approx(1e-6, rel=0.1)
    assert not bad.report.facts["converged"]
    assert "interval" not in bad.report.facts["unknown"]["alpha"]
    ratio = bad.report.errors["u"].rel_l2 / good.report.errors["u"].rel_l2
    assert ratio == pytest.approx(1.4, abs=0.1)
