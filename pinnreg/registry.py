"""Finds users' files and loads them by path: a file `burgers.py` in a problem folder is the problem `burgers`.

A file can define a network, an activation or a regulariser instead, which a config names by the file's stem, too.

Files are found by scanning. The shipped folder lies beside this module in a wheel and one level up in a checkout;
folders given by the user come after it and win.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.util
import inspect
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pinnreg import equations
from pinnreg.errors import InputError, is_signal, near_name, place, unknown, user_code
from pinnreg.files import is_file, is_folder
from pinnreg.scanning import Role, problem_classes, role_of

MODULE_PREFIX = "pinnreg_own_"
STUDY_PREFIX = "study_"

logger = logging.getLogger("pinnreg")


@cache
def shipped(folder: str) -> Path:
    """The folder of shipped `problems` or `configs`."""
    here = Path(__file__).resolve().parent
    beside = here / folder
    return beside if beside.is_dir() else here.parent / folder


def shipped_configs(*, studies: bool = False) -> dict[str, Path]:
    """Shipped configs of one run by name, or the studies: the files `study_*.yaml`."""
    files = sorted(shipped("configs").glob("*.yaml"))
    return {file.stem: file for file in files if file.stem.startswith(STUDY_PREFIX) == studies}


def find(folders: Iterable[Path] = (), role: Role = "problem") -> dict[str, Path]:
    """Files by name: the shipped problems, and what is in `folders`, which replaces shipped ones of the same name.

    Args:
        folders: besides the shipped one.
        role: what the files define.

    Raises:
        InputError: a folder that does not exist.
    """
    found: dict[str, Path] = {}
    for folder in _searched(folders):
        for path in sorted(folder.glob("*.py")):
            _take(found, path, role)
    return found


def find_one(name: str, folders: Iterable[Path] = (), role: Role = "problem") -> Path | None:
    """The file that `find` has under this name, without a look at all the others, of which there are scores.

    Raises:
        InputError: a folder that does not exist.
    """
    found: dict[str, Path] = {}
    for folder in _searched(folders):
        if name and name == Path(name).name:  # else it is a path, to a file elsewhere
            _take(found, folder / f"{name}.py", role)
    return found.get(name)


def _searched(folders: Iterable[Path]) -> Iterator[Path]:
    # for parts, too: in a checkout that is where users put their own
    for folder in (shipped("problems"), *folders):
        if not is_folder(folder):
            raise InputError(f"problem folder {str(folder)!r} does not exist")
        yield folder


def _take(found: dict[str, Path], path: Path, role: Role) -> None:
    """Add a file that defines a role, in the place of an earlier one of its name."""
    if path.stem.startswith("_") or not is_file(path) or role_of(path) != role:
        return
    other = found.get(path.stem)
    if other is not None and file_hash(other) != file_hash(path):
        logger.warning("%s %r: %s is used instead of %s", role, path.stem, path, other)
    found[path.stem] = path


def path_of(name: str, folders: Iterable[Path] = ()) -> Path:
    """The file of the problem `name`.

    Raises:
        InputError: a folder that does not exist, or an unknown problem.
    """
    folders = tuple(folders)
    found = find_one(name, folders)
    if found is None:
        raise unknown("problem", name, find(folders), listed_by="pinnreg list")
    return found


def load(path: Path) -> type[equations.Problem]:
    """The one public Problem class that a file defines.

    Raises:
        InputError: the file fails to import, or defines no or several public Problem classes.
    """
    module, base = _execute(path), equations.Problem
    public = (value for name, value in vars(module).items() if not name.startswith("_"))
    found = (
        value
        for value in public
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__
    )
    classes = list(dict.fromkeys(found))  # a second name of a class is no second class
    if len(classes) != 1:
        names = ", ".join(cls.__name__ for cls in classes) or "none"
        raise InputError(f"{path}: expected one public Problem class, found {names}")
    if inspect.isabstract(classes[0]):
        hint = "; a problem of data alone says residual = None"
        raise InputError(f"{path}: {classes[0].__name__} has no residual method{hint}")
    return classes[0]


def summary(path: Path) -> str:
    """The first line of the docstring of a file's problem, "" without one.

    The file is only read, unless it takes running it to see which class is its problem.

    Raises:
        InputError: as `load`, of a file that was run.
    """
    found = problem_classes(path)
    text = ast.get_docstring(found[0]) if len(found) == 1 else inspect.getdoc(load(path))
    return (text or "").partition("\n")[0]


def load_part(path: Path, role: Role) -> Any:
    """The one public class of a user's network or regulariser, or the function of an activation.

    Raises:
        InputError: the file fails to import, or defines no or several of them.
    """
    module = _execute(path)
    own = [
        value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    classes = [value for value in dict.fromkeys(own) if inspect.isclass(value)]
    functions = [value for value in dict.fromkeys(own) if inspect.isfunction(value)]
    found = functions if role == "activation" else [each for each in classes if _has_role(each, role)]
    if len(found) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        what = "function" if role == "activation" else "class"
        raise InputError(f"{path}: expected one public {what} for the {role} {path.stem!r}, found {names}")
    return found[0]


def _has_role(cls: type, role: Role) -> bool:
    if role == "regulariser":
        return callable(getattr(cls, "rows", None))
    from torch import nn  # noqa: PLC0415, since a list of names needs no torch

    return issubclass(cls, nn.Module)


def create(name: str, parameters: Mapping[str, Any], folders: Iterable[Path] = ()) -> equations.Problem:
    """The problem `name` with the given parameters.

    Raises:
        InputError: an unknown problem, a broken file, or parameters that the problem lacks or refuses.
    """
    cls = load(path_of(name, folders))
    known: list[str] = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    for parameter in parameters:
        if parameter not in known:
            raise unknown(f"parameter of problem {name!r}:", parameter, known)
    with user_code(f"problem {name!r}"):
        if missing := _required(cls) - parameters.keys():
            raise InputError(f"problem {name!r} needs the parameter {', '.join(sorted(missing))}")
        return cls(**parameters)


def _required(cls: type[equations.Problem]) -> set[str]:
    if not dataclasses.is_dataclass(cls):
        return set()
    missing = dataclasses.MISSING
    return {f.name for f in dataclasses.fields(cls) if f.default is missing and f.default_factory is missing}


def file_of(problem: equations.Problem) -> Path | None:
    """The problem file that a problem was loaded from; None if its class was defined elsewhere."""
    module = sys.modules.get(type(problem).__module__)
    if module is None or not module.__name__.startswith(MODULE_PREFIX) or module.__file__ is None:
        return None
    return Path(module.__file__)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _execute(path: Path) -> ModuleType:
    # the place and the content are part of the name: two files of one stem do not replace each other, a file that has
    # changed is read again, and one that has not gives the same class, so that equal problems are equal
    source = path.read_bytes()
    identity = f"{path.resolve()}\n{hashlib.sha256(source).hexdigest()}"
    name = f"{MODULE_PREFIX}{path.stem}_{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up here
    try:
        # not by the loader: its compiled copy is told from another only by size and second
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    except BaseException as error:
        del sys.modules[name]
        if is_signal(error):
            raise
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else place(error).replace(f" of {path}:", ":")
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        raise InputError(f"{path}: fails to import{where}: {kind}{error}{near_name(error)}") from error
    return module
