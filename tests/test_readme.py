"""The README and the pages of docs/: every example is run as it is written, and every link leads somewhere.

Blocks are taken in their order, in one folder for each document: a YAML block is the file that the paragraph above it
names, a config to solve, or sections to add to one. Training is cut to a few steps by overrides that the test adds.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
import yaml

import pinnreg
from pinnreg import plots, registry
from pinnreg.cli import main
from pinnreg.cli.app import app
from pinnreg.config import read_yaml
from pinnreg.reproductions import EXPERIMENTS
from pinnreg.studies.model import read_study
from pinnreg.studies.plan import plan
from pinnreg.studies.worker import Task

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
NOT_RUN = {
    "make demo": "sets up an environment; .ci/run runs it",
    "make test": "runs this test",
    "pinnreg analyse outputs/heat_inverse --bootstrap 200 --jobs 2": "takes a run that has converged; test_bootstrap",
}
SMALL = {"points.interior": 10, "evaluate.grid": 10, "network.hidden": [4, 4]}
SENSORS = "x,t,u,station\n" + "".join(f"{0.1 * k},{0.09 * k},{0.5 - 0.04 * k},{k}\n" for k in range(10))


@dataclass(frozen=True)
class Block:
    """A fenced block, and the paragraph above it."""

    kind: str
    text: str
    above: str


def blocks(document: str) -> list[Block]:
    text = DOCUMENTS[document].read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(each[1], each[2], text[: each.start()].rstrip().rpartition("\n\n")[2]) for each in found]


def prose(document: str) -> str:
    return re.sub(r"^```.*?^```$", "", DOCUMENTS[document].read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def shell_lines(document: str) -> Iterator[str]:
    for block in blocks(document):
        if block.kind == "sh":
            yield from (shlex.join(shlex.split(line, comments=True)) for line in block.text.splitlines())


def cut(config: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides that leave one step of each stage, few points, a small network and a coarse grid."""
    small = {key: value for key, value in SMALL.items() if (config.get("points") or {}).get("interior") != "data"}
    network = config.get("network", {})
    if not isinstance(network, Mapping) or network.get("kind", "mlp") not in ("mlp", "quadratic"):
        small.pop("network.hidden", None)
    for number, stage in enumerate(config.get("train", [{}])):
        windows = stage.get("windows", 1)
        small[f"train.{number}.steps"] = 1 if windows in (1, "auto") else 2 * windows
        if stage.get("optimiser", "gauss_newton") == "gauss_newton":  # with one trial a step
            small |= {f"train.{number}.acceleration": False, f"train.{number}.corrections": 0}
    return small


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pinnreg.solve` with its training cut."""
    solve = pinnreg.solve

    def short(config: Any, overrides: Mapping[str, Any] | None = None, **options: Any) -> pinnreg.Solution:
        already = "train.0.steps" in (overrides or {})
        cuts = {} if already else cut(config if isinstance(config, Mapping) else {})
        return solve(config, {**cuts, **(overrides or {})}, **options)

    monkeypatch.setattr(pinnreg, "solve", short)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs a command line in an empty folder; its output."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> str:
        with pytest.raises(SystemExit) as caught:
            main(shlex.split(line)[1:])
        out, err = capsys.readouterr()
        assert caught.value.code == 0, f"{line}: {err}"
        return out

    return run


# examples


@pytest.mark.parametrize(
    "document", [pytest.param(each, marks=[pytest.mark.slow] if each.startswith("docs/") else []) for each in DOCUMENTS]
)
@pytest.mark.usefixtures("few_steps")
def test_the_examples_run_in_their_order(
    document: str, cli: Callable[[str], str], made: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "save", lambda _, path, **__: Path(path).touch())  # drawn, but not rendered
    Path("sensors.csv").write_text(SENSORS, encoding="utf-8")
    names: dict[str, Any] = {"__name__": "readme"}
    for block in blocks(document):
        if is_of_a_peer(block):
            continue  # in a process of its own, below
        if block.kind == "yaml":
            run_yaml(block)
        elif block.kind == "python":
            run_python(block, names)
        else:
            assert block.kind == "sh", f"a block of kind {block.kind!r} is not run"
            for line in block.text.splitlines():
                run_shell(shlex.join(shlex.split(line, comments=True)), cli)


def run_yaml(block: Block) -> None:
    data = yaml.safe_load(block.text)
    named = re.findall(r"`(\w+\.yaml)`", block.above)
    path = Path(named[-1] if named else "block.yaml")
    if "vary" in data:
        path.write_text(block.text, encoding="utf-8")
        study, _, where, _ = read_study(path)
        assert len(plan(study, where, [])) > 1
        write_small(path)  # for the commands that follow
        return
    path.write_text(block.text if "problem" in data else f"problem: heat\n{block.text}", encoding="utf-8")
    written = read_yaml(path)
    own = "problems" if Path("problems").is_dir() else None
    solution = pinnreg.solve(path, cut(written), out=f"solved_{path.stem}", overwrite=True, problems=own)
    assert solution.history["step"][-1] == sum(count for key, count in cut(written).items() if key.endswith(".steps"))
    assert set(data.get("unknown", {})) == set(solution.unknown)


def write_small(path: Path) -> None:
    """Leave two values of each key of a study, one seed, and a small budget."""
    study = read_yaml(path)
    study["vary"] = {key: dict(list(named(values).items())[:2]) for key, values in study["vary"].items()}
    study["vary"]["seed"] = [0]
    study["set"] = {**study.get("set", {}), **SMALL, "network.hidden": [3]}
    study["budget"] = 300
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")


def named(values: Any) -> dict[str, Any]:
    return values if isinstance(values, dict) else {str(value): value for value in values}


def run_python(block: Block, namespace: dict[str, Any]) -> None:
    """Run it with the names of the blocks before; one below the name of a file in `problems` is that file, too."""
    if named := re.findall(r"`(problems/\w+\.py)`", block.above):
        Path("problems").mkdir(exist_ok=True)
        Path(named[-1]).write_text(block.text, encoding="utf-8")
    path = Path("example.py")
    path.write_text(block.text, encoding="utf-8")
    before = dict(namespace)
    exec(compile(block.text, str(path), "exec", dont_inherit=True), namespace)
    for name, kind in list(namespace.items()):
        if kind is before.get(name):
            continue
        if isinstance(kind, type) and issubclass(kind, pinnreg.Problem) and kind is not pinnreg.Problem:
            solution = pinnreg.solve({"problem": kind(**({"nu": 0.1} if "nu" in names_of(kind) else {}))}, out=False)
            assert solution.report is not None
            assert (solution.report.reference is not None) == ("reference" in vars(kind))


def names_of(kind: type[pinnreg.Problem]) -> set[str]:
    return {each.name for each in dataclasses.fields(kind)}  # type: ignore[arg-type]


def run_shell(line: str, cli: Callable[[str], str]) -> None:
    if line in NOT_RUN:
        return
    program, command, *rest = shlex.split(line)
    assert program == "pinnreg", f"{line}: run it, or say in NOT_RUN why not"
    more: dict[str, Any] = {}
    if command == "solve":
        more = {"train.0.steps": 2} if "--resume" in rest else {"train.0.steps": 1, **SMALL}
    cli(shlex.join([program, command, *rest, *(f"--set={key}={value}" for key, value in more.items())]))


# code of DeepXDE, which sets defaults of the whole process

BRIEFLY = """
import deepxde as dde
train = dde.Model.train
dde.optimizers.LBFGS_options.update(maxiter=2, iter_per_step=2, fun_per_step=3)
dde.Model.train = lambda self, iterations=2, **options: train(self, iterations=2, **options)
"""


def is_of_a_peer(block: Block) -> bool:
    return block.kind == "python" and "import deepxde" in block.text


@pytest.mark.slow
@pytest.mark.parametrize("document", [name for name in DOCUMENTS if any(map(is_of_a_peer, blocks(name)))])
def test_code_of_deepxde_runs(document: str, tmp_path: Path) -> None:
    pytest.importorskip("deepxde", reason="the extra 'peers' is not installed")
    for block in filter(is_of_a_peer, blocks(document)):
        run = [sys.executable, "-c", BRIEFLY + block.text]
        subprocess.run(run, cwd=tmp_path, env={**os.environ, "DDE_BACKEND": "pytorch"}, check=True)


def test_nothing_is_excused_that_is_not_there() -> None:
    assert set(NOT_RUN) <= {line for document in DOCUMENTS for line in shell_lines(document)}


# commands in the text

PLACEHOLDERS = {"NAME", "CONFIG", "RUN"}
RUN_AT_ONCE = ("list", "describe", "schema", "new-problem")
"""Commands that take no time; others are parsed, as their own tests run them."""


def commands_in_text() -> list[str]:
    found = re.findall(r"`(pinnreg [a-z][^`]*)`", "\n".join(map(prose, DOCUMENTS)))
    return sorted(set(found))


@pytest.mark.parametrize("line", commands_in_text())
def test_a_command_in_the_text_is_one(line: str, cli: Callable[[str], str]) -> None:
    _, command, *rest = shlex.split(line)
    if command in RUN_AT_ONCE:
        cli(line)
        return
    parse(typer.main.get_command(app), [command, *rest])
    known = {
        "solve": {*registry.shipped_configs(), *registry.find(), "cube.yaml"},
        "study": set(registry.shipped_configs(studies=True)),
        "reproduce": set(EXPERIMENTS),
    }
    if command in known and rest and not rest[0].startswith("-"):
        assert rest[0] in known[command] | PLACEHOLDERS


def parse(command: Any, arguments: list[str]) -> None:
    """Refuse, by an exception, arguments that the command line would refuse."""
    context = command.make_context("pinnreg", list(arguments), resilient_parsing=False)
    inner = [*getattr(context, "_protected_args", []), *context.args]
    if hasattr(command, "resolve_command") and inner:
        _, found, rest = command.resolve_command(context, inner)
        parse(found, rest)


def test_a_wrong_option_in_the_text_would_be_found() -> None:
    with pytest.raises(Exception, match="--nothing"):
        parse(typer.main.get_command(app), ["bench", "zoo", "--nothing"])


def test_the_file_of_new_problem_solves_as_it_is(cli: Callable[[str], str]) -> None:
    assert "`pinnreg new-problem my_wave`" in prose("README.md")
    cli("pinnreg new-problem my_wave")
    cli("pinnreg solve my_wave --set train.0.steps=2 --set evaluate.grid=8 --set points.interior=30")


# links


NOT_YET: set[str] = set()
"""Pages of hours that have not been made since their commands exist."""


def links(document: str) -> set[str]:
    text = prose(document)
    return {each for each in re.findall(r"\]\(([^)\s]+)\)", text) if not each.startswith("https://")}


def pages() -> set[Path]:
    """What `make gallery` writes."""
    asked = subprocess.run(["make", "-n", "gallery"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"pinnreg (study|reproduce|bench) (\w+) .*--page (\S+)$", asked, re.MULTILINE)
    names = {(name if command == "study" else f"{command}_{name}", folder) for command, name, folder in found}
    return {(ROOT / folder / f"{name}.md").resolve() for name, folder in names}


def test_the_gallery_has_all_studies_and_experiments() -> None:
    names = {path.stem for path in pages()}
    assert names >= {*registry.shipped_configs(studies=True), *(f"reproduce_{name}" for name in EXPERIMENTS)}
    assert names >= {"bench_derivatives", "bench_estimates", "bench_optimisers"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for each in links(document):
        file, _, section = unquote(each).partition("#")
        path = (DOCUMENTS[document].parent / file).resolve() if file else DOCUMENTS[document]
        assert path.exists(), each
        assert not section or section in sections(path), each


def sections(path: Path) -> list[str]:
    """The headings of a page as links have them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_the_readme_shows_all_pages_and_is_short() -> None:
    readme = DOCUMENTS["README.md"].read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 200
    linked = {
        (path.parent / each.partition("#")[0]).resolve() for name, path in DOCUMENTS.items() for each in links(name)
    }
    missing = {path for path in pages() if not path.exists()}
    assert {path.stem for path in missing} == NOT_YET
    assert pages() - missing <= linked
    assert set(DOCUMENTS.values()) <= linked | {DOCUMENTS["README.md"]}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_folders_that_are_named_exist(document: str) -> None:
    named = re.findall(r"`((?:pinnreg|tests|configs|problems)/[\w/.]*)`", prose(document))
    written = ("my_wave", "bending", "skip", "bump", "rod", "washer", "slab")
    users = {f"problems/{name}.py" for name in written}
    assert [each for each in named if not (ROOT / each).exists() and each not in users] == []
