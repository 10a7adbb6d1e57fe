"""The house rules that the code can be asked about: layers, imports, base classes, sizes."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import pinnreg

PACKAGE = Path(pinnreg.__file__).resolve().parent
LAYERS = {
    -1: ("errors", "settings"),
    0: ("domain", "reference", "randomness", "taylor", "compilation", "jacobians"),
    1: ("networks",),
    2: ("differentiation",),
    3: ("equations",),
    4: ("registry", "regularisers", "observations"),
    5: ("objective",),
    6: ("optimisers",),
    7: ("training",),
    8: ("config", "report", "analysis"),
    9: ("plots",),
    10: ("run",),
    11: ("studies", "benchmarks", "reproductions"),
    12: ("cli",),
}
LAYER = {module: layer for layer, modules in LAYERS.items() for module in modules}
# in a wheel these two lie inside the package: data for the engine, no part of it
FILES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] not in ("problems", "configs", "__pycache__")
]
INNER = [path for path in FILES if path != PACKAGE / "__init__.py"]
DATACLASS = "dataclass"


def label(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def unit(path: Path) -> str:
    """The module at the top of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names that a file imports, anywhere in it, with the line; `from a import b` gives a.b."""
    package = ("pinnreg", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree(path)):
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
        # the package's own names, such as its version, exist only once all layers but the last are imported
        if target != unit(path) and not (LAYER[target] < own if target else own == max(LAYERS))
    ]


def classes() -> list[tuple[Path, ast.ClassDef]]:
    return [(path, node) for path in FILES for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]


def last_name(node: ast.expr) -> str:
    """`x` of `x`, `a.x`, `x(...)` and `a.x[...]`."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls(path: Path, name: str) -> list[str]:
    return [
        f"{label(path)}:{node.lineno}"
        for node in ast.walk(tree(path))
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


def test_exactly_two_classes_are_abstract() -> None:
    abstract = [node.name for _, node in classes() if any(last_name(base) in ("ABC", "ABCMeta") for base in node.bases)]
    keyword = [node.name for _, node in classes() for k in node.keywords if last_name(k.value) == "ABCMeta"]
    assert sorted(abstract + keyword) == ["Domain", "Problem"]


def is_settings(node: ast.ClassDef) -> bool:
    """Whether a class is a pydantic dataclass: decorated with dataclass(..., config=STRICT)."""
    return any(
        isinstance(decorator, ast.Call)
        and last_name(decorator) == DATACLASS
        and any(k.arg == "config" for k in decorator.keywords)
        for decorator in node.decorator_list
    )


def is_final(node: ast.ClassDef) -> bool:
    bases = {last_name(base) for base in node.bases}
    return (
        any(last_name(decorator) == "final" for decorator in node.decorator_list)
        or is_settings(node)
        or any(base.endswith(("Error", "Exception")) for base in bases)
        or bool(bases & {"ABC", "Protocol", "TypedDict"})
    )


def test_every_other_class_is_final() -> None:
    nowhere(f"{label(path)}:{node.lineno} {node.name}" for path, node in classes() if not is_final(node))


def test_nobody_derives_from_another_class() -> None:
    """Final by its own word, and by what the others do; but settings and protocols may share members."""
    shared = {node.name for _, node in classes() if node.name.startswith("_") and is_settings(node)}
    protocols = {node.name for _, node in classes() if any(last_name(base) == "Protocol" for base in node.bases)}
    names = {node.name for _, node in classes()} - {"Problem", "Domain"} - shared - protocols
    nowhere(
        f"{label(path)}:{node.lineno} {node.name} derives from {last_name(base)}"
        for path, node in classes()
        for base in node.bases
        if last_name(base) in names
    )


def test_no_hasattr() -> None:
    nowhere(each for path in FILES for each in calls(path, "hasattr"))


def test_the_library_does_not_print() -> None:
    nowhere(each for path in INNER if unit(path) != "cli" for each in calls(path, "print"))


def test_no_file_outgrows_300_lines() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    nowhere(f"{label(path)}: {length} lines" for path, length in lengths.items() if length > 300)


def sets_global_state(node: ast.Call) -> bool:
    forbidden = {"set_default_dtype", "set_default_device", "set_default_tensor_type", "manual_seed_all", "seed"}
    if not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in forbidden or (last_name(node.func.value), node.func.attr) == ("torch", "manual_seed")


def test_no_global_device_dtype_or_seed() -> None:
    nowhere(
        f"{label(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(tree(path))
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
    nowhere(label(path) for path in FILES if not ast.get_docstring(tree(path)))
