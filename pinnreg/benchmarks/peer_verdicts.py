"""Who is more accurate, and who is sooner: two solvers' errors over time in one sentence."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from pinnreg.benchmarks.peer_cases import OWN
from pinnreg.benchmarks.peer_runs import PeerRun

EVEN = 1.25
"""Factors below it are no difference."""
UNSOLVED = 0.5
"""An error above it, where u = 0 has 1, is no solution that could come sooner or later."""


@final
@dataclass(frozen=True)
class PeerRow:
    """A case solved by DeepXDE in one precision, or by pinnreg, once for each seed."""

    case: str
    solver: str
    runs: tuple[PeerRun, ...]

    def median(self, value: Callable[[PeerRun], float]) -> float:
        """The median over the seeds, of two in the middle the lower one."""
        return statistics.median_low(value(run) for run in self.runs)

    @property
    def lowest(self) -> float:
        """The lowest error on the way, the median over the seeds."""
        return self.median(lambda run: run.lowest)

    def seconds_to(self, error: float) -> float:
        """When the error was first so small, the median over the seeds; infinity if it was not in half of them."""
        return self.median(lambda run: run.seconds_to(error))

    def lowest_by(self, seconds: float) -> float:
        """The lowest error so far, the median over the seeds; before any it is 1, that of u = 0, and never above."""
        return self.median(lambda run: _lowest_by(run, seconds))


@final
@dataclass(frozen=True)
class Verdict:
    """A case in numbers: the better of DeepXDE's two precisions beside pinnreg.

    Attributes:
        peer: which precision.
        peer_error: its lowest error on the way.
        own_error: pinnreg's.
        error_ratio: DeepXDE's by pinnreg's; above 1 pinnreg is more accurate.
        level: the larger of the two, which both reach.
        peer_seconds: when DeepXDE reaches it.
        own_seconds: when pinnreg does.
        time_ratio: DeepXDE's seconds by pinnreg's; above 1 pinnreg is sooner.
        ahead: until when DeepXDE's error, in either precision, was below pinnreg's for the last time, in seconds;
            infinity if it is so at the end, 0 if it never was.
    """

    case: str
    peer: str
    peer_error: float
    own_error: float
    error_ratio: float
    level: float
    peer_seconds: float
    own_seconds: float
    time_ratio: float
    ahead: float

    @property
    def words(self) -> str:
        """Who wins."""
        ends = _compared(self.error_ratio, "times more accurate", "both are as accurate")
        soon = _compared(self.time_ratio, f"times sooner at {self.level:.0e}", f"both are as soon at {self.level:.0e}")
        comes = soon if self.level < UNSOLVED else f"none below {UNSOLVED:g} is reached by both"
        if self.ahead == 0:
            lead = "DeepXDE is never ahead"
        elif math.isinf(self.ahead):
            lead = "DeepXDE is ahead at the end"
        else:
            lead = f"DeepXDE was ahead until {self.ahead:.2g} s"
        return f"{ends}; {comes}; {lead}"


def verdict_of(own: PeerRow, peers: Sequence[PeerRow]) -> Verdict:
    """Compare pinnreg with the more accurate of DeepXDE's precisions.

    Args:
        own: pinnreg's row.
        peers: DeepXDE's rows of the same case.
    """
    peer = min(peers, key=lambda row: row.lowest)
    level = max(peer.lowest, own.lowest)
    theirs, ours = peer.seconds_to(level), own.seconds_to(level)
    return Verdict(
        own.case,
        peer.solver,
        peer.lowest,
        own.lowest,
        peer.lowest / own.lowest,
        level,
        theirs,
        ours,
        theirs / ours,
        _ahead(own, peers),
    )


def _ahead(own: PeerRow, peers: Sequence[PeerRow]) -> float:
    """The last time at which a peer's lowest error so far was below pinnreg's; infinity if that is still so."""
    times = sorted({at for row in (own, *peers) for run in row.runs for at in run.seconds})
    leads = [min(row.lowest_by(at) for row in peers) < own.lowest_by(at) for at in times]
    if not any(leads):
        return 0.0
    last = len(leads) - 1 - leads[::-1].index(True)
    return math.inf if last == len(leads) - 1 else times[last + 1]


def _lowest_by(run: PeerRun, seconds: float) -> float:
    before = (error for at, error in zip(run.seconds, run.errors, strict=True) if at <= seconds)
    return min((error for error in before if error < 1), default=1.0)


def _compared(ratio: float, what: str, even: str) -> str:
    """Who is how many times better, by a ratio of theirs to ours; `even` where that is hardly a difference."""
    factor = max(ratio, 1 / ratio) if ratio > 0 else math.inf
    if not factor >= EVEN:
        return even
    return f"{OWN if ratio > 1 else 'DeepXDE'} is {_number(factor)} {what}"


def _number(factor: float) -> str:
    return f"{factor:.2g}" if factor < 100 else f"{factor:.0e}".replace("e+0", "e")
