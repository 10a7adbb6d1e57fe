"""The one training loop, with its checkpoints and its history."""

from pinnreg.training.checkpoint import position_of, read_checkpoint, write_checkpoint
from pinnreg.training.history import History, read_history
from pinnreg.training.hooks import Hooks, Outcome
from pinnreg.training.loop import train
from pinnreg.training.position import Position

__all__ = [
    "History",
    "Hooks",
    "Outcome",
    "Position",
    "position_of",
    "read_checkpoint",
    "read_history",
    "train",
    "write_checkpoint",
]
