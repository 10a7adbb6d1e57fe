"""What is imported when: nothing before it is used, and torch not at all for help, lists and refusals."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pinnreg

PACKAGE = Path(pinnreg.__file__).resolve().parent
STUBS = sorted(PACKAGE.rglob("__init__.pyi"))


HEAVY = ("torch", "scipy", "matplotlib", "numpy")
UNUSED = (
    *("matplotlib", "scipy.stats", "scipy.integrate", "scipy.interpolate", "scipy.optimize", "scipy.sparse"),
    *("pinnreg.analysis", "pinnreg.studies", "pinnreg.reproductions", "pinnreg.benchmarks", "pinnreg.cli"),
)
"""What solving needs only for some problems, or not at all."""

WRONG = {
    "key.yaml": "problem: heat\nponts: {}\n",
    "nested.yaml": "problem: heat\npoints: {interor: 5}\n",
    "value.yaml": "problem: heat\npoints: {interior: -5}\n",
    "network.yaml": "problem: heat\nnetwork: {kind: mpl}\n",
    "hidden.yaml": "problem: heat\nnetwork: {hiden: [5]}\n",
    "optimiser.yaml": "problem: heat\ntrain: [{optimiser: adm}]\n",
    "stage.yaml": "problem: heat\ntrain: [{optimiser: adam, stepss: 5}]\n",
    "regulariser.yaml": "problem: heat\nregularisers: [{kind: ktw}]\n",
    "penalty.yaml": "problem: heat\nregularisers: [{kind: ktv, wieght: 1}]\n",
    "problem.yaml": "problem: {name: haet}\n",
    "none.yaml": "seed: 3\n",
    "twice.yaml": "problem: heat\nseed: 1\nseed: 2\n",
    "broken.yaml": "problem: [heat\n",
    "budget.yaml": "base: heat\nvary: {seed: [1, 2]}\nbudgt: 5\n",
    "study.yaml": "base: heat\nvary: {seed: [1, 2]}\n",
}
REFUSED = [
    *(["solve", name] for name in WRONG),
    *(["solve", "heat", "--set", change] for change in ("seeed=1", "points.interor=5", "train.0.stepss=5", "seed")),
    ["solve", "heat", "--device", "tpu"],
    ["solve", "haet"],
    ["solve", "missing.yaml"],
    ["slove", "heat"],
    ["schema", "ponts"],
    *(["study", name] for name in ("budget.yaml", "none.yaml", "broken.yaml", "missing.yaml", "haet")),
    ["plot", "run", "--format", "gif"],
    ["reproduce", "ktw"],
    ["bench", "zoo", "--problem", "haet"],
    ["bench", "estimates", "--problem", "haet"],
    ["bench", "peers", "--case", "haet"],
]
DONE = [
    *(["--help"], ["--version"], ["list"], ["schema"], ["schema", "points"]),
    *(
        [command, "--help"]
        for command in ("solve", "study", "evaluate", "plot", "analyse", "report", "animate", "reproduce", "bench")
    ),
    *(["bench", name, "--help"] for name in ("zoo", "estimates", "optimisers", "peers")),
]
COMMANDS = [*REFUSED, *DONE]

SCRIPT = """
import json, sys
heavy, commands = json.loads(sys.argv[1])
found = lambda: [name for name in heavy if name in sys.modules]
import pinnreg
after = [found()]
from pinnreg.cli import main
codes = []
for command in commands:
    try:
        main(command)
    except SystemExit as ended:
        codes.append(ended.code)
    after.append(found())
print("\\n" + json.dumps([after, codes]))
"""


def outcome(script: str, *given: Any, folder: Path) -> Any:
    """What a fresh interpreter prints in its last line."""
    ended = subprocess.run(
        [sys.executable, "-c", script, json.dumps(given)], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[str]], list[int]]:
    """In one process: what is imported after `import pinnreg` and after each of the commands, and their exit codes."""
    folder = tmp_path_factory.mktemp("commands")
    for name, text in WRONG.items():
        (folder / name).write_text(text)
    after, codes = outcome(SCRIPT, HEAVY, COMMANDS, folder=folder)
    return after, codes


def test_importing_pinnreg_imports_nothing_heavy(imported: tuple[list[list[str]], list[int]]) -> None:
    assert imported[0][0] == []


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[" ".join(command) for command in COMMANDS])
def test_a_command_that_computes_nothing_imports_nothing_heavy(
    imported: tuple[list[list[str]], list[int]], number: int
) -> None:
    after, codes = imported
    assert codes[number] == (2 if number < len(REFUSED) else 0)
    assert after[number + 1] == []


@pytest.mark.slow
def test_using_pinnreg_imports_what_is_used(tmp_path: Path) -> None:
    script = """
import json, sys
import pinnreg
pinnreg.solve, pinnreg.Problem, pinnreg.Box, pinnreg.dirichlet
(unused,) = json.loads(sys.argv[1])
print(json.dumps([name for name in unused if name in sys.modules]))
"""
    assert outcome(script, UNUSED, folder=tmp_path) == []


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.parent.relative_to(PACKAGE).as_posix())
def test_a_package_exports_what_its_stub_says(stub: Path) -> None:
    name = ".".join(["pinnreg", *stub.parent.relative_to(PACKAGE).parts])
    package = importlib.import_module(name)
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    said = {alias.name: node.module for node in imports for alias in node.names}
    (listed,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    assert sorted(said) == sorted(ast.literal_eval(listed)) == package.__all__
    for export, module in said.items():
        path = f"{name}.{module or export}"
        found = importlib.import_module(path)
        assert getattr(package, export) is (getattr(found, export) if module else found), export


def test_an_export_is_not_hidden_by_the_module_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pinnreg.networks.build", raising=False)
    importlib.import_module("pinnreg.networks.build")
    assert callable(pinnreg.networks.build)
