"""What a user's file defines, found by reading it: nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal

Role = Literal["problem", "network", "activation", "regulariser"]
"""What a file in a problem folder can define: one of these."""

PARTS: tuple[Role, ...] = ("network", "activation", "regulariser")
"""What a config names within a section."""

Definition = ast.ClassDef | ast.FunctionDef


def role_of(path: Path) -> Role | None:
    """What a file defines; None for helpers of others: several functions and no class.

    A class derived from a `Module`, or a `Sequential`, is a network, one with a method `rows` a regulariser, either
    also by another class of the file; a file with one function and no class is an activation. Any other class may be
    a problem whose base is elsewhere, and so may be what cannot be read.
    """
    try:
        return _role(path.read_bytes())
    except OSError:
        return "problem"


@lru_cache(maxsize=256)
def _role(source: bytes) -> Role | None:
    # a study asks for the same files with each of its runs
    try:
        body = _parsed(source)
    except (SyntaxError, ValueError):
        return "problem"
    public = [node for node in body if not node.name.startswith("_")]
    classes = [node for node in public if isinstance(node, ast.ClassDef)]
    if _public(_derived(body, {"Problem"})):
        return "problem"
    if _public(_derived(body, {"Module", "Sequential"})):
        return "network"
    own = {node.name for node in body if isinstance(node, ast.ClassDef) and _has_rows(node)}
    if _public(_derived(body, own)) or own & {node.name for node in classes}:
        return "regulariser"
    if classes or not public:
        return "problem"
    return "activation" if len(public) == 1 else None


def problem_classes(path: Path) -> list[ast.ClassDef]:
    """The public classes of a file that name Problem as a base, or another class of the file that does."""
    return _public(_derived(_body(path), {"Problem"}))


def group_of(path: Path) -> str:
    """What the problem of a file says that it belongs to, `group = "waves"` in its class; "" if it does not."""
    found = problem_classes(path)
    for node in found[0].body if len(found) == 1 else ():
        match node:
            case ast.Assign(targets=[ast.Name(id="group")], value=ast.Constant(value=str(name))):
                return name
    return ""


def why_not(path: Path, role: Role) -> str:
    """Why a file is not one of the user's parts of a role."""
    if (error := syntax_error(path)) is not None:
        return error
    marks = {
        "network": "a public class that is derived, in the file, from torch.nn.Module",
        "regulariser": "a public class with a method rows",
        "activation": "one public function and no class",
        "problem": "a public class that is derived from pinnreg.Problem",
    }
    return f"expected {marks[role]}, which makes a {role}"


def syntax_error(path: Path) -> str | None:
    """Why a file cannot be read as Python; None if it can."""
    try:
        _parsed(path.read_bytes())
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, OSError) as error:
        return str(error)
    return None


def _derived(body: Iterable[Definition], kinds: set[str]) -> list[ast.ClassDef]:
    """The classes of a file with a base of one of these names, or with one that has."""
    known, found = set(kinds), []
    for node in body:
        if isinstance(node, ast.ClassDef) and known & {_last_name(base) for base in node.bases}:
            known.add(node.name)
            found.append(node)
    return found


def _public(classes: list[ast.ClassDef]) -> list[ast.ClassDef]:
    return [node for node in classes if not node.name.startswith("_")]


def _has_rows(node: ast.ClassDef) -> bool:
    return any(isinstance(each, ast.FunctionDef) and each.name == "rows" for each in node.body)


def first_line(path: Path) -> str:
    """The first line of the docstring of the one public class or function of a file; "" without one."""
    public = [node for node in _body(path) if not node.name.startswith("_")]
    named = [node for node in public if isinstance(node, ast.ClassDef)] or public
    return (ast.get_docstring(named[0]) or "").partition("\n")[0] if len(named) == 1 else ""


def _body(path: Path) -> tuple[Definition, ...]:
    """The classes and functions of a file; none if it cannot be read as Python."""
    try:
        return _parsed(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ()


@lru_cache(maxsize=256)
def _parsed(source: bytes) -> tuple[Definition, ...]:
    return tuple(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef | ast.FunctionDef))


def _last_name(base: ast.expr) -> str:
    """`Problem` of `Problem` and of `pinnreg.Problem`."""
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
