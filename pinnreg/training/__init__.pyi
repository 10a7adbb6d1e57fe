from .checkpoint import flaw_in, flaw_in_start, position_of, read_checkpoint, write_checkpoint
from .history import History, is_lost, read_history
from .hooks import Hooks, Outcome, Row
from .loop import train
from .position import Position, is_limit

__all__ = [
    "History",
    "Hooks",
    "Outcome",
    "Position",
    "Row",
    "flaw_in",
    "flaw_in_start",
    "is_limit",
    "is_lost",
    "position_of",
    "read_checkpoint",
    "read_history",
    "train",
    "write_checkpoint",
]
