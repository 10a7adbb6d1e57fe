"""Networks, activations and regularisers of a user's own: files named in YAML, and objects from Python."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import placed
from torch import Tensor, nn

import pinnreg
from pinnreg import InputError
from pinnreg.config import as_dict, fingerprint, read_yaml, resolve
from pinnreg.objective import gradient, linearise
from pinnreg.registry import find
from pinnreg.regularisers import CustomParameterPenalty, CustomPenalty, custom
from pinnreg.run.prepare import prepare
from pinnreg.scanning import first_line, role_of

SKIP = '''
import torch
from torch import nn


class Skip(nn.Module):
    """Two tanh layers, and a straight way past them."""

    def __init__(self, inputs: int, outputs: int, width: int = 8):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.outer = nn.Linear(width, outputs)
        self.past = nn.Linear(inputs, outputs)

    def forward(self, points):
        return self.outer(self.inner(points)) + self.past(points)
'''
BENDING = '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Bending:
    """The squared curvature of the graph of u along x."""

    strength: float = 1.0

    def rows(self, u):
        return self.strength * u.xx / (1 + u.x**2) ** 1.5
'''
BUMP = '''
import torch


def bump(x):
    """x exp(-x²)."""
    return x * torch.exp(-x * x)
'''
STAGES = [{"optimiser": "adam", "steps": 10}, {"optimiser": "gauss_newton", "steps": 8}]
CONFIG: dict[str, Any] = {
    "problem": {"name": "poisson", "dimension": 1},
    "points": {"interior": 30},
    "network": {"kind": "skip"},
    "regularisers": [{"kind": "bending", "weight": 1e-7, "schedule": "linear"}],
    "train": STAGES,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    for name, text in {"skip": SKIP, "bending": BENDING, "bump": BUMP}.items():
        (own / f"{name}.py").write_text(text, encoding="utf-8")
    return own


def edited(config: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {**config, **sections}


@dataclass(frozen=True)
class Bending:
    """As in the file."""

    strength: float = 1.0

    def rows(self, u: Any) -> Tensor:
        return self.strength * u.xx / (1 + u.x**2) ** 1.5


@dataclass(frozen=True)
class Decay:
    """As `ridge`."""

    weight: float = 1e-3

    def rows(self, parameters: dict[str, Tensor]) -> Tensor:
        return torch.cat([each.reshape(-1) for each in parameters.values()])


def test_what_a_file_defines_is_read_from_it(folder: Path) -> None:
    assert [role_of(folder / f"{name}.py") for name in ("skip", "bending", "bump")] == [
        *("network", "regulariser", "activation"),
    ]
    assert first_line(folder / "bump.py") == "x exp(-x²)."
    assert "skip" not in find([folder])
    assert list(find([folder], "network")) == ["skip"]
    assert all(role_of(path) == "problem" for path in find().values())


def test_files_that_a_config_names_train_and_come_back(folder: Path, tmp_path: Path) -> None:
    solution = pinnreg.solve(CONFIG, out=tmp_path / "run", problems=folder)
    assert solution.report is not None
    assert solution.report.errors["u"].rel_l2 < 1e-2
    again = pinnreg.load(tmp_path / "run", folder)
    assert (again([[0.3]]) == solution([[0.3]])).all()
    longer = pinnreg.solve(None, {"train.1.steps": 9}, out=tmp_path / "run", resume=True, problems=folder)
    assert longer.history["step"][-1] == 19


def test_a_run_says_which_folder_it_needs(folder: Path, tmp_path: Path) -> None:
    pinnreg.solve(CONFIG, {"train": [{"optimiser": "sgd", "steps": 1}]}, out=tmp_path / "run", problems=folder)
    with pytest.raises(InputError, match=r"network 'skip' is not found.*--problems"):
        pinnreg.load(tmp_path / "run")


def test_changed_code_is_noted_before_it_is_run(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pinnreg.solve(CONFIG, {"train": [{"optimiser": "sgd", "steps": 1}]}, out=tmp_path / "run", problems=folder)
    (folder / "bending.py").write_text("raise SystemExit(3)\n\n" + BENDING, encoding="utf-8")
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match="fails to import"):
        pinnreg.load(tmp_path / "run", folder)
    assert "regulariser 'bending' has changed" in caplog.text


def test_the_same_config_gives_the_same_network(folder: Path) -> None:
    one, two = (prepare(resolve(CONFIG, {}, [folder]), with_reference=False).network for _ in range(2))
    other = prepare(resolve(CONFIG, {"seed": 1}, [folder]), with_reference=False).network
    torch.rand(3)
    first, second, third = (torch.cat([p.flatten() for p in each.parameters()]) for each in (one, two, other))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_making_a_network_leaves_the_random_numbers_of_others_alone(folder: Path) -> None:
    before = torch.random.get_rng_state()
    prepare(resolve(CONFIG, {}, [folder]), with_reference=False)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_config_has_all_settings_and_fits_itself(folder: Path) -> None:
    resolved = resolve(CONFIG, {"network.width": 5, "regularisers.0.strength": 2}, [folder])
    plain = as_dict(resolved.config)
    features = {"periodic": {}, "fourier": None, "corner": True}
    assert plain["network"] == {"kind": "skip", "width": 5, "scale": "auto", "symmetry": True, "features": features}
    expected = {"kind": "bending", "weight": 1e-7, "schedule": "linear", "samples": None, "strength": 2.0}
    assert plain["regularisers"] == [expected]
    assert fingerprint(resolve(plain, {}, [folder]).config) == fingerprint(resolved.config)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"network": {"kind": "skp"}}, "did you mean 'skip'"),
        ({"network": {"kind": "skip", "depth": 3}}, "unknown setting of network 'skip': 'depth'"),
        ({"network": {"kind": "skip", "width": "wide"}}, "width"),
        ({"network": {"activation": "bunp"}}, "did you mean 'bump'"),
        ({"regularisers": [{"kind": "bendin"}]}, "did you mean 'bending'"),
        ({"regularisers": [{"kind": "bending", "weight": -1}]}, "weight"),
        ({"regularisers": [{"kind": "bending", "schedule": "never"}]}, "schedule"),
        ({"regularisers": [{"kind": "bending", "strength": True}]}, "expected a number"),
        ({"regularisers": [{"kind": "bending", "foo": 1}]}, "'foo'"),
    ],
)
def test_wrong_names_and_settings_are_refused(folder: Path, sections: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(edited(CONFIG, **sections), {}, [folder])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SKIP.replace("outputs: int, width", "width"), "must take inputs and outputs"),
        (SKIP.replace("return self.outer", "return 0, self.outer"), "expected .* to be mapped"),
        (SKIP.replace("+ self.past(points)", "+ points.mean()"), "its own point"),
        (SKIP + SKIP.replace("Skip", "Other"), "found Skip, Other"),
        (SKIP.replace("super().__init__()", "1 / 0"), "ZeroDivisionError"),
    ],
)
def test_networks_that_are_none_are_refused(folder: Path, text: str, message: str) -> None:
    (folder / "skip.py").write_text(text.replace("self.outer = nn.Linear(width, outputs)", WIDE), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        prepare(resolve(CONFIG, {}, [folder]), with_reference=False)


WIDE = "self.outer = nn.Linear(width, 1)"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("u - u.value.mean()", "pointwise"),
        ("u.value[:, None]", "shape"),
        ("3", "torch tensor"),
        ("u.q", "no attribute"),
        ("torch.log(-u.value.abs())", "NaN|not defined"),
        ("torch.log(u.value - 100)", "bending.*NaN or Inf"),
        ("u.value > 0", "must be real, in float32 or float64, got torch.bool"),
        ("u.value * 1j", "is complex"),
    ],
)
def test_rows_that_are_none_are_refused(folder: Path, body: str, message: str) -> None:
    text = f"import torch\n\n\nclass Bending:\n    def rows(self, u):\n        return {body}\n"
    (folder / "bending.py").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        prepare(resolve(CONFIG, {}, [folder]), with_reference=False)


def test_an_argument_that_the_problem_lacks_is_refused(folder: Path) -> None:
    (folder / "bending.py").write_text("class Bending:\n    def rows(self, v, y):\n        return v * y\n")
    with pytest.raises(InputError, match=r"argument of rows of regulariser 'bending'"):
        prepare(resolve(CONFIG, {}, [folder]), with_reference=False)


def test_an_activation_of_a_file_is_the_networks(folder: Path) -> None:
    network = {"kind": "mlp", "hidden": [6], "activation": "bump"}
    prepared = prepare(resolve(edited(CONFIG, network=network, regularisers=[]), {}, [folder]), with_reference=False)
    features, body = prepared.network
    points = torch.tensor([[0.2], [0.7]], dtype=torch.float64)
    inner, outer = body.layers
    hidden = inner(features(points))
    assert torch.allclose(prepared.network(points), outer(hidden * torch.exp(-(hidden**2))))
    assert as_dict(prepared.resolved.config)["network"]["activation"] == "bump"


def test_objects_do_what_files_do(folder: Path) -> None:
    by_file = prepare(resolve(edited(CONFIG, network={"hidden": [6]}), {}, [folder]), with_reference=False)
    given = edited(CONFIG, network={"hidden": [6]}, regularisers=[custom("bending", Bending(), {"weight": 1e-7})])
    by_object = prepare(resolve(given), with_reference=False)
    one, two = placed(by_file.objective), placed(by_object.objective)
    for name, value in one.losses(one.parameters).items():
        assert torch.equal(value, two.losses(two.parameters)[name])


def test_a_module_and_a_penalty_from_python(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    before = [each.detach().clone() for each in network.parameters()]
    given = {**CONFIG, "network": network, "regularisers": [Decay(weight=1e-8)]}
    solution = pinnreg.solve(given, out=tmp_path / "run")
    assert all(torch.equal(one, two) for one, two in zip(before, network.parameters(), strict=True))
    with pytest.raises(InputError, match="given as an object of Python"):
        pinnreg.load(tmp_path / "run")
    again = pinnreg.load(tmp_path / "run", network=network, regularisers=[Decay(weight=1e-8)])
    assert (again([[0.3]]) == solution([[0.3]])).all()
    with pytest.raises(InputError, match="differs in"):
        pinnreg.load(tmp_path / "run", network=network, regularisers=[Decay(weight=1e-7)])


def test_a_penalty_on_parameters_is_the_sum_of_squares_and_has_its_jacobian() -> None:
    penalty = custom("decay", Decay(weight=0.5))
    assert isinstance(penalty, CustomParameterPenalty)
    given = edited(CONFIG, network={"hidden": [4]}, regularisers=[Decay(weight=0.5)], train=STAGES[:1])
    of = placed(prepare(resolve(given), with_reference=False).objective)
    squares = sum(float(each.detach().square().sum()) for each in of.parameters.values())
    assert of.losses(of.parameters)["decay"].item() == pytest.approx(squares)
    at = linearise(of.objective, of.batch, of.parameters)
    slope = gradient(of.objective, of.batch, of.parameters)[1]
    found = 2 * at.jacobian.T @ at.residuals
    assert torch.allclose(found, torch.cat([each.reshape(-1) for each in slope.values()]), rtol=1e-9, atol=1e-9)


def test_integral_and_power_are_taken_at_their_word() -> None:
    class Slope:
        integral = True
        power = 1

        def rows(self, u: Any) -> Tensor:
            return 3 + 0 * u.x

    problem = resolve({"problem": {"name": "burgers"}}).problem
    penalty = custom("slope", Slope(), {"samples": 20})
    assert isinstance(penalty, CustomPenalty)
    given = {"problem": problem, "network": {"hidden": [4]}, "regularisers": [penalty], "points": {"interior": 20}}
    of = placed(prepare(resolve(edited(given, train=STAGES[:1])), with_reference=False).objective)
    assert of.losses(of.parameters)["slope"].item() == pytest.approx(3 * problem.domain.volume)


@pytest.mark.parametrize("power", [1, 2])
def test_importance_counts_for_every_power(power: int) -> None:
    class Slope:
        def rows(self, u: Any) -> Any:
            return u.x

    slope = Slope()
    slope.power = power  # type: ignore[attr-defined]
    given = edited(
        CONFIG,
        network={"hidden": [4]},
        regularisers=[custom("slope", slope)],
        points={"interior": 100, "resample": "residual", "resample_every": 5, "importance": True},
        train=STAGES[:1],
    )
    of = placed(prepare(resolve(given), with_reference=False).objective)
    of = of.resample(of.parameters, 5)
    values, importance = of.rows(of.parameters)["slope"].values.detach(), of.points["slope"].importance
    assert importance is not None
    assert importance.std() > 0.01
    expected = float((importance * values.abs() ** power).mean())
    assert of.losses(of.parameters)["slope"].item() == pytest.approx(expected)


def test_rows_on_parameters_keep_their_number() -> None:
    class Large:
        def rows(self, parameters: dict[str, Tensor]) -> Tensor:
            return torch.cat([each.reshape(-1)[each.reshape(-1).abs() > 0.3] for each in parameters.values()])

    given = edited(CONFIG, network={"hidden": [6]}, regularisers=[custom("large", Large())], train=STAGES[:1])
    of = placed(prepare(resolve(given), with_reference=False).objective)
    with pytest.raises(InputError, match=r"'large': its rows were \d+ at the start and are \d+ now"):
        of.losses({name: 2 * values for name, values in of.parameters.items()})


def test_a_penalty_that_trains_nothing_is_refused() -> None:
    class Cut:
        def rows(self, u: Any) -> Tensor:
            return u.value.detach()

    given = edited(CONFIG, network={"hidden": [4]}, regularisers=[custom("cut", Cut())], train=STAGES[:1])
    with pytest.raises(InputError, match="cut does not depend on what is trained"):
        prepare(resolve(given), with_reference=False)


def test_a_part_of_a_module_that_is_frozen_stays_as_it_is(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))
    network[0].weight.requires_grad_(False)
    given = edited(CONFIG, network=network, regularisers=[{"kind": "noise_stability", "sigma": 0.01}])
    solution = pinnreg.solve(given, out=tmp_path / "run")
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert not any("0.weight" in name for name in state["parameters"])
    again = pinnreg.load(tmp_path / "run", network=network)
    assert (again([[0.3]]) == solution([[0.3]])).all()


def test_a_weight_of_the_class_is_its_own() -> None:
    assert custom("decay", Decay(weight=0.25)).weight == 0.25
    assert custom("bending", Bending()).weight == 1e-6
    with pytest.raises(InputError, match="expected an object with a method rows"):
        custom("nothing", object())
    with pytest.raises(InputError, match=r"got the class Decay: give Decay\(...\)"):
        custom("decay", Decay)
    with pytest.raises(InputError, match="samples"):
        custom("decay", Decay(), {"samples": 3})
    assert dataclasses.replace(custom("decay", Decay()), weight=0.0).weight == 0


def test_every_optimiser_takes_ones_own_penalty(folder: Path) -> None:
    for optimiser in ("adam", "sgd", "lbfgs", "ssbroyden", "gauss_newton"):
        stages = [{"optimiser": optimiser, "steps": 2}]
        plain, penalised = (
            pinnreg.solve(
                edited(CONFIG, network={"hidden": [4]}, train=stages, regularisers=regularisers),
                out=False,
                problems=folder,
            )
            for regularisers in ([], [{"kind": "bending", "weight": 1.0}])
        )
        assert (plain([[0.3]]) != penalised([[0.3]])).all(), optimiser


@pytest.mark.usefixtures("made")
def test_a_study_and_an_analysis_know_ones_own_parts(folder: Path, tmp_path: Path) -> None:
    study = {
        "base": edited(CONFIG, network={"kind": "skip", "width": 1}, train=[{"optimiser": "gauss_newton", "steps": 2}]),
        "vary": {"regularisers": {"none": [], "bending": [{"kind": "bending", "weight": 1e-8}]}, "seed": [0]},
    }
    found = pinnreg.study(study, out=tmp_path / "study", problems=folder, jobs=1)
    assert [run.status for run in found.runs] == ["ok", "ok"]
    (folder / "bending.py").write_text(BENDING.replace("1.5", "1.25"), encoding="utf-8")
    pinnreg.study(study, out=tmp_path / "study", problems=folder, jobs=1)
    runs = sorted((tmp_path / "study" / "runs").iterdir())
    assert len(runs) == 3  # what does not use the file stays
    penalised = next(run for run in runs if "bending" in (run / "config.yaml").read_text(encoding="utf-8"))
    assert "bending" in pinnreg.analyse(penalised, folder, out=False).kernels


def test_nothing_is_run_to_refuse_or_to_list(folder: Path, tmp_path: Path) -> None:
    (folder / "bending.py").write_text(BENDING + "\nraise SystemExit('run')\n", encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(
        "problem: poisson\nregularisers: [{kind: bending}]\ntrain: [{optimiser: adm}]\n", encoding="utf-8"
    )
    code = (
        "import sys; from pinnreg.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
        "sys.exit(code)\n"
    )
    problems = ["--problems", str(folder)]
    for command, status in ((["list", *problems], 0), (["solve", "bad.yaml", *problems], 2)):
        found = subprocess.run(
            [sys.executable, "-c", code, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert found.returncode == status, found.stderr
        assert ("bending" in found.stdout) == (status == 0)


def test_objects_that_are_no_parts_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected a section or a torch.nn.Module, got object"):
        resolve(edited(CONFIG, network=object(), regularisers=[]))
    with pytest.raises(InputError, match=r"network: expected an object, got the class Linear: give Linear\(...\)"):
        resolve(edited(CONFIG, network=nn.Linear, regularisers=[]))


@dataclass(frozen=True)
class MLP:
    """A penalty that is called like a network."""

    weight: float = 1e-6
    table: Any = None

    def rows(self, u: Any) -> Any:
        return u.xx


class KTV(MLP):
    """One that is called like a shipped one."""


def test_objects_are_told_apart_and_never_taken_for_shipped_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def module(act: Any, width: int = 6) -> Any:
        class Quadratic(nn.Sequential):
            """Called like a shipped network."""

        with torch.random.fork_rng():
            torch.manual_seed(0)
            return Quadratic(nn.Linear(1, width), act(), nn.Linear(width, 1))

    def given(network: Any, table: Any) -> dict[str, Any]:
        return edited(CONFIG, network=network, regularisers=[KTV(table=table), {"kind": "ktv"}], train=STAGES[:1])

    solution = pinnreg.solve(given(module(nn.Tanh), torch.ones(2)), out=tmp_path / "run")
    written = read_yaml(tmp_path / "run" / "config.yaml")
    assert written["network"]["kind"] == "own_quadratic"
    assert [each["kind"] for each in written["regularisers"]] == ["own_ktv", "ktv"]

    def load(network: Any, table: Any) -> Any:
        caplog.clear()
        whole = given(network, table)["regularisers"]
        return pinnreg.load(tmp_path / "run", network=network, regularisers=whole)

    again = load(module(nn.Tanh), torch.ones(2))
    assert not caplog.records
    assert (again([[0.3]]) == solution([[0.3]])).all()
    load(module(nn.SiLU), torch.ones(2))
    assert "the network 'own_quadratic' is not the one that the run began with" in caplog.text
    with pytest.raises(InputError, match=r"differs in regularisers.0.table"):
        load(module(nn.Tanh), torch.zeros(2))
    with pytest.raises(InputError, match=r"another network: parameter '1.0.weight' is torch.float64 of shape \(6, 1\)"):
        load(module(nn.Tanh, 7), torch.ones(2))


def test_a_file_that_changed_its_shape_costs_no_results(folder: Path, tmp_path: Path) -> None:
    pinnreg.solve(edited(CONFIG, train=STAGES[:1]), out=tmp_path / "run", problems=folder)
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    (folder / "skip.py").write_text(SKIP.replace("self.past =", "self.more ="), encoding="utf-8")
    text = (folder / "skip.py").read_text(encoding="utf-8").replace("self.past(points)", "self.more(points)")
    (folder / "skip.py").write_text(text, encoding="utf-8")
    for call in (
        lambda: pinnreg.load(tmp_path / "run", problems=folder),
        lambda: pinnreg.evaluate(tmp_path / "run", problems=folder),
        lambda: pinnreg.solve(None, {"train.0.steps": 20}, out=tmp_path / "run", problems=folder, resume=True),
    ):
        with pytest.raises(InputError, match=r"another network: parameter '1.more.weight' is missing"):
            call()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before


def test_a_changed_file_stays_noted_when_the_run_goes_on(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pinnreg.solve(edited(CONFIG, train=STAGES[:1]), out=tmp_path / "run", problems=folder)
    (folder / "bending.py").write_text(BENDING.replace("1.5", "1.25"), encoding="utf-8")
    for steps in (20, 30):
        caplog.clear()
        pinnreg.solve(None, {"train.0.steps": steps}, out=tmp_path / "run", problems=folder, resume=True)
        assert "the code of regulariser 'bending' has changed since the run began" in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("made")
def test_of_two_files_the_one_of_the_last_folder_counts_everywhere(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "bending.py").write_text(BENDING.replace("1.5", "1.25"), encoding="utf-8")
    shipped = Path(pinnreg.registry.shipped("problems"))
    (folder / "mine.py").write_text((shipped / "poisson.py").read_text(encoding="utf-8"), encoding="utf-8")
    small = {"network": {"kind": "skip", "width": 1}, "train": [{"optimiser": "adam", "steps": 2}]}
    given = edited(CONFIG, problem={"name": "mine", "dimension": 1}, **small)

    def used(run: Path) -> list[str]:
        text = (run / "config.yaml").read_text(encoding="utf-8")
        return [name for name in ("own", "other") if str(tmp_path / name / "bending.py") in text]

    for number, folders in enumerate(([folder, other], [other, folder])):
        last, run = folders[-1].name, tmp_path / f"run{number}"
        pinnreg.solve(given, out=run, problems=folders)
        assert used(run) == [last]
        pinnreg.solve(None, {"train.0.steps": 3}, out=run, problems=folders, resume=True)
        assert used(run) == [last]
        study = {"base": given, "vary": {"seed": [0]}}
        pinnreg.study(study, out=tmp_path / f"study{number}", problems=folders, jobs=1)
        made = next((tmp_path / f"study{number}" / "runs").iterdir())
        assert used(made) == [last]


def test_a_run_names_no_code_to_be_run(folder: Path, tmp_path: Path) -> None:
    (folder / "mine.py").write_text(
        Path(pinnreg.registry.shipped("problems") / "poisson.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    given = edited(CONFIG, problem={"name": "mine"}, network={"hidden": [4]}, regularisers=[], train=STAGES[:1])
    pinnreg.solve(given, out=tmp_path / "run", problems=folder)
    with pytest.raises(InputError, match=r"the run's problem 'mine' is not found; it was in .*mine.py: say --problems"):
        pinnreg.load(tmp_path / "run")
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "mine.py").write_text("raise SystemExit('run')\n", encoding="utf-8")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace(str(folder), str(evil)), encoding="utf-8")
    assert pinnreg.load(tmp_path / "run", problems=folder)([[0.3, 0.4]]).shape == (1, 1)


def test_objects_do_not_go_into_studies_or_have_overrides(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))
    for base in (
        edited(CONFIG, network=module, regularisers=[]),
        edited(CONFIG, network={"activation": torch.arctan}, regularisers=[]),
        edited(CONFIG, network={}, regularisers=[MLP()]),
    ):
        with pytest.raises(InputError, match=r"other processes (make the runs|train with it, and need it in a file)"):
            pinnreg.study({"base": base, "vary": {"seed": [0]}}, out=tmp_path / "study", jobs=1)
    assert not (tmp_path / "study").exists()
    given = edited(CONFIG, network=module, regularisers=[MLP()])
    for key in ("regularisers.0.weight", "network.features.fourier"):
        with pytest.raises(InputError, match=f"{key}: this is a setting of an object of Python"):
            resolve(given, {key: 1.0})
    found = resolve(CONFIG | {"network": {}, "regularisers": []}, {"network": module, "regularisers": [MLP()]})
    assert [part.kind for part in found.parts] == ["sequential", "mlp"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("synt", "class Synt:\n    def rows(self u): ...\n", r"synt.py: line 2: "),
        ("lamb", "lamb = lambda x: x\n", r"lamb.py: expected a public class with a method rows"),
    ],
)
def test_a_file_that_is_there_is_named(folder: Path, name: str, text: str, message: str) -> None:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"regularisers.0: .*" + message):
        resolve(edited(CONFIG, regularisers=[{"kind": name}]), {}, [folder])


def test_bases_in_the_file_are_followed(folder: Path) -> None:
    (folder / "heir.py").write_text(
        "class _Base:\n    def rows(self, u):\n        return u.x\n\n\nclass Heir(_Base):\n    pass\n",
        encoding="utf-8",
    )
    (folder / "chain.py").write_text(
        "from torch import nn\n\n\nclass Chain(nn.Sequential):\n    def __init__(self, inputs, outputs):\n"
        "        super().__init__(nn.Linear(inputs, 4), nn.Tanh(), nn.Linear(4, outputs))\n",
        encoding="utf-8",
    )
    (folder / "helpers.py").write_text("def one(x): ...\n\n\ndef two(x): ...\n", encoding="utf-8")
    given = edited(CONFIG, network={"kind": "chain"}, regularisers=[{"kind": "heir"}])
    assert [part.kind for part in resolve(given, {}, [folder]).parts] == ["chain", "heir"]
    assert "helpers" not in {name for role in ("problem", "activation") for name in find([folder], role)}


def test_a_shipped_name_is_not_replaced(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "ktv.py").write_text(BENDING.replace("Bending", "Ktv"), encoding="utf-8")
    found = resolve(edited(CONFIG, regularisers=[{"kind": "ktv"}]), {}, [folder])
    assert [part.kind for part in found.parts] == ["skip"]
    assert "regulariser 'ktv': the shipped one is used" in caplog.text


SETTINGS = """
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

import torch

if TYPE_CHECKING:
    from nowhere import Something


@dataclass
class Settled:
    {settings}

    def rows(self, u):
        return u.xx
"""


@pytest.mark.parametrize(
    ("settings", "given", "expected"),
    [
        ("axes: list = field(default_factory=list)", {}, {}),
        ("of: Callable = torch.sin", {}, {}),
        ("of: Something = 3", {"of": 4}, {"of": 4}),
        ("order: int | None = None", {"order": 2}, {"order": 2}),
        ("flag: bool = False", {"flag": True}, {"flag": True}),
        ("order: int | None = None", {"order": True}, "order: expected a number, got true"),
        ("size: float = 1.0", {"size": float("nan")}, "size: expected a finite number, got nan"),
        ("kind: str = 'a'", {}, "a setting cannot be called kind"),
        (
            "pass\n\n\nclass Settled:\n    size: float = 1.0",
            {"size": 2.0},
            "'size'.*Settled is no dataclass, so that it cannot",
        ),
        ("size: float = 1.0", {"sise": 2.0}, "unknown setting of regulariser 'settled': 'sise'; did you mean 'size'"),
    ],
)
def test_the_settings_of_real_classes(folder: Path, settings: str, given: dict[str, Any], expected: Any) -> None:
    (folder / "settled.py").write_text(SETTINGS.replace("{settings}", settings), encoding="utf-8")
    config = edited(CONFIG, regularisers=[{"kind": "settled", **given}])
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            resolve(config, {}, [folder])
        return
    resolved = resolve(config, {}, [folder])
    written = as_dict(resolved.config)["regularisers"][0]
    assert {name: value for name, value in written.items() if name in (*given, "axes", "of")} == expected
    again = resolve(as_dict(resolved.config), {}, [folder])
    assert fingerprint(again.config) == fingerprint(resolved.config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "return self.body(points).float()",
            "expected torch.float64 as its parameters and points are, got torch.float32",
        ),
        ("return self.body(points).detach()", "as far as torch can see its values do not depend on its parameters"),
        ("return nn.functional.dropout(self.body(points), 0.2)", "by chance"),
    ],
)
def test_networks_that_would_fail_later_are_refused(folder: Path, text: str, message: str) -> None:
    (folder / "skip.py").write_text(
        "from torch import nn\n\n\nclass Skip(nn.Module):\n    def __init__(self, inputs, outputs):\n"
        "        super().__init__()\n        self.body = nn.Linear(inputs, outputs)\n\n"
        f"    def forward(self, points):\n        {text}\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=f"network 'skip': .*{message}"):
        prepare(resolve(CONFIG, {}, [folder]), with_reference=False)


@pytest.mark.parametrize("body", ["x.sum()", "x.float()", "x.numpy()", "1.0", "1 / 0"])
def test_an_activation_is_tried(folder: Path, body: str) -> None:
    (folder / "bump.py").write_text(f"def bump(x):\n    return {body}\n", encoding="utf-8")
    network = {"activation": "bump", "hidden": [4]}
    with pytest.raises(InputError, match="activation 'bump'"):
        prepare(resolve(edited(CONFIG, network=network, regularisers=[]), {}, [folder]), with_reference=False)


def test_a_function_from_python_is_an_activation(tmp_path: Path) -> None:
    network = {"hidden": [4], "activation": torch.arctan}
    given = edited(CONFIG, network=network, regularisers=[], train=[{"optimiser": "sgd", "steps": 1}])
    solution = pinnreg.solve(given, out=tmp_path / "run")
    with pytest.raises(InputError, match=r"activation 'arctan' was given as an object of Python"):
        pinnreg.load(tmp_path / "run")
    whole = as_dict(resolve(given).config)["network"] | {"activation": torch.arctan}
    again = pinnreg.load(tmp_path / "run", network=whole)
    assert (again([[0.3]]) == solution([[0.3]])).all()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def __init__(self, *many): ...\n    def rows(self, u): ...", "many"),
        ("def __init__(self, must: float): ...\n    def rows(self, u): ...", "must"),
        ("def rows(self, parameters): return 3", "tensor of real numbers, got int"),
        (
            "def rows(self, parameters): return parameters['1.layers.0.bias'].long()",
            r"numbers, got \(\d+,\) of torch.int64",
        ),
        ("def rows(self, parameters, u): return u", "argument of rows"),
        ("def rows(self, params): return u", "unknown argument of rows of regulariser 'bending': 'params'.*parameters"),
        ("def rows(self, *fields): return u", r"rows must name each thing that it needs, which \*fields does not"),
        ("power = 3\n    def rows(self, u): return u", "power must be 1 or 2"),
    ],
)
def test_classes_that_are_no_regularisers_are_refused(folder: Path, body: str, message: str) -> None:
    (folder / "bending.py").write_text(f"class Bending:\n    {body}\n", encoding="utf-8")
    given = edited(CONFIG, network={}, regularisers=[{"kind": "bending"}])
    with pytest.raises(InputError, match=message):
        prepare(resolve(given, {}, [folder]), with_reference=False)


def test_a_network_without_parameters_is_refused(folder: Path) -> None:
    text = "from torch import nn\n\n\nclass Skip(nn.Module):\n    def __init__(self, inputs, outputs):\n"
    text += "        super().__init__()\n\n    def forward(self, points):\n        return points\n"
    (folder / "skip.py").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="no parameters to train"):
        prepare(resolve(CONFIG, {}, [folder]), with_reference=False)


def test_a_name_that_is_not_found_says_where_files_are_looked_for() -> None:
    for sections, message in (
        ({"regularisers": [{"kind": "wiggle"}]}, r"unknown kind 'wiggle'.*one of your own is a file wiggle.py in"),
        ({"network": {"kind": "mine"}, "regularisers": []}, r"unknown kind 'mine'.*one of your own is a file mine.py"),
    ):
        with pytest.raises(InputError, match=message):
            resolve({**edited(CONFIG, network={}), **sections})
    with pytest.raises(InputError, match=r"unknown config or problem 'my_wave'.*one of your own is a file my_wave.py"):
        resolve("my_wave")
    with pytest.raises(InputError, match=r"problems/heat.py: a Python file is no config; say its name, heat, with"):
        resolve(Path(pinnreg.registry.shipped("problems")) / "heat.py")


def test_going_on_with_a_schedule_is_another_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ktv = [{"kind": "ktv", "weight": 1e-3, "schedule": "linear"}]
    for regularisers, said in (([], False), (ktv, True)):
        given = edited(CONFIG, network={"hidden": [4]}, regularisers=regularisers, train=STAGES[:1])
        pinnreg.solve(given, out=tmp_path / str(said))
        caplog.clear()
        pinnreg.solve(None, {"train.0.steps": 20}, out=tmp_path / str(said), resume=True)
        assert ("regularisers follow a schedule over the whole training, which is another now" in caplog.text) == said
