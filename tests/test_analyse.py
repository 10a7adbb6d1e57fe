"""Analysing a run: the kernels of its terms against explicit Jacobians, the command from end to end, odd runs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from objectives import Placed, placed
from small_studies import Cli
from torch import Tensor
from torch.func import jacrev

import pinnreg
from pinnreg import Box, InputError, Problem, initial, periodic, plots, registry
from pinnreg.analysis import TermKernel, drift, imbalance, term_kernels, term_sharpness, weighted_sharpness
from pinnreg.config import resolve
from pinnreg.run.prepare import prepare
from pinnreg.training import read_checkpoint

KTV = {"kind": "ktv", "order": 2, "samples": 20, "weight": 1e-3}


@dataclass(frozen=True)
class Waves(Problem):
    """Two equations, two outputs, and a condition whose rows belong to pairs of points."""

    outputs = ("u", "v")
    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (periodic("x"), initial(lambda x: torch.sin(np.pi * x), of="u"), initial(0.0, of="v"))

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.t - v.x, "second": v.t - u.x * u}


def objective(**sections: Any) -> Placed:
    config = {
        "problem": Waves(),
        "network": {"hidden": [6]},
        "points": {"interior": 24, "boundary": 10},
        "conditions": "soft",
        **sections,
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


# the kernels of loss terms


def explicit(of: Placed, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """J Jᵀ/n from the rows of each term by torch.func."""
    tables = jacrev(lambda at: {name: rows.residuals for name, rows in of.rows(at).items()})(parameters)
    found = {}
    for name, table in tables.items():
        jacobian = torch.cat([each.detach().flatten(1) for each in table.values()], dim=1)
        found[name] = jacobian @ jacobian.T / len(jacobian)
    return found


def test_every_term_against_its_jacobian() -> None:
    of = objective(regularisers=[KTV, {"kind": "gpinn", "weight": 1e-3}])
    moved = {name: each.detach() + 0.1 for name, each in of.parameters.items()}
    found = term_kernels(of.objective, of.batch, moved)
    assert tuple(found) == of.names
    assert {"first", "second", "periodic", "ktv", "gpinn"} < set(found)
    tables = explicit(of, moved)
    for name, kernel in found.items():
        expected = tables[name]
        assert torch.allclose(kernel.matrix, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max())), name
        assert kernel.rows == len(expected)
        assert kernel.trace == pytest.approx(float(torch.trace(expected)))
        largest = float(torch.linalg.eigvalsh(expected)[-1])
        assert float(kernel.eigenvalues[0]) == pytest.approx(largest, rel=1e-9)
        rank = int(torch.linalg.matrix_rank(expected, rtol=1e-8, hermitian=True))
        assert kernel.effective_rank == rank


def test_some_rows_are_spread_over_all_points() -> None:
    """Of several rows a point, and of pairs of points, as many points as the limit has room for."""
    of = objective(regularisers=[KTV])
    whole, some = (term_kernels(of.objective, of.batch, of.parameters, rows=rows) for rows in (500, 12))
    assert {name: len(each.matrix) for name, each in whole.items()} == {
        name: each.values.numel() for name, each in of.rows(of.parameters).items()
    }
    assert all(0 < len(each.matrix) <= 12 for each in some.values())
    assert all(each.rows == whole[name].rows for name, each in some.items())
    picked = torch.linspace(0, 23, 12).long()
    expected = whole["first"].matrix[picked][:, picked] * 24 / 12
    assert torch.allclose(some["first"].matrix, expected, rtol=1e-10)


def test_what_has_no_kernel_is_left_out() -> None:
    of = objective(
        regularisers=[{**KTV, "power": 1}, {"kind": "ridge", "weight": 1e-3}],
        train=[{"optimiser": "adam", "steps": 1}],
    )
    assert {"ktv", "ridge"} == set(of.names) - set(term_kernels(of.objective, of.batch, of.parameters))
    with pytest.raises(InputError, match="at least 1 row, got 0"):
        term_kernels(of.objective, of.batch, of.parameters, rows=0)


def test_the_imbalance_of_terms() -> None:
    kernels = {name: TermKernel(rate * torch.eye(2), 2) for name, rate in (("a", 1.0), ("b", 8.0), ("c", 0.5))}
    assert imbalance(kernels) == 16
    assert imbalance(kernels, {"a": 4.0, "b": 1.0, "c": 0.0}) == 2
    assert imbalance(kernels, {"a": 4.0, "b": 0.0, "c": 0.0}) is None


def test_balanced_weights_make_terms_learn_alike() -> None:
    config = {"problem": "heat", "conditions": "soft", "points": {"interior": 60, "boundary": 30}}
    of = placed(prepare(resolve(config), with_reference=False).objective)
    kernels = term_kernels(of.objective, of.batch, of.parameters)
    assert set(kernels) == {"residual", "initial", "dirichlet"}
    before, after = imbalance(kernels), imbalance(kernels, of.weights)
    assert before is not None
    assert after is not None
    assert after < min(before, 3.0)


# a run


TINY: dict[str, Any] = {
    "problem": "heat",
    "network": {"hidden": [6]},
    "points": {"interior": 30, "boundary": 12},
    "conditions": "soft",
    "regularisers": [KTV],
    "weights": {"initial": 3.0},
    "train": [{"optimiser": "adam", "steps": 60, "learning_rate": 1e-2}],
    "evaluate": {"grid": 5},
    "device": "cpu",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("runs") / "tiny"
    pinnreg.solve(TINY, out=folder, figures=False)
    return folder


def test_the_command_from_end_to_end(cli: Cli, run: Path) -> None:
    code, out, err = cli("analyse", run, "--json", "mine/copy.json", "--eigenvalues", "3")
    assert (code, err) == (0, "")
    found = json.loads((run / "analysis.json").read_text(encoding="utf-8"))
    assert found == json.loads(Path("mine/copy.json").read_text(encoding="utf-8"))
    assert (run / "analysis.png").stat().st_size > 10_000
    assert str(run / "analysis.json") in out
    for name in ("residual", "initial", "dirichlet", "ktv", "weighted sum", "imbalance", "drift", "variation"):
        assert name in out
    assert found["step"] == 60
    assert found["problem"]["name"] == "heat"
    assert found["hessian"]["terms"]["initial"]["weight"] == 3.0
    assert len(found["hessian"]["weighted_sum"]["eigenvalues"]) == 3
    assert list(found["variation"]) == ["1", "2", "3", "4", "5"]


def test_the_numbers_are_those_of_the_checkpoint(run: Path) -> None:
    """Parameters, points and weights of the end of training, and the start as the config gives it."""
    found = pinnreg.analyse(run, out=False)
    resolved = resolve(yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")) | {"provenance": {}})
    prepared = prepare(resolved, with_reference=False)
    of, state = placed(prepared.objective), read_checkpoint(run / "checkpoint.pt", torch.device("cpu"))
    after = state["parameters"]
    before = {name: each.detach().clone() for name, each in of.parameters.items()}
    of = of.with_state(state["objective"])
    assert found.folder is None
    assert found.weights == of.weights
    for name, each in term_sharpness(of.objective, of.batch, after).items():
        assert found.hessian[name] == each
    assert found.total == weighted_sharpness(of.objective, of.batch, after)
    last, first = explicit(of, after), explicit(of, before)
    for name in of.names:
        assert torch.allclose(found.kernels[name].matrix, last[name], rtol=1e-8, atol=1e-8)
        assert torch.allclose(found.initial[name].matrix, first[name], rtol=1e-8, atol=1e-8)
        change = torch.linalg.norm(found.kernels[name].matrix - found.initial[name].matrix)
        expected = float(change / torch.linalg.norm(found.initial[name].matrix))
        assert found.summary()["kernels"]["terms"][name]["drift"] == pytest.approx(expected)
    points = of.points[""].x
    assert found.network == drift(prepared.network, before, after, points)
    start, end = (torch.cat([each.flatten() for each in state.values()]) for state in (before, after))
    assert found.network.parameters == pytest.approx(float((end - start).norm() / start.norm()))
    assert found.parameters == len(start)


def test_a_run_that_was_killed(run: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("config.yaml", "checkpoint.pt"):
        shutil.copy(run / name, killed)
    found, expected = (pinnreg.analyse(folder, out=False).summary() for folder in (killed, run))
    assert found == expected | {"run": str(killed)}


def test_another_folder_and_format(run: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    found = pinnreg.analyse(run, out=tmp_path / "new" / "there", figure="svg", eigenvalues=1)
    assert found.folder == tmp_path / "new" / "there"
    assert {path.name for path in found.folder.iterdir()} == {"analysis.json", "analysis.svg"}
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_an_analysis_does_not_outlive_its_run(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    for name in ("analysis.json", "analysis.png"):
        (again / name).touch()
    pinnreg.solve(None, {"train.0.steps": 61}, out=again, resume=True, figures=False)
    assert not list(again.glob("analysis.*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["RUN", "--format", "gif"], "gif"),
        (["RUN", "--eigenvalues", "0"], "at least 1 eigenvalue, got 0"),
        (["RUN", "--out", "mine.yaml"], "mine.yaml: cannot be written"),
        (["RUN", "--json", "."], "it is a folder"),
        (["BROKEN"], "corrupt checkpoint"),
        (["NAN"], "is not finite"),
    ],
)
def test_bad_input(cli: Cli, run: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    folders = {"RUN": run}
    for name in ("BROKEN", "NAN"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        shutil.copy(run / "config.yaml", folders[name])
    (folders["BROKEN"] / "checkpoint.pt").write_bytes(b"no checkpoint")
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    next(iter(state["parameters"].values())).fill_(torch.nan)
    torch.save(state, folders["NAN"] / "checkpoint.pt")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = cli("analyse", *(folders.get(each, each) for each in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before


# runs that are not like others

ADAM = {"optimiser": "adam", "steps": 2}
ODD: dict[str, tuple[dict[str, Any], set[str]]] = {
    "power one": (
        {"regularisers": [{**KTV, "power": 1}]},
        {"the kinks of |s| in the Hessian of ktv with power 1", "the tangent kernel of ktv with power 1"},
    ),
    "smoothed": (
        {"regularisers": [{**KTV, "power": 1}], "train": [{"optimiser": "lbfgs", "steps": 2}]},
        {"the tangent kernel of ktv with power 1"},
    ),
    "ridge in single precision": (
        {"regularisers": [{"kind": "ridge", "weight": 1e-3}], "dtype": "float32"},
        {"the tangent kernel of ridge"},
    ),
    "noise and chunks": (
        {
            "regularisers": [{"kind": "weight_noise", "sigma": 0.01}],
            "points": {"interior": 20, "chunk": 7},
            "conditions": "exact",
        },
        {"the noise of weight_noise"},
    ),
    "no weight": ({"weights": {"residual": 0.0, "initial": 0.0, "dirichlet": 0.0}}, set()),
    "no equation": ({"problem": "regression", "points": {"interior": 9}, "conditions": "default"}, set()),
    "unknown": (
        {"measurements": [{"samples": 9, "trim": 0.2}], "unknown": {"alpha": {"start": 1.0, "positive": True}}},
        set(),
    ),
    "annealed": (
        {
            "regularisers": [{**KTV, "schedule": "linear"}],
            "train": [{"optimiser": "gauss_newton", "steps": 3}],
            "conditions": "exact",
        },
        set(),
    ),
}


@pytest.mark.first(2)
@pytest.mark.parametrize("kind", ODD)
def test_odd_runs(kind: str, tmp_path: Path) -> None:
    sections, left_out = ODD[kind]
    common = {**TINY, "regularisers": [], "weights": {}, "train": [ADAM], "points": {"interior": 20, "boundary": 8}}
    pinnreg.solve({**common, **sections}, out=tmp_path / "run", figures=False)
    found = pinnreg.analyse(tmp_path / "run", out=False, eigenvalues=2)
    assert {note.partition(",")[0].partition(":")[0] for note in found.notes} == left_out
    assert all(np.isfinite([each.trace, each.largest]).all() for each in (*found.hessian.values(), found.total))
    assert all(each.eigenvalues.isfinite().all() for each in found.kernels.values())
    assert np.isfinite([found.network.parameters, found.network.kernel, *found.network.smallest]).all()
    assert all(np.isfinite([each.value, each.error]).all() for each in found.variations.values())
    json.dumps(found.summary(), allow_nan=False)
    if kind == "annealed":  # to zero: nothing but the residual counts any more
        assert found.weights["ktv"] == 0
        assert found.total == found.hessian["residual"]
    if kind == "unknown":
        assert found.parameters == 6 * 3 + 6 + 1 + 1


def test_a_problem_that_is_an_object(tmp_path: Path) -> None:
    config = {"problem": Waves(), "network": {"hidden": [4]}, "points": {"interior": 12}, "train": [ADAM]}
    pinnreg.solve({**config, "evaluate": {"grid": 4}, "device": "cpu"}, out=tmp_path / "run", figures=False)
    with pytest.raises(InputError, match="given as an object of Python"):
        pinnreg.analyse(tmp_path / "run", out=False)
    found = pinnreg.analyse(tmp_path / "run", problem=Waves(), out=False)
    assert list(found.hessian) == ["first", "second", "initial_u", "initial_v"]
    assert found.summary()["problem"] == {"name": "waves"}


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.shipped_configs())
def test_every_shipped_config(name: str, tmp_path: Path) -> None:
    pinnreg.solve(name, {"train.0.steps": 3, "device": "cpu"}, out=tmp_path / "run", figures=False)
    found = pinnreg.analyse(tmp_path / "run")
    assert set(found.kernels) | {"ridge", "orthogonality"} >= set(found.hessian)
    assert all(np.isfinite([each.trace, each.largest]).all() for each in found.hessian.values())


# the figure


def test_the_figure_shows_every_term_in_its_colour() -> None:
    spectrum = 10.0 ** -np.arange(8)
    terms = {
        "residual": plots.TermAnalysis(spectrum, 2 * spectrum, [3.0, 2.0, -1.0]),
        "$5": plots.TermAnalysis(None, None, []),
        "initial": plots.TermAnalysis(np.append(spectrum, [0.0, np.nan]), spectrum, [1.0]),
    }
    figure = plots.analysis(terms, [4.0, 1.0], {1: (1.0, 0.1), 2: (5.0, 9.0), 3: (np.nan, 0.0)}, title="a run")
    kernels, curvatures, varied = figure.axes
    assert [len(line.get_xdata()) for line in kernels.lines] == [8, 8, 8, 8]
    colours = [line.get_color() for line in kernels.lines]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    # one line a term and one for the sum; a negative eigenvalue has no place on a logarithmic axis
    assert [line.get_ydata().tolist() for line in curvatures.lines] == [[3.0, 2.0], [], [1.0], [4.0, 1.0]]
    assert curvatures.lines[0].get_color() == colours[0]
    assert curvatures.lines[2].get_color() == colours[2]
    assert varied.lines[0].get_xydata().tolist() == [[1, 1.0], [2, 5.0]]
    assert all(ax.get_yscale() == "log" and ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["residual", "$5", "initial", "weighted sum", "before training"]


def test_a_figure_of_nothing() -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        plots.analysis({}, [], {}, title="")
