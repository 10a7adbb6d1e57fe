"""What every optimiser is to the training loop, and what optimisers need of that which they minimise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, final

if TYPE_CHECKING:
    from torch import Tensor

    from pinnreg.objective import Jacobian, Target

Parameters: TypeAlias = "dict[str, Tensor]"

SKETCHED_ABOVE = 3000
"""Parameters, and rows, from which Gauss-Newton steps are taken in a subspace, if nothing else is asked for."""

JACOBIANS = 2.5
"""Numbers that a step takes for each of its Jacobian's, itself among them."""

Update = Literal["ssbroyden", "ssbfgs"]
"""How self-scaled methods change their matrix: the member of Broyden's family chosen anew, or BFGS's."""


class Linear(Protocol):
    """Residuals to first order."""

    @property
    def residuals(self) -> Tensor:
        """r, (n,)."""

    @property
    def jacobian(self) -> Tensor | Jacobian:
        """Their derivatives by all parameters in their order, (n, p); best one column after the other in memory."""


class SumOfSquares(Protocol):
    """A function Σ r² of parameters."""

    def residuals(self, parameters: Parameters) -> Tensor:
        """r, (n,)."""


@final
@dataclass(frozen=True)
class Advance:
    """What `advance` did.

    Attributes:
        steps: how many steps it made.
        losses: the unweighted value of each term where it began.
        stop: why the stage should end, or None.
    """

    steps: int
    losses: dict[str, Tensor]
    stop: str | None = None


class Optimiser(Protocol):
    """Advances parameters in place; all its state is in `state()`."""

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        """Make at least one and at most `limit` steps; this stage has made `step`, which is the share `share` of it."""

    def forget(self) -> None:
        """The objective is another one now: drop what was learnt about the old one, if that would mislead."""

    def state(self) -> dict[str, Any]:
        """Dicts, lists, numbers, strings and tensors from which `load_state` continues bit for bit."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""


class Stage(Protocol):
    """The settings of one stage of training; a class of one's own is one as well."""

    @property
    def optimiser(self) -> str:
        """Its name in a config and in messages."""

    @property
    def steps(self) -> int:
        """At most so many steps."""

    @property
    def max_seconds(self) -> float | None:
        """At most so long."""

    @property
    def max_sweeps(self) -> float | None:
        """At most about so many network sweeps times points."""

    @property
    def windows(self) -> int | Literal["auto"]:
        """Time windows that it trains in one after the other; "auto": in some once it has stuck."""

    @property
    def redraw_every(self) -> int:
        """Steps between new penalty points."""

    @property
    def log_every(self) -> int:
        """Steps between rows of the history, few where steps are costly."""

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations of the error."""

    @property
    def first_order(self) -> bool:
        """Whether a step is a gradient's only, so that noise averages out over steps."""

    @property
    def needs_smooth(self) -> bool:
        """Whether |s| has to be smoothed at 0."""

    @property
    def needs_squares(self) -> bool:
        """Whether each term has to be a sum of squares."""

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage, for leaf tensors that it is to change in place."""
