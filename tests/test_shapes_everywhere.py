"""Problems on shapes work with whatever problems on boxes do: regularisers, points, measurements, studies, analyses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from quick import only

import pinnreg
from pinnreg import Annulus, Ball, Box, InputError, Polygon, Problem, dirichlet, initial, neumann
from pinnreg.cli import main
from pinnreg.studies.worker import Task


@dataclass(frozen=True)
class Disc(Problem):
    """-Δu = 4 within the unit circle, with an exact condition."""

    domain = Ball(x=0, y=0, radius=1)
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return u.laplacian + 4

    def reference(self) -> Any:
        return lambda x, y: 1 - x**2 - y**2


@dataclass(frozen=True)
class Holed(Problem):
    """Δu = 0 on a triangle with a hole, in time, with soft conditions."""

    domain = (Polygon([(-2, -1), (2, -1), (0, 2)]) - Ball(x=0, y=0, radius=0.3, name="hole")).over(t=(0, 1))
    conditions = (dirichlet(lambda x: 1.0 * x, on=("edge1", "edge2", "edge3")), neumann(0.0, on="hole"), initial(0.0))

    def residual(self, u: Any) -> Any:
        return u.t - u.laplacian


PROBLEMS = {"exact": Disc(), "soft": Holed()}
SMALL: dict[str, Any] = {
    "network": {"hidden": [5]},
    "points": {"interior": 40, "boundary": 20},
    "evaluate": {"grid": 13},
    "train": [{"optimiser": "gauss_newton", "steps": 3}],
}
each_problem = pytest.mark.parametrize("name", PROBLEMS)


def solve(name: str, out: Any = False, **sections: Any) -> pinnreg.Solution:
    return pinnreg.solve({"problem": PROBLEMS[name], **SMALL, **sections}, out=out)


KINDS: list[dict[str, Any]] = [
    {"kind": "ktv", "order": 2, "weight": 1e-4, "samples": 30},
    {"kind": "ktv", "order": 1, "power": 2, "weight": 1e-4, "samples": 30, "axes": "space"},
    {"kind": "jacobian", "weight": 1e-4},
    {"kind": "jacobian", "weight": 1e-4, "samples": 30},
    {"kind": "gpinn", "weight": 1e-4},
    {"kind": "ridge", "weight": 1e-4},
    {"kind": "noise_stability", "sigma": 0.01, "samples": 2},
]


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("name", "entry"),
    [
        pytest.param(
            name,
            entry,
            id="_".join(map(str, entry.values())) + f"-{name}",
            marks=() if number % 2 == turn and number not in (3, 5) else pytest.mark.slow,
        )
        for number, entry in enumerate(KINDS)
        for turn, name in enumerate(PROBLEMS)
    ],
)
def test_regularisers(name: str, entry: dict[str, Any]) -> None:
    history = solve(name, regularisers=[entry]).history
    assert history["loss"][-1] < history["loss"][0]


POINTS: list[dict[str, Any]] = [
    {"resample": "refine"},
    {"resample": "residual", "resample_every": 1},
    {"resample": "fresh", "resample_every": 1},
    *({"sampler": sampler} for sampler in ("sobol", "latin_hypercube", "uniform", "grid")),
    {"chunk": 25},
]


@pytest.mark.first(1)
# on the disc in the quick suite
@pytest.mark.parametrize("name", only(PROBLEMS, "exact"))
@pytest.mark.parametrize("points", only(POINTS, POINTS[0], POINTS[1], POINTS[-2], POINTS[-1]), ids=str)
def test_points(name: str, points: dict[str, Any]) -> None:
    found = solve(name, points={**SMALL["points"], **points})
    assert found.history["loss"][-1] < found.history["loss"][0]


@pytest.mark.parametrize("name", only(PROBLEMS, "exact"))
@pytest.mark.parametrize("optimiser", ["adam", pytest.param("lbfgs", marks=pytest.mark.slow), "ssbroyden"])
def test_optimisers(name: str, optimiser: str) -> None:
    history = solve(name, train=[{"optimiser": optimiser, "steps": 3}]).history
    assert np.isfinite(history["loss"]).all()


def test_measurements_lie_inside_and_are_drawn_from_the_reference() -> None:
    found = solve("exact", measurements=[{"samples": 30, "noise": 0.01}])
    drawn = found.report.measurements["measurements"]
    assert (drawn["x"] ** 2 + drawn["y"] ** 2 <= 1).all()
    assert drawn["u"] == pytest.approx(1 - drawn["x"] ** 2 - drawn["y"] ** 2, abs=0.1)


@pytest.mark.parametrize("name", only(PROBLEMS, "soft"))
def test_windows_periods_and_time(name: str) -> None:
    found = (
        solve(name, train=[{"optimiser": "gauss_newton", "steps": 4, "windows": 2}]) if name == "soft" else solve(name)
    )
    assert np.isfinite(found.history["loss"]).all()


FILE = '''
from dataclasses import dataclass
from pinnreg import Annulus, Problem, dirichlet

@dataclass(frozen=True)
class Ring(Problem):
    """Δu = 0 on a ring."""

    domain = Annulus(x=0, y=0, inner=0.5, outer=1)
    conditions = (dirichlet(1.0, on="inner"), dirichlet(0.0, on="outer", name="rim"))

    def residual(self, u):
        return u.laplacian

    def reference(self):
        import numpy as np

        return lambda x, y: -np.log(np.hypot(x, y)) / np.log(2)
'''


@pytest.mark.slow
def test_a_run_is_analysed_evaluated_and_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "ring.py").write_text(FILE, encoding="utf-8")
    run = pinnreg.solve({"problem": "ring", **SMALL}, out="run").folder
    assert pinnreg.analyse(run, out=False, eigenvalues=1).summary()
    assert pinnreg.evaluate(run).report is not None
    fields = np.load(tmp_path / "run" / "fields.npz")
    assert np.isnan(fields["u"]).any()
    assert np.isfinite(fields["u"]).any()
    with pytest.raises(SystemExit) as caught:
        main(["plot", "run"])
    assert caught.value.code == 0


@pytest.mark.slow
def test_a_study_of_a_users_problem_on_a_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], made: list[Task]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "ring.py").write_text(FILE, encoding="utf-8")
    ktv = {"kind": "ktv", "order": 2, "samples": 20, "weight": 1e-6}
    study = {"base": {"problem": "ring", **SMALL}, "vary": {"regularisers": {"none": [], "ktv": [ktv]}}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        main(["study", "study.yaml", "--jobs", "1"])
    assert caught.value.code == 0, capsys.readouterr().err
    assert "ktv" in capsys.readouterr().out
    assert len(made) == 2
    for arguments in (["describe", "ring"], ["describe", "ring", "--plot"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
    assert "inner" in capsys.readouterr().out


def test_a_penalty_on_a_shape_is_the_integral_over_it() -> None:
    @dataclass(frozen=True)
    class Linear(Disc):
        """Where u = x, as the boundary says: ∫ |∂u/∂x|² is the area."""

        conditions = (dirichlet(lambda x: 1.0 * x),)
        residual = lambda self, u: u.laplacian  # noqa: E731
        reference = lambda self: lambda x, y: x + 0 * y  # noqa: E731

    found = pinnreg.solve(
        {
            "problem": Linear(),
            **SMALL,
            "train": [{"optimiser": "gauss_newton", "steps": 12}],
            "regularisers": [{"kind": "ktv", "order": 1, "weight": 1e-12, "samples": 50}],
        },
        out=False,
    )
    assert found.history["ktv"][-1] == pytest.approx(np.pi, rel=1e-4)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (dirichlet(0.0, on="rim"), "unknown part of the boundary: 'rim'"),
        (dirichlet(0.0, at={"x": 0.5}), "lines and planes through .* are not known; fix y too"),
        (dirichlet(0.0, at={"x": 0.9, "y": 0.9}), "lies outside of"),
        (pinnreg.integral(lambda u: u, over="x", equals=0.0), "integrals need a Box"),
        (pinnreg.periodic("x"), "no two flat faces across 'x', which a period needs: those of a Box, or of shape"),
    ],
)
def test_conditions_that_a_shape_does_not_have_are_refused(condition: Any, message: str) -> None:
    @dataclass(frozen=True)
    class Wrong(Disc):
        conditions = (condition,)

    with pytest.raises(InputError, match=message):
        pinnreg.solve({"problem": Wrong(), **SMALL}, out=False)


@pytest.mark.slow
def test_a_point_inside_can_be_pinned() -> None:
    @dataclass(frozen=True)
    class Pinned(Problem):
        """Δu = 0 with no flow through the sides of a ring: u is known up to a constant."""

        domain = Annulus(x=0, y=0, inner=0.5, outer=1)
        conditions = (neumann(0.0), dirichlet(2.0, at={"x": 0.75, "y": 0.0}, name="pinned"))
        residual = lambda self, u: u.laplacian  # noqa: E731
        reference = lambda self: lambda x, y: 2 + 0 * x * y  # noqa: E731

    found = pinnreg.solve(
        {"problem": Pinned(), **SMALL, "train": [{"optimiser": "gauss_newton", "steps": 15}]}, out=False
    )
    assert found.report.errors["u"].rel_l2 < 1e-6


def test_a_box_and_its_combination_with_nothing_lost_agree() -> None:
    whole, box = Box(x=(0, 1), y=(0, 1)) | Box(x=(0.5, 1), y=(0, 1)), Box(x=(0, 1), y=(0, 1))
    assert whole.volume == pytest.approx(box.volume)
    assert whole.boundary().measure == pytest.approx(box.boundary().measure)
