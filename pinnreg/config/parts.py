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
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final, get_args

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from pinnreg.errors import InputError, unknown, user_code
from pinnreg.networks.custom import CustomActivation, CustomNetwork
from pinnreg.networks.settings import ACTIVATION_NAMES, FeatureSettings, NetworkSettings
from pinnreg.registry import file_hash, find, load_part
from pinnreg.regularisers import COMMON, Custom, Shipped, custom
from pinnreg.scanning import Role


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
        """The hash of the file, or of the source of the function or class; None if there is none, as in a console."""
        if self.file is not None:
            return file_hash(self.file)
        try:
            own = self.given if inspect.isroutine(self.given) else type(self.given)
            return hashlib.sha256(inspect.getsource(own).encode()).hexdigest()
        except (OSError, TypeError):
            return None


def objects_named(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with a `Part` where it holds an object of the user's own; anything else as it is.

    Raises:
        InputError: an object that is no network.
    """
    changed = dict(data)
    network = data.get("network")
    if isinstance(network, Mapping) and callable(activation := network.get("activation")):
        changed["network"] = {**network, "activation": Part("activation", _name_of(activation), given=activation)}
    elif not isinstance(network, Mapping | str | int | float | list | tuple | Part | None):
        changed["network"] = Part("network", _name_of(network), {"features": {}}, given=_module(network))
    if isinstance(regularisers := data.get("regularisers"), list | tuple):
        changed["regularisers"] = [_named_object(each) for each in regularisers]
    return changed


def named(data: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """`data` with a `Part` where it names one of the user's own; anything else as it is.

    Raises:
        InputError: a folder that does not exist, or a kind that is neither shipped nor found.
    """
    changed = dict(data)
    if isinstance(network := data.get("network"), Mapping):
        changed["network"] = _named_network(network, folders)
    if isinstance(regularisers := data.get("regularisers"), list | tuple):
        changed["regularisers"] = [_named_regulariser(each, folders) for each in regularisers]
    return changed


def unfound(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` of a run's own config with a `Part` for each kind that is not shipped, wherever its file may be."""
    changed = dict(data)
    if isinstance(network := data.get("network"), Mapping):
        kind, activation = network.get("kind"), network.get("activation")
        if isinstance(kind, str) and kind not in _kinds(NetworkSettings):
            changed["network"] = Part("network", kind, _without_kind(network))
        elif isinstance(activation, str) and activation not in ACTIVATION_NAMES:
            changed["network"] = {**network, "activation": Part("activation", activation)}
    if isinstance(regularisers := data.get("regularisers"), list | tuple):
        changed["regularisers"] = [
            Part("regulariser", str(each["kind"]), _without_kind(each))
            if isinstance(each, Mapping) and isinstance(each.get("kind"), str) and each["kind"] not in _kinds(Shipped)
            else each
            for each in regularisers
        ]
    return changed


def parts_in(data: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts that `named` has put into data."""
    network = data.get("network")
    inside = network.get("activation") if isinstance(network, Mapping) else network
    regularisers = data.get("regularisers")
    others = regularisers if isinstance(regularisers, list | tuple) else ()
    return tuple(each for each in (inside, *others) if isinstance(each, Part))


def made(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`data` with the parts themselves in the place of their names; runs their files.

    Raises:
        InputError: a file that fails, or settings that it lacks or refuses.
    """
    changed = dict(data)
    network = data.get("network")
    try:
        if isinstance(network, Part):
            changed["network"] = _network(network)
        elif isinstance(network, Mapping) and isinstance(activation := network.get("activation"), Part):
            changed["network"] = {**network, "activation": _activation(activation)}
        if isinstance(regularisers := data.get("regularisers"), list | tuple):
            changed["regularisers"] = [_regulariser(each) if isinstance(each, Part) else each for each in regularisers]
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return changed


def _named_network(section: Mapping[str, Any], folders: Sequence[Path]) -> Any:
    kind, activation = section.get("kind"), section.get("activation")
    if file := _own_file(kind, "network", _kinds(NetworkSettings), folders):
        return Part("network", str(kind), _without_kind(section), file)
    if file := _own_file(activation, "activation", ACTIVATION_NAMES, folders):
        return {**section, "activation": Part("activation", str(activation), file=file)}
    return section


def _named_regulariser(entry: Any, folders: Sequence[Path]) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    kind = entry.get("kind")
    if file := _own_file(kind, "regulariser", _kinds(Shipped), folders):
        return Part("regulariser", str(kind), _without_kind(entry), file)
    return entry


def _without_kind(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key != "kind"}


def _own_file(name: Any, role: Role, shipped: Sequence[str], folders: Sequence[Path]) -> Path | None:
    """The user's file of a name; None for a shipped name, and where there are no such files at all."""
    if not isinstance(name, str) or name in shipped:
        return None
    files = find(folders, role)
    if files and name not in files:
        raise unknown(f"{role}", name, [*shipped, *files])
    return files.get(name)


def _named_object(entry: Any) -> Any:
    shipped = isinstance(entry, (Mapping, Part, *get_args(Shipped), *get_args(Custom)))
    if shipped or not callable(getattr(entry, "rows", None)):
        return entry
    own = {name: value for name in COMMON if (value := getattr(entry, name, None)) is not None}
    return Part("regulariser", _name_of(entry), {**own, **_fields(entry)}, given=entry)


def _module(network: Any) -> Any:
    from torch import nn  # noqa: PLC0415, since names need no torch

    if not isinstance(network, nn.Module):
        raise InputError(f"network: expected a section or a torch.nn.Module, got {type(network).__name__}")
    return network


def _name_of(part: Any) -> str:
    return str(getattr(part, "__name__", type(part).__name__)).lower()


def _kinds(union: Any) -> list[str]:
    return [each.kind for each in get_args(union)]


def _network(part: Part) -> CustomNetwork:
    settings = dict(part.settings)
    features = _valid(FeatureSettings, settings.pop("features", {}), "network.features")
    if part.given is not None:
        return CustomNetwork(part.kind, lambda inputs, outputs: copy.deepcopy(part.given), settings, features)
    assert part.file is not None
    cls, title = load_part(part.file, "network"), f"network {part.kind!r}"
    known = _parameters(cls, title)
    if not {"inputs", "outputs"} <= known.keys():
        raise InputError(f"{title}: {part.file}: {cls.__name__} must take inputs and outputs, the numbers of columns")
    own = {name: each for name, each in known.items() if name not in ("inputs", "outputs")}
    valid = _settings(cls, own, settings, title)
    return CustomNetwork(part.kind, partial(_build, cls, valid), _plain(valid, title), features)


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
    known = _parameters(cls, title)
    common = {key: value for key, value in part.settings.items() if key in COMMON and key not in known}
    given = {key: value for key, value in part.settings.items() if key not in common}
    valid = _settings(cls, known, given, title)
    with user_code(title):
        own = cls(**valid)
    return custom(part.kind, own, common, plain=_plain(valid, title))


def _parameters(cls: Callable[..., Any], title: str) -> dict[str, inspect.Parameter]:
    """What a class can be given, by name."""
    with user_code(title):
        parameters = dict(inspect.signature(cls).parameters)
    for name, each in parameters.items():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
            raise InputError(f"{title}: its settings are matched by name, {name} cannot be")
    return parameters


def _settings(
    cls: Callable[..., Any], known: Mapping[str, inspect.Parameter], given: Mapping[str, Any], title: str
) -> dict[str, Any]:
    """All settings of a class, checked by their annotations."""
    for name in given:
        if name not in known:
            raise unknown(f"setting of {title}:", name, [*known, *(key for key in COMMON if "regulariser" in title)])
    with user_code(title):
        hints = typing.get_type_hints(cls.__init__, include_extras=True)
    found = {}
    for name, parameter in known.items():
        if name in given:
            found[name] = _valid(hints.get(name, Any), given[name], f"{title}: {name}")
        elif parameter.default is parameter.empty:
            raise InputError(f"{title} needs the setting {name}")
        else:
            found[name] = parameter.default
    return found


def _valid(hint: Any, value: Any, title: str) -> Any:
    if isinstance(value, bool) and hint in (int, float):
        raise InputError(f"{title}: expected a number, got {str(value).lower()}")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
        return adapter.validate_python(value)
    except PydanticUserError:
        return value  # an annotation that nothing can be checked by
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f".{each}" for each in first["loc"])
        raise InputError(f"{title}{where}: {first['msg']}, got {first['input']!r}") from None


def _fields(part: Any) -> dict[str, Any]:
    """The settings of an object, as far as it says which it has."""
    if not dataclasses.is_dataclass(part):
        return {}
    return _plain({each.name: getattr(part, each.name) for each in dataclasses.fields(part)}, _name_of(part))


def _plain(settings: Mapping[str, Any], title: str) -> dict[str, Any]:
    """Settings that a config file can hold."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    except (TypeError, ValueError):
        raise InputError(
            f"{title}: a setting must be a number, a text, or a list of them, which a config can hold"
        ) from None
    return plain
