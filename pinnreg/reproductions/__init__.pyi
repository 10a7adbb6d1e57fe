from .experiments import EXPERIMENTS, summary
from .model import Claim, Columns, Experiment, Progress, Reproduction, Rows, Table
from .runner import folder_of, reproduce

__all__ = [
    "EXPERIMENTS",
    "Claim",
    "Columns",
    "Experiment",
    "Progress",
    "Reproduction",
    "Rows",
    "Table",
    "folder_of",
    "reproduce",
    "summary",
]
