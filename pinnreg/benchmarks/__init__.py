"""Measurements of speed and memory, side by side in one run."""

from pinnreg.benchmarks.engines import Benchmark, Row, Setting, bench_derivatives

__all__ = ["Benchmark", "Row", "Setting", "bench_derivatives"]
