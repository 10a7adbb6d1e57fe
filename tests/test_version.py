"""One version, wherever it is written."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

import pinnreg

ROOT = Path(__file__).resolve().parents[1]


def test_the_package_its_citation_and_its_changelog_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    latest = re.search(r"^## \[(\S+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert latest is not None
    assert project["version"] == pinnreg.__version__ == citation["version"] == latest[1]
    assert str(citation["date-released"]) == latest[2]


def test_the_package_runs_as_a_module() -> None:
    told = subprocess.run([sys.executable, "-m", "pinnreg", "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == pinnreg.__version__
