"""Measurements of speed and memory, side by side in one run."""

from pinnreg.benchmarks.derivatives import ENGINES, Benchmark, Row, Setting, bench_derivatives

__all__ = ["ENGINES", "Benchmark", "Row", "Setting", "bench_derivatives"]
