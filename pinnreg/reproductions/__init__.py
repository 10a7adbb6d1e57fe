"""The papers' own experiments, made again: each ends in tables, a figure, and a verdict computed from its numbers.

All training goes through the loop, the objectives, the noise and the optimisers that solve PDEs; replicas, seeds and
settings side by side, run as one batch.
"""

from pinnreg.reproductions.model import Claim, Columns, Experiment, Progress, Reproduction, Rows, Table
from pinnreg.reproductions.runner import EXPERIMENTS, folder_of, reproduce

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
]
