"""Time and peak memory of functions that are to be compared."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

Work = Callable[[], object]


@final
@dataclass(frozen=True)
class Cost:
    """What one call takes: the median of its times in seconds, and its peak memory in bytes above the start."""

    seconds: float
    bytes: int


def compare(
    candidates: Mapping[str, Work], device: torch.device, *, rounds: int = 25, budget: float = 10.0
) -> dict[str, Cost]:
    """The cost of each candidate, measured in turn, so that a busy moment of the machine hits all alike.

    In each round every candidate runs three times in a row; the first of them finds the caches of its predecessor and
    does not count.

    Args:
        candidates: by name; each is called once before for warming up.
        device: what to wait for.
        rounds: at most so many.
        budget: no new round after so many seconds.
    """
    memory = {name: peak_memory(work, device) for name, work in candidates.items()}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    started = time.perf_counter()
    for _ in range(rounds):
        for name, work in candidates.items():
            work()
            times[name] += [seconds(work, device), seconds(work, device)]
        if time.perf_counter() - started > budget:
            break
    return {name: Cost(statistics.median(times[name]), memory[name]) for name in candidates}


def seconds(work: Work, device: torch.device) -> float:
    """The time of one call."""
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - started


def peak_memory(work: Work, device: torch.device) -> int:
    """The most bytes of tensors that one call holds at once, above those before it; a first call warms up."""
    work()
    if device.type == "cuda":
        _wait(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        _wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    with without_output(2), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        work()
    kineto = recorded.profiler.kineto_results if recorded.profiler else None
    assert kineto is not None
    changes = sorted((event.start_ns(), event.nbytes()) for event in kineto.events() if event.name() == "[memory]")
    return int(np.cumsum([0, *(size for _, size in changes)]).max())


def machine(device: torch.device) -> dict[str, str | int]:
    """What the figures were measured on."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextlib.contextmanager
def without_output(*descriptors: Literal[1, 2]) -> Iterator[None]:
    """Nothing is written to these, neither from Python nor from C++, as torch's profiler does of its start and stop."""
    _flush()
    kept, nowhere = {each: os.dup(each) for each in descriptors}, os.open(os.devnull, os.O_WRONLY)
    for each in descriptors:
        os.dup2(nowhere, each)
    os.close(nowhere)
    unsaid, redirect = io.StringIO(), {1: contextlib.redirect_stdout, 2: contextlib.redirect_stderr}
    try:
        with contextlib.ExitStack() as redirected:
            for each in descriptors:
                redirected.enter_context(redirect[each](unsaid))
            yield
    finally:
        for each, before in kept.items():
            os.dup2(before, each)
            os.close(before)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
