"""What a user's file defines, found by reading it: nothing is run."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import Literal

Role = Literal["problem", "network", "activation", "regulariser"]
"""What a file in a problem folder can define: one of these."""

PARTS: tuple[Role, ...] = ("network", "activation", "regulariser")
"""What a config names within a section."""

Definition = ast.ClassDef | ast.FunctionDef


def role_of(path: Path) -> Role:
    """What a file defines: a problem, unless its public classes and functions say otherwise.

    A class derived from a `Module` is a network, one with a method `rows` a regulariser; a file with a function and no
    class is an activation.
    """
    public = [node for node in _body(path) if not node.name.startswith("_")]
    classes = [node for node in public if isinstance(node, ast.ClassDef)]
    if problem_classes(path):
        return "problem"
    if any(_last_name(base).endswith("Module") for node in classes for base in node.bases):
        return "network"
    if any(isinstance(each, ast.FunctionDef) and each.name == "rows" for node in classes for each in node.body):
        return "regulariser"
    return "activation" if public and not classes else "problem"


def problem_classes(path: Path) -> list[ast.ClassDef]:
    """The public classes of a file that name Problem as a base, or another class of the file that does."""
    kinds, found = {"Problem"}, []
    for node in _body(path):
        if isinstance(node, ast.ClassDef) and kinds & {_last_name(base) for base in node.bases}:
            kinds.add(node.name)
            found.append(node)
    return [node for node in found if not node.name.startswith("_")]


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
    # a study asks for the same files with each of its runs
    return tuple(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef | ast.FunctionDef))


def _last_name(base: ast.expr) -> str:
    """`Problem` of `Problem` and of `pinnreg.Problem`."""
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
