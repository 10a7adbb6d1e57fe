"""Measurements of speed, memory and accuracy, side by side in one run."""

from pinnreg.benchmarks.accuracy import (
    AccuracyBenchmark,
    AccuracyRow,
    AccuracySetting,
    AnyRow,
    Run,
    ScipyRow,
    bench_accuracy,
)
from pinnreg.benchmarks.engines import Benchmark, Row, Setting, bench_derivatives
from pinnreg.benchmarks.least_squares import Fit, FitRow, LeastSquaresBenchmark, bench_least_squares
from pinnreg.benchmarks.recipes import PROBLEMS, RECIPES
from pinnreg.benchmarks.trace import DECADES

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
