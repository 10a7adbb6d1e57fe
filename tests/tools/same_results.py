"""Whether two checkouts train to the same parameters, bit for bit.

    python tests/tools/same_results.py record DIR      # in each checkout, with its own environment
    python tests/tools/same_results.py compare DIR DIR

Each case is a shipped config, or one that reaches another part of the engine, cut to 30 steps and without a clock. What
is compared are the parameters in the checkpoints, and the history but for its seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

STEPS = 30
SHIPPED = (
    *("poisson", "poisson1d", "heat", "burgers", "burgers_nu001", "burgers_joint", "heat_inverse"),
    *("heat_weight_noise", "poisson_noise_stability", "burgers_gpinn", "poisson_quadratic", "regression_ktv"),
)
KEPT = {"resample": "fresh", "resample_every": None}
SMALL = {"network": {"hidden": [10, 10]}, "points": {"interior": 200, "boundary": 80, **KEPT}}
NOISY = {"samples": 60, "noise": 0.05, "outliers": 0.05}


def _small(name: str, optimiser: str, **sections: Any) -> dict[str, Any]:
    """A small problem trained by one optimiser, which some sections make special."""
    points = SMALL["points"] | sections.pop("points", {})
    stage = {"optimiser": optimiser} | sections.pop("stage", {})
    return {"problem": {"name": name}, "train": [stage], "network": SMALL["network"], "points": points, **sections}


EACH = {"resample_every": 8}
FRESH = {"resample": "fresh", **EACH}
REDRAWN = {"resample": "residual", "resample_every": 7, "importance": True}
KTV1 = {"kind": "ktv", "order": 1, "power": 1, "weight": 1e-4, "samples": 40}
FULL = {"kind": "ktv", "order": 2, "mixed": "full", "weight": 1e-6, "samples": 40, "schedule": "linear"}
CASES: dict[str, dict[str, Any]] = {
    "adam_resampled": _small("heat", "adam", points=REDRAWN, regularisers=[KTV1], conditions="soft"),
    "adam_batch": _small("heat", "adam", measurements=[NOISY | {"batch": 20}], conditions="soft"),
    "adam_chunk": _small("burgers", "adam", points={"chunk": 64}, regularisers=[FULL]),
    "adam_compiled": _small("heat", "adam", compile=True, conditions="soft"),
    "sgd_noise": _small("poisson", "sgd", regularisers=[{"kind": "weight_noise", "sigma": 0.01}]),
    "sgd_trim": _small("regression", "sgd", measurements=[NOISY | {"trim": 0.1}]),
    "lbfgs_resampled": _small("burgers", "lbfgs", points=FRESH, regularisers=[KTV1], conditions="soft"),
    "ssbroyden": _small("heat", "ssbroyden", regularisers=[FULL], stage={"redraw_every": 10}, conditions="soft"),
    "newton_resampled": _small("burgers", "gauss_newton", points=REDRAWN, regularisers=[FULL], conditions="soft"),
    "newton_refined": _small("burgers", "gauss_newton", points={"resample": "refine"} | EACH, conditions="soft"),
    "newton_chunk": _small("heat", "gauss_newton", points={"chunk": 64}, conditions="soft"),
    "newton_sketch": _small("poisson", "gauss_newton", stage={"sketch": 60}),
    "newton_trim": _small("heat", "gauss_newton", measurements=[NOISY | {"trim": 0.1}], points=FRESH),
    "newton_jacobian": _small(
        "burgers", "gauss_newton", regularisers=[{"kind": "jacobian", "weight": 1e-5, "centre": "data"}]
    ),
    "newton_gpinn": _small(
        "heat", "gauss_newton", regularisers=[{"kind": "gpinn", "weight": 1e-4, "samples": 50}], points=REDRAWN
    ),
    "newton_unknown": _small(
        "heat",
        "gauss_newton",
        unknown={"alpha": {"start": 1.0, "positive": True}},
        measurements=[NOISY],
        regularisers=[{"kind": "ridge", "weight": 1e-6}, {"kind": "noise_stability", "sigma": 1e-3}],
        conditions="soft",
    ),
}


def record(folder: Path) -> None:
    """Train every case, each in a folder of its own; finished ones are left."""
    import pinnreg

    for name, config in {**dict.fromkeys(SHIPPED), **CASES}.items():
        out = folder / name
        if (out / "report.json").is_file():
            continue
        given = name if config is None else config
        stages = range(len(pinnreg.load_config(given).train))
        changes = {
            f"train.{n}.{key}": value for n in stages for key, value in (("steps", STEPS), ("max_seconds", None))
        }
        pinnreg.solve(given, changes, out=out, figures=False, overwrite=True)
        print(name, flush=True)


def compare(one: Path, other: Path) -> int:
    """Print the largest relative difference of each case; 1 if any is not zero."""
    import torch

    worst = 0.0
    for name in [*SHIPPED, *CASES]:
        first, second = (
            torch.load(folder / name / "checkpoint.pt", weights_only=True)["parameters"] for folder in (one, other)
        )
        same = first.keys() == second.keys()
        gaps = [float((first[key] - second[key]).abs().max() / first[key].abs().max()) for key in first if same]
        histories = [_without_seconds(folder / name / "history.csv") for folder in (one, other)]
        gap = max(gaps, default=float("inf"))
        print(f"{name:24} {gap:.1e}  {'same history' if histories[0] == histories[1] else 'OTHER HISTORY'}")
        worst = max(worst, gap, float(histories[0] != histories[1]))
    return int(worst > 0)


def _without_seconds(path: Path) -> list[list[str]]:
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    return [[cell for column, cell in enumerate(row) if rows[0][column] != "seconds"] for row in rows]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", folder]:
            record(Path(folder))
        case ["compare", one, other]:
            sys.exit(compare(Path(one), Path(other)))
        case _:
            sys.exit(__doc__)
