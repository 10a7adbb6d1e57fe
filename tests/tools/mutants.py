"""How many small faults the quick suite catches: the same mutants for two checkouts.

    python tests/tools/mutants.py draw BASE OTHER mutants.json [--count 60] [--seed 0]
    python tests/tools/mutants.py run TREE mutants.json results.json      # with the tree's own environment
    python tests/tools/mutants.py show results.json results.json

A mutant changes one operator, constant, comparison or sign at a random line of the numerical packages. Only lines that
both trees have, in the same package, are drawn, so that the same fault can be put into both. It is put into a copy of
the tree, and the suite is run until the first failure: the files of tests first that name the mutated module, then all
others. What fails, or takes far longer than it should, is caught. Results are written after each mutant, and a run that
was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGES = ("taylor", "equations", "objective", "optimisers", "regularisers", "reference")
OPERATORS: dict[type[ast.AST], str] = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*"}
COMPARISONS: dict[type[ast.AST], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
SECONDS = 1500
"""After so long a suite is taken to hang."""


def mutations(text: str) -> Iterator[tuple[int, str]]:
    """Every mutation of a file: the number of the line, and what it becomes."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        for start, end, new in _replacements(node, lines):
            if start[0] == end[0]:  # within one line
                line = lines[start[0] - 1].encode()
                yield start[0], (line[: start[1]] + new.encode() + line[end[1] :]).decode()


Place = tuple[int, int]


def _replacements(node: ast.AST, lines: list[str]) -> Iterator[tuple[Place, Place, str]]:
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield from _between(node.left, node.right, OPERATORS[type(node.op)])
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield from _between(node.left, node.comparators[0], COMPARISONS[type(node.ops[0])])
    elif isinstance(node, ast.BoolOp):
        new = "or" if isinstance(node.op, ast.And) else "and"
        yield from _between(node.values[0], node.values[1], new)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield (node.lineno, node.col_offset), (node.operand.lineno, node.operand.col_offset), "+"
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        new = str(not node.value) if isinstance(node.value, bool) else repr(node.value + 1)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        yield (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset), new


def _between(left: ast.expr, right: ast.expr, new: str) -> Iterator[tuple[Place, Place, str]]:
    """The operator between two operands; where brackets stand around one, it is left alone."""
    assert left.end_lineno is not None
    assert left.end_col_offset is not None
    yield (left.end_lineno, left.end_col_offset), (right.lineno, right.col_offset), f" {new} "


def draw(base: Path, other: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Mutants of lines that both trees have, no two of one line."""
    candidates: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for package in PACKAGES:
        there = {line for path in (other / "pinnreg" / package).glob("*.py") for line in _lines(path)}
        for path in sorted((base / "pinnreg" / package).glob("*.py")):
            text = path.read_text(encoding="utf-8")
            for number, new in mutations(text):
                old = text.splitlines()[number - 1]
                if old in there and _compiles(text, number, new):
                    mutant = {"package": package, "old": old, "new": new, "near": path.name}
                    candidates.setdefault((package, old), []).append(mutant)
    random.seed(seed)
    drawn = random.sample(sorted(candidates), min(count, len(candidates)))
    return [random.choice(candidates[key]) for key in drawn]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _compiles(text: str, number: int, new: str) -> bool:
    lines = text.splitlines()
    lines[number - 1] = new
    try:
        changed = ast.dump(ast.parse("\n".join(lines)))
    except SyntaxError:
        return False
    return changed != ast.dump(ast.parse(text))


def run(tree: Path, mutants: list[dict[str, Any]], results: Path) -> None:
    """Try each mutant in a copy of the tree."""
    done = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache"))
        for number, mutant in enumerate(mutants[len(done) :], len(done)):
            path = _file(copy, mutant)
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines()
            lines[lines.index(mutant["old"])] = mutant["new"]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            started = time.monotonic()
            caught = _fails(copy, path.stem)
            path.write_text(text, encoding="utf-8")
            done.append({**mutant, "file": path.name, "caught": caught})
            results.write_text(json.dumps(done, indent=1), encoding="utf-8")
            verdict = f"caught by {caught}" if caught else "SURVIVED"
            print(f"{number}: {mutant['package']}/{path.name}: {mutant['new'].strip()}: {verdict}", end=" ")
            print(f"({time.monotonic() - started:.0f} s)", flush=True)


def _file(tree: Path, mutant: dict[str, Any]) -> Path:
    """Where the line stands: in the file of the same name if it does there."""
    folder = tree / "pinnreg" / mutant["package"]
    paths = sorted(folder.glob("*.py"), key=lambda path: (path.name != mutant["near"], path.name))
    return next(path for path in paths if mutant["old"] in _lines(path))


def _fails(tree: Path, module: str) -> str:
    """The first test that fails, or why the suite did; "" if nothing does."""
    tests = tree / "tests"
    files = sorted(path for path in tests.glob("test_*.py") if path.name != "test_layers.py")
    near = [path for path in files if module in path.read_text(encoding="utf-8")]
    far = [path for path in files if path not in near]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(tree)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # which would compile the package anew in every process
    for group in (near, far):
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *map(str, group)]
        try:
            found = subprocess.run(
                command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "a time limit"
        if found.returncode:
            failed = [line for line in found.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
            return failed[0].partition(" - ")[0] if failed else f"exit status {found.returncode}"
    return ""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw")
    for name in ("base", "other", "target"):
        drawing.add_argument(name, type=Path)
    drawing.add_argument("--count", type=int, default=60)
    drawing.add_argument("--seed", type=int, default=0)
    running = commands.add_parser("run")
    for name in ("tree", "mutants", "results"):
        running.add_argument(name, type=Path)
    showing = commands.add_parser("show")
    showing.add_argument("results", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "draw":
        mutants = draw(given.base, given.other, given.count, given.seed)
        given.target.write_text(json.dumps(mutants, indent=1), encoding="utf-8")
    elif given.command == "run":
        run(given.tree, json.loads(given.mutants.read_text(encoding="utf-8")), given.results)
    else:
        for path in given.results:
            found = json.loads(path.read_text(encoding="utf-8"))
            print(f"{path}: {sum(bool(each['caught']) for each in found)} of {len(found)} caught")


if __name__ == "__main__":
    main()
