"""One run of the benchmark of peers, in a process of its own: DeepXDE's, pinnreg's or SciPy's.

All clocks are those of `clocked`: they start before the problem is set up and stop at the last step. A run of two steps
of the same comes before, so that imports and what happens only once in a process are on none of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict, final

import torch

from pinnreg import processes
from pinnreg.benchmarks.classical import ScipyRow, scipy_row
from pinnreg.benchmarks.clocked import clocked_run
from pinnreg.benchmarks.measure import without_output
from pinnreg.benchmarks.peer_cases import DEEPXDE, OWN, SCIPY
from pinnreg.benchmarks.peer_recipes import PEER_RECIPES, Plan
from pinnreg.benchmarks.recipes import resolved
from pinnreg.benchmarks.runs import Answer, answered
from pinnreg.benchmarks.trace import Trace, first_at
from pinnreg.config import problem_folders, resolve
from pinnreg.report import relative_l2
from pinnreg.run import solve
from pinnreg.run.prepare import Prepared, prepare

MEMORY = 4 * 2**30
"""The most bytes that a run may have."""
ADAM_SHARE = 0.5
"""Of the seconds, at most, where the demo's steps of Adam would take longer: L-BFGS has the rest."""
LEARNING_RATE = 1e-3
SLICE = 50
"""Steps of L-BFGS between two looks at the clock, in the place of DeepXDE's 1000."""
WARM_UP_STEPS = 2
IMPORTS = {"DeepXDE": "import deepxde", "pinnreg": "from pinnreg.run import solve"}


class PeerTask(TypedDict):
    """What a process is told: the case, who solves it, with which seed, in how many seconds."""

    case: str
    solver: str
    seed: int
    seconds: float


@final
@dataclass(frozen=True)
class PeerRun:
    """One run: its error over time and how it ended.

    Attributes:
        seconds: set-up and training until each measurement of the error.
        errors: relative L2 error on the evaluation grid, the largest over the outputs.
        steps: of training.
        ended: why it ended.
        peak_bytes: the most memory that its process ever had; None where the system does not say.
        unknown: the coefficients that were found with the solution.
        share: of a core that its process had; below 1 where the machine had other work, and seconds count for less.
    """

    seed: int
    seconds: tuple[float, ...]
    errors: tuple[float, ...]
    steps: int
    ended: str
    peak_bytes: int | None = None
    unknown: dict[str, float] = field(default_factory=dict)
    share: float = 1.0

    @property
    def error(self) -> float:
        """The last error; infinity if that is not a number."""
        return math.inf if math.isnan(self.errors[-1]) else self.errors[-1]

    @property
    def lowest(self) -> float:
        """The lowest error on the way."""
        return min((error for error in self.errors if not math.isnan(error)), default=math.inf)

    def seconds_to(self, error: float) -> float:
        """When the error was first so small; infinity if it never was."""
        return first_at(self.seconds, self.errors, error)


@final
@dataclass(frozen=True)
class Made:
    """What a process makes: a run, or SciPy's row, which there is not where SciPy does not solve the case."""

    run: PeerRun | None = None
    classical: ScipyRow | None = None


def work(task: PeerTask) -> Answer[Made]:
    """Make a run; in a process of its own."""
    torch.set_num_threads(1)
    with contextlib.suppress(ImportError, ValueError, OSError):  # where there is no such limit
        limits: Any = importlib.import_module("resource")
        limits.setrlimit(limits.RLIMIT_DATA, (MEMORY, MEMORY))
    if task["solver"] == OWN:
        with processes.noted():
            _warm_up(task["case"])
    return answered(lambda: timed(task))


def _warm_up(config: str) -> None:
    """Import what a run of it needs; what is wrong with it the run itself will say."""
    with contextlib.suppress(Exception):
        stages = resolve(config, {}, problem_folders(None)).config.train
        short = {f"train.{number}.steps": WARM_UP_STEPS for number in range(len(stages))}
        solve(config, short, out=False, figures=False, progress=False)


def timed(task: PeerTask) -> Made:
    """Make a run here, and say how much of a core it had."""
    wall, busy = time.perf_counter(), time.process_time()
    made = run(task)
    share = (time.process_time() - busy) / (time.perf_counter() - wall)
    return made if made.run is None else Made(dataclasses.replace(made.run, share=share))


def run(task: PeerTask) -> Made:
    """Make a run here."""
    case, seed, seconds = task["case"], task["seed"], task["seconds"]
    known = prepare(resolved(case, "gauss_newton", seed, seconds))
    if task["solver"] == SCIPY:
        return Made(classical=scipy_row(case, known))
    if task["solver"] == OWN:
        own = clocked_run(known, case, "gauss_newton", seed, seconds)
        found = dict(own.unknown)
        return Made(PeerRun(seed, own.seconds, own.errors, own.steps, own.stop_reason, peak_bytes(), found))
    with without_output(1, 2):
        return Made(deepxde_run(known, case, DEEPXDE[task["solver"]], seed, seconds))


def deepxde_run(known: Prepared, case: str, precision: str, seed: int, seconds: float) -> PeerRun:
    """DeepXDE's run: Adam, then L-BFGS."""
    os.environ["DDE_BACKEND"] = "pytorch"
    dde = importlib.import_module("deepxde")
    dde.config.set_default_float(precision)
    measured = next(((each.points.numpy(), each.values.numpy()[:, None]) for each in known.measurements), None)
    points, truth = known.places, known.truth["u"]

    def planned() -> Plan:
        return PEER_RECIPES[case](dde, known.problem, measured)

    def error(plan: Plan) -> float:
        return relative_l2(plan.model.predict(points)[:, 0].astype(truth.dtype), truth)

    warm = planned()
    train(dde, warm, Watch(lambda: error(warm)), math.inf, most=WARM_UP_STEPS)
    dde.config.set_random_seed(seed)
    watch = Watch(lambda: error(plan))
    plan = planned()
    ended = train(dde, plan, watch, seconds)
    unknown = {name: float(value.detach()) for name, value in plan.unknown.items()}
    return PeerRun(
        seed, tuple(watch.trace.seconds), tuple(watch.trace.errors), watch.trace.step, ended, peak_bytes(), unknown
    )


@final
class Watch:
    """The clock of a run, from now on, and the errors that it has had.

    Attributes:
        trace: what was measured.
        until: the seconds at which to stop.
    """

    def __init__(self, error: Callable[[], float]) -> None:
        self.trace = Trace(lambda _: error(), setup=0.0)
        self.until = math.inf
        self._started = time.perf_counter()
        self._due = 0.0

    @property
    def elapsed(self) -> float:
        """The seconds so far, but for those that errors took to measure."""
        return time.perf_counter() - self._started - self.trace.spent

    @property
    def over(self) -> bool:
        """Whether it is time to stop."""
        return self.elapsed >= self.until

    def look(self, step: int, *, anyway: bool = False) -> None:
        """Measure the error if that is due, or in any case."""
        if anyway or self.elapsed >= self._due:
            self._due = self.trace.observe(step, self.elapsed, {})


def train(dde: Any, plan: Plan, watch: Watch, seconds: float, most: int | None = None) -> str:
    """Train as planned; returns why it ended.

    Args:
        dde: the module.
        plan: what to train.
        watch: the clock.
        seconds: when it ends.
        most: steps of each optimiser, in the place of the plan's and DeepXDE's own.
    """
    follow, model = follower(dde, watch), plan.model
    steps = most or plan.steps
    found = {"external_trainable_variables": list(plan.unknown.values())} if plan.unknown else {}
    watch.until = ADAM_SHARE * seconds
    model.compile("adam", lr=LEARNING_RATE, verbose=0, **found)
    model.train(iterations=steps, callbacks=[follow], verbose=0)
    done = model.train_state.step
    watch.until = seconds
    with sliced(dde, most):
        model.compile("L-BFGS", verbose=0, **found)
        model.train(callbacks=[follow], verbose=0)
        limit = dde.optimizers.LBFGS_options["maxiter"]
    later = model.train_state.step - done
    why = "out of time" if watch.over else "all of them" if later >= limit else "no further step"
    return f"Adam {done} of {steps} steps, L-BFGS {later}: {why}"


@contextlib.contextmanager
def sliced(dde: Any, most: int | None) -> Iterator[None]:
    """L-BFGS in slices, between which the clock is looked at; torch's goes on where it stopped."""
    options = dde.optimizers.LBFGS_options
    before = dict(options)
    # more evaluations than one step may take: DeepXDE takes a slice of a single step for the end
    options.update(iter_per_step=SLICE, fun_per_step=2 * SLICE, maxiter=most or before["maxiter"])
    try:
        yield
    finally:
        options.update(before)


def follower(dde: Any, watch: Watch) -> Any:
    """A callback that looks at the clock after each step, and stops a training that is over or does not move."""

    class Follower(dde.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.last = -1

        def on_train_begin(self) -> None:
            self.last = -1
            watch.look(self.model.train_state.step, anyway=not watch.trace.seconds)

        def on_epoch_end(self) -> None:
            step = self.model.train_state.step
            watch.look(step)
            if watch.over or step == self.last:
                self.model.stop_training = True
            self.last = step

        def on_train_end(self) -> None:
            watch.look(self.model.train_state.step, anyway=True)

    return Follower()


def peak_bytes() -> int | None:
    """The most memory that this process ever had, in bytes; None where the system does not say."""
    try:
        used: Any = importlib.import_module("resource")
    except ImportError:
        return None
    most = int(used.getrusage(used.RUSAGE_SELF).ru_maxrss)
    return most if sys.platform == "darwin" else 1024 * most


def import_seconds(of: str) -> float:
    """How long a fresh process takes until it could solve something.

    Args:
        of: a name in `IMPORTS`.
    """
    script = f"import time; start = time.perf_counter(); {IMPORTS[of]}; print(time.perf_counter() - start)"
    environment = {**os.environ, **processes.ENVIRONMENT, "DDE_BACKEND": "pytorch"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])
