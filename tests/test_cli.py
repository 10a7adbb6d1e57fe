"""The commands: what they print, where, what they write, and how they end."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import pinnreg
from pinnreg.cli import main
from pinnreg.cli.app import ORDER
from pinnreg.cli.process import guarded
from pinnreg.config import json_schema, resolve
from pinnreg.reproductions import EXPERIMENTS
from pinnreg.run import line
from pinnreg.training import Row

Cli = Callable[..., tuple[int, str, str]]
TINY: dict[str, Any] = {
    "problem": "heat",
    "network": {"hidden": [6]},
    "points": {"interior": 20},
    "train": [{"optimiser": "adam", "steps": 120, "learning_rate": 1e-2}],
    "evaluate": {"grid": [6, 5]},
    "device": "cpu",
}
FILES = {
    "config.yaml",
    "history.csv",
    "checkpoint.pt",
    "fields.npz",
    "report.json",
    "error_field.png",
    "views.npz",
    "history.png",
}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in an empty folder that holds `tiny.yaml`: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, int)
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


def test_help_and_version(cli: Cli) -> None:
    code, out, err = cli()
    assert (code, err) == (0, "")
    for command in (
        "list",
        "describe",
        "solve",
        "study",
        "evaluate",
        "plot",
        "report",
        "animate",
        "schema",
        "new-problem",
        "bench",
    ):
        assert re.search(rf"^\s+{command}\b", out, re.MULTILINE), command
        code, shown, err = cli(command, "--help")
        assert (code, err) == (0, "")
        assert "Usage" in shown
    assert cli("--help")[1] == out
    assert cli("bench") == cli("bench", "--help")
    assert cli("--version") == (0, pinnreg.__version__ + "\n", "")


def test_commands_are_listed_in_the_order_of_their_use(cli: Cli) -> None:
    _, out, _ = cli("--help")
    listed = re.findall(r"^  ([a-z-]+)  ", out.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(ORDER)
    benchmarks, experiments = cli("bench")[1], cli("reproduce")[1]
    for name in ("zoo", "peers", "optimisers"):
        assert re.search(rf"^  {name} ", benchmarks, re.MULTILINE)
    for name in EXPERIMENTS:
        assert re.search(rf"^{name} .*arXiv", experiments, re.MULTILINE)


@pytest.mark.parametrize("problem", ["poisson", "heat", "duffing", "no_reference"])
def test_a_new_config_solves_as_it_is_and_as_its_comments_say(cli: Cli, problem: str) -> None:
    folders = [Path(__file__).parent / "data" / "problems"]
    code, out, err = cli("new-config", "mine", "--problem", problem, "--problems", folders[0])
    assert (code, err) == (0, "")
    assert "pinnreg solve mine.yaml" in out
    text = Path("mine.yaml").read_text()
    expected = resolve(problem, {}, folders).config
    assert resolve("mine.yaml", {}, folders).config == expected
    # each commented section says what holds anyway, but for the penalty
    told = [line.removeprefix("# ") for line in text.splitlines() if re.match(r"# (\w+:|- | )", line)]
    given = yaml.safe_load("\n".join(told))
    assert set(given) == {"network", "points", "train", "evaluate", "seed", "regularisers"}
    penalty = given.pop("regularisers")
    both = yaml.safe_load(text) | given
    assert resolve(both, {}, folders).config == expected
    assert resolve({**both, "regularisers": penalty}, {}, folders).config.regularisers


def test_a_new_config_takes_no_other_s_place(cli: Cli) -> None:
    before = Path("tiny.yaml").read_bytes()
    for name in ("tiny", "a/b", "", "-x"):
        code, out, err = cli("new-config", "--", name)
        assert (code, out) == (2, "")
        assert name in err
    assert cli("new-config", "other", "--problem", "haet")[0] == 2
    assert [path.name for path in Path().iterdir()] == ["tiny.yaml"]
    assert Path("tiny.yaml").read_bytes() == before


def test_solve_takes_the_contracts_options(cli: Cli) -> None:
    _, out, _ = cli("solve", "--help")
    for option in ("set", "seed", "device", "out", "overwrite", "resume", "problems", "json", "quiet"):
        assert f"--{option}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["slove", "heat"], "slove"),
        (["solve", "heat", "--sed", "3"], "--sed"),
        (["solve", "heat", "--seed", "three"], "--seed"),
        (["solve", "heat", "poisson"], "poisson"),
        (["describe"], "NAME"),
        (["evaluate"], "RUN"),
        (["evaluate", "run", "--grid", "many"], "as in --grid 512,200, got 'many'"),
        (["evaluate", "run", "--grid", "5,"], "got ''"),
        (["evaluate", "run", "--grid", "0"], "whole numbers from 1 on"),
        (["plot", "run", "--format", "gif"], "gif"),
        (["solve", "heat", "--set"], "--set"),
    ],
)
def test_a_command_line_that_does_not_parse(cli: Cli, arguments: list[str], message: str) -> None:
    code, out, err = cli(*arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1


def test_list(cli: Cli) -> None:
    code, out, err = cli("list", "--json", "list.json")
    assert (code, err) == (0, "")
    for name in (
        "poisson",
        "burgers",
        "heat",
        "poisson3d",
        "ktv",
        "adam",
        "lbfgs",
        "ssbroyden",
        "tanh",
        "sobol",
        "quadratic",
        "orthogonality",
    ):
        assert name in out
    assert "uₜ = α uₓₓ" in out
    data = json.loads(Path("list.json").read_text())
    assert set(data["problems"]) >= {"poisson", "burgers", "heat"}
    assert data["groups"].keys() == data["problems"].keys()
    assert all(data["groups"].values())  # a shipped problem says where it belongs
    lines = out.splitlines()
    assert lines.index("  flows") < lines.index(next(line for line in lines if line.startswith("    cavity ")))
    assert {"adam", "sgd", "lbfgs", "ssbroyden"} <= set(data["optimisers"])
    assert set(data["networks"]) == {"mlp", "quadratic"}


def test_describe(cli: Cli) -> None:
    code, out, err = cli("describe", "heat", "--json", "heat.json")
    assert (code, err) == (0, "")
    assert out.startswith("heat: uₜ = α uₓₓ")
    assert "alpha = 0.4, mode = 1, overtone = 0.0" in out
    data = json.loads(Path("heat.json").read_text())
    units = {"length": 1.0, "duration": 1.0, "base": 0.0, "amplitude": 1.0}
    assert data["parameters"] == {"alpha": 0.4, "mode": 1, "overtone": 0.0, "start": "sine", **units}
    assert data["domain"] == {"x": [0.0, 1.0], "t": [0.0, 1.0]}
    assert data["outputs"] == ["u"]
    assert data["conditions"] == {
        "initial": "initial, u = f(x) on t=min (soft)",
        "dirichlet": "dirichlet, u = 0 on x=min, x=max (exact)",
    }
    assert data["reference"] is True


def test_describe_says_why_a_condition_is_soft(cli: Cli) -> None:
    Path("problems").mkdir(exist_ok=True)
    lines = (
        "from dataclasses import dataclass",
        "from pinnreg import Box, Problem, dirichlet",
        "@dataclass(frozen=True)",
        "class Hat(Problem):",
        "    domain = Box(x=(0, 1), t=(0, 1))",
        "    conditions = (dirichlet(lambda t: 1 - abs(2 * t - 1), on='x'),)",
        "    def residual(self, u):",
        "        return u.t - u.xx",
    )
    Path("problems/hat.py").write_text("\n".join(lines))
    code, out, err = cli("describe", "hat")
    assert (code, err) == (0, "")
    assert "u = f(t) on x=min, x=max (soft: its data have a kink at" in out
    Path("problems/hat.py").write_text("\n".join(lines).replace("on='x'", "on='x', exact=True"))
    code, out, err = cli("describe", "hat")
    assert (code, out) == (2, "")
    assert "exact=True is impossible: dirichlet: its data have a kink at" in err


def test_the_keys_of_a_config_in_words(cli: Cli) -> None:
    code, out, err = cli("schema")
    assert (code, err) == (0, "")
    for key in ("problem", "network", "train", "evaluate", "regularisers", "seed"):
        assert re.search(rf"^{key}: .+\n {{4}}\w", out, re.MULTILINE), key
    assert "dtype: float32 | float64 = float64" in out
    assert "provenance" not in out
    code, out, err = cli("schema", "points")
    assert (code, err) == (0, "")
    assert "  interior: integer > 0 | auto | data = auto\n" in out
    # each kind of a section that has several, with what it refers to
    _, out, _ = cli("schema", "network")
    assert all(f"\n{heading}: " in out for heading in ("kind: mlp", "kind: quadratic", "feature", "fourier"))


def test_every_section_and_every_key_is_explained(cli: Cli) -> None:
    """What has no meaning in words is a key whose class forgot it."""
    whole = json_schema()
    for section in whole["properties"]:
        if section != "provenance":
            code, out, _ = cli("schema", section)
            assert code == 0
            assert len(out.splitlines()) > 1, section
    for name, each in whole["$defs"].items():
        if attributes := each.get("description", "").partition("Attributes:")[2]:
            known = set(re.findall(r"^ {4}(\w+): ", attributes, re.MULTILINE))
            assert known <= set(each["properties"]), name


def test_the_json_schema_of_a_config_and_of_a_section(cli: Cli) -> None:
    code, out, _ = cli("schema", "--json", "-")
    assert (code, json.loads(out)) == (0, json_schema())
    code, out, err = cli("schema", "network", "--json", "-")
    assert code == 0
    assert "hidden" in err
    found = json.loads(out)
    # with what its parts refer to, and nothing else
    assert set(found["$defs"]) == {"MLPSettings", "QuadraticSettings", "FeatureSettings", "FourierSettings"}
    assert found["default"]["kind"] == "mlp"
    assert json.loads(cli("schema", "seed", "--json", "-")[1])["default"] == 0
    code, out, err = cli("schema", "netwrk")
    assert (code, out) == (2, "")
    assert "unknown section of a config: 'netwrk'; did you mean 'network'?" in err


@pytest.mark.figures
def test_solve_writes_a_run_and_tells_where(cli: Cli) -> None:
    code, out, err = cli("solve", "tiny.yaml", "--out", "run", "--json", "run/copy.json")
    assert code == 0
    assert {path.name for path in Path("run").iterdir()} == FILES | {"copy.json"}
    report = json.loads(Path("run/report.json").read_text())
    assert json.loads(Path("run/copy.json").read_text()) == report
    assert f"{report['errors']['u']['rel_l2']:.2e}" in out
    assert f"{report['reference']['scipy']['error_estimate']:.2e}" in out
    assert "closed form" in out
    assert "method of lines" in out
    assert "run/error_field.png" in out
    assert "adam: all 120 steps done" in out
    # progress: plain lines where there is no terminal, on stderr
    assert [line.split()[:2] for line in err.splitlines()] == [
        ["step", "0/120"],
        ["step", "100/120"],
        ["step", "120/120"],
    ]
    assert "\x1b" not in out + err
    assert "\r" not in out + err


def test_what_is_printed_is_not_read_from_the_files(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write = line.write_report

    def spoilt(folder: Path, report: Any) -> None:
        write(folder, report)
        for name in ("report.json", "fields.npz", "history.csv"):
            (folder / name).write_text("unreadable")

    monkeypatch.setattr(line, "write_report", spoilt)
    code, out, err = cli("solve", "tiny.yaml", "--out", "run", "--json", "result.json")
    assert (code, "Traceback" in err) == (0, False)
    assert "adam: all 120 steps done" in out
    assert f"{json.loads(Path('result.json').read_text())['errors']['u']['rel_l2']:.2e}" in out


def test_quiet(cli: Cli) -> None:
    assert cli("solve", "tiny.yaml", "--out", "run", "--quiet", "--set", "train.0.steps=10") == (0, "", "")
    assert Path("run/report.json").exists()
    code, out, err = cli("solve", "tiny.yaml", "--out", "run", "--quiet")
    assert (code, out) == (2, "")
    assert err.startswith("error: run: holds a run")


def test_options_change_the_config(cli: Cli) -> None:
    code, _, _ = cli(
        *("solve", "tiny.yaml", "--set", "train.0.steps=2", "--set", "network.hidden=[3, 4]", "--set", "seed=3"),
        *("--seed", "5", "--device", "cpu", "--set", "train.0.learning_rate=1e-5"),
    )
    assert code == 0
    (folder,) = Path("outputs").glob("tiny/*")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["train"][0]["steps"] == 2
    assert config["train"][0]["learning_rate"] == 1e-5
    assert config["network"]["hidden"] == [3, 4]
    assert (config["seed"], config["device"]) == (5, "cpu")


def test_a_config_is_a_file_then_a_shipped_config_then_a_problem(cli: Cli) -> None:
    small = ["--set=train.0.steps=1", "--set=points.interior=9", "--set=evaluate.grid=4", "--quiet"]
    assert cli("solve", "poisson1d", *small)[0] == 0  # a shipped config, no problem of this name
    Path("heat").write_text(yaml.safe_dump(TINY | {"problem": {"name": "heat", "mode": 2}}))
    assert cli("solve", "heat", "--quiet", "--set", "train.0.steps=1")[0] == 0
    names = {path.parent.name: path for path in Path("outputs").glob("*/*")}
    assert set(names) == {"poisson1d", "heat"}
    assert yaml.safe_load((names["poisson1d"] / "config.yaml").read_text())["problem"]["dimension"] == 1
    assert yaml.safe_load((names["heat"] / "config.yaml").read_text())["problem"]["mode"] == 2


def test_overwrite_and_resume(cli: Cli) -> None:
    short = ["--out", "run", "--quiet", "--set", "train.0.steps=10"]
    assert cli("solve", "tiny.yaml", *short)[0] == 0
    assert cli("solve", "tiny.yaml", *short, "--overwrite", "--seed", "1")[0] == 0
    assert yaml.safe_load(Path("run/config.yaml").read_text())["seed"] == 1
    code, out, err = cli("solve", "--resume", "run", "--set", "train.0.steps=15")
    assert code == 0
    assert "15 steps" in out
    assert "step 15/15" in err
    assert cli("solve", "tiny.yaml", "--seed", "1", "--set", "train.0.steps=25", "--resume", "run")[0] == 0
    whole = pinnreg.solve(TINY, {"seed": 1, "train.0.steps": 25}, out=False)
    resumed = pinnreg.load("run")
    assert all(torch.equal(resumed.parameters[name], whole.parameters[name]) for name in whole.parameters)


@pytest.mark.figures
def test_a_run_that_has_not_ended_is_drawn_as_far_as_it_is(cli: Cli, tmp_path: Path) -> None:
    calls = iter(range(99))
    hooks = pinnreg.Hooks(interrupted=lambda: 15 if next(calls) == 2 else None)
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve("tiny.yaml", out="run", hooks=hooks, progress=False)
    before = {path.name for path in Path("run").iterdir()}
    code, out, err = cli("plot", "run")
    assert code == 0
    assert out.split() == ["run/unfinished_error_field.png", "run/unfinished_history.png"]
    assert "the run has not ended" in err
    # they are gone with the state that they are of, and are nobody else's
    assert cli("solve", "--resume", "run", "--set", "train.0.steps=3")[0] == 0
    assert {path.name for path in Path("run").iterdir()} >= before
    assert not list(Path("run").glob("unfinished*"))


def test_evaluate_and_plot(cli: Cli) -> None:
    assert cli("solve", "tiny.yaml", "--out", "run", "--quiet", "--set", "train.0.steps=10")[0] == 0
    before = {path: path.read_bytes() for path in Path("run").iterdir()}
    code, out, err = cli("evaluate", "run", "--json", "errors.json")
    assert (code, err) == (0, "")
    report = json.loads(Path("run/report.json").read_text())
    assert json.loads(Path("errors.json").read_text())["errors"] == report["errors"]
    assert f"{report['errors']['u']['rel_l2']:.2e}" in out
    assert cli("evaluate", "run", "--grid", "8,9")[1] == cli("evaluate", "run", "--grid", "8", "--grid", "9")[1]
    code, _, _ = cli("evaluate", "run", "--grid", "8", "--grid", "9", "--json", "errors.json")
    assert code == 0
    assert json.loads(Path("errors.json").read_text())["errors"] != report["errors"]
    code, _, err = cli("evaluate", "run", "--grid", "8", "--grid", "9", "--grid", "7")
    assert code == 2
    assert "x, t" in err
    assert {path: path.read_bytes() for path in Path("run").iterdir()} == before
    code, out, err = cli("plot", "run", "--format", "pdf")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["run/error_field.pdf", "run/history.pdf"]
    assert all(Path(line).read_bytes().startswith(b"%PDF") for line in out.splitlines())


def test_new_problem_solves_as_it_is(cli: Cli) -> None:
    code, out, err = cli("new-problem", "advection_diffusion")
    assert (code, err) == (0, "")
    assert "wrote problems/advection_diffusion.py" in out
    assert "pinnreg solve advection_diffusion" in out
    assert "advection_diffusion" in cli("list")[1]
    assert cli("describe", "advection_diffusion")[0] == 0
    small = ["--set=evaluate.grid=20", "--set=network.hidden=[10]", "--set=points.interior=80"]
    small += ["--set=train.0.steps=30"]
    code, out, err = cli("solve", "advection_diffusion", "--out", "run", *small)
    assert code == 0, err
    assert json.loads(Path("run/report.json").read_text())["errors"]["u"]["rel_l2"] < 1e-2
    text = Path("problems/advection_diffusion.py").read_text()
    for wrong in ("advection_diffusion", "heat", "3d", "a-b", "../a", "class", "_a", "", "none", "true"):
        code, out, err = cli("new-problem", wrong)
        assert (code, out) == (2, ""), wrong
        assert err.startswith("error: ")
    assert [path.name for path in Path("problems").glob("*.py")] == ["advection_diffusion.py"]
    assert Path("problems/advection_diffusion.py").read_text() == text


def test_new_problem_in_another_folder(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("new-problem", "mine", "--problems", "deep/own")
    assert code == 0
    assert "pinnreg solve mine --problems deep/own" in out
    assert cli("describe", "mine", "--problems", "deep/own")[0] == 0
    (tmp_path / "file").write_text("")
    assert cli("new-problem", "mine", "--problems", "file/own")[0] == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_say_how_to_go_on(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def on_row(row: Row) -> None:
        if row.step == 50:
            signal.raise_signal(number)

    monkeypatch.setattr("pinnreg.run.line.seen", lambda **_: contextlib.nullcontext(on_row))
    found, out, err = cli("solve", "tiny.yaml", "--out", "run")
    assert (found, out) == (code, "")
    assert "the state was saved; go on with: pinnreg solve --resume run" in err
    assert {path.name for path in Path("run").iterdir()} == {"config.yaml", "history.csv", "checkpoint.pt"}
    assert {each: signal.getsignal(each) for each in before} == before
    assert pinnreg.load("run").history["step"][-1] == 50


def test_python_calls_leave_signals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a handler was installed")

    monkeypatch.setattr(signal, "signal", refuse)
    assert pinnreg.solve(TINY, {"train.0.steps": 2}, out=False).report is not None


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
def test_divergence_exits_with_3(cli: Cli) -> None:
    settings = ["--set", "train=[{optimiser: sgd, learning_rate: 1e6, steps: 300}]"]
    code, out, err = cli("solve", "tiny.yaml", "--out", "run", *settings)
    assert (code, out) == (3, "")
    last = err.splitlines()[-1]
    assert last.startswith("error: training diverged")
    assert "'residual'" in last
    assert "run/checkpoint.pt" in last
    assert not Path("run/report.json").exists()
    assert np.isfinite(pinnreg.load("run")([[0.5, 0.5]])).all()


def test_runtime_errors_exit_with_1(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no memory [8] left")

    monkeypatch.setattr("pinnreg.run.solve", fail)
    assert cli("solve", "tiny.yaml") == (1, "", "error: RuntimeError: no memory [8] left\n")


def test_messages_are_neither_marked_up_nor_wrapped(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = f"[8] [bold]kept[/bold] {'long ' * 60}end"
    _, _, err = cli("solve", "tiny.yaml", "--set", f"device={json.dumps(text)}")
    assert text in err
    _, _, err = cli("solve", "tiny.yaml", "--set", "network.hidden=[[8]]")
    assert "[8]" in err
    _, out, _ = cli("solve", "tiny.yaml", "--out", "[8]" * 30, "--set", "train.0.steps=1")
    assert f"figures: {'[8]' * 30}/error_field.png" in out
    assert all(len(line) > 80 for line in out.splitlines()[:3])


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (pinnreg.InputError("x"), 2),
        (pinnreg.Diverged("x"), 3),
        (pinnreg.Interrupted(signal.SIGINT, None), 130),
        (pinnreg.Interrupted(signal.SIGTERM, Path("run/checkpoint.pt")), 143),
        (KeyboardInterrupt(), 130),
        (MemoryError("x"), 1),
        (OSError("x"), 1),
        (ZeroDivisionError("x"), 1),
        (None, 0),
    ],
)
def test_exit_codes(outcome: BaseException | None, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        if outcome is not None:
            raise outcome

    assert guarded(command) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == (0 if outcome is None else 1)


def test_a_terminal_gets_a_bar(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, out, err = cli("solve", "tiny.yaml", "--out", "run")
    assert code == 0
    assert "\x1b" in err
    assert "120/120" in err
    assert "\x1b" not in out


def test_a_run_without_a_reference_shows_its_progress(cli: Cli) -> None:
    problems = Path(__file__).parent / "data" / "problems"
    small = ["--set=train.0.steps=10", "--set=network.hidden=[4]", "--set=points.interior=20", "--set=evaluate.grid=5"]
    code, _, err = cli("solve", "no_reference", "--problems", problems, *small)
    assert code == 0
    assert re.search(r"step 10/10  loss \S+  residual at fresh points \S+ of its terms", err)


def test_a_run_s_folder_in_the_place_of_a_config_is_explained(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("{}")
    code, _, err = cli("solve", tmp_path / "run")
    assert code == 2
    assert "--resume" in err
