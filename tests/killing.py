"""Processes that are killed, or whose disk fills up, at one of the events at which they change a file.

    python killing.py '{"config": ..., "folder": ..., "jobs": [...]}'

One process imports everything once and forks itself for each job, so that a run costs what it costs and no start.
Python tells a hook of every file that is opened, moved or removed, whoever asks for it: that is where it is killed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

import pinnreg
from pinnreg import studies
from pinnreg.studies import runner
from pinnreg.studies.repeating import CLOCKS
from pinnreg.studies.worker import Answer, Task, work
from pinnreg.training import loop

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod")
NEEDS_SPACE = ("open", "os.mkdir", "os.rename")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FAILED = 9
"""How a job ends whose run has raised."""


@final
class Trap:
    """Counts what changes a file below a folder, and does something at the n-th and those after it."""

    def __init__(self, folder: Path, number: int, spring: Callable[[str, str], None]) -> None:
        self.count = 0
        self._below, self._number, self._spring = str(folder.resolve()), number, spring
        sys.addaudithook(self._seen)

    def _seen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES and (event != "open" or not (arguments[2] or 0) & WRITING):
            return
        path = _path(event, arguments)
        if path.startswith(self._below):
            self.count += 1
            if self.count > self._number:
                self._spring(event, path)


FOLDER = {"os.remove": 1, "os.rmdir": 1, "os.mkdir": 2, "os.rename": 2, "os.chmod": 2}
"""Where an event has the open folder that its path begins in, as when a whole folder is removed."""


def _path(event: str, arguments: tuple[Any, ...]) -> str:
    if isinstance(arguments[0], int):
        return ""
    folder = arguments[FOLDER[event]] if event in FOLDER else -1
    beginning = os.readlink(f"/proc/self/fd/{folder}") if folder is not None and folder >= 0 else ""
    return os.path.abspath(os.path.join(beginning, os.fsdecode(arguments[0])))


@final
class MarkFirst:
    """`os.scandir` in an order that is as bad as any, and as right: a run's mark goes before the rest of it."""

    SCANDIR = staticmethod(os.scandir)

    def __init__(self, path: Any = ".") -> None:
        with self.SCANDIR(path) as found:
            self._entries = iter(sorted(found, key=lambda entry: (entry.name != "config.yaml", entry.name)))

    def __enter__(self) -> Iterator[Any]:
        return self._entries

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)

    def close(self) -> None:
        """Nothing is open."""


def die(event: str, path: str) -> None:
    """As by `kill -9`: nothing is said, nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill_up(event: str, path: str) -> None:
    """As of a disk without space, from which files can still be removed."""
    if event in NEEDS_SPACE:
        raise OSError(errno.ENOSPC, "No space left on device", path)


def forked(job: Callable[[], object], *, kill_after: float | None = None) -> int:
    """Do a job in a process of its own; how that ended: 0, `FAILED`, or minus the signal."""
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        code = 0
        try:
            os.setpgid(0, 0)
            job()
        except BaseException:
            code = FAILED
            with contextlib.suppress(OSError):
                (Path(sys.argv[0]).parent / "last").write_text(traceback.format_exc())
        os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def solved(config: Any, folder: Path, **options: Any) -> None:
    """A run whose checkpoint is written at every step."""
    loop.CHECKPOINT_SECONDS = 0.0
    pinnreg.solve(config, out=folder, figures=False, **options)


def gone_on(config: Any, folder: Path) -> None:
    """The run after its process has died: resumed, or from the start if it had not written its config."""
    if any(folder.rglob("config.yaml")):
        solved(None, folder, resume=True)
    else:
        solved(config, folder)


def studied(config: Any, folder: Path) -> None:
    """A study whose runs are made in this process."""

    def here(given: Sequence[Task], *_: Any) -> Iterator[tuple[int, Answer]]:
        for number, task in enumerate(given):
            answer = work(task)
            if not answer["status"].startswith("ok"):
                raise RuntimeError(answer["status"])
            yield number, answer

    runner.in_processes = here
    loop.CHECKPOINT_SECONDS = 0.0
    studies.study(config, out=folder)


def digest(folder: Path) -> str:
    """What a finished run or study is known by: all that does not depend on the time that it took."""
    seen = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".csv":
            text = path.read_text().splitlines()
            columns = [number for number, name in enumerate(text[0].split(",")) if name not in CLOCKS]
            seen.update(str([[row.split(",")[number] for number in columns] for row in text]).encode())
        elif path.name == "checkpoint.pt":
            state = torch.load(path, weights_only=True)
            for name, values in state["parameters"].items():
                seen.update(name.encode() + values.numpy().tobytes())
        elif path.name == "report.json":
            seen.update(json.dumps(json.loads(path.read_text())["errors"]).encode())
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                for name in sorted(arrays.files):
                    seen.update(name.encode() + arrays[name].tobytes())
    return seen.hexdigest()


@final
class Trial:
    """What is done again and again, each time ended before its time, and what has to come of it in the end."""

    def __init__(self, root: Path, config: Any, old: Any, kind: str) -> None:
        self.root, self.config, self.kind = root, config, kind
        self.start: Path | None = None
        self.good = {self._whole(config, root / "whole")}
        self.events = self._counted()
        if old is not None:
            self.start = root / "old"
            self.good.add(self._whole(old, self.start))
            self.events = self._counted()

    def _whole(self, config: Any, folder: Path) -> str:
        began = time.monotonic()
        assert forked(lambda: self._done(config, folder)) == 0, (self.root.parent / "last").read_text()
        self.seconds = time.monotonic() - began
        return digest(folder)

    def _done(self, config: Any, folder: Path) -> None:
        if self.kind == "study":
            studied(config, folder)
        else:
            solved(config, folder, overwrite=True)

    def _folder(self) -> Path:
        folder = self.root / "case"
        shutil.rmtree(folder, ignore_errors=True)
        if self.start is not None:
            shutil.copytree(self.start, folder)
        return folder

    def _counted(self) -> int:
        folder, noted = self._folder(), self.root / "events"

        def job() -> None:
            trap = Trap(folder, sys.maxsize, die)
            self._done(self.config, folder)
            noted.write_text(str(trap.count))

        assert forked(job) == 0, (self.root.parent / "last").read_text()
        return int(noted.read_text())

    def trapped(self, number: int, spring: Callable[[str, str], None]) -> str | None:
        """Ended at the n-th event; what is wrong then, or None."""
        folder = self._folder()

        def job() -> None:
            Trap(folder, number, spring)
            self._done(self.config, folder)

        return self._judged(folder, forked(job), "at event", number)

    def killed_after(self, seconds: float) -> str | None:
        """Killed after a time; what is wrong then, or None."""
        folder = self._folder()
        ended = forked(lambda: self._done(self.config, folder), kill_after=seconds)
        return self._judged(folder, ended, "after seconds", seconds)

    def limited(self, size: int) -> str | None:
        """On a disk that takes so many bytes a file; what is wrong then, or None."""
        folder = self._folder()

        def job() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            self._done(self.config, folder)

        return self._judged(folder, forked(job), "bytes", size)

    def _judged(self, folder: Path, ended: int, how: str, number: float) -> str | None:
        again = studied if self.kind == "study" else gone_on
        went_on = forked(lambda: again(self.config, folder))
        if went_on != 0:
            return f"{how} {number}: ended {ended}, then {went_on}: {(self.root.parent / 'last').read_text()}"
        left = [str(path) for path in folder.rglob("*") if path.name.endswith(".pinnreg-tmp")]
        if left:
            return f"{how} {number}: ended {ended}: left behind {left}"
        return None if digest(folder) in self.good else f"{how} {number}: ended {ended}: other results"


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """All trials that are asked for: how many events there were, and what went wrong."""
    torch.set_num_threads(1)
    logging.disable()
    os.scandir = MarkFirst
    root = Path(asked["root"])
    sys.argv[0] = str(root / "killing")
    # studies draw figures
    drawn = any(each.get("kind") == "study" for each in asked["trials"].values())
    pinnreg.solve(asked["warm_up"], out=root / "warm", figures=drawn)
    draws, bad, done, events = random.Random(asked.get("seed", 0)), [], 0, {}
    for name, each in asked["trials"].items():
        trial = Trial(root / name, each["config"], each.get("old"), each.get("kind", "solve"))
        events[name] = trial.events
        for spring in [{"die": die, "fill_up": fill_up}[way] for way in each.get("at_events", ())]:
            for number in range(0, trial.events, each.get("stride", 1)):
                bad.append(trial.trapped(number, spring))
        bad += [trial.killed_after(draws.uniform(0, 1.1 * trial.seconds)) for _ in range(each.get("at_random", 0))]
        bad += [trial.limited(size) for size in each.get("sizes", ())]
        done = len(bad)
    return {"events": events, "trials": done, "bad": [each for each in bad if each is not None]}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
