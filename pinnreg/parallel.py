"""Several processes that work on one training: one leads, and the others do their share of what it asks for.

They are started by `torchrun --nproc-per-node N -m pinnreg solve ...`, or by `team_of` on this machine. Only the leader
draws points, decides, and writes; what it asks for is scattered, and the answers are gathered. Nothing but this module
knows of ranks and messages.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, final

from pinnreg.errors import InputError, LostProcess
from pinnreg.processes import ENVIRONMENT, GRACE_SECONDS, POLL_SECONDS, cores

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

Answer = TypeVar("Answer")

PATIENCE = datetime.timedelta(days=30)
"""For an answer: a process that is gone closes its connection, which is seen at once."""
COMING, LOOK = datetime.timedelta(minutes=5), datetime.timedelta(seconds=1)
"""For all processes to come, and between two looks at whether one has failed."""
MOST_A_CORE = 8
"""Processes: they gain nothing beyond one, and many take all memory."""
PLACE = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets besides how many there are."""


@final
class Team:
    """This process among several.

    Attributes:
        rank: its number; 0 leads.
        size: how many there are.
    """

    def __init__(self, rank: int, size: int, others: Sequence[subprocess.Popen[bytes]] = ()) -> None:
        self.rank = rank
        self.size = size
        self._others = others

    @property
    def leads(self) -> bool:
        """Whether this process decides."""
        return self.rank == 0

    def ask(self, orders: Sequence[object], own: Callable[[Any], Answer]) -> list[Answer]:
        """Have each process do one of as many orders; the answers in their order.

        Args:
            orders: plain data and tensors; the first is this process's own.
            own: does it.

        Raises:
            LostProcess: one of them is gone.
            Exception: what a process could not do, as it was raised there.
        """
        import torch.distributed as dist  # noqa: PLC0415

        with self._lost():
            dist.scatter_object_list([None], list(orders), src=0)
        mine = _tried(own, orders[0])
        answers: list[Any] = [None] * self.size
        with self._lost():
            dist.gather_object(mine, answers, dst=0)
        for each in answers:
            if isinstance(each, Exception):
                raise each
        return answers

    def serve(self, work: Callable[[Any], object]) -> None:
        """The life of a process that does not lead: orders as they come, until the leader ends it.

        Raises:
            LostProcess: the leader is gone.
        """
        import torch.distributed as dist  # noqa: PLC0415

        while True:
            orders = [None]
            with self._lost():
                dist.scatter_object_list(orders, None, src=0)
            if orders[0] is None:
                return
            answer = _tried(work, orders[0])
            with self._lost():
                dist.gather_object(answer, None, dst=0)

    def end(self) -> None:
        """Let the others go."""
        import torch.distributed as dist  # noqa: PLC0415

        with contextlib.suppress(RuntimeError):  # one that is gone already
            dist.scatter_object_list([None], [None] * self.size, src=0)

    @contextlib.contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise LostProcess(f"{self._who()} of the {self.size} that train together is gone") from error

    def _who(self) -> str:
        """Which of the others has ended, as far as that is known here: those that it left behind end after it."""
        until = time.monotonic() + GRACE_SECONDS
        while self._others and time.monotonic() < until:
            for number, each in enumerate(self._others, start=1):
                if (code := each.poll()) is not None and code < 0:
                    return f"process {number} (killed by {signal.Signals(-code).name})"
            time.sleep(POLL_SECONDS)
        return "a process"


def follows() -> bool:
    """Whether this process was started to do what another one asks for."""
    return _given() > 1 and os.environ["RANK"] != "0"


@contextlib.contextmanager
def team_of(count: int | None, command: Sequence[str]) -> Iterator[Team | None]:
    """The processes that torchrun has started, or so many of this machine's; None where there is but one.

    Args:
        count: how many; None for as many as torchrun says, or else one.
        command: by which the others are started: what this process was started by.

    Raises:
        InputError: another number than torchrun's, or half of what it sets.
        LostProcess: not all have come.
    """
    given = _given()
    if given > 1 and count not in (None, given):
        raise InputError(f"--processes {count}: torchrun has started {given}; leave it out")
    size = count or given
    if size == 1:
        yield None
        return
    if given == 1 and size > MOST_A_CORE * cores():
        raise InputError(f"--processes {size}: this machine has {cores()} cores; expected about as many processes")
    others = [] if given > 1 else _started(size, command)
    try:
        team = Team(int(os.environ["RANK"]), size, others)
        with _joined(team.rank, size, others):
            try:
                yield team
            finally:
                if team.leads:
                    team.end()
    finally:
        _stop(others)


def _given() -> int:
    """How many processes torchrun has started; 1 without it."""
    size = os.environ.get("WORLD_SIZE", "1")
    if not size.isdecimal() or int(size) < 1:
        raise InputError(f"the environment's WORLD_SIZE, as torchrun sets it: expected a number, got {size!r}")
    for name in PLACE if int(size) > 1 else ():
        if name not in os.environ:
            raise InputError(f"the environment has a WORLD_SIZE of {size}, as torchrun sets it, and no {name}")
    return int(size)


def _started(size: int, command: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    """The others, and what tells this process that it leads them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    # by name the address of this machine may be one that it does not reach itself by
    place |= {"GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", "lo")} if sys.platform == "linux" else {}
    os.environ.update({**place, "RANK": "0"})
    return [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **ENVIRONMENT, "RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for rank in range(1, size)
    ]


@contextlib.contextmanager
def _joined(rank: int, size: int, others: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """A group of all processes; messages go by gloo, which every machine has."""
    import torch.distributed as dist  # noqa: PLC0415
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # noqa: PLC0415

    # torchrun keeps the store that all meet at itself
    keeps = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    common = TCPStore(address, port, size, keeps, timeout=COMING, wait_for_workers=False)
    store = PrefixStore(f"pinnreg {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", common)
    store.set(f"here {rank}", "")
    _wait_for(store, [f"here {number}" for number in range(size)], others)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _wait_for(store: Store, names: list[str], others: Sequence[subprocess.Popen[bytes]]) -> None:
    """Until all have come: without a limit of its own the group would wait for ever for one that has failed."""
    until = time.monotonic() + COMING.total_seconds()
    while True:
        try:
            store.wait(names, LOOK)
        except RuntimeError as late:
            gone = [number for number, each in enumerate(others, start=1) if each.poll() is not None]
            if gone:
                raise LostProcess(f"process {gone[0]} of {len(names)} has ended before it had begun") from late
            if time.monotonic() > until:
                raise LostProcess(f"not all of {len(names)} processes have come") from late
        else:
            return


def _stop(others: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes that should have ended by themselves."""
    for each in others:
        with contextlib.suppress(subprocess.TimeoutExpired):
            each.wait(GRACE_SECONDS)
        if each.poll() is None:
            each.kill()
            each.wait()
    if others:
        for name in ("WORLD_SIZE", *PLACE):
            os.environ.pop(name, None)


def _tried(work: Callable[[Any], Answer], order: object) -> Answer | Exception:
    """What came of an order, or why nothing did: every process has to come back to where messages meet."""
    try:
        return work(order)
    except LostProcess:
        raise
    except Exception as error:  # which is raised where it was asked for
        return error
