"""Every kind of wrong input: exit code 2, one message on stderr, no traceback, nothing written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch

import pinnreg
from pinnreg.cli import main

Refused = Callable[..., str]
TINY: dict[str, Any] = {
    "problem": "heat",
    "network": {"hidden": [6]},
    "points": {"interior": 20},
    "train": [{"optimiser": "adam", "steps": 3}],
    "evaluate": {"grid": 6},
    "device": "cpu",
}
PROBLEM = """
from dataclasses import dataclass

import torch

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Mine(Problem):
    k: int = 1
    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u, x):
        return u.laplacian + x
"""


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs the command line in an empty folder and checks that it refuses, leaving everything as it was."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> str:
        before = _contents(tmp_path)
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert caught.value.code == 2, err
        assert out == ""
        assert "Traceback" not in err
        assert err.startswith("error: ")
        assert err.count("error: ") == 1
        assert err.endswith("\n")
        assert _contents(tmp_path) == before
        return err

    return run


def _contents(folder: Path) -> dict[Path, bytes | None]:
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


@cache
def _files() -> dict[str, bytes]:
    """Those of a finished run."""
    with TemporaryDirectory() as folder:
        pinnreg.solve(TINY, out=Path(folder) / "run", progress=False)
        return {path.name: path.read_bytes() for path in (Path(folder) / "run").iterdir()}


def _finished(folder: Path) -> Path:
    """A finished run."""
    folder.mkdir()
    for name, data in _files().items():
        (folder / name).write_bytes(data)
    return folder


def _yaml(text: str) -> Path:
    path = Path("run.yaml")
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("setting", "messages"),
    [
        # unknown or misspelt keys
        ("sed=1", ["'sed'", "did you mean 'seed'"]),
        ("nonsense=1", ["'nonsense'", "known: problem, network"]),
        ("network.hiden=[3]", ["network", "did you mean 'hidden'"]),
        ("train.0.acceleratoin=true", ["train.0", "did you mean 'acceleration'"]),
        ("train=[{optimiser: adam, learning_rat: 1}]", ["train.0", "did you mean 'learning_rate'"]),
        ("points.interrior=9", ["points", "did you mean 'interior'"]),
        # wrong types
        ("points.interior=many", ["points.interior", "'many'"]),
        ("points.interior=2.5", ["points.interior", "2.5"]),
        ("points.interior=yes", ["points.interior", "true"]),
        ("network.hidden=20", ["network.hidden", "expected a list"]),
        ("network=3", ["network", "section"]),
        ("train={optimiser: adam}", ["train", "expected a list"]),
        ("seed=[1]", ["seed", "[1]"]),
        ("problem.alpha=fast", ["alpha", "'fast'"]),
        ("problem.mode=1.5", ["mode", "1.5"]),
        ("problem.mode=0", ["mode", "greater than 0"]),
        ("problem.alpha=-1", ["alpha", "greater than 0"]),
        # unknown names
        ("problem.name=haet", ["problem 'haet'", "did you mean 'heat'", "more, see pinnreg list"]),
        ("problem=poison", ["'poison'", "did you mean 'poisson'"]),
        ("network.kind=mpl", ["network: unknown kind", "'mpl'", "did you mean 'mlp'"]),
        ("network.activation=tan", ["network.activation", "did you mean 'tanh'", "swish"]),
        ("train.0.optimiser=adma", ["'adma'", "did you mean 'adam'", "lbfgs"]),
        ("regularisers=[{kind: kvt}]", ["'kvt'", "did you mean 'ktv'"]),
        ("regularisers=[{kind: ktv, axes: [z]}]", ["axis", "'z'", "known: x, t"]),
        ("regularisers=[{kind: ktv, axes: [tt]}]", ["axis", "'tt'", "did you mean 't'"]),
        ("points.sampler=sobel", ["points.sampler", "did you mean 'sobol'"]),
        ("network.features.periodic={x: 2}", ["network.features.periodic", "'x'"]),
        ("measurements={samples: 5}", ["measurements", "expected a list"]),
        ("measurements=[{sampels: 5}]", ["measurements.0", "did you mean 'samples'"]),
        ("measurements=[{samples: 5, file: a.csv}]", ["measurements.0", "got both"]),
        ("measurements=[{samples: 5, of: v}]", ["measurements.0.of", "'v'", "known: u"]),
        ("measurements=[{samples: 5, name: initial}]", ["measurements.0.name", "'initial'"]),
        ("measurements=[{samples: 5, held_out: 0.01}]", ["measurements.0.held_out", "0.01 of 5 values is none"]),
        ("measurements=[{file: missing.csv}]", ["missing.csv", "no such file"]),
        ("measurements=[{file: missing.csv, outliers: 0.1}]", ["measurements.0", "outliers has no effect"]),
        ("measurements=[{file: data.txt}]", ["data.txt", ".csv or an .npz"]),
        ("conditions=hard", ["conditions", "'hard'", "exact"]),
        ("device=gpu", ["device", "'gpu'", "cuda"]),
        ("dtype=float46", ["dtype", "did you mean 'float64'"]),
        # a parameter that the problem lacks
        ("problem.alpa=1", ["parameter of problem 'heat'", "did you mean 'alpha'"]),
        ("problem.nu=1", ["parameter of problem 'heat'", "known: alpha, mode"]),
        # orders and weights
        ("regularisers=[{kind: ktv, order: 0}]", ["order", "0"]),
        ("regularisers=[{kind: ktv, order: -2}]", ["order", "-2"]),
        ("regularisers=[{kind: ktv, weight: -1e-6}]", ["weight", "-1e-06"]),
        ("weights.residual=-1", ["weights.residual", "-1"]),
        ("weights.residual=.nan", ["weights.residual", "finite"]),
        ("weights.residul=1", ["weights", "'residul'", "did you mean 'residual'"]),
        ("train.0.steps=0", ["train.0.steps", "0"]),
        ("train.0.max_seconds=-1", ["train.0.max_seconds", "-1"]),
        ("train=[{optimiser: adam, learning_rate: 0}]", ["train.0.learning_rate", "0"]),
        ("train=[]", ["train"]),
        ("evaluate.grid=[4, 4, 4]", ["evaluate.grid", "x, t"]),
        ("evaluate.reference=missing.npz", ["missing.npz", "no such file"]),
        ("compile=7", ["compile", "boolean"]),
        # overrides that reach nothing, or are none
        ("train.7.steps=1", ["train.7.steps", "list element, 0, got"]),
        ("seed", ["--set seed", "KEY=VALUE"]),
        ("seed=[1", ["'[1'", "YAML"]),
        ("=3", ["KEY=VALUE"]),
        # what YAML reads otherwise than it was meant
        ("regularisers=[{kind:ktv}]", ["'kind:ktv' is one word", "as in kind: ktv"]),
        ("points={interior:20, boundary: 3}", ["'interior:20' is one word", "as in interior: 20"]),
        ("regularisers.0.kind=ktv", ["the list is empty", "as in regularisers=[{kind: ktv}]"]),
        ("measurements.0.samples=30", ["the list is empty", "as in measurements=[{samples: 30}]"]),
    ],
)
def test_settings(refused: Refused, setting: str, messages: Sequence[str]) -> None:
    err = refused("solve", "heat", "--set", setting)
    assert all(message in err for message in messages), err


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("problem: [heat\nseed: 1", ["run.yaml", "not valid YAML", "line 2"]),
        ("problem: heat\n\tseed: 1", ["run.yaml", "not valid YAML", "line 2"]),
        ("problem: heat\nseed: 1\nseed: 2", ["run.yaml", "line 3, column 1: the key 'seed' is there twice"]),
        ("problem: heat\ntrain: [{steps: 1, 'steps': 2}]", ["run.yaml", "line 2", "the key 'steps' is there twice"]),
        ("- problem: heat", ["run.yaml", "expected keys and values"]),
        ("heat", ["run.yaml", "expected keys and values"]),
        ("", ["run.yaml", "expected keys and values"]),
        ("seed: 3", ["run.yaml", "problem", "expected a name"]),
        ("problem: {mode: 3}", ["run.yaml", "problem", "expected a name"]),
        ("problem: 3", ["run.yaml", "problem"]),
        ("problem: [heat]", ["run.yaml", "problem"]),
        ("problem: heat\nregularisers: [{kind:ktv}]", ["run.yaml", "line 2, column 17", "as in kind: ktv"]),
        ("problem: haet", ["run.yaml", "did you mean 'heat'"]),
        ("problem: {name: heat, alpa: 1}", ["run.yaml", "did you mean 'alpha'"]),
        ("problem: heat\nsed: 3", ["run.yaml", "did you mean 'seed'"]),
        ("problem: !!python/object/apply:os.getcwd []", ["run.yaml", "not valid YAML"]),
    ],
)
def test_yaml_files(refused: Refused, text: str, messages: Sequence[str]) -> None:
    err = refused("solve", _yaml(text))
    assert all(message in err for message in messages), err


def test_yaml_files_that_cannot_be_read(refused: Refused, tmp_path: Path) -> None:
    assert "missing.yaml: no such config file" in refused("solve", "missing.yaml")
    assert "no such config file" in refused("solve", "no/folder/heat")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01problem")
    assert "binary.yaml: not valid YAML" in refused("solve", "binary.yaml")
    (tmp_path / "folder.yaml").mkdir()
    assert "folder.yaml" in refused("solve", "folder.yaml")


def test_unknown_config_or_problem(refused: Refused) -> None:
    err = refused("solve", "burger")
    assert "did you mean 'burgers'" in err
    assert "known: burgers, burgers_nu001, " in err
    assert " more, see pinnreg list)" in err
    assert "did you mean 'burgers'" in refused("describe", "burger")
    assert "nothing to solve" in refused("solve")


def test_several_mistakes_are_one_message_of_a_line_each(refused: Refused) -> None:
    err = refused("solve", _yaml("problem: heat\nsed: 1\ndevice: gpu"))
    assert len(err.splitlines()) == 2
    assert "sed" in err
    assert "device" in err


@pytest.mark.parametrize("out", ["file/run", "file", "/proc/pinnreg/run", "/dev/null/run"])
def test_unwritable_output_folder(refused: Refused, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine")
    err = refused("solve", "heat", "--out", out, "--set", "points.interior=9")
    assert f"{out}: cannot be written" in err


def test_an_unwritable_default_folder(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file where the folder should be")
    assert "cannot be written" in refused("solve", "heat", "--set", "points.interior=9")


def test_unwritable_json(refused: Refused, tmp_path: Path) -> None:
    """Refused before the training, not after it."""
    (tmp_path / "file").write_text("mine")
    for path in ("file/result.json", "file/deeper/result.json", "."):
        assert f"--json {path}: cannot be written" in refused(
            "solve", "heat", "--set", "points.interior=9", "--json", path
        )


def test_used_output_folder(refused: Refused, tmp_path: Path) -> None:
    _finished(tmp_path / "run")
    err = refused("solve", "heat", "--out", "run", "--set", "points.interior=9")
    assert "run: holds a run" in err
    assert "--overwrite" in err
    assert "--resume run" in err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    for extra in ([], ["--overwrite"]):
        assert "mine: the folder is not empty" in refused("solve", "heat", "--out", "mine", *extra)
    # a mistake in the config must not cost the old run
    assert "did you mean 'seed'" in refused("solve", "heat", "--out", "run", "--overwrite", "--set", "sed=1")


COMMANDS = (("solve", "--resume", "run"), ("evaluate", "run"))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for index in range(0, len(data), 50):
        data[index] ^= 0xFF
    path.write_bytes(bytes(data))


def _other_object(path: Path) -> None:
    torch.save([1, 2, 3], path)


def _code(path: Path) -> None:
    torch.save(Path("a pickled class"), path)


@pytest.mark.first(4)
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "corrupt checkpoint"),
        (_flip, "checkpoint"),
        (lambda path: path.write_bytes(b"garbage"), "corrupt checkpoint"),
        (lambda path: path.write_bytes(b"\x80\x02garbage."), "corrupt checkpoint"),
        (lambda path: path.write_bytes(b""), "corrupt checkpoint"),
        (Path.unlink, "no such checkpoint"),
        (_other_object, "not a checkpoint"),
        (_code, "corrupt checkpoint"),
    ],
    ids=["truncated", "flipped", "garbage", "pickle", "empty", "missing", "list", "code"],
)
def test_corrupt_checkpoint(
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], object],
    message: str,
) -> None:
    folder = _finished(tmp_path / "run")
    damage(folder / "checkpoint.pt")
    for command in COMMANDS:
        err = refused(*command)
        assert "run/checkpoint.pt" in err
        assert message in err
    with pytest.raises(pinnreg.InputError, match=message):
        pinnreg.load(folder)


def test_checkpoint_with_parts_missing(refused: Refused, tmp_path: Path) -> None:
    folder = _finished(tmp_path / "run")
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    del state["parameters"], state["position"]
    torch.save(state, folder / "checkpoint.pt")
    for command in COMMANDS:
        assert "run/checkpoint.pt" in refused(*command)


def test_checkpoint_of_another_config(refused: Refused, tmp_path: Path) -> None:
    folder = _finished(tmp_path / "run")
    pinnreg.solve(TINY, {"seed": 1}, out=tmp_path / "other", progress=False)
    shutil.copy(tmp_path / "other/checkpoint.pt", folder / "checkpoint.pt")
    for command in COMMANDS:
        assert "belongs to another config" in refused(*command)


def test_resume_with_another_config(refused: Refused, tmp_path: Path) -> None:
    _finished(tmp_path / "run")
    err = refused("solve", "--resume", "run", "--seed", "4")
    assert "differs in seed;" in err
    err = refused("solve", "heat", "--resume", "run")
    assert "network.hidden" in err
    assert "points.interior" in err
    assert "problem.name" in refused("solve", "burgers", "--resume", "run")
    for extra in (["--out", "other"], ["--overwrite"]):
        assert "leave out --out and --overwrite" in refused("solve", "--resume", "run", *extra)


def test_no_run(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, reason in {"missing": "no such folder", "empty": "not a run's folder"}.items():
        for command in (("solve", "--resume"), ("evaluate",), ("plot",)):
            assert f"{folder}: {reason}" in refused(*command, folder)


def test_broken_config_of_a_run(refused: Refused, tmp_path: Path) -> None:
    _finished(tmp_path / "run")
    (tmp_path / "run/config.yaml").write_text("problem: [")
    for command in COMMANDS:
        assert "run/config.yaml: not valid YAML" in refused(*command)


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ("import torch", "import torhc", ["fails to import", "torhc"]),
        ("@dataclass(frozen=True)", "@dataclass(frozen=True", ["fails to import", "line 9", "SyntaxError"]),
        ("class Mine", "raise RuntimeError('at [8]')\nclass Mine", ["fails to import"]),
        ("class Mine(Problem)", "class Mine", ["expected one public Problem class, found none"]),
        ("class Mine(Problem)", "class _Mine(Problem)", ["expected one public Problem class, found none"]),
        (
            "@dataclass(frozen=True)\n",
            "class Other(Problem):\n    pass\n\n\n@dataclass(frozen=True)\n",
            ["expected one public Problem class, found Other, Mine"],
        ),
        ("def residual(", "def residul(", ["residual"]),
        ("@dataclass(frozen=True)\n", "", ["@dataclass(frozen=True)"]),
        ("domain = Box(x=(0, 1), y=(0, 1))", "domain = 3", ["domain", "Box"]),
        ("Box(x=(0, 1), y=(0, 1))", "Box(x=(1, 0))", ["lower < upper"]),
        ("Box(x=(0, 1), y=(0, 1))", "Box(t=(0, 1), x=(0, 1))", ["'t'", "last"]),
        ("Box(x=(0, 1), y=(0, 1))", "Box(grad=(0, 1))", ["'grad'"]),
        ("(dirichlet(0.0),)", "dirichlet(0.0)", ["conditions", "comma"]),
        ("(dirichlet(0.0),)", "(dirichlet(0.0, on='z'),)", ["face", "'z'"]),
        ("(dirichlet(0.0),)", "(dirichlet(0.0, of='v'),)", ["output", "'v'"]),
        ("(dirichlet(0.0),)", "(dirichlet(lambda z: z),)", ["'z'", "known: x, y"]),
        ("(dirichlet(0.0),)", "(dirichlet(lambda x: 'zero'),)", ["condition", "torch tensor"]),
        ("(dirichlet(0.0),)", "(dirichlet(lambda x: x[:, None]),)", ["condition", "shape (n,)"]),
        ("(dirichlet(0.0),)", "(dirichlet(torch.sin),)", ["condition"]),
        # residuals
        ("u.laplacian + x", "(u.laplacian + x)[:, None]", ["shape (n,)", "(20, 1)"]),
        ("u.laplacian + x", "u.laplacian[:-1]", ["shape (n,)", "(19,)"]),
        ("u.laplacian + x", "(u.laplacian + x).mean()", ["shape (n,)"]),
        ("u.laplacian + x", "u.laplacian + x + u.value.mean()", ["pointwise"]),
        ("u.laplacian + x", "None", ["torch tensor", "NoneType"]),
        ("u.laplacian + x", "{}", ["empty dict"]),
        ("u.laplacian + x", "{'a': u.laplacian, 'b': 3}", ["'b'", "torch tensor"]),
        ("u.laplacian + x", "torch.log(x - 2)", ["NaN or Inf at the start", "x="]),
        ("u.laplacian + x", "u.laplacian / 0", ["NaN or Inf at the start"]),
        ("u.laplacian + x", "u.xz", ["residual of Mine", "line", "xz"]),
        ("u.laplacian + x", "(x * u.x).x", ["product rule"]),
        ("u.laplacian + x", "u.x if x > 0 else u.xx", ["torch.where"]),
        ("u.laplacian + x", "u.laplacian + self.q", ["residual of Mine", "line", "'q'"]),
        ("residual(self, u, x)", "residual(self, w, x)", ["argument of residual", "'w'"]),
        ("residual(self, u, x)", "residual(self, *u)", ["by name"]),
        # references
        ("    def residual", "    def reference(self):\n        return 3\n\n    def residual", ["reference"]),
        (
            "    def residual",
            "    def reference(self):\n        return {'v': lambda x, y: x * y}\n\n    def residual",
            ["reference", "'v'"],
        ),
        (
            "    def residual",
            "    def reference(self):\n        return lambda x, y: x * y + float('nan')\n\n    def residual",
            ["NaN"],
        ),
        ("(dirichlet(0.0),)", "(dirichlet(lambda x: x.sine()),)", ["sine"]),
        (
            "    def residual",
            "    def reference(self):\n        return lambda x: x + self.oops\n\n    def residual",
            ["oops"],
        ),
        (
            "    def residual",
            "    def reference(self):\n        import json\n        return json.loads('')\n\n    def residual",
            ["reference of Mine (line", "mine.py", "return json.loads"],
        ),
        ("@dataclass(frozen=True)\n", "raise SystemExit('bye')\n", ["fails to import"]),
        ("    k: int = 1\n", "    k: int\n", ["'mine' needs the parameter k"]),
        ("    k: int = 1\n", "    k: object() = 1\n", ["k", "cannot be checked"]),
        (
            "conditions = (dirichlet(0.0),)",
            "conditions = property(lambda self: (inital(0.0),))",
            ["problem 'mine' (line", "mine.py", "'inital' is not defined"],
        ),
        (
            "domain = Box(x=(0, 1), y=(0, 1))",
            "domain = property(lambda self: self.nowhere)",
            ["`domain` must be a domain", "'nowhere'"],
        ),
    ],
)
def test_problem_files(refused: Refused, tmp_path: Path, old: str, new: str, messages: Sequence[str]) -> None:
    assert PROBLEM.count(old) == 1 or old == "import torch"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(PROBLEM.replace(old, new, 1))
    settings = ["--set", "points.interior=20", "--set", "evaluate.grid=5"]
    err = refused("solve", "mine", "--problems", "own", *settings)
    assert all(message in err for message in messages), err


def test_a_broken_problem_file_matters_only_if_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "broken.py").write_text("import torhc")
    with pytest.raises(SystemExit) as caught:
        main(["list", "--problems", "own"])
    out, err = capsys.readouterr()
    assert caught.value.code == 0
    assert "heat" in out
    assert len(err.splitlines()) == 1
    assert err.startswith("warning: own/broken.py: fails to import")


def test_problem_folder_that_does_not_exist(refused: Refused) -> None:
    for command in (("solve", "heat"), ("list",), ("describe", "heat")):
        assert "'missing' does not exist" in refused(*command, "--problems", "missing")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none(refused: Refused, tmp_path: Path) -> None:
    for extra in (["--device", "cuda"], ["--set", "device=cuda"]):
        err = refused("solve", "heat", *extra)
        assert "no CUDA device" in err
        assert "'cpu'" in err
    _finished(tmp_path / "run")
    for command in COMMANDS:
        assert "no CUDA device" in refused(*command, "--device", "cuda")


def test_exact_conditions_that_cannot_be(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    text = PROBLEM.replace("dirichlet(0.0),", "dirichlet(0.0), neumann(0.0, on='x', name='flux'),")
    (tmp_path / "own" / "mine.py").write_text(text.replace("import Box", "import neumann, Box"))
    err = refused("solve", "mine", "--problems", "own", "--set", "conditions=exact")
    assert "conditions: exact is impossible" in err
    assert "flux" in err


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("x,t\n0,0", ["column", "'u'", "known: x, t"]),
        ("x,t,u\n0,0,1\n0,zero,1", ["line 3, column 't'", "'zero'"]),
        ("x,t,u\n0,7,1", ["outside", "[0.0, 7.0]"]),
        ("x,t,u\n", ["no measurements"]),
    ],
)
def test_files_of_measurements(refused: Refused, tmp_path: Path, text: str, messages: Sequence[str]) -> None:
    (tmp_path / "data.csv").write_text(text)
    err = refused("solve", "heat", "--set", "measurements=[{file: data.csv}]")
    assert "data.csv" in err
    assert all(message in err for message in messages), err


@pytest.mark.parametrize(
    ("arrays", "messages"),
    [
        ({"x": np.linspace(0, 1, 5), "u": np.ones((5, 5))}, ["'t'"]),
        ({"x": np.linspace(0, 1, 5), "t": np.linspace(0, 1, 5)}, ["'u'"]),
        ({"x": np.linspace(0, 1, 5), "t": np.linspace(0, 1, 5), "u": np.ones((5, 4))}, ["'u'", "(5, 4)"]),
        ({"x": np.linspace(0, 1, 5), "t": np.linspace(0, 0.5, 5), "u": np.ones((5, 5))}, ["'t'", "outside"]),
        ({"x": np.linspace(1, 0, 5), "t": np.linspace(0, 1, 5), "u": np.ones((5, 5))}, ["'x'", "increasing"]),
    ],
)
def test_reference_files(refused: Refused, tmp_path: Path, arrays: dict[str, Any], messages: Sequence[str]) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    err = refused("solve", "heat", "--set", "evaluate.reference=data.npz", "--set", "points.interior=9")
    assert "data.npz" in err
    assert all(message in err for message in messages), err


def test_a_reference_file_that_is_none(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_text("no archive")
    assert "data.npz" in refused("solve", "heat", "--set", "evaluate.reference=data.npz")
