"""The house rules that the code can be asked about: layers, imports, what is set from outside."""

from __future__ import annotations

import ast
import graphlib
import importlib
import inspect
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import pinnreg

PACKAGE = Path(pinnreg.__file__).resolve().parent
LAYERS = {
    -2: ("errors",),
    -1: ("settings", "naming", "memory", "files", "processes", "randomness", "bar"),
    0: ("scanning", "domain", "locks", "reference", "taylor", "compilation", "jacobians", "dense", "parallel"),
    1: ("networks",),
    2: ("differentiation",),
    3: ("equations",),
    4: ("registry", "regularisers", "observations"),
    5: ("objective",),
    6: ("optimisers",),
    7: ("training", "estimates"),
    8: ("config", "report", "analysis"),
    9: ("plots", "exports", "html"),
    10: ("run",),
    11: ("studies", "benchmarks", "reproductions"),
    12: ("cli",),
    13: ("__main__",),
}
LAYER = {module: layer for layer, modules in LAYERS.items() for module in modules}
# stubs too, which say what a package exports; in a wheel these two folders lie inside the package: data for the engine,
# no part of it
FILES = [
    path
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")])
    if path.relative_to(PACKAGE).parts[0] not in ("problems", "configs", "__pycache__")
]
INNER = [path for path in FILES if path.with_suffix(".py") != PACKAGE / "__init__.py"]


def label(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def unit(path: Path) -> str:
    """The module at the top of the package that a file belongs to."""
    return Path(path.relative_to(PACKAGE).parts[0]).stem


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(tree(path)))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names that a file imports, anywhere in it, with the line; `from a import b` gives a.b."""
    package = ("pinnreg", *path.relative_to(PACKAGE).parts[:-1])
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def inner_imports(path: Path) -> Iterator[tuple[str, int]]:
    """The top modules of pinnreg that a file imports; "" for a name of the package itself."""
    for name, line in imported(path):
        first, _, rest = name.partition(".")
        if first == "pinnreg":
            target = rest.split(".")[0]
            yield (target if (PACKAGE / target).is_dir() or (PACKAGE / f"{target}.py").is_file() else "", line)


def violations(path: Path) -> list[str]:
    own = LAYER[unit(path)]
    return [
        f"{label(path)}:{line} (layer {own}) imports {target or 'pinnreg itself'} (layer {LAYER.get(target)})"
        for target, line in inner_imports(path)
        # the package's own names, such as its version, exist only once all layers below the command line are imported
        if target != unit(path) and not (LAYER[target] < own if target else own >= LAYER["cli"])
    ]


def classes() -> list[tuple[Path, ast.ClassDef]]:
    return [(path, node) for path in FILES for node in nodes(path) if isinstance(node, ast.ClassDef)]


def last_name(node: ast.expr) -> str:
    """`x` of `x`, `a.x`, `x(...)` and `a.x[...]`."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls(path: Path, name: str) -> list[str]:
    return [
        f"{label(path)}:{node.lineno}"
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def at_module_level(path: Path) -> Iterator[ast.stmt]:
    """Statements that run on import: not those in functions or under TYPE_CHECKING."""

    def walk(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
        for node in statements:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
                yield from walk(node.orelse)
                continue
            yield node
            for field in ("body", "orelse", "finalbody"):
                yield from walk(getattr(node, field, []))

    return walk(tree(path).body)


def imported_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def module_of(name: str, package: Path) -> Path | None:
    """The file inside the package that an imported name comes from: of a module, or of the package that holds it."""
    parts = name.split(".")
    if parts[0] != "pinnreg":
        return None
    for count in range(len(parts), 0, -1):
        place = package.joinpath(*parts[1:count])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def folders(package: Path) -> list[Path]:
    return sorted({path.parent for path in package.rglob("*.py")} - {package})


def circle(folder: Path, package: Path) -> list[str]:
    """The modules of a folder that import each other in a circle, anywhere in them; [] if there is none."""
    files = set(folder.glob("*.py"))
    graph = {}
    for file in files:
        # what a lazy package exports stands in its stub
        sources = [file, file.with_suffix(".pyi")] if file.name == "__init__.py" else [file]
        names = [name for source in sources if source.is_file() for name, _ in imported(source)]
        graph[file] = {target for name in names if (target := module_of(name, package)) in files} - {file}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [file.name for file in error.args[1]]
    return []


def assigned_outside(tree: ast.AST) -> Iterator[ast.Attribute | ast.Call]:
    """Attributes of other objects that code sets or deletes; its own are those of a bare `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                yield node
        elif isinstance(node, ast.Call) and last_name(node.func) in ("setattr", "delattr", "__setattr__"):
            yield node


def nowhere(found: Iterable[str]) -> None:
    """Fails with all places where a rule is broken, not only the first."""
    places = list(found)
    assert not places, "\n" + "\n".join(places)


def test_the_scan_sees_the_package() -> None:
    found = {unit(path) for path in INNER}
    assert {"errors", "domain", "equations", "run", "cli"} <= found
    assert sum(1 for path in INNER for _ in inner_imports(path)) > 100
    assert {"Problem", "Domain", "Field", "MLP"} <= {node.name for _, node in classes()}


def test_the_scan_resolves_every_form_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    for name in ("run", "domain"):
        (tmp_path / name).mkdir()
    (tmp_path / "errors.py").touch()
    path = tmp_path / "domain" / "box.py"
    path.write_text(
        "import pinnreg.run\nfrom pinnreg import run, __version__\nfrom pinnreg.run.line import solve\n"
        "from .. import run\nfrom ..run import solve\nfrom . import samplers\nfrom ..errors import InputError\n"
        "def f():\n    import pinnreg.run as r\n",
        encoding="utf-8",
    )
    assert [target for target, _ in inner_imports(path)] == [
        *("run", "run", "", "run", "run", "run", "domain", "errors", "run"),
    ]
    assert len(violations(path)) == 7


def test_every_module_has_a_layer() -> None:
    assert {unit(path) for path in INNER} <= LAYER.keys()


def test_a_module_imports_only_from_lower_layers() -> None:
    nowhere(each for path in INNER for each in violations(path))


def test_no_folder_has_a_circle_of_imports() -> None:
    circles = {folder.name: circle(folder, PACKAGE) for folder in folders(PACKAGE) if folder.name != "__pycache__"}
    nowhere(f"{folder}: {' -> '.join(files)}" for folder, files in circles.items() if files)


@pytest.mark.parametrize(
    "back",
    [
        "from pinnreg.part.one import x",
        "def f():\n    import pinnreg.part.one",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import one",
        "from pinnreg.part import x",
    ],
)
def test_a_circle_is_found_however_it_is_closed(back: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    part = tmp_path / "part"
    part.mkdir()
    (part / "__init__.py").write_text("from pinnreg.part.one import x\n", encoding="utf-8")
    (part / "one.py").write_text("from pinnreg.part.two import y\nx = y\n", encoding="utf-8")
    (part / "two.py").write_text("y = 1\n", encoding="utf-8")
    assert circle(part, tmp_path) == []
    (part / "two.py").write_text(f"y = 1\n{back}\n", encoding="utf-8")
    tree.cache_clear()
    nodes.cache_clear()
    assert {"one.py", "two.py"} <= set(circle(part, tmp_path))


def test_nothing_in_the_objective_is_set_from_outside() -> None:
    nowhere(
        f"{label(path)}:{node.lineno}"
        for path in FILES
        if unit(path) == "objective"
        for node in assigned_outside(tree(path))
    )


def test_what_is_set_from_outside_is_found() -> None:
    own = "self.a = 1\nself.a += 1\nself.a[0] = 2\nx = y.a\ny['a'] = 1\n"
    assert not list(assigned_outside(ast.parse(own)))
    for line in (
        "y.a = 1",
        "y.a += 1",
        "self.b.a = 1",
        "y.a: int = 1",
        "del y.a",
        "(x, y.a) = 1, 2",
        "setattr(y, 'a', 1)",
    ):
        assert list(assigned_outside(ast.parse(line))), line


def test_matplotlib_only_in_plots_and_yaml_only_in_config() -> None:
    home = {"matplotlib": "plots", "yaml": "config"}
    nowhere(
        f"{label(path)}:{line} imports {name}"
        for path in FILES
        for name, line in imported(path)
        if home.get(name.split(".")[0], unit(path)) != unit(path)
    )


def test_matplotlib_is_never_imported_with_the_module() -> None:
    nowhere(
        f"{label(path)}:{node.lineno}"
        for path in FILES
        for node in at_module_level(path)
        for name in imported_by(node)
        if name.split(".")[0] == "matplotlib"
    )


def test_no_hasattr() -> None:
    nowhere(each for path in FILES for each in calls(path, "hasattr"))


def writes(node: ast.Call) -> bool:
    """Whether a call opens a file for writing, other than by `pinnreg.files`."""
    name = last_name(node.func)
    if name in ("write_text", "write_bytes", "touch"):
        return isinstance(node.func, ast.Attribute) and last_name(node.func.value) != "files"
    if name not in ("open", "fdopen", "NamedTemporaryFile"):
        return False
    modes = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    texts = [each.value for each in modes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return any(set(text) <= set("rwxabt+") and set(text) & set("wxa+") for text in texts)


def test_one_module_writes_files() -> None:
    calls_of = ((path, node) for path in FILES for node in nodes(path) if isinstance(node, ast.Call))
    nowhere(f"{label(path)}:{node.lineno}" for path, node in calls_of if writes(node) and unit(path) != "files")
    assert any(writes(node) for node in nodes(PACKAGE / "files.py") if isinstance(node, ast.Call))


def test_the_library_does_not_print() -> None:
    nowhere(each for path in INNER if unit(path) != "cli" for each in calls(path, "print"))


def sets_global_state(node: ast.Call) -> bool:
    forbidden = {"set_default_dtype", "set_default_device", "set_default_tensor_type", "manual_seed_all", "seed"}
    if not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in forbidden or (last_name(node.func.value), node.func.attr) == ("torch", "manual_seed")


def test_no_global_device_dtype_or_seed() -> None:
    nowhere(
        f"{label(path)}:{node.lineno}"
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.Call) and sets_global_state(node)
    )


def test_no_exported_function_bears_the_name_of_a_module() -> None:
    modules = {unit(path) for path in INNER}
    for name in pinnreg.__all__:
        value = getattr(pinnreg, name)
        assert name not in modules or isinstance(value, ModuleType), name
    # the other way round: a module is found under its own name and not hidden by a function
    for name in modules:
        assert isinstance(importlib.import_module(f"pinnreg.{name}"), ModuleType)
        assert isinstance(getattr(pinnreg, name), ModuleType), name


def test_exports_exist_are_sorted_and_documented() -> None:
    assert list(pinnreg.__all__) == sorted(pinnreg.__all__)
    for name in pinnreg.__all__:
        assert inspect.getdoc(getattr(pinnreg, name)), name


def test_every_module_says_what_it_is() -> None:
    nowhere(label(path) for path in FILES if path.suffix == ".py" and not ast.get_docstring(tree(path)))


def test_the_wheel_holds_every_package() -> None:
    listed = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {f"pinnreg.{name}" for name in folders} <= set(listed)
