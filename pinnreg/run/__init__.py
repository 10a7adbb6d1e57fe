"""The straight line: config -> problem -> objective -> training -> comparison -> figures."""

from pinnreg.run.analysing import Analysis, analyse
from pinnreg.run.folder import RunFolder
from pinnreg.run.line import evaluate, load, load_config, problem, solve
from pinnreg.run.prepare import choose_device
from pinnreg.run.results import redraw

__all__ = [
    "Analysis",
    "RunFolder",
    "analyse",
    "choose_device",
    "evaluate",
    "load",
    "load_config",
    "problem",
    "redraw",
    "solve",
]
