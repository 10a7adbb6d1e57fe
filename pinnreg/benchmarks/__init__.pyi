from .accuracy import AccuracyBenchmark, AccuracyRow, AccuracyRun, bench_accuracy
from .cases import CASES, Case, Limit, cases_named
from .engines import Benchmark, Row, Setting, bench_derivatives
from .least_squares import Fit, FitRow, LeastSquaresBenchmark, bench_least_squares
from .optimisers import (
    AnyRow,
    OptimiserBenchmark,
    OptimiserRow,
    OptimiserRun,
    OptimiserSetting,
    ScipyRow,
    bench_optimisers,
)
from .recipes import PROBLEMS, RECIPES
from .trace import DECADES

__all__ = [
    "CASES",
    "DECADES",
    "PROBLEMS",
    "RECIPES",
    "AccuracyBenchmark",
    "AccuracyRow",
    "AccuracyRun",
    "AnyRow",
    "Benchmark",
    "Case",
    "Fit",
    "FitRow",
    "LeastSquaresBenchmark",
    "Limit",
    "OptimiserBenchmark",
    "OptimiserRow",
    "OptimiserRun",
    "OptimiserSetting",
    "Row",
    "ScipyRow",
    "Setting",
    "bench_accuracy",
    "bench_derivatives",
    "bench_least_squares",
    "bench_optimisers",
    "cases_named",
]
