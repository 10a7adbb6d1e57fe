"""The settings of the stages of a training. The optimisers themselves, and torch, are imported when a stage starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, StrictBool, model_validator
from pydantic.dataclasses import dataclass

from pinnreg import memory
from pinnreg.optimisers.interface import JACOBIANS, SKETCHED_ABOVE, Update
from pinnreg.settings import STRICT, Count, Positive, no_boolean

if TYPE_CHECKING:
    from pinnreg.optimisers.interface import Optimiser, Parameters, Stage

IN_A_SUBSPACE = 3.5
"""Numbers that a step in a subspace takes for each of its Jacobian's, itself among them."""
TRIANGLES, VECTORS = 6, 16
"""The same of a Jacobian in blocks: for each of its triangle's numbers, and for each of its rows."""
MATRICES = 3.5
"""The same for each of self-scaled Broyden's matrix."""

MOST_PAIRS = 10_000
"""Of L-BFGS. A dense matrix takes less beyond, and torch makes room for all of them at the start."""

Windows = Count | Literal["auto"]
"""Parts of the time, each with all before it, that a stage trains in one after the other; the last is the whole."""

RateSchedule = Literal["constant", "cosine", "exponential"]


@dataclass(frozen=True, config=STRICT)
class _Settings:
    """What all stages have: their limits, and what the training loop has to know of them."""

    optimiser: str
    steps: Count = 500
    max_seconds: Positive | None = None
    max_sweeps: Positive | None = None
    windows: Windows = "auto"

    @model_validator(mode="after")
    def _windows_have_steps(self) -> _Settings:
        if isinstance(self.windows, int) and 1 < self.windows > self.steps / 2:
            raise ValueError(
                f"{self.windows} windows take {2 * self.windows} steps at least, and there are {self.steps}"
            )
        return self

    first_order: ClassVar[bool] = False
    needs_smooth: ClassVar[bool] = False
    needs_squares: ClassVar[bool] = False
    log_every: ClassVar[int] = 50
    evaluate_every: ClassVar[int] = 100


@dataclass(frozen=True, config=STRICT)
class GaussNewton(_Settings):
    """Gauss-Newton with a target-ratio trust region: the method of choice up to some thousand parameters.

    Each term has to be a sum of squares: regularisers with power 2. Penalty points are drawn anew before each step and
    are the same for the Jacobian and all trial steps. The stage ends by itself when no step lowers the loss by more
    than rounding, or when sixty in a row lower it by less than a quarter in all, twenty once it has fallen by eighteen
    decades; not while a regulariser's weight is still to fall.

    Attributes:
        steps: at most so many steps.
        max_seconds: at most so long.
        max_sweeps: at most about so many network sweeps times points.
        windows: parts of the time that it trains in, each with all before it, the last being the whole; `auto` begins
            again in eight if it has stuck in the whole.
        ratio: the share of the predicted decrease that a step must reach; the boldest step that does is taken.
        acceleration: whether steps follow the curvature of the residuals to second order.
        corrections: at most so many corrections at the end of a trial step.
        sketch: the dimension of the random subspace that a step is taken in; null for all parameters while these or
            the rows are up to 3000, and for 1500 dimensions beyond.
        mixed_precision: whether to factorise in float32 while the damping is large enough for that.

    Source: after Webb, Jerad & Cartis 2026, arXiv:2607.02194.
    """

    optimiser: Literal["gauss_newton"] = "gauss_newton"
    ratio: Annotated[float, Field(gt=0, lt=1), BeforeValidator(no_boolean)] = 0.075
    acceleration: StrictBool = True
    corrections: Annotated[int, Field(ge=0), BeforeValidator(no_boolean)] = 3
    sketch: Count | None = None
    mixed_precision: StrictBool = False

    redraw_every: ClassVar[int] = 1
    needs_squares: ClassVar[bool] = True
    log_every: ClassVar[int] = 5
    evaluate_every: ClassVar[int] = 10

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        from pinnreg.optimisers.gauss_newton import GaussNewtonSteps  # noqa: PLC0415
        from pinnreg.optimisers.step import Options  # noqa: PLC0415
        from pinnreg.optimisers.trust_region import Rules  # noqa: PLC0415

        rules = Rules(self.ratio, self.acceleration, self.corrections)
        return GaussNewtonSteps(parameters, Options(rules, self.sketch, self.mixed_precision))


@dataclass(frozen=True, config=STRICT)
class SSBroyden(_Settings):
    """Self-scaled Broyden with a strong Wolfe line search. One step is one iteration; float64 is strongly advised.

    It keeps what L-BFGS drops, in a p×p matrix for p parameters: 8 MB for 1000 of them, 200 MB for 5000, and as much in
    each checkpoint. The stage ends by itself when not even the gradient's direction lowers the loss.

    Attributes:
        steps: at most so many iterations.
        max_seconds: at most so long.
        max_sweeps: at most about so many network sweeps times points.
        windows: parts of the time that it trains in, each with all before it, the last being the whole; `auto` begins
            again in eight if it has stuck in the whole.
        update: "ssbroyden" chooses the member of Broyden's family anew at each iteration; "ssbfgs" only scales BFGS.
        redraw_every: iterations between new penalty points; the matrix is kept. Without a stochastic regulariser it has
            nothing to do.

    Source: Al-Baali 1998; Urban, Stefanou & Pons 2024, arXiv:2405.04230.
    """

    optimiser: Literal["ssbroyden"] = "ssbroyden"
    update: Update = "ssbroyden"
    redraw_every: Count = 500

    needs_smooth: ClassVar[bool] = True

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage.

        Raises:
            InputError: more parameters than a dense matrix is good for.
        """
        from pinnreg.optimisers.broyden import SSBroydenSteps  # noqa: PLC0415

        return SSBroydenSteps(parameters, self.update)


@dataclass(frozen=True, config=STRICT)
class LBFGS(_Settings):
    """L-BFGS with a strong Wolfe line search. One step is one iteration; float64 is strongly advised.

    In float32 the line search soon finds no decrease above rounding, and the stage ends early; the report says so.

    Attributes:
        steps: at most so many iterations.
        max_seconds: at most so long.
        max_sweeps: at most about so many network sweeps times points.
        windows: parts of the time that it trains in, each with all before it, the last being the whole; `auto` begins
            again in eight if it has stuck in the whole.
        history: number of pairs kept, at most 10,000.
        redraw_every: iterations between new penalty points; the pairs are dropped then, since they describe another
            function. Without a stochastic regulariser it has nothing to do.
    """

    optimiser: Literal["lbfgs"] = "lbfgs"
    history: Annotated[int, Field(ge=1, le=MOST_PAIRS), BeforeValidator(no_boolean)] = 50
    redraw_every: Count = 200

    needs_smooth: ClassVar[bool] = True

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        from pinnreg.optimisers.lbfgs import LBFGSSteps  # noqa: PLC0415

        return LBFGSSteps(parameters, self.history)


@dataclass(frozen=True, config=STRICT)
class _FirstOrder(_Settings):
    """What stages of one gradient a step have: a learning rate, and how it falls."""

    steps: Count = 2000
    learning_rate: Positive = 1e-3
    schedule: RateSchedule = "constant"
    final_learning_rate: Positive | None = None

    redraw_every: ClassVar[int] = 1
    first_order: ClassVar[bool] = True

    @model_validator(mode="after")
    def _final_rate_has_effect(self: FirstOrderT) -> FirstOrderT:
        if self.schedule == "constant" and self.final_learning_rate is not None:
            raise ValueError("final_learning_rate has no effect with schedule: constant")
        return self


FirstOrderT = TypeVar("FirstOrderT", bound=_FirstOrder)


@dataclass(frozen=True, config=STRICT)
class Adam(_FirstOrder):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980).

    Attributes:
        steps: at most so many steps.
        max_seconds: at most so long.
        max_sweeps: at most about so many network sweeps times points.
        windows: parts of the time that it trains in, each with all before it, the last being the whole; `auto` begins
            again in eight if it has stuck in the whole.
        learning_rate: at the start of the stage.
        schedule: how it falls to `final_learning_rate` (1e-3 of it if not given) by the end of the stage.
    """

    optimiser: Literal["adam"] = "adam"

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        from pinnreg.optimisers.first_order import FirstOrderSteps, adam  # noqa: PLC0415

        return FirstOrderSteps(adam(parameters), parameters, partial(learning_rate, self))


@dataclass(frozen=True, config=STRICT)
class SGD(_FirstOrder):
    """Stochastic gradient descent, with momentum if asked for.

    The other attributes are those of `Adam`.
    """

    optimiser: Literal["sgd"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1), BeforeValidator(no_boolean)] = 0.0

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        from pinnreg.optimisers.first_order import FirstOrderSteps, sgd  # noqa: PLC0415

        return FirstOrderSteps(sgd(parameters, self.momentum), parameters, partial(learning_rate, self))


def learning_rate(stage: Adam | SGD, share: float) -> float:
    """The learning rate of a stage of which the share `share` is done."""
    first = stage.learning_rate
    last = stage.final_learning_rate or 1e-3 * first
    match stage.schedule:
        case "constant":
            return first
        case "cosine":
            return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
        case "exponential":
            return float(first * (last / first) ** share)


AnyStage = GaussNewton | SSBroyden | LBFGS | Adam | SGD
"""The settings of a stage that a config can name; its `optimiser` key says which."""


def check_memory(stages: Sequence[Stage], rows: int, like: Parameters, gradient: int, block: int | None = None) -> None:
    """Refuse stages that need more memory than is free, together with what a gradient takes.

    Counted from peaks of processes: of Gauss-Newton's Jacobian 1.9 to 2.3 copies with its factorisation, 3.4 where
    steps are taken in a subspace, and of self-scaled Broyden's matrix 3.3.

    Args:
        stages: of a training, one after the other.
        rows: of the residuals.
        like: the parameters.
        gradient: bytes of a gradient at its peak.
        block: rows of which there is a Jacobian at once; None for all.

    Raises:
        InputError: naming the optimiser.
    """
    width, first = sum(each.numel() for each in like.values()), next(iter(like.values()))
    for number, stage in enumerate(stages):
        entries, of_what, remedy = _entries(stage, rows, width, block)
        what = f"train.{number}: {stage.optimiser} with {of_what}"
        needs = {what: int(entries * first.element_size()), "its gradients": gradient}
        memory.check(needs, f"take {remedy}", first.device)


def _entries(stage: Stage, rows: int, width: int, block: int | None) -> tuple[float, str, str]:
    """The numbers that a stage holds, what of, and what would take fewer."""
    match stage:
        case GaussNewton():
            advice = "fewer points, a smaller network, or optimiser: lbfgs or adam, which need no Jacobian"
            within = min(rows, width) > SKETCHED_ABOVE or (stage.sketch or width) < width
            copies = IN_A_SUBSPACE if within else JACOBIANS
            if block is not None and rows > width:
                entries = copies * block * width + TRIANGLES * width**2 + VECTORS * rows
                return entries, f"{rows} rows of a Jacobian by {width} parameters, {block} at a time", advice
            if rows > width:
                advice = f"{advice}; or set points.chunk, as 2000, which takes more time"
            return copies * rows * width, f"a Jacobian of {rows} rows and {width} parameters", advice
        case SSBroyden():
            return MATRICES * width**2, f"a matrix of {width} x {width} parameters", "lbfgs, or a smaller network"
        case LBFGS():
            kept = min(stage.history, stage.steps)
            return 2 * (kept + 2) * width, f"a history of {kept} pairs", "a shorter history"
        case _:
            return 4 * width, f"{width} parameters", "a smaller network"
