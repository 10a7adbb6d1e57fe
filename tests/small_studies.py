"""Studies of a few tiny runs, and what their tests share."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinnreg.cli import main
from pinnreg.studies import runner
from pinnreg.studies.repeating import CLOCKS
from pinnreg.studies.worker import Answer, Task, work

Cli = Callable[..., tuple[int, str, str]]
TINY: dict[str, Any] = {
    "problem": {"name": "poisson", "dimension": 1},
    "network": {"hidden": [5]},
    "points": {"interior": 10},
    "train": [{"optimiser": "adam", "steps": 4, "learning_rate": 1e-2}],
    "evaluate": {"grid": 20},
    "device": "cpu",
}
KTV = {"kind": "ktv", "order": 2, "samples": 8}
STUDY: dict[str, Any] = {
    "base": TINY,
    "vary": {"regularisers": {"none": [], "ktv2": [{**KTV, "weight": [1e-7, 1e-3]}]}, "seed": [0, 1]},
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Runs are made in this process, and noted."""
    tasks: list[Task] = []

    def here(given: Sequence[Task], *_: Any) -> Iterator[tuple[int, Answer]]:
        for number, task in reversed(list(enumerate(given))):  # processes end in any order
            tasks.append(task)
            yield number, work(task)

    monkeypatch.setattr(runner, "in_processes", here)
    return tasks


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in an empty folder that holds `mine.yaml`: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capsys.readouterr()

    return run


def rows(folder: Path, name: str = "study.csv") -> list[dict[str, str]]:
    """A table without the times, which no two calls share."""
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key not in CLOCKS} for row in csv.DictReader(file)]
