"""From what a user gives (a file, a name, a dict) to a whole config and its problem."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from pinnreg import equations
from pinnreg.config.early import check_sections
from pinnreg.config.files import numbers, parse_value, read_yaml
from pinnreg.config.merging import for_kind, kind_of_network, merge, set_key
from pinnreg.config.messages import own_hint
from pinnreg.config.model import Config, as_dict, validate
from pinnreg.config.parts import Part, made, named, objects_named, parts_in
from pinnreg.errors import InputError, shortened, unknown
from pinnreg.files import is_file
from pinnreg.registry import create, file_hash, file_of, find, find_one, path_of, shipped, shipped_configs

Given = str | Path | Mapping[str, Any]
"""A YAML file, the name of a shipped config or of a problem, or a dict."""

Problems = Sequence[str | Path] | str | Path | None
"""Folders of problem files besides the shipped one: none, one, or several."""

STUDY_KEY = "vary"  # which every study has and no config


@final
@dataclass(frozen=True)
class Resolved:
    """A config with all defaults filled in.

    Attributes:
        problem: the problem that `config.problem` describes.
        stem: what the run is called: the config file's stem, or the name of the problem.
        problem_file: where the problem was found; None if it was given as an object.
        hidden: unknown coefficients whose true value is not given (null); in `problem` they have their start.
        parts: the user's own networks, activations and regularisers.
        scale: the sizes and the offsets of the outputs that the run was begun with; None if they are still to be found.
        start: what a run that was begun started from, as its checkpoint has it; None if that is still to be read.
    """

    config: Config
    problem: equations.Problem
    stem: str
    problem_file: Path | None
    hidden: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    start: Mapping[str, Any] | None = None

    @property
    def problem_hash(self) -> str | None:
        """SHA-256 of the problem file, or of the source of the class; None if there is none, as in a console."""
        if self.problem_file is not None:
            return file_hash(self.problem_file)
        try:
            return hashlib.sha256(inspect.getsource(type(self.problem)).encode()).hexdigest()
        except (OSError, TypeError):
            return None


def resolve(
    given: Given,
    overrides: Mapping[str, Any] | None = None,
    folders: Sequence[Path] = (),
) -> Resolved:
    """The config that `given` and `overrides` describe, defaults included.

    Args:
        given: a YAML file, the name of a shipped config, the name of a problem (tried in this order), or a dict, whose
            `problem` may be a Problem.
        overrides: values by dotted key, such as {"train.0.steps": 50}; they reach into the resolved config.
        folders: problem folders besides the shipped one.

    Raises:
        InputError: anything wrong with them.
    """
    data, changes, stem, where = _own(given, overrides, folders)
    changes = {**_found_before(data, changes), **changes}
    given_problem, parameters = data.pop("problem", None), _problem_part(changes)
    below = _unknown_by_default(given_problem, parameters, folders)
    given_problem, hidden = _with_starts(given_problem, parameters, _starts(below, data, changes))
    problem, description, path = _problem(*given_problem, folders, where)
    description |= dict.fromkeys(hidden)
    name = description["name"]
    if not isinstance(problem.defaults, Mapping):
        raise InputError(
            f"defaults of problem {name!r}: expected a dict of sections, got {shortened(problem.defaults)}"
        )
    defaults = {str(key): numbers(copy.deepcopy(value)) for key, value in problem.defaults.items()}
    if "problem" in defaults:
        raise InputError(f"defaults of problem {name!r} cannot change the problem itself")
    place = f"defaults of problem {name!r}"
    defaults = objects_named(defaults)
    validate({"problem": description, **named(defaults, folders, place)}, place)
    merged = merge(for_kind(as_dict(Config(problem={})), kind_of_network(defaults)), defaults)
    merged = merge(for_kind(merged, changes.get("network.kind", kind_of_network(data))), data)
    merged = copy.deepcopy(merged)  # overrides must not change the user's own dicts
    for key, value in changes.items():
        set_key(merged, key, value)
    placed = named(merged, folders, where)
    config = validate({**made(placed, where), "problem": description}, where)
    if config.evaluate.grid is not None and len(config.evaluate.grid) not in (1, problem.domain.dimension):
        raise InputError(
            f"{where}: evaluate.grid: expected one number or {problem.domain.dimension}, for the axes "
            f"{', '.join(problem.domain.axes)}, got {list(config.evaluate.grid)}"
        )
    return Resolved(_with_absolute_paths(config), problem, stem or name, path, hidden, parts_in(placed))


def check(given: Given, overrides: Mapping[str, Any] | None = None, folders: Sequence[Path] = ()) -> None:
    """Refuse what `resolve` refuses whatever the problem is, without running the problem's file.

    Arguments and raises as `resolve`.
    """
    _own(given, overrides, folders)


def problem_folders(problems: Problems) -> list[Path]:
    """The folders of problem files that a call was given; without any `./problems`, if there is one."""
    if problems is None:
        here = Path("problems")
        return [here] if here.is_dir() and here.resolve() != shipped("problems").resolve() else []
    return [Path(problems)] if isinstance(problems, str | Path) else [Path(folder) for folder in problems]


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """`["train.0.steps=50"]` as a dict.

    Raises:
        InputError: a text without `=`, or a value that is no YAML.
    """
    overrides = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {text}: expected KEY=VALUE, as in --set train.0.steps=50")
        overrides[key.strip()] = parse_value(value)
    return overrides


def _read(given: Given, folders: Sequence[Path]) -> tuple[dict[str, Any], str, str]:
    """The data, the name of the run ("" for the problem's), and where the data came from, for messages."""
    if isinstance(given, Mapping):
        data = {str(key): value if key == "problem" else numbers(copy.deepcopy(value)) for key, value in given.items()}
        return _of_one_run(data, "config"), "", "config"
    path = Path(given)
    configs = shipped_configs()
    if not is_file(path) and path.name == str(given):
        path = (configs | shipped_configs(studies=True)).get(path.name, path)
    if is_file(path):
        if path.suffix == ".py":
            raise InputError(
                f"{given}: a Python file is no config; say its name, {path.stem}, with --problems {path.parent}"
            )
        return _of_one_run(read_yaml(path), str(given)), path.stem, str(given)
    if path.name == str(given) and find_one(path.name, folders) is not None:
        return {"problem": {"name": path.name}}, path.name, str(given)
    if is_file(path / "config.yaml"):
        raise InputError(
            f"{given}: a folder; --resume {given} goes on with the run in it, and {path / 'config.yaml'} repeats it"
        )
    if path.suffix in (".yaml", ".yml") or path.name != str(given):
        raise InputError(f"{given}: no such config file")
    refusal = unknown("config or problem", str(given), [*configs, *find(folders)], listed_by="pinnreg list")
    raise InputError(f"{refusal}{own_hint(str(given))}")


def _own(
    given: Given, overrides: Mapping[str, Any] | None, folders: Sequence[Path]
) -> tuple[dict[str, Any], dict[str, Any], str, str]:
    """The user's own data and overrides, checked without the problem, and the name and the place as in `_read`."""
    data, stem, where = _read(given, folders)
    data, changes = objects_named(data), objects_named(overrides or {})
    if "problem" in changes:
        data["problem"] = changes.pop("problem")
    description = _description(data.get("problem"), where)
    sections, settings = {key: value for key, value in data.items() if key != "problem"}, dict(changes)
    parameters = _problem_part(settings)
    if description is not None:
        try:
            path_of(str({**description, **parameters}["name"]), folders)
        except InputError as error:
            raise InputError(f"{where}: {error}{own_hint(str(description['name']))}") from error
    check_sections(sections, settings, where, folders)
    return data, changes, stem, where


def _description(given: Any, where: str) -> dict[str, Any] | None:
    """The name and the parameters of a problem; None if it is given as an object.

    Raises:
        InputError: it is neither.
    """
    if isinstance(given, str):
        return {"name": given}
    if isinstance(given, Mapping) and isinstance(given.get("name"), str):
        return numbers(dict(given))  # type: ignore[no-any-return]
    # torch is not waited for where it can be no object
    if not isinstance(given, Mapping | None) and isinstance(given, equations.Problem):
        return None
    raise InputError(
        f"{where}: problem: expected a name and parameters, as in {{name: burgers}}, got {shortened(given)}"
    )


def _with_absolute_paths(config: Config) -> Config:
    """The config with the files that it names found from anywhere: the run's folder may be read from elsewhere."""

    def absolute(file: str | None) -> str | None:
        return None if file is None else os.path.abspath(file)  # a link has the suffix that counts

    return dataclasses.replace(
        config,
        measurements=tuple(dataclasses.replace(each, file=absolute(each.file)) for each in config.measurements),
        evaluate=dataclasses.replace(config.evaluate, reference=absolute(config.evaluate.reference)),
        start=absolute(config.start),
    )


def _of_one_run(data: dict[str, Any], where: str) -> dict[str, Any]:
    """The data without a run's provenance; refuses those of a study."""
    if STUDY_KEY in data:
        raise InputError(f"{where}: this is a study of many runs, not the config of one; use: pinnreg study {where}")
    data.pop("provenance", None)
    return data


def _problem_part(changes: dict[str, Any]) -> dict[str, Any]:
    """Take the overrides of the problem's parameters out of `changes`."""
    keys = [key for key in changes if key.partition(".")[0] == "problem" and "." in key]
    return {key.partition(".")[2]: changes.pop(key) for key in keys}


def _unknown_by_default(given: Any, changes: Mapping[str, Any], folders: Sequence[Path]) -> Any:
    """What the problem's own defaults leave to be found; nothing where no parameter is null, which asks for it."""
    described = {"name": given} if isinstance(given, str) else given if isinstance(given, Mapping) else {}
    parameters = {**described, **changes} if described else {}
    shown = {key: value for key, value in parameters.items() if value is not None}
    if len(shown) == len(parameters):
        return {}
    try:
        defaults = create(str(shown.pop("name")), shown, folders).defaults
    except InputError:
        return {}  # which is said where the problem is made
    return defaults.get("unknown", {}) if isinstance(defaults, Mapping) else {}


def _starts(below: Any, data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What unknown coefficients begin with, as far as it is needed to make the problem; validated later."""
    settings = _unknown(below, data, changes).items()
    return {name: each.get("start", 1.0) if isinstance(each, dict) else 1.0 for name, each in settings}


def _unknown(below: Any, data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The section `unknown` with its overrides, above that of a problem's defaults; empty if it is none."""
    own = data.get("unknown") or {}
    sections = {"unknown": copy.deepcopy(merge(below, own) if isinstance(own, Mapping) and below else own)}
    for key, value in changes.items():
        if key.partition(".")[0] == "unknown" and isinstance(sections["unknown"], dict):
            set_key(sections, key, value)
    return sections["unknown"] if isinstance(sections["unknown"], dict) else {}


def _found_before(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The estimates of the run that is started from, as overrides, for coefficients whose start is not given."""
    run = changes.get("start", data.get("start"))
    unknown = _unknown({}, data, changes).items()
    names = [name for name, each in unknown if isinstance(each, dict) and "start" not in each]
    if not names or not isinstance(run, str | Path):
        return {}
    try:
        found = json.loads((Path(run) / "report.json").read_text(encoding="utf-8"))["unknown"]
        estimates = {name: float(found[name]["estimate"]) for name in names if name in found}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}  # what is wrong with the run is said where its network is read
    return {f"unknown.{name}.start": each for name, each in estimates.items()}


def _with_starts(
    given: Any, changes: Mapping[str, Any], starts: Mapping[str, Any]
) -> tuple[tuple[Any, dict[str, Any]], tuple[str, ...]]:
    """Problem and overrides with the starts of unknown coefficients for those that are null, and their names."""
    parameters = dict(given) if isinstance(given, Mapping) else {}
    null = [name for name in starts if {**parameters, **changes}.get(name, 0) is None]
    changed = {**changes, **{name: starts[name] for name in null}}
    return (given, changed), tuple(null)


def _problem(
    given: Any, changes: Mapping[str, Any], folders: Sequence[Path], where: str
) -> tuple[equations.Problem, dict[str, Any], Path | None]:
    description = _description(given, where)
    if description is None:
        return _changed(given, changes)
    parameters = {**description, **changes}
    name = str(parameters.pop("name"))
    try:
        problem = create(name, parameters, folders)
    except InputError as error:
        null = [parameter for parameter, value in parameters.items() if value is None]
        hint = f"; {null[0]}: null is for a coefficient to be found, under unknown" if null else ""
        raise InputError(f"{where}: {error}{hint}") from error
    return problem, {"name": name, **_parameters(problem)}, path_of(name, folders)


def _changed(
    given: equations.Problem, changes: Mapping[str, Any]
) -> tuple[equations.Problem, dict[str, Any], Path | None]:
    """A problem that was given as an object, with other values of some parameters."""
    file, known = file_of(given), _parameters(given)
    name = file.stem if file else type(given).__name__.lower()
    for parameter in changes:
        if parameter not in known:
            raise unknown(f"parameter of problem {name!r}:", parameter, known)
    problem = dataclasses.replace(given, **changes) if changes else given  # type: ignore[type-var]
    return problem, {"name": name, **_plain(problem)}, file


def _parameters(problem: equations.Problem) -> dict[str, Any]:
    return {field.name: getattr(problem, field.name) for field in dataclasses.fields(problem)}  # type: ignore[arg-type]


def _plain(problem: equations.Problem) -> dict[str, Any]:
    """The parameters of a problem that was given as an object, which a config file must be able to hold."""
    parameters = _parameters(problem)
    for name, value in parameters.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise InputError(
                f"problem {type(problem).__name__}: {name}: a parameter must be a number, a text, or a list of them, "
                f"which a config can hold; got {type(value).__name__}"
            ) from None
    return parameters
