from .accuracy import (
    AccuracyBenchmark,
    AccuracyRow,
    AccuracySetting,
    AnyRow,
    Run,
    ScipyRow,
    bench_accuracy,
)
from .engines import Benchmark, Row, Setting, bench_derivatives
from .least_squares import Fit, FitRow, LeastSquaresBenchmark, bench_least_squares
from .recipes import PROBLEMS, RECIPES
from .trace import DECADES

__all__ = [
    "DECADES",
    "PROBLEMS",
    "RECIPES",
    "AccuracyBenchmark",
    "AccuracyRow",
    "AccuracySetting",
    "AnyRow",
    "Benchmark",
    "Fit",
    "FitRow",
    "LeastSquaresBenchmark",
    "Row",
    "Run",
    "ScipyRow",
    "Setting",
    "bench_accuracy",
    "bench_derivatives",
    "bench_least_squares",
]
