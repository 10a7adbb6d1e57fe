"""What the keys of the optimisers change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from options.cases import Case, all_values, case, config, differ, prepared, same, solved, with_ktv
from pinnreg import InputError

OPTIMISERS = ("adam", "sgd", "lbfgs", "ssbroyden", "gauss_newton")


@case(*(f"train.{name}.optimiser" for name in OPTIMISERS))
def train_optimiser(_: Path) -> None:
    differ(config({"steps": 3, "optimiser": "adam"}), "train__0__optimiser", *OPTIMISERS)
    with pytest.raises(InputError, match="'adm'; did you mean 'adam'"):
        solved(config(), train__0__optimiser="adm")


def has_steps(optimiser: str) -> Case:
    def steps(_: Path) -> None:
        runs = differ(config({"optimiser": optimiser}), "train__0__steps", 1, 2, 5)
        assert [run.history["step"][-1] for run in runs] == [1, 2, 5]

    return steps


def has_max_seconds(optimiser: str) -> Case:
    def max_seconds(_: Path) -> None:
        base = config({"optimiser": optimiser, "steps": 4})
        free, short, long = (solved(base, train__0__max_seconds=each) for each in (None, 1e-9, 1e9))
        assert free.history["step"][-1] == long.history["step"][-1] == 4
        assert short.history["step"][-1] < 4
        assert same(free, long)

    return max_seconds


def has_max_sweeps(optimiser: str) -> Case:
    def max_sweeps(_: Path) -> None:
        steps = 5 if optimiser == "gauss_newton" else 12  # more than a block of a quasi-Newton method
        base = config({"optimiser": optimiser, "steps": steps})
        free, short, long = (solved(base, train__0__max_sweeps=each) for each in (None, 10, 1e9))
        assert free.history["step"][-1] == long.history["step"][-1] == steps
        assert short.history["step"][-1] < steps
        assert short.history["sweeps"][-1] >= 10 > short.history["sweeps"][0] == 0
        assert same(free, long)

    return max_sweeps


def has_windows(optimiser: str) -> Case:
    def windows(_: Path) -> None:
        stage = {"optimiser": optimiser, "steps": 6, "learning_rate": 1e-3}
        base = config(stage if optimiser in ("adam", "sgd") else {"optimiser": optimiser, "steps": 6})
        whole, _ = differ(base, "train__0__windows", 1, 3)
        assert same(whole, solved(base))  # it has not stuck

    return windows


def has_learning_rate(optimiser: str) -> Case:
    def learning_rate(_: Path) -> None:
        base = config({"optimiser": optimiser, "steps": 1})
        start = prepared(base).objective.model.initial()
        runs = differ(base, "train__0__learning_rate", 1e-4, 2e-4)
        moves = [
            torch.cat([(run.parameters[name] - value).reshape(-1) for name, value in start.items()]) for run in runs
        ]
        assert torch.allclose(moves[1], 2 * moves[0], rtol=1e-6)

    return learning_rate


def has_schedule(optimiser: str) -> Case:
    def schedule(_: Path) -> None:
        key = f"train.{optimiser}.schedule"
        differ(config({"optimiser": optimiser, "steps": 4}), "train__0__schedule", *all_values(key))

    return schedule


def has_final_learning_rate(optimiser: str) -> Case:
    def final_learning_rate(_: Path) -> None:
        for schedule in ("cosine", "exponential"):
            base = config({"optimiser": optimiser, "steps": 4, "schedule": schedule})
            default, *_others = differ(base, "train__0__final_learning_rate", None, 1e-4, 1e-3)
            assert same(default, solved(base, train__0__final_learning_rate=1e-6))  # 1e-3 of the first
        with pytest.raises(InputError, match="final_learning_rate has no effect with schedule: constant"):
            solved(config({"optimiser": optimiser}), train__0__final_learning_rate=1e-4)

    return final_learning_rate


for _name in OPTIMISERS:
    case(f"train.{_name}.steps")(has_steps(_name))
    case(f"train.{_name}.max_seconds")(has_max_seconds(_name))
    case(f"train.{_name}.max_sweeps")(has_max_sweeps(_name))
    case(f"train.{_name}.windows")(has_windows(_name))
for _name in ("adam", "sgd"):
    case(f"train.{_name}.learning_rate")(has_learning_rate(_name))
    case(f"train.{_name}.schedule")(has_schedule(_name))
    case(f"train.{_name}.final_learning_rate")(has_final_learning_rate(_name))


@case("train.sgd.momentum")
def sgd_momentum(_: Path) -> None:
    differ(config({"optimiser": "sgd", "steps": 4}), "train__0__momentum", 0.0, 0.5, 0.9)


@case("train.lbfgs.history")
def lbfgs_history(_: Path) -> None:
    differ(config({"optimiser": "lbfgs", "steps": 6}), "train__0__history", 1, 3, 50)


def has_redraw_every(optimiser: str) -> Case:
    def redraw_every(_: Path) -> None:
        base = with_ktv({"optimiser": optimiser, "steps": 8})
        differ(base, "train__0__redraw_every", 3, 5, 7, 200)
        plain = config({"optimiser": optimiser, "steps": 5})  # without a regulariser there is nothing to draw
        assert same(solved(plain, train__0__redraw_every=3), solved(plain, train__0__redraw_every=200))

    return redraw_every


for _name in ("lbfgs", "ssbroyden"):
    case(f"train.{_name}.redraw_every")(has_redraw_every(_name))


@case("train.ssbroyden.update")
def ssbroyden_update(_: Path) -> None:
    base = config({"optimiser": "ssbroyden", "steps": 6})
    differ(base, "train__0__update", *all_values("train.ssbroyden.update"))


@case("train.gauss_newton.ratio")
def gauss_newton_ratio(_: Path) -> None:
    differ(config({"optimiser": "gauss_newton", "steps": 3}), "train__0__ratio", 0.075, 0.7, 0.95)


@case("train.gauss_newton.acceleration")
def gauss_newton_acceleration(_: Path) -> None:
    differ(config({"optimiser": "gauss_newton", "steps": 2}), "train__0__acceleration", True, False)


@case("train.gauss_newton.corrections")
def gauss_newton_corrections(_: Path) -> None:
    differ(config({"optimiser": "gauss_newton", "steps": 3}), "train__0__corrections", 0, 1, 3)


@case("train.gauss_newton.sketch")
def gauss_newton_sketch(_: Path) -> None:
    base = config({"optimiser": "gauss_newton", "steps": 2})
    whole, *_others = differ(base, "train__0__sketch", None, 5, 10)
    parameters = sum(values.numel() for values in whole.parameters.values())
    assert same(whole, solved(base, train__0__sketch=parameters))  # no subspace is larger


@case("train.gauss_newton.mixed_precision")
def gauss_newton_mixed_precision(_: Path) -> None:
    base = config({"optimiser": "gauss_newton", "steps": 2})
    double, single = differ(base, "train__0__mixed_precision", False, True)
    assert single.history["loss"][-1] == pytest.approx(double.history["loss"][-1], rel=1e-3)
