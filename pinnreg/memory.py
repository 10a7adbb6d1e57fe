"""How much memory is free, and refusing what would not fit before any of it is taken.

A process that asks for too much is killed without a word, and others with it: the system promises more than there is.
So whatever grows with a number that a user gives is estimated first: what a gradient keeps a point is measured on a few
points, a Jacobian and a factorisation are counted. Estimates were between half and twice the peaks that
processes had.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pinnreg.errors import InputError

if TYPE_CHECKING:
    import torch

GROUPS = Path("/sys/fs/cgroup")
NUMBER = 8
"""Bytes of a float64."""


OUT_OF_MEMORY = "out of memory: take fewer points or a smaller network, or set points.chunk"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory could not be had, Python's, NumPy's or torch's."""
    # torch has a class for it on a GPU only
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def free(device: torch.device | None = None) -> float:
    """Bytes that this process may still take, of the machine's memory or of a GPU's; infinite where nobody says.

    On Linux the least of what the system counts as available, of what is left to the process's control groups (the
    limit of a container or of a batch job), and of its address space.
    """
    if device is not None and device.type == "cuda":
        import torch  # noqa: PLC0415

        # what torch holds but does not use it gives to the next tensor
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + kept)
    return min([*_available(), *_left_to_groups(), *_left_of_addresses()], default=math.inf)


def check(needs: Mapping[str, int], remedy: str, device: torch.device | None = None) -> None:
    """Refuse what needs more memory than is free.

    Args:
        needs: bytes, by what they are for.
        remedy: what would help.
        device: whose memory; None for the machine's.

    Raises:
        InputError: naming what needs most, how much that is, and how much is free.
    """
    needed, there = sum(needs.values()), free(device)
    if needed <= there:
        return
    largest = max(needs, key=lambda name: needs[name])
    both = [text(needs[largest]), text(needed)]
    alone = "" if both[0] == both[1] else f", and all together {both[1]}"
    where = "" if device is None or device.type == "cpu" else f" on {device}"
    raise InputError(
        f"{largest}: this needs about {both[0]} of memory{alone}; {text(int(there))} are free{where}; {remedy}"
    )


def text(size: int) -> str:
    """A number of bytes as messages show it."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            count = size // unit
            return f"{size / unit:.1f} {name}" if count < 10**5 else f"10^{len(str(count)) - 1} {name}"
    return f"{size / 1000:.1f} kB"


def _available() -> Iterator[float]:
    """What the system counts as available without paging out."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024.0
                return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        # elsewhere, what is built in: better than nothing
        yield float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _left_to_groups() -> Iterator[float]:
    """What is left of the limits of this process's control groups, of either version."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                yield from _left(GROUPS, path, limit="memory.max", used="memory.current", cache="inactive_file")
            elif "memory" in controllers.split(","):
                root, names = GROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
                yield from _left(root, path, limit=names[0], used=names[1], cache="total_inactive_file")


def _left(root: Path, path: str, *, limit: str, used: str, cache: str) -> Iterator[float]:
    """What is left of the limits of a group and of those that it is in; inside a container the root is its own."""
    group = root / path.lstrip("/")
    for folder in [group, *group.parents]:
        if not folder.is_relative_to(root):
            return
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            most = int((folder / limit).read_text(encoding="ascii"))
            taken = int((folder / used).read_text(encoding="ascii"))
            # pages of files that can be dropped count as used
            rows = (row.split() for row in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
            droppable = sum(int(row[1]) for row in rows if row[0] == cache)
            yield float(max(most - taken + droppable, 0))


def _left_of_addresses() -> Iterator[float]:
    """What is left of a limit on the address space, as by `ulimit -v`."""
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource  # noqa: PLC0415  # not everywhere

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            yield float(max(most - pages * resource.getpagesize(), 0))
