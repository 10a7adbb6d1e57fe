"""One process at a time works in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from pinnreg import InputError
from pinnreg.locks import LOCK, held

HOLD = """
import sys, time
from pathlib import Path
from pinnreg.locks import held

with held(Path(sys.argv[1]), "taken"):
    print("holding", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_held_by_one_and_left_as_it_was(tmp_path: Path) -> None:
    for _ in range(2):
        with held(tmp_path, "taken"):
            assert [path.name for path in tmp_path.iterdir()] == [LOCK]
            with pytest.raises(InputError, match="taken"), held(tmp_path, "taken"):
                pass
            assert [path.name for path in tmp_path.iterdir()] == [LOCK]
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match="in it"), held(tmp_path, "taken"):
        raise RuntimeError("in it")
    assert list(tmp_path.iterdir()) == []


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holding\n"
        with pytest.raises(InputError, match="taken"), held(tmp_path, "taken"):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (tmp_path / LOCK).exists()
    with held(tmp_path, "taken"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: filelock.FileLock) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with held(tmp_path, "taken"), held(tmp_path, "taken"):
        pass


@pytest.mark.parametrize("odd", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_under_the_name_of_the_lock_is_refused(tmp_path: Path, odd: str) -> None:
    target, mark = tmp_path / "precious", tmp_path / "run" / LOCK
    target.write_text("a week's work")
    mark.parent.mkdir()
    {"link": lambda: mark.symlink_to(target), "pipe": lambda: os.mkfifo(mark), "folder": mark.mkdir}[odd]()
    with pytest.raises(InputError, match="move it away"), held(mark.parent, "taken"):
        pass
    assert os.path.lexists(mark)
    assert target.read_text() == "a week's work"
