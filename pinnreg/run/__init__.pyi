from .analysing import Analysis, analyse
from .animating import animate
from .bootstrapping import Bootstrapped
from .comparing import Comparison, compare
from .exporting import export
from .folder import RunFolder
from .line import evaluate, load, load_config, problem, solve
from .prepare import choose_device
from .redrawing import redraw
from .reporting import report_page
from .sharing import follow
from .solution import Solution

__all__ = [
    "Analysis",
    "Bootstrapped",
    "Comparison",
    "RunFolder",
    "Solution",
    "analyse",
    "animate",
    "choose_device",
    "compare",
    "evaluate",
    "export",
    "follow",
    "load",
    "load_config",
    "problem",
    "redraw",
    "report_page",
    "solve",
]
