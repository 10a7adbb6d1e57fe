"""How many small faults the quick suite catches: the same mutants for two checkouts.

    python tests/tools/mutants.py draw BASE OTHER mutants.json [--count 60] [--seed 0]
    python tests/tools/mutants.py trace TREE traces.json                    # with the tree's own environment, as `run`
    python tests/tools/mutants.py run TREE traces.json mutants.json results.json
    python tests/tools/mutants.py show results.json results.json

A mutant changes one operator, constant, comparison or sign at a random line of the numerical packages. Only lines that
both trees have, in the same package, are drawn, so that the same fault can be put into both. `trace` runs the suite
once under coverage.py (which has to be installed), prints the coverage, and notes which tests come past which line,
how long each takes, and which fail without any mutant: those do not count. `run` puts each mutant into a copy of the
tree and runs until the first failure, the shortest first, the tests that come past its line, of a constant past its
name, of the head of a function past its body; processes that tests start are not traced, and what only they would
catch is not counted. What fails, or takes far longer than it should, is caught. Results are written after each mutant,
and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS = 1500
"""After so long a suite is taken to hang."""
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


def trace(tree: Path, target: Path) -> None:
    """Run the quick suite of the tree, and note for each test its seconds, its outcome, and the lines that it runs."""
    import coverage  # a tool of this command alone
    import pytest

    measured = coverage.Coverage(data_file=None, branch=True, source=[str(tree / "pinnreg")])
    tests: dict[str, dict[str, Any]] = {}

    class Tracer:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
            measured.switch_context(item.nodeid)
            started = time.perf_counter()
            tests[item.nodeid] = {"failed": False}
            result = yield
            tests[item.nodeid]["seconds"] = time.perf_counter() - started
            measured.switch_context("")
            return result

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            tests[report.nodeid]["failed"] |= report.failed

    os.chdir(tree)
    sys.path.insert(0, str(tree))
    measured.start()
    pytest.main(["-q", "-p", "no:cacheprovider", "tests"], plugins=[Tracer()])
    measured.stop()
    measured.json_report(outfile=str(target))
    total = json.loads(target.read_text(encoding="utf-8"))["totals"]
    for kind, covered, count in (
        ("lines", "covered_lines", "num_statements"),
        ("branches", "covered_branches", "num_branches"),
    ):
        print(f"{kind}: {total[covered]} of {total[count]}, {100 * total[covered] / total[count]:.3f} %")
    data = measured.get_data()
    names = {name: index for index, name in enumerate(tests)}
    lines = {
        str(Path(path).relative_to(tree / "pinnreg")): {
            line: sorted(names[context] for context in contexts if context)
            for line, contexts in data.contexts_by_lineno(path).items()
        }
        for path in data.measured_files()
    }
    target.write_text(json.dumps({"tests": tests, "lines": lines}), encoding="utf-8")


def run(tree: Path, traces: dict[str, Any], mutants: list[dict[str, Any]], results: Path) -> None:
    """Try each mutant in a copy of the tree."""
    done = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache"))
        for number, mutant in enumerate(mutants[len(done) :], len(done)):
            path = _file(copy, mutant)
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines()
            line = lines.index(mutant["old"]) + 1
            tests = _concerned(traces, _lines_of(copy, path, line))
            lines[line - 1] = mutant["new"]
            started = time.monotonic()
            caught = _caught(copy, path, "\n".join(lines) + "\n", tests)
            done.append({**mutant, "file": path.name, "caught": caught})
            results.write_text(json.dumps(done, indent=1), encoding="utf-8")
            verdict = f"caught by {caught}" if caught else "SURVIVED"
            print(f"{number}: {mutant['package']}/{path.name}: {mutant['new'].strip()}: {verdict}", end=" ")
            print(f"({len(tests)} tests, {time.monotonic() - started:.0f} s)", flush=True)


def _caught(tree: Path, path: Path, mutated: str, tests: list[str]) -> str:
    """The test that a mutant of a file fails, or what else stops it; "" if nothing does. The file is left as it was.

    A test counts that fails alone with the mutant and passes alone without it: others lean on tests before them, or on
    a machine that is not busy.
    """
    text = path.read_text(encoding="utf-8")
    left = list(tests)
    while True:
        path.write_text(mutated, encoding="utf-8")
        caught = _fails(tree, left)
        sure = caught not in left or bool(_fails(tree, [caught]))
        path.write_text(text, encoding="utf-8")
        if caught not in left or (sure and not _fails(tree, [caught])):
            return caught
        left.remove(caught)


def _file(tree: Path, mutant: dict[str, Any]) -> Path:
    """Where the line stands: in the file of the same name if it does there."""
    folder = tree / "pinnreg" / mutant["package"]
    paths = sorted(folder.glob("*.py"), key=lambda path: (path.name != mutant["near"], path.name))
    return next(path for path in paths if mutant["old"] in _lines(path))


def _lines_of(tree: Path, path: Path, line: int) -> dict[str, set[int]] | None:
    """By file the lines that a fault in a line concerns; None if that cannot be told.

    Within a function its statement, in the head of one its body; of a value that a module or a class gives to a name
    all lines with that name.
    """
    package, text = tree / "pinnreg", path.read_text(encoding="utf-8")
    statement, inside = _statement(text, line)
    if isinstance(statement, ast.FunctionDef):
        return {_within(package, path): set(range(statement.body[0].lineno, (statement.end_lineno or 0) + 1))}
    if inside:
        return {_within(package, path): set(_head(statement))}
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    if not all(isinstance(each, ast.Name) for each in targets):
        return None
    named = re.compile("|".join(rf"\b{each.id}\b" for each in targets))
    return {
        _within(package, each): {
            number
            for number, found in enumerate(_lines(each), 1)
            if named.search(found)
            for number in _head(_statement(each.read_text(encoding="utf-8"), number)[0])
        }
        for each in package.rglob("*.py")
    }


def _within(package: Path, path: Path) -> str:
    return path.relative_to(package).as_posix()


def _head(statement: ast.stmt) -> range:
    """The lines of a statement, of a block those before its body."""
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if body else statement.end_lineno or 0
    return range(statement.lineno, max(end, statement.lineno) + 1)


def _statement(text: str, line: int) -> tuple[ast.stmt, bool]:
    """The innermost statement around a line, and whether it is in the body of a function."""
    found, inside = ast.stmt(lineno=line, end_lineno=line), False
    nodes: list[tuple[ast.AST, bool]] = [(ast.parse(text), False)]
    while nodes:
        node, within = nodes.pop()
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            found, inside = node, within  # the innermost is met last
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            nodes.append((child, within or (function and child in node.body)))
    return found, inside


def _concerned(traces: dict[str, Any], lines: dict[str, set[int]] | None) -> list[str]:
    """The tests that come past lines, or all, the shortest first."""
    tests = traces["tests"]
    names = list(tests)
    touched = set(names)
    if lines is not None:
        known = ((traces["lines"].get(file, {}), numbers) for file, numbers in lines.items())
        touched = {names[index] for at, numbers in known for line in numbers for index in at.get(str(line), ())}
    kept = [name for name, test in tests.items() if not test["failed"] and name in touched]
    return sorted(kept, key=lambda name: tests[name]["seconds"])


def _fails(tree: Path, tests: list[str]) -> str:
    """The first test that fails, or why the suite did; "" if nothing does."""
    if not tests:
        return ""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(tree)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # which would compile the package anew in every process
    listed = tree.parent / "tests.txt"
    listed.write_text("\n".join(tests), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"@{listed}"]
    try:
        found = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "a time limit"
    if not found.returncode:
        return ""
    failed = [line for line in found.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].partition(" ")[2].partition(" - ")[0] if failed else f"exit status {found.returncode}"


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
    for name in ("tree", "traces", "mutants", "results"):
        running.add_argument(name, type=Path)
    tracing = commands.add_parser("trace")
    for name in ("tree", "target"):
        tracing.add_argument(name, type=Path)
    showing = commands.add_parser("show")
    showing.add_argument("results", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "draw":
        mutants = draw(given.base, given.other, given.count, given.seed)
        given.target.write_text(json.dumps(mutants, indent=1), encoding="utf-8")
    elif given.command == "run":
        traces, mutants = (json.loads(path.read_text(encoding="utf-8")) for path in (given.traces, given.mutants))
        run(given.tree.resolve(), traces, mutants, given.results)
    elif given.command == "trace":
        trace(given.tree.resolve(), given.target.resolve())
    else:
        for path in given.results:
            found = json.loads(path.read_text(encoding="utf-8"))
            print(f"{path}: {sum(bool(each['caught']) for each in found)} of {len(found)} caught")


if __name__ == "__main__":
    main()
