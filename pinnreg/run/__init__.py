"""The straight line: config -> problem -> objective -> training -> comparison -> figures."""

from pinnreg.run.folder import RunFolder
from pinnreg.run.line import evaluate, load, load_config, problem, solve, write_figures

__all__ = [
    "RunFolder",
    "evaluate",
    "load",
    "load_config",
    "problem",
    "solve",
    "write_figures",
]
