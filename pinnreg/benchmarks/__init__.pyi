from .cases import Case
from .classical import ScipyRow
from .clocked import OptimiserRun
from .coverage import (
    Coverage,
    CoverageBenchmark,
    CoverageRow,
    DataSet,
    Found,
    bench_coverage,
    data_set,
    rows_of,
)
from .covered import COVERED, FEWER, CoverageCase, covered
from .engines import Benchmark, Row, Setting, bench_derivatives
from .estimates import (
    EstimatesBenchmark,
    EstimatesRow,
    FailedRun,
    Ratios,
    Totals,
    bench_estimates,
    is_right,
)
from .failures import ESTIMATED, FAILURES, RIGHT, WRONG, Failure, chosen
from .least_squares import Fit, FitRow, LeastSquaresBenchmark, bench_least_squares
from .optimisers import AnyRow, OptimiserBenchmark, OptimiserRow, OptimiserSetting, bench_optimisers
from .peer_cases import DEEPXDE, OWN, PEER_CASES, check_peers
from .peer_recipes import PEER_RECIPES
from .peer_runs import PeerRun
from .peer_verdicts import PeerRow, Verdict
from .peers import PeerBenchmark, PeerSetting, bench_peers
from .pictures import EXAMPLES, Example, Picture
from .recipes import PROBLEMS, RECIPES
from .stopping import State, Stop
from .trace import DECADES

__all__ = [
    "COVERED",
    "DECADES",
    "DEEPXDE",
    "ESTIMATED",
    "EXAMPLES",
    "FAILURES",
    "FEWER",
    "OWN",
    "PEER_CASES",
    "PEER_RECIPES",
    "PROBLEMS",
    "RECIPES",
    "RIGHT",
    "WRONG",
    "AnyRow",
    "Benchmark",
    "Case",
    "Coverage",
    "CoverageBenchmark",
    "CoverageCase",
    "CoverageRow",
    "DataSet",
    "EstimatesBenchmark",
    "EstimatesRow",
    "Example",
    "FailedRun",
    "Failure",
    "Fit",
    "FitRow",
    "Found",
    "LeastSquaresBenchmark",
    "OptimiserBenchmark",
    "OptimiserRow",
    "OptimiserRun",
    "OptimiserSetting",
    "PeerBenchmark",
    "PeerRow",
    "PeerRun",
    "PeerSetting",
    "Picture",
    "Ratios",
    "Row",
    "ScipyRow",
    "Setting",
    "State",
    "Stop",
    "Totals",
    "Verdict",
    "bench_coverage",
    "bench_derivatives",
    "bench_estimates",
    "bench_least_squares",
    "bench_optimisers",
    "bench_peers",
    "check_peers",
    "chosen",
    "covered",
    "data_set",
    "is_right",
    "rows_of",
]
