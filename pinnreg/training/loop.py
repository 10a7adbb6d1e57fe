"""The training loop: stages, resampling, redraws, history, checkpoints, stopping.

Everything that happens depends on the step number and the seed, never on the clock (but for `max_seconds`, and for
extra checkpoints, which change nothing), so that a resumed run repeats an uninterrupted one bit for bit.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, final

import torch

from pinnreg.errors import Diverged, InputError, Interrupted
from pinnreg.objective import DrawnBatch, Trainable
from pinnreg.optimisers import Advance, Optimiser, Stage
from pinnreg.training.checkpoint import copied, position_of, snapshot, write_checkpoint
from pinnreg.training.history import History
from pinnreg.training.hooks import Hooks, Outcome, Row
from pinnreg.training.position import HOOK, LIMITS, Position
from pinnreg.training.progress import annealed_share, share_of, spent, spent_of_all

logger = logging.getLogger("pinnreg")

CHECKPOINT_SECONDS = 30.0
WINDOWS = 8
"""In which a stage begins again that has stuck."""
STUCK = 1e-2
"""The relative residual above which a stage that ends by itself has stuck."""
LOW = 1e-8
"""The share of the first loss at which a window is left for a wider one."""
IN_WINDOWS = 0.5
"""The share of a stage, by its limits, by which it comes to the whole time."""


def train(
    objective: Trainable[DrawnBatch],
    stages: Sequence[Stage],
    history: History,
    *,
    checkpoint: Path | None = None,
    extra: Mapping[str, Any] | None = None,
    resume: Mapping[str, Any] | None = None,
    accepted: Callable[[], object] = lambda: None,
    hooks: Hooks | None = None,
) -> Outcome[DrawnBatch]:
    """Minimise the objective in stages, from the start or from a checkpoint's state.

    Args:
        objective: what is minimised.
        stages: optimiser settings, in order.
        history: gets a row at step 0, at least every 50 steps, and at the end of each stage.
        checkpoint: where to save the state, at each stage's end and between, 30 s after the last; None saves nothing.
        extra: what a checkpoint holds besides.
        resume: the state that a checkpoint held.
        accepted: called once the state is known to be good, before anything is written.
        hooks: what to call along the way.

    Raises:
        InputError: a state that is not of these stages and this objective.
        Diverged: a term became NaN or Inf; the last good state has been restored and saved.
        Interrupted: the hook asked to stop; the state has been saved.
    """
    loop = _Loop(objective, stages, history, checkpoint, dict(extra or {}), hooks or Hooks())
    if resume is not None:
        try:
            loop.restore(resume)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(f"{checkpoint}: corrupt checkpoint: {type(error).__name__}: {reason}") from error
    with loop.hooks.undisturbed():
        accepted()
        if resume is not None:
            history.cut(loop.position.step)
        loop.run()
    position = loop.position
    own = loop.parameters, loop.batch
    return Outcome(*own, position.seconds, position.step, position.sweeps, position.stop_reason)


@final
@dataclass
class _Loop(Generic[DrawnBatch]):
    objective: Trainable[DrawnBatch]
    stages: Sequence[Stage]
    history: History
    checkpoint: Path | None
    extra: dict[str, Any]
    hooks: Hooks
    position: Position = field(default_factory=Position)

    def __post_init__(self) -> None:
        self.parameters = self.objective.initial()
        self.batch = self.objective.first(self.parameters)
        self._optimiser: Optimiser | None = None
        self._before: dict[str, torch.Tensor] | None = None
        self._good: dict[str, Any] | None = None
        self._stopped: str | None = None
        self._asked: str | None = None
        self._first_bad = torch.zeros(len(self.objective.names), dtype=torch.bool)
        self._observe_at = 0.0
        self._saved_at = self._ticked_at = time.monotonic()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self._load(state)
        self._stopped = position_of(dict(state)).stop_reason or None
        self.batch = self.objective.restored(state["objective"], self.parameters)
        optimiser = state["optimiser"]
        if position_of(dict(state)).stop_reason and self.position.stage + 1 < len(self.stages):
            # saved at the end of a stage, perhaps before all its steps: it must not go on
            self._next_stage()
            optimiser = None
        if optimiser is not None:
            self._optimiser = self.stages[self.position.stage].start(self.parameters)
            self._optimiser.load_state(optimiser)
        # its own tensors: an optimiser changes those that it was given
        self._good = copied(dict(state))

    def run(self) -> None:
        """All stages that are left."""
        self._tick()
        if self.position.step == 0 and self.history.last_step() < 0:
            self._record(evaluate=True)
            self._save()
        self._observe()
        while True:
            stage = self.stages[self.position.stage]
            if self._optimiser is None:
                self._begin(stage)
            self.position.stop_reason = self._run_stage(stage)
            self._save()
            if self.position.stage + 1 == len(self.stages) or self._asked is not None:
                return  # a finished run stays in its last stage, so that more steps extend it
            self._next_stage()

    def _next_stage(self) -> None:
        self._stopped = self._optimiser = None
        here = self.position
        if here.window < here.windows:
            self.batch = self.objective.widen(self.batch, self.parameters, here.step, 1.0)
        self.position = Position(
            stage=here.stage + 1, step=here.step, seconds=here.seconds, sweeps=here.sweeps, note=here.note
        )

    def _begin(self, stage: Stage) -> None:
        """Start the optimiser, in the first window if there are several."""
        self._optimiser = stage.start(self.parameters)
        windows = 1 if stage.windows == "auto" or not self.objective.in_time else stage.windows
        if self.position.stage_step == 0 and windows > 1:
            self._set_windows(stage, windows)

    def _run_stage(self, stage: Stage) -> str:
        position = self.position
        # what stopped by itself stays so, unless more steps or seconds are asked for
        stop = self._stopped if position.planned == _plan(stage) else None
        position.planned = _plan(stage)
        if stop is not None:
            return stop
        stop = self._ended(stage) or self._asked_in(stage)
        while stop is None:
            if (signal := self.hooks.interrupted()) is not None:
                self._save()
                raise Interrupted(signal, self.checkpoint)
            swept, before = self.objective.sweeps, position.step
            assert self._optimiser is not None
            drawing = self._renew(stage, self._optimiser)
            fixed = self.objective.at(self.batch)
            advance = self._optimiser.advance(
                fixed, position.stage_step, self._room(stage), share=share_of(stage, position)
            )
            self._watch(advance)
            position.sweeps += drawing + self.objective.sweeps - swept
            position.stage_sweeps += drawing + self.objective.sweeps - swept
            position.step += advance.steps
            position.stage_step += advance.steps
            self._tick()
            stop = self._gone_on(stage, advance) or self._ended(stage)
            if stop is not None:
                self._choose()
            if stop is not None or position.seconds >= self._observe_at:
                self._observe()
            evaluate = stop is not None or _crossed(before, position.step, self._evaluate_every(stage))
            if evaluate or _crossed(before, position.step, stage.log_every):
                self._record(evaluate=evaluate)
                self._tick()
                if stop is None and (stop := self._asked_in(stage)) is not None:
                    self._choose()
            if time.monotonic() - self._saved_at > CHECKPOINT_SECONDS:
                self._save()
        return position.note + stop

    def _ended(self, stage: Stage) -> str | None:
        if stage.max_seconds is not None and self.position.stage_seconds >= stage.max_seconds:
            return f"{stage.optimiser}: max_seconds {stage.max_seconds:g} {LIMITS[1]}"
        if stage.max_sweeps is not None and self.position.stage_sweeps >= stage.max_sweeps:
            return f"{stage.optimiser}: max_sweeps {stage.max_sweeps:g} {LIMITS[1]}"
        if self.position.stage_step >= stage.steps:
            return f"{stage.optimiser}: all {stage.steps} {LIMITS[0]}"
        return None

    def _asked_in(self, stage: Stage) -> str | None:
        """Why a hook ends the training in a stage, if it does."""
        return None if self._asked is None else f"{stage.optimiser}: {self._asked}"

    def _gone_on(self, stage: Stage, advance: Advance) -> str | None:
        """Why the stage has ended by itself, if there is nothing else to try; goes on to the next window."""
        position, stop = self.position, advance.stop
        if self._ended(stage) is not None:
            return stop
        if position.window < position.windows:
            loss = float(self.objective.at(self.batch).total(advance.losses))
            position.first = position.first or loss
            if stop is None and loss > LOW * position.first and spent(stage, position) < self._until():
                return None
            self._set_window(stage, position.window + 1)
            return None
        if stop is None or self._has_refined(stage):
            return None
        return None if self._begins_again(stage, stop) else stop

    def _begins_again(self, stage: Stage, stop: str) -> bool:
        """Whether a stage that has ended by itself has stuck, and now goes through windows from the first parameters.

        Only the first stage: a later one would give up what those before it have found.
        """
        position = self.position
        if stage.windows != "auto" or position.windows > 1 or position.stage > 0 or not self.objective.in_time:
            return False
        if spent(stage, position) > IN_WINDOWS or stage.steps - position.stage_step < 2 * WINDOWS:
            return False  # what is left would not be enough
        wrong = self._wrong()
        if wrong is None or wrong <= STUCK:
            return False
        position.wrong, self._before = wrong, copied(dict(self.parameters))
        position.note = f"stuck at step {position.step}, where it began again in {WINDOWS} time windows; "
        logger.warning("%s (a relative residual of %.1e): the stage begins again in time windows", stop, wrong)
        self._take(self.objective.initial())
        self._set_windows(stage, WINDOWS)
        return True

    def _choose(self) -> None:
        """Go back to what a stage had come to before it began again, unless that was worse."""
        position, before = self.position, self._before
        if before is None:
            return
        wrong, self._before = self._wrong(), None
        if position.window < position.windows or wrong is None or not wrong <= position.wrong:  # or NaN
            self._take(before)
            position.note = position.note.removesuffix("; ") + ", which was no better; "
            logger.warning("windows were no better: what was there before them is kept")

    def _wrong(self) -> float | None:
        with self._uncounted():
            return self.hooks.wrong(self.parameters)

    def _take(self, parameters: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(parameters[name])

    def _has_refined(self, stage: Stage) -> bool:
        """Whether points were too few where a stage would end, and have been added."""
        position = self.position
        if not self.objective.may_refine(self.batch, share_of(stage, position)):
            return False
        self.batch = self.objective.resample(self.batch, self.parameters, position.step)
        position.sweeps += self.batch.cost
        position.stage_sweeps += self.batch.cost
        if self.batch.settled:
            return False
        assert self._optimiser is not None
        self._optimiser.forget()
        self._optimiser.load_state(self._optimiser.state())  # by which it has not ended
        return True

    def _set_windows(self, stage: Stage, windows: int) -> None:
        position = self.position
        position.windows, position.begun, position.first = windows, spent(stage, position), 0.0
        self._set_window(stage, 1)

    def _set_window(self, stage: Stage, window: int) -> None:
        """Points in a time window, with an optimiser of its own: what one has learnt about λ is of no use here."""
        position = self.position
        position.window = window
        self.batch = self.objective.widen(self.batch, self.parameters, position.step, window / position.windows)
        position.sweeps += self.batch.cost
        position.stage_sweeps += self.batch.cost
        self._optimiser = stage.start(self.parameters)

    def _until(self) -> float:
        """The share of the stage after which the present window is left at the latest: all but the last have half."""
        position = self.position
        return position.begun + IN_WINDOWS * position.window / position.windows * (1 - position.begun)

    def _room(self, stage: Stage) -> int:
        """How many steps there are until something else is due."""
        periods = (stage.log_every, self._evaluate_every(stage), self.objective.resample_every)
        to_event = min(period - self.position.step % period for period in periods if period is not None)
        to_redraw = stage.redraw_every - self.position.stage_step % stage.redraw_every
        left = stage.steps - self.position.stage_step
        if self.position.window < self.position.windows:
            left = min(left, max(math.ceil(self._until() * stage.steps) - self.position.stage_step, 1))
        redraws = self.objective.stochastic or self.objective.at(self.batch).annealing
        return min(to_event, left, to_redraw if redraws else left)

    def _evaluate_every(self, stage: Stage) -> int:
        return self.hooks.evaluate_every or stage.evaluate_every

    def _tick(self) -> None:
        """Add the time since the last tick."""
        now = time.monotonic()
        self.position.seconds += now - self._ticked_at
        self.position.stage_seconds += now - self._ticked_at
        self._ticked_at = now

    @contextlib.contextmanager
    def _uncounted(self) -> Iterator[None]:
        """What happens inside takes no time."""
        device = next(iter(self.parameters.values())).device
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # steps under way do count
        self._tick()
        yield
        self._ticked_at = time.monotonic()

    def _observe(self) -> None:
        with self._uncounted():
            self._observe_at = self.hooks.observe(self.position.step, self.position.seconds, self.parameters)

    def _renew(self, stage: Stage, optimiser: Optimiser) -> int:
        """Draw points anew where that is due, only ever between two advances; returns the sweeps that it took."""
        position, changed, cost = self.position, False, 0
        if self.objective.resample_due(self.batch, position.step, share_of(stage, position)):
            self.batch = self.objective.resample(self.batch, self.parameters, position.step)
            changed, cost = not self.batch.settled, self.batch.cost
        stage_start = position.step - position.stage_step
        drawn = self.batch.step - stage_start
        if position.stage_step == 0 or position.stage_step // stage.redraw_every > drawn // stage.redraw_every:
            # a run that is extended plans more steps: its weights must not rise again
            before = self.batch.progress
            progress = max(annealed_share(self.stages, position), before)
            self.batch = self.objective.redraw(
                self.batch, self.parameters, position.step, progress=progress, smooth=stage.needs_smooth
            )
            cost += self.batch.cost
            weights = self.objective.scheduled and progress != before
            changed = changed or self.objective.stochastic or weights
        tuned = self.objective.tune(self.batch, self.parameters, position.step)
        if tuned is not self.batch:
            self.batch, changed = tuned, True
            cost += tuned.cost
        if changed:
            optimiser.forget()
        return cost

    def _watch(self, advance: Advance) -> None:
        """Remember, without waiting for the device, which terms were the first to be NaN or Inf."""
        bad = ~torch.isfinite(torch.stack(list(advance.losses.values())))
        seen = self._first_bad.to(bad.device)
        self._first_bad = torch.where(seen.any(), seen, bad)

    def _record(self, *, evaluate: bool) -> None:
        """One row of the history with the state as it is now; falls back to the last good state if it is not finite."""
        position = self.position
        losses, weighted = self._losses()
        with self._uncounted():
            errors = dict(self.hooks.errors(self.parameters)) if evaluate else None
        coefficients = self.objective.coefficient_values(self.parameters)
        tuned = self.objective.tuned_weights(self.batch)
        loss = self.history.add(position, losses, weighted, errors or {}, coefficients, tuned)
        bad = [name for name, flag in zip(losses, self._first_bad.tolist(), strict=True) if flag]
        bad = bad or [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            self._fall_back(bad)
        self._good = self._snapshot()
        with self._uncounted():
            self._tell(loss, errors)

    def _tell(self, loss: float, errors: Mapping[str, float] | None) -> None:
        """Show a row of the history to the hooks."""
        position, residual = self.position, None
        if errors is not None and not errors:
            residual = self.hooks.residual(self.parameters)
        steps = sum(stage.steps for stage in self.stages)
        row = Row(position.step, steps, spent_of_all(self.stages, position), loss, errors, residual)
        self.hooks.progress(row)
        if asked := self.hooks.stop(row):
            self._asked = HOOK if asked is True else f"{asked}, {HOOK}"

    def _losses(self) -> tuple[dict[str, float], dict[str, float]]:
        with torch.no_grad():
            losses, weighted = self.objective.recorded(self.batch, self.parameters)
            # one copy from the device for all terms
            values = torch.stack([*losses.values(), *weighted.values()]).view(2, -1).tolist()
            first, second = (dict(zip(losses, each, strict=True)) for each in values)
            return first, second

    def _fall_back(self, bad: Sequence[str]) -> None:
        step = self.position.step
        message = f"training diverged by step {step}: {', '.join(map(repr, bad))} became NaN or Inf"
        if self._good is not None:
            self._load(self._good)
            self._write(self._good)
            message += f"; the last good state, of step {self.position.step}, was restored"
            message += f" and saved in {self.checkpoint}" if self.checkpoint else ""
            message += "; try a lower learning rate, other weights, or another seed in a new run"
        raise Diverged(message)

    def _load(self, state: Mapping[str, Any]) -> None:
        self.position = replace(position_of(dict(state)), stop_reason="")
        self._before = copied(state["before"])
        self._take(state["parameters"])

    def _save(self) -> None:
        self._tick()
        finite = all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters.values())
        if self._first_bad.any() or not finite:
            return  # the last good state must not be replaced; the next row of the history says what happened
        self._write(self._snapshot())

    def _snapshot(self) -> dict[str, Any]:
        return snapshot(self.position, self.parameters, self._before, self.objective.state(self.batch), self._optimiser)

    def _write(self, state: dict[str, Any]) -> None:
        self._saved_at = time.monotonic()
        if self.checkpoint is not None:
            write_checkpoint(self.checkpoint, {**state, **self.extra})


def _crossed(before: int, after: int, period: int) -> bool:
    return after // period > before // period


def _plan(stage: Stage) -> tuple[int, float | None, float | None]:
    return stage.steps, stage.max_seconds, stage.max_sweeps
