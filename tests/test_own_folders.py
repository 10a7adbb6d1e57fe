"""Files that pinnreg did not write are neither replaced nor removed, and what it cannot replace stays as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_studies import TINY, Cli

import pinnreg
from pinnreg import files
from pinnreg.errors import InputError, StorageError
from pinnreg.run import redraw
from pinnreg.run.folder import ANALYSIS, EXPERIMENT, RUN, STUDY

STUDY_OF_ONE = {"base": TINY, "vary": {"seed": [0]}}
STRANGER = b"a week's work\n"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    pinnreg.solve(TINY, out=folder, figures=False)
    return folder


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


# --json


def test_a_device_or_a_pipe_is_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_text(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    files.write_text(Path("/dev/null"), "text")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_and_permissions_stay(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    if there:
        target.write_text("old")
        target.chmod(0o640)
    files.write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert not there or stat.S_IMODE(target.stat().st_mode) == 0o640


def test_dash_is_standard_output_alone(cli: Cli, run: Path) -> None:
    code, out, err = cli("evaluate", run, "--json", "-")
    assert code == 0
    assert json.loads(out)["errors"]
    assert "relative L2" in err
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("x" * 300 + ".json", "too long"),
        ("new/" + "x" * 300, "too long"),
        ("mine.yaml/x.json", "is no folder"),
        (".", "it is a folder"),
        ("circle", "circle"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_before_anything_runs(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, target: str, reason: str
) -> None:
    monkeypatch.setattr("pinnreg.run.solve", lambda *_, **__: pytest.fail("it ran"))
    Path("circle").symlink_to("circle")
    code, out, err = cli("solve", "poisson1d", "--json", target)
    assert (code, out) == (2, "")
    assert reason in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["config.yaml", "checkpoint.pt", "history.csv", "report.json", "fields.npz"])
def test_the_files_of_a_run_are_no_targets(cli: Cli, copy: Path, name: str) -> None:
    before = content(copy)
    for command in ("solve --resume", "evaluate", "analyse"):
        code, _, err = cli(*command.split(), copy, "--json", copy / name)
        assert code == 2
        assert "a file of its own" in err
        assert content(copy) == before
    code, _, err = cli("solve", "poisson1d", "--out", "new", "--json", f"new/{name}")
    assert code == 2
    assert not Path("new").exists()


@pytest.mark.parametrize("target", ["new", "new/run", "new/run/.pinnreg-lock"])
def test_a_folder_that_is_to_be_made_is_no_target(cli: Cli, target: str) -> None:
    code, _, err = cli("solve", "poisson1d", "--out", "new/run", "--json", target)
    assert code == 2
    assert "a file of its own" in err
    assert not Path("new").exists()


@pytest.mark.usefixtures("made")
def test_the_files_of_a_folder_that_the_command_made_are_no_targets(cli: Cli) -> None:
    code, _, err = cli("study", "mine.yaml", "--quiet", "--json", "outputs/mine/study.yaml")
    assert code == 2
    assert "a file of its own" in err
    assert not STUDY.made(Path("outputs/mine"))  # refused before anything ran


# whose a folder is


def test_a_config_that_pinnreg_did_not_write_marks_no_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("key: value\n")
    (tmp_path / "report.json").write_bytes(STRANGER)
    before = content(tmp_path)
    with pytest.raises(InputError, match="holds no run that pinnreg made"):
        pinnreg.solve(TINY, out=tmp_path, overwrite=True)
    assert content(tmp_path) == before


def test_overwriting_keeps_what_others_put_there(copy: Path) -> None:
    (copy / "notes.txt").write_bytes(STRANGER)
    (copy / "mine").mkdir()
    (copy / "mine" / "report.json").write_bytes(STRANGER)
    pinnreg.solve({**TINY, "seed": 1}, out=copy, overwrite=True)
    assert (copy / "notes.txt").read_bytes() == (copy / "mine" / "report.json").read_bytes() == STRANGER
    assert "seed: 1" in (copy / "config.yaml").read_text()
    assert not [path for path in copy.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", RUN.files)
def test_a_folder_under_the_name_of_a_file_is_found_before_anything_is_removed(copy: Path, name: str) -> None:
    (copy / name).unlink(missing_ok=True)
    (copy / name).mkdir()
    (copy / name / "thesis").write_bytes(STRANGER)
    before = content(copy)
    with pytest.raises(InputError):
        pinnreg.solve(TINY, out=copy, overwrite=True)
    assert content(copy) == before


@pytest.mark.parametrize("name", ["study.csv", "summary.md", "summary.csv", "errors.png", "fields_a.png", "study.yaml"])
def test_a_study_replaces_no_file_of_a_stranger(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(STRANGER)
    with pytest.raises(InputError, match="nothing says that pinnreg wrote it"):
        pinnreg.study(STUDY_OF_ONE, out=tmp_path)
    assert content(tmp_path) == {name: STRANGER}


@pytest.mark.usefixtures("made")
@pytest.mark.figures
def test_a_study_replaces_its_own_files_and_no_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pinnreg.study(STUDY_OF_ONE, out=tmp_path)
    (tmp_path / "fields_draft.png").write_bytes(STRANGER)
    (tmp_path / "errors.png").unlink()
    pinnreg.study(tmp_path / "study.yaml", out=tmp_path)  # which the folder has, too
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "fields_draft.png").read_bytes() == STRANGER
    caplog.clear()
    (tmp_path / "study.yaml").write_text(
        (tmp_path / "study.yaml").read_text(encoding="utf-8").replace("- errors.png\n", ""), encoding="utf-8"
    )
    (tmp_path / "errors.png").write_bytes(STRANGER)
    pinnreg.study(STUDY_OF_ONE, out=tmp_path)
    assert (tmp_path / "errors.png").read_bytes() == STRANGER
    assert "errors.png is not drawn" in caplog.text


@pytest.mark.parametrize("kind", [ANALYSIS, EXPERIMENT], ids=lambda kind: kind.name)
def test_an_analysis_and_an_experiment_replace_no_file_of_a_stranger(run: Path, tmp_path: Path, kind: Any) -> None:
    figure = next(name for name in kind.files if name.endswith(".png"))
    (tmp_path / figure).write_bytes(STRANGER)
    make = {
        ANALYSIS: lambda: pinnreg.analyse(run, out=tmp_path),
        EXPERIMENT: lambda: pinnreg.reproduce("ktv", tmp_path),
    }
    with pytest.raises(InputError, match="nothing says that pinnreg wrote it"):
        make[kind]()
    assert content(tmp_path) == {figure: STRANGER}


def test_all_kinds_have_their_mark_among_their_files() -> None:
    for kind in (RUN, STUDY, ANALYSIS, EXPERIMENT):
        assert kind.marker in kind.files


# a disk that fills up


class Full:
    """A disk that takes `room` more writes of whole files or of lines, and then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.writes, self.room = 0, room
        for name in ("write", "append_text"):
            monkeypatch.setattr(files, name, self._counted(getattr(files, name)))
        monkeypatch.setattr("pinnreg.training.history.append_text", files.append_text)

    def _counted(self, function: Callable[..., None]) -> Callable[..., None]:
        def call(path: Path, what: Any) -> None:
            self.writes += 1
            if self.writes > self.room:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            function(path, what)

        return call


LONGER: dict[str, Any] = {**TINY, "train": [{"optimiser": "gauss_newton", "steps": 6}]}


def writes_of_a_run(tmp_path: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        disk = Full(patch, 10**6)
        pinnreg.solve(LONGER, out=tmp_path / "counted")
    return disk.writes


@pytest.mark.slow
def test_a_disk_that_fills_at_any_write_costs_nothing_that_was_there(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = pinnreg.solve(LONGER, out=False)
    total = writes_of_a_run(tmp_path)
    assert total > 6
    for room in range(total):
        fresh = tmp_path / f"fresh{room}"
        over = Path(shutil.copytree(run, tmp_path / f"over{room}"))
        before = content(over)
        for folder in (fresh, over):
            with pytest.MonkeyPatch.context() as patch:
                Full(patch, room)
                with pytest.raises(StorageError, match="No space left") as caught:
                    pinnreg.solve(LONGER, out=folder, overwrite=True)
            begun = (folder / "checkpoint.pt").is_file() and (folder == fresh or content(folder) != before)
            assert ("go on with --resume" in str(caught.value)) == begun
            if not begun:
                assert content(over) == before
                assert not fresh.exists()
                continue
            resumed = pinnreg.solve(out=folder, resume=True)
            for name, values in whole.parameters.items():
                assert resumed.parameters[name].equal(values)
            assert resumed.history["loss"][-1] == whole.history["loss"][-1]


@pytest.mark.slow
def test_what_a_writer_makes_of_a_full_disk_is_still_said(tmp_path: Path) -> None:
    """torch and zipfile stumble over it, and raise something else; a real limit on the size of files."""
    script = (
        "import resource, sys, pinnreg\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), -1))\n"
        "from pinnreg.cli import main\n"
        "main(sys.argv[2:])\n"
    )
    # whose checkpoint is small at the start, and has a matrix at the end
    config = ["--set", "network.hidden=[20, 20]", "--set", "train=[{optimiser: ssbroyden, steps: 3}]"]
    for limit, file, left in ((200, "config.yaml", False), (50_000, "checkpoint.pt", True)):
        ended = subprocess.run(
            [sys.executable, "-c", script, str(limit), "solve", "poisson1d", *config, "--out", "run"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1, ended.stderr
        assert f"{file}: cannot be written: File too large" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert (tmp_path / "run").exists() == left
    assert pinnreg.load(tmp_path / "run").history["step"].tolist() == [0, 3]


def no_writing(path: Path) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_a_folder_that_cannot_be_written_is_refused_and_stays(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(copy)
    monkeypatch.setattr("pinnreg.run.folder.try_folder", no_writing)
    with pytest.raises(InputError, match="copy: cannot be written: Permission denied"):
        pinnreg.solve(out=copy, resume=True, overrides={"train.0.steps": 9})
    with pytest.raises(InputError, match="copy: cannot be written: Permission denied"):
        redraw(copy, "png")
    assert content(copy) == before


@pytest.mark.first(1)
@pytest.mark.parametrize("name", ["n" * 300, "loop"])
def test_names_that_no_file_can_have(cli: Cli, name: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    commands = [
        ["solve", name],
        ["solve", f"{name}.yaml"],
        ["solve", "poisson", "--out", name],
        ["solve", "poisson", "--out", f"{name}/run"],
        ["solve", "--resume", name],
        ["solve", "poisson", "--problems", name],
        ["solve", "poisson", "--set", f"problem.name={name}"],
        ["solve", "poisson", "--set", f"evaluate.reference={name}"],
        ["solve", "poisson", "--set", f"evaluate.reference={name}.npz"],
        ["solve", "poisson", "--set", f"measurements=[{{file: {name}.csv}}]"],
        ["solve", "poisson", "--set", f"regularisers=[{{kind: {name}}}]"],
        ["solve", "poisson", "--json", name],
        ["evaluate", name],
        ["plot", name],
        ["analyse", name],
        ["study", name],
        ["study", "mine.yaml", "--out", name],
        ["study", "mine.yaml", "--out", "out", "--page", name],
        ["describe", name],
    ]
    for command in commands:
        code, _, err = cli(*command)
        assert code == 2, (command, err)
        assert err.startswith("error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loop", "mine.yaml"]


# a run that was put aside


@pytest.fixture
def aside(copy: Path) -> Path:
    """The run as a process leaves it that is killed when it has put it aside for another."""
    hidden = copy / ".0123.pinnreg-tmp"
    hidden.mkdir()
    for path in [path for path in copy.iterdir() if path != hidden]:
        path.rename(hidden / path.name)
    return copy


def test_who_only_looks_brings_nothing_back(aside: Path) -> None:
    before = content(aside)
    for look in (pinnreg.load, pinnreg.evaluate, lambda run: redraw(run, "png")):
        with pytest.raises(InputError, match=f"--resume {aside} brings it back"):
            look(aside)
    assert content(aside) == before


@pytest.mark.estimates
def test_a_run_that_was_put_aside_comes_back_when_it_is_to_go_on(run: Path, aside: Path) -> None:
    before = content(run)
    pinnreg.solve(out=aside, resume=True, figures=False)
    after = content(aside)
    assert after["fields.npz"] == before["fields.npz"]
    assert after.keys() == before.keys()


def test_a_run_comes_back_over_no_file_of_a_stranger(aside: Path) -> None:
    (aside / "config.yaml").write_bytes(STRANGER)
    before = content(aside)
    for call in (
        lambda: pinnreg.solve(out=aside, resume=True),
        lambda: pinnreg.solve(TINY, out=aside, overwrite=True),
    ):
        with pytest.raises(InputError, match=r"cannot come back as long as there is|holds no run that pinnreg made"):
            call()
    assert content(aside) == before


# what is no file


@pytest.mark.parametrize("name", ["config.yaml", "history.csv", "checkpoint.pt", "report.json"])
def test_a_pipe_among_the_files_of_a_run_is_refused_at_once(copy: Path, name: str) -> None:
    (copy / name).unlink()
    os.mkfifo(copy / name)
    calls: list[Callable[[], object]] = [
        lambda: pinnreg.evaluate(copy),
        lambda: pinnreg.load(copy),
        lambda: redraw(copy, "png"),
        lambda: pinnreg.solve(out=copy, resume=True),
        lambda: pinnreg.solve(TINY, out=copy, overwrite=True),
    ]
    for call in calls:
        with pytest.raises(InputError, match=r"no regular file|no config\.yaml"):
            call()
    assert stat.S_ISFIFO((copy / name).stat().st_mode)


@pytest.mark.usefixtures("made")
def test_a_stranger_s_marks_stay(tmp_path: Path) -> None:
    for name in (".lock", ".claim"):
        (tmp_path / name).write_bytes(STRANGER)
    pinnreg.study(STUDY_OF_ONE, out=tmp_path, jobs=1)
    assert (tmp_path / ".lock").read_bytes() == (tmp_path / ".claim").read_bytes() == STRANGER


@pytest.mark.parametrize("odd", ["link", "pipe"])
def test_a_claim_that_is_no_plain_file_is_refused(tmp_path: Path, odd: str) -> None:
    precious, study = tmp_path / "precious", tmp_path / "study"
    precious.write_bytes(STRANGER)
    study.mkdir()
    claim = study / ".pinnreg-claim"
    _ = claim.symlink_to(precious) if odd == "link" else os.mkfifo(claim)
    with pytest.raises(InputError, match="move it away"):
        pinnreg.study(STUDY_OF_ONE, out=study, jobs=1)
    assert [path.name for path in study.iterdir()] == [claim.name]
    assert precious.read_bytes() == STRANGER


def test_a_file_where_the_runs_of_a_study_are_to_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_bytes(STRANGER)
    with pytest.raises(InputError, match=r"runs: cannot be written"):
        pinnreg.study(STUDY_OF_ONE, out=tmp_path, jobs=1)
    assert content(tmp_path) == {"runs": STRANGER}
