"""`pinnreg reproduce`: verdicts follow from numbers, and so do exit codes."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest

import pinnreg
from pinnreg.cli import main
from pinnreg.errors import InputError
from pinnreg.plots import Curve, Panel
from pinnreg.reproductions import EXPERIMENTS, Claim, Progress, Reproduction, Table, runner


def outcome(value: float) -> Reproduction:
    return Reproduction(
        title="Tiny",
        paper="Nobody",
        tables=[Table("numbers", ["what", "value"], [["one", value], ["several [8]", 3]])],
        claims=[Claim("it is large", value, ">", 1.0, "2")],
        panels=[Panel("curve", "x", "y", [Curve("", [0, 1], [1, 2]), Curve("truth", [0, 1], [1, 2], kind="expected")])],
        notes=["a note"],
        seeds=[0, 1],
        steps=12345,
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An experiment whose number the test chooses."""
    given: dict[str, Any] = {"value": 2.0, "full": None}

    def experiment(full: bool, progress: Progress) -> Reproduction:
        given["full"] = full
        progress("tiny", 1, 2)
        return outcome(given["value"])

    monkeypatch.setitem(EXPERIMENTS, "tiny", experiment)  # type: ignore[arg-type]
    return given


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", *arguments])
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    ("value", "relation", "bound", "holds"),
    [
        (2, ">", 1, True),
        (1, ">", 1, False),
        (1, ">=", 1, True),
        (1, "<", 2, True),
        (2, "<", 2, False),
        (2, "<=", 2, True),
        (math.nan, "<", 1, False),
        (math.nan, ">=", 1, False),
    ],
)
def test_a_claim_is_judged_by_its_numbers(value: float, relation: Any, bound: float, holds: bool) -> None:
    assert Claim("", value, relation, bound).holds is holds


@pytest.mark.parametrize(
    ("value", "code", "verdict"), [(2.0, 0, "verdict: reproduced"), (0.5, 1, "NOT reproduced, 1 of 1")]
)
def test_the_exit_code_is_the_verdict(
    tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], value: float, code: int, verdict: str
) -> None:
    tiny["value"] = value
    assert run("tiny", "--out", str(tmp_path / "run"), "--json", str(tmp_path / "found.json")) == code
    printed = capsys.readouterr().out
    assert verdict in printed
    assert f"{value:.3g} > 1" in printed
    assert "several [8]" in printed
    assert "seeds 0, 1; 12,345 optimiser steps" in printed
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["reproduced"] is (code == 0)
    assert found["claims"][0]["value"] == value
    kept = json.loads((tmp_path / "run" / "result.json").read_text())
    assert kept["claims"] == found["claims"]
    assert (kept["name"], kept["full"]) == ("tiny", False)
    assert (tmp_path / "run" / "figure.png").stat().st_size > 5000


def test_full_is_passed_on_and_has_its_own_folder(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("tiny", "--full", "--quiet") == 0
    assert tiny["full"] is True
    assert (tmp_path / "outputs" / "reproduce_tiny_full" / "result.json").is_file()
    assert capsys.readouterr() == ("", "")


def test_what_is_not_finite_is_null_in_json(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["value"] = math.nan
    found = pinnreg.reproduce("tiny", tmp_path)
    assert not found.reproduced
    assert json.loads((tmp_path / "result.json").read_text())["claims"][0]["value"] is None


def test_unknown_names_and_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ktvv") == 2
    assert "unknown experiment 'ktvv'; did you mean 'ktv'?" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert run("ktv", "--out", str(tmp_path / "file")) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert run("ktv", "--out", str(tmp_path / "file" / "below")) == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(InputError, match="unknown experiment"):
        pinnreg.reproduce("nothing", tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_progress_is_shown_now_and_then(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pinnreg.cli.reproduce.EVERY", -1.0)
    assert run("tiny", "--out", str(tmp_path)) == 0
    assert "tiny: 1/2" in capsys.readouterr().err


def test_an_experiment_that_fails_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(full: bool, progress: Progress) -> Reproduction:
        raise pinnreg.Diverged("training diverged")

    monkeypatch.setitem(EXPERIMENTS, "tiny", broken)  # type: ignore[arg-type]
    assert run("tiny", "--out", str(tmp_path / "run")) == 3
    assert "training diverged" in capsys.readouterr().err
    assert list((tmp_path / "run").iterdir()) == []
    assert runner.folder_of("tiny", full=False) == Path("outputs/reproduce_tiny")


def test_claims_stand_alone_in_json_and_known_differences_do_not_count() -> None:
    claims = [
        Claim("a ratio", 2, ">", 1),
        Claim("... at the end", 2, ">", 1),
        Claim("another", 0.5, ">", 1, decisive=False),
        Claim("... at the end", 2, ">", 1),
    ]
    found = dataclasses.replace(outcome(2.0), claims=claims)
    texts = [each["text"] for each in found.data()["claims"]]
    assert texts == ["a ratio", "a ratio ... at the end", "another", "another ... at the end"]
    assert found.reproduced
    assert not dataclasses.replace(found, claims=[*claims, Claim("", 0, ">", 1)]).reproduced


def test_a_signal_ends_it_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def long(full: bool, progress: Progress) -> Reproduction:
        signal.raise_signal(signal.SIGTERM)
        progress("steps", 1, 2)
        raise AssertionError("went on")

    monkeypatch.setitem(EXPERIMENTS, "tiny", long)  # type: ignore[arg-type]
    assert run("tiny", "--out", str(tmp_path)) == 143
    assert "interrupted by signal 15: nothing was kept" in capsys.readouterr().err


def test_known_differences_are_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = [Claim("one", 2, ">", 1), Claim("two", 0.5, ">", 1, decisive=False)]
    found = dataclasses.replace(outcome(2.0), claims=claims)
    monkeypatch.setitem(EXPERIMENTS, "tiny", lambda full, progress: found)  # type: ignore[arg-type]
    assert run("tiny", "--out", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "differs  two" in printed
    assert "verdict: reproduced, 1 of 2 claims hold, 1 differs as noted" in printed
