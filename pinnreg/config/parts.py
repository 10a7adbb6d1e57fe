"""Users' own networks, activations and regularisers in a config: named first, made once it is known to be right.

A config names a part by the stem of its file: `network: {kind: my_net}`, `regularisers: [{kind: my_penalty}]`,
`network: {activation: my_function}`. A call from Python can hold an object in the same places. `named` puts a `Part`
there, for which no file is run; `made` loads the files and makes the objects.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import inspect
import json
import logging
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final, get_args

from pydantic import PydanticUserError, StrictBool, TypeAdapter, ValidationError

from pinnreg.errors import InputError, unknown, user_code
from pinnreg.files import is_file
from pinnreg.networks.custom import CustomActivation, CustomNetwork
from pinnreg.networks.settings import ACTIVATION_NAMES, FeatureSettings, NetworkSettings, Scale
from pinnreg.registry import file_hash, find, find_one, load_part
from pinnreg.regularisers import COMMON, Custom, Shipped, custom
from pinnreg.scanning import Role, why_not

logger = logging.getLogger("pinnreg")


@final
@dataclass(frozen=True)
class Part:
    """A part of a user's own.

    Attributes:
        role: what it is.
        kind: its name.
        settings: what the config says of it.
        file: where it is defined; None for an object.
        given: the object.
    """

    role: Role
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    given: Any = None

    def plain(self) -> Any:
        """What a config file says of it."""
        return self.kind if self.role == "activation" else {"kind": self.kind, **self.settings}

    @property
    def sha256(self) -> str | None:
        """The hash of the file, or of what an object is as far as can be seen; None if nothing can, as in a console."""
        if self.file is not None:
            return file_hash(self.file)
        if self.role == "network":
            return _hash(repr(self.given), *(f"{name} {_described(each)}" for name, each in _fixed(self.given).items()))
        try:
            return _hash(inspect.getsource(self.given if inspect.isroutine(self.given) else type(self.given)))
        except (OSError, TypeError):
            return None


Change = Callable[[Role, str, Any], Any]
"""What becomes of an entry, given the role that it has there and its dotted key."""


def _mapped(data: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """`data` with each entry that can be a part changed: the network, its activation, each regulariser."""
    changed = dict(data)
    if "network" in data:
        changed["network"] = network = change("network", "network", data["network"])
        if isinstance(network, Mapping) and "activation" in network:
            activation = change("activation", "network.activation", network["activation"])
            changed["network"] = {**network, "activation": activation}
    if isinstance(regularisers := data.get("regularisers"), list | tuple):
        changed["regularisers"] = [
            change("regulariser", f"regularisers.{number}", each) for number, each in enumerate(regularisers)
        ]
    return changed


def objects_named(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data`, sections or values by dotted key, with a `Part` where it holds an object of the user's own.

    Raises:
        InputError: an object that is no network.
    """
    changed = _mapped(data, _object_named)
    for key, value in data.items():
        if key == "network.activation":
            changed[key] = _object_named("activation", key, value)
        elif key.startswith("regularisers.") and key.count(".") == 1:
            changed[key] = _object_named("regulariser", key, value)
    return changed


def named(data: Mapping[str, Any], folders: Sequence[Path], where: str) -> dict[str, Any]:
    """`data` with a `Part` where it names one of the user's own; anything else as it is.

    Raises:
        InputError: a folder that does not exist, or a kind that is neither shipped nor found.
    """

    def change(role: Role, key: str, entry: Any) -> Any:
        kind = _kind(role, entry)
        if kind is None:
            return entry
        try:
            file = _own_file(kind, role, folders)
        except InputError as error:
            raise InputError(f"{where}: {key}: {error}") from None
        return entry if file is None else Part(role, kind, _without_kind(entry), file)

    return _mapped(data, change)


def unfound(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` of a run's own config with a `Part` for each kind that is not shipped, wherever its file may be."""

    def change(role: Role, key: str, entry: Any) -> Any:
        kind = _kind(role, entry)
        return entry if kind is None or kind in _shipped(role) else Part(role, kind, _without_kind(entry))

    return _mapped(data, change)


def parts_in(data: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts that `named` has put into data."""
    found: list[Part] = []

    def look(role: Role, key: str, entry: Any) -> Any:
        found.extend([entry] if isinstance(entry, Part) else [])
        return entry

    _mapped(data, look)
    return tuple(found)


def made(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`data` with the parts themselves in the place of their names; runs their files.

    Raises:
        InputError: a file that fails, or settings that it lacks or refuses.
    """
    make: dict[Role, Callable[[Part], Any]] = {
        "network": _network,
        "activation": _activation,
        "regulariser": _regulariser,
    }

    def change(role: Role, key: str, entry: Any) -> Any:
        if not isinstance(entry, Part):
            return entry
        try:
            return make[role](entry)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    return _mapped(data, change)


def _kind(role: Role, entry: Any) -> str | None:
    """The name of a part in a config; None where it names none."""
    kind = entry if role == "activation" else entry.get("kind") if isinstance(entry, Mapping) else None
    return kind if isinstance(kind, str) else None


def _without_kind(entry: Any) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "kind"} if isinstance(entry, Mapping) else {}


def _own_file(name: str, role: Role, folders: Sequence[Path]) -> Path | None:
    """The user's file of a name; None for a shipped one, and where there are no such files at all."""
    own, shipped = find_one(name, folders, role), _shipped(role)
    if name in shipped:
        if own is not None:
            logger.warning("%s %r: the shipped one is used; %s needs another name", role, name, own)
        return None
    if own is not None:
        return own
    for folder in folders:
        if is_file(path := folder / f"{name}.py"):
            raise InputError(f"{path}: {why_not(path, role)}")
    if files := find(folders, role):
        raise unknown(role, name, [*shipped, *files])
    return None


def _object_named(role: Role, key: str, entry: Any) -> Any:
    if role == "network":
        if isinstance(entry, Mapping | str | int | float | list | tuple | Part | None):
            return entry
        return Part(
            "network", _name_of(entry, role), {"scale": "auto", "symmetry": True, "features": {}}, given=_module(entry)
        )
    if role == "activation":
        return Part("activation", _name_of(entry, role), given=entry) if callable(entry) else entry
    shipped = isinstance(entry, (Mapping, Part, *get_args(Shipped), *get_args(Custom)))
    if shipped or not callable(getattr(entry, "rows", None)):
        return entry
    own = {name: value for name in COMMON if (value := getattr(entry, name, None)) is not None}
    return Part("regulariser", _name_of(entry, role), {**own, **_fields(entry)}, given=entry)


def _module(network: Any) -> Any:
    from torch import nn  # noqa: PLC0415, since names need no torch

    if inspect.isclass(network):
        raise InputError(f"network: expected an object, got the class {network.__name__}: give {network.__name__}(...)")
    if not isinstance(network, nn.Module):
        raise InputError(f"network: expected a section or a torch.nn.Module, got {type(network).__name__}")
    return network


def _name_of(part: Any, role: Role) -> str:
    """What an object is called in a config: by its class or function, and never as a shipped one."""
    name = str(getattr(part, "__name__", type(part).__name__)).lower()
    return f"own_{name}" if name in _shipped(role) else name


def _shipped(role: Role) -> Sequence[str]:
    if role == "activation":
        return ACTIVATION_NAMES
    return [each.kind for each in get_args(NetworkSettings if role == "network" else Shipped)]


def _network(part: Part) -> CustomNetwork:
    settings = dict(part.settings)
    features = _valid(FeatureSettings, settings.pop("features", {}), "network.features")
    scale = _valid(Scale, settings.pop("scale", "auto"), "network.scale")
    symmetry = _valid(StrictBool, settings.pop("symmetry", True), "network.symmetry")
    if part.given is not None:
        make = lambda inputs, outputs: copy.deepcopy(part.given)  # noqa: E731
        return CustomNetwork(part.kind, make, settings, features, scale, symmetry)
    assert part.file is not None
    cls, title = load_part(part.file, "network"), f"network {part.kind!r}"
    known = _parameters(cls, title, ("kind", "features", "scale", "symmetry"))
    if not {"inputs", "outputs"} <= known.keys():
        raise InputError(f"{title}: {part.file}: {cls.__name__} must take inputs and outputs, the numbers of columns")
    own = {name: each for name, each in known.items() if name not in ("inputs", "outputs")}
    valid = _settings(cls, own, settings, title)
    return CustomNetwork(part.kind, partial(_build, cls, valid), _written(valid, settings), features, scale, symmetry)


def _build(cls: Callable[..., Any], settings: Mapping[str, Any], inputs: int, outputs: int) -> Any:
    return cls(inputs=inputs, outputs=outputs, **settings)


def _activation(part: Part) -> CustomActivation:
    if part.given is not None:
        return CustomActivation(part.kind, part.given)
    assert part.file is not None
    return CustomActivation(part.kind, load_part(part.file, "activation"))


def _regulariser(part: Part) -> Custom:
    if part.given is not None:
        return custom(part.kind, part.given, plain=dict(part.settings))
    assert part.file is not None
    cls, title = load_part(part.file, "regulariser"), f"regulariser {part.kind!r}"
    known = _parameters(cls, title, ("kind",))
    common = {key: value for key, value in part.settings.items() if key in COMMON and key not in known}
    given = {key: value for key, value in part.settings.items() if key not in common}
    valid = _settings(cls, known, given, title, COMMON)
    with user_code(title):
        own = cls(**valid)
    return custom(part.kind, own, common, plain=_written(valid, given))


def _parameters(cls: Callable[..., Any], title: str, reserved: Sequence[str]) -> dict[str, inspect.Parameter]:
    """What a class can be given, by name."""
    with user_code(title):
        parameters = dict(inspect.signature(cls).parameters)
    for name, each in parameters.items():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
            raise InputError(f"{title}: its settings are matched by name, {name} cannot be")
        if name in reserved:
            raise InputError(f"{title}: a setting cannot be called {name}, which a config takes for something else")
    return parameters


def _settings(
    cls: Callable[..., Any],
    known: Mapping[str, inspect.Parameter],
    given: Mapping[str, Any],
    title: str,
    common: Sequence[str] = (),
) -> dict[str, Any]:
    """All settings of a class that a config can hold, those given checked by their annotations."""
    for name in given:
        if name not in known:
            annotated = name in inspect.get_annotations(cls) if inspect.isclass(cls) else False
            hint = f"; {cls.__name__} is no dataclass, so that it cannot be given" if annotated else ""
            raise InputError(f"{unknown(f'setting of {title}:', name, [*known, *common])}{hint}")
    try:
        hints = typing.get_type_hints(cls.__init__, include_extras=True)
    except Exception:  # whatever evaluating a user's annotations raises: nothing can be checked by them
        hints = {}
    found = {}
    for name, parameter in known.items():
        if name in given:
            found[name] = _valid(hints.get(name, Any), given[name], f"{title}: {name}")
        elif parameter.default is parameter.empty:
            raise InputError(f"{title} needs the setting {name}")
        elif _is_plain(parameter.default):
            found[name] = parameter.default
    return found


def _written(valid: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a config says them: what a class takes as a tensor or a path is written as it was given."""
    return {name: value if _is_plain(value) else given[name] for name, value in valid.items()}


def _valid(hint: Any, value: Any, title: str) -> Any:
    if isinstance(value, bool) and not _takes_booleans(hint):
        raise InputError(f"{title}: expected a number, got {str(value).lower()}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{title}: expected a finite number, got {value}")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
        found = adapter.validate_python(value)
    except PydanticUserError:
        return value  # an annotation that nothing can be checked by
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f".{each}" for each in first["loc"])
        raise InputError(f"{title}{where}: {first['msg']}, got {first['input']!r}") from None
    return found


def _takes_booleans(hint: Any) -> bool:
    # pydantic takes true for 1
    return hint in (Any, object, bool) or any(_takes_booleans(each) for each in get_args(hint)) or hint is True


def _fields(part: Any) -> dict[str, Any]:
    """What an object says of its settings: those a config can hold as they are, of others what can be told apart."""
    named = dataclasses.fields(part) if dataclasses.is_dataclass(part) else None
    names = (
        [each.name for each in named] if named is not None else [name for name in _attributes(part) if name[0] != "_"]
    )
    if "kind" in names:
        raise InputError(f"regulariser {type(part).__name__}: a setting cannot be called kind, which a config uses")
    values = {name: getattr(part, name) for name in names}
    return {name: value if _is_plain(value) else _described(value) for name, value in values.items()}


def _attributes(part: Any) -> list[str]:
    try:
        return list(vars(part))
    except TypeError:  # a class with slots
        return []


def _is_plain(value: Any) -> bool:
    """Whether a config file can hold a value."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _described(value: Any) -> str:
    """A value that no config can hold, as far as to see whether another one is the same."""
    from torch import Tensor  # noqa: PLC0415, since names need no torch

    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} {_hash(str(value.detach().cpu().tolist()))[:12]}"
    return type(value).__name__


def _fixed(network: Any) -> dict[str, Any]:
    """What of a module is not trained."""
    frozen = {name: each for name, each in network.named_parameters() if not each.requires_grad}
    return frozen | dict(network.named_buffers())


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
