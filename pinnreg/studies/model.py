"""The study file: a base config, what is varied, and how the results are judged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticSerializationError

from pinnreg.config import dump_yaml, explain, numbers, read_yaml
from pinnreg.config.resolve import STUDY_KEY
from pinnreg.errors import InputError, shortened, unknown
from pinnreg.files import is_file
from pinnreg.registry import STUDY_PREFIX, find, shipped_configs
from pinnreg.settings import STRICT, Positive

SEED = "seed"
"""The key whose values are repetitions of one and the same experiment."""

REGULARISERS = "regularisers"
"""The key whose values may hold lists of candidates; the baseline is its value `none`, or else its first."""


LIMITS = ("steps", "max_sweeps", "max_seconds")
"""The keys of a training stage that a budget replaces."""


def text_of(value: Any) -> str:
    """A value as tables show it.

    >>> text_of(1e-6), text_of([20, 20]), text_of(True), text_of("sin")
    ('1e-06', '[20, 20]', 'true', 'sin')
    """
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return value if isinstance(value, str) else json.dumps(value)


def heading(name: str) -> str:
    """What a study of a name is called in headings.

    >>> heading("study_heat"), heading("mine"), heading("study")
    ('Study heat', 'Study mine', 'Study')
    """
    return f"Study {name.removeprefix(STUDY_PREFIX)}" if name != "study" else "Study"


def _named(value: Any) -> Any:
    """Values by name; those of a list are their own names."""
    if isinstance(value, Mapping) and value:
        return {str(name): item for name, item in value.items()}
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected a list of values, or names with values, got {shortened(value)}")
    names = [text_of(item) for item in value]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the value {name} is there more than once")
    return dict(zip(names, value, strict=True))


Variants = Annotated[dict[str, Any], BeforeValidator(_named)]


@dataclass(frozen=True, config=STRICT)
class Study:
    """Many runs that differ in the keys under `vary`, in all combinations.

    Attributes:
        base: a config's file, name or content, or a problem's name.
        vary: for each dotted key its values, a list or by name. In a value of `regularisers` a list where a `weight`
            or a `sigma` is expected means candidates, of which one is chosen.
        set: values by dotted key, for all runs.
        choose: the score by which a candidate is chosen: the error at held-out measurements where there are any and
            else the residual at fresh points (validation), or always the latter (residual). Where conditions are soft
            the residual is that of the equations and these conditions together.
        budget: network sweeps times points, the same for all runs.
    """

    base: str | dict[str, Any]
    vary: Annotated[dict[str, Variants], Field(min_length=1)]
    set: dict[str, Any] = Field(default_factory=dict)
    choose: Literal["validation", "residual"] = "validation"
    budget: Positive | None = None

    @model_validator(mode="after")
    def _no_key_is_set_and_varied(self) -> Study:
        for key in self.set:
            for varied in self.vary:
                if key == varied or key.startswith(f"{varied}."):
                    raise ValueError(f"set.{key} has no effect, since vary.{varied} replaces it")
        return self

    @model_validator(mode="after")
    def _no_clock_is_a_limit(self) -> Study:
        for where, key, value in self._given():
            for limit in _limits(key, value):
                if limit.endswith(".max_seconds") and self.budget is None:
                    raise ValueError(
                        f"{where}: what a run reaches by {limit} is for the machine and its load to say; give steps or "
                        "max_sweeps, or a budget for all runs"
                    )
        return self

    @model_validator(mode="after")
    def _the_budget_is_the_only_limit(self) -> Study:
        if self.budget is None:
            return self
        for where, key, value in self._given():
            if (limit := next(_limits(key, value), None)) is not None:
                raise ValueError(f"{where}: {limit} has no effect, since the budget is the limit of all runs")
        return self

    @model_validator(mode="after")
    def _seeds_are_repeated_once(self) -> Study:
        seeds = list(self.vary.get(SEED, {}).items())
        for number, (name, seed) in enumerate(seeds):
            for other, same in seeds[:number]:
                if seed == same:
                    raise ValueError(f"vary.seed: {other} and {name} are the same seed, {seed!r}: no repetition")
        return self

    def _given(self) -> list[tuple[str, str, Any]]:
        """What is set and what is varied: where, the key, the value."""
        given = [(f"set.{key}", key, value) for key, value in self.set.items()]
        return given + [(f"vary.{key}", key, value) for key, each in self.vary.items() for value in each.values()]


def _limits(key: str, value: Any) -> Iterator[str]:
    """The limits of training stages in the value of a dotted key, of a stage or of all, that are not null."""
    first, *rest = key.split(".")
    if first != "train" or value is None:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _limits(f"{key}.{name}", item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _limits(f"{key}.{number}", item)
    elif len(rest) == 2 and rest[1] in LIMITS:
        yield key


_ADAPTER: TypeAdapter[Study] = TypeAdapter(Study)


def as_plain(study: Study) -> dict[str, Any]:
    """The study as plain dicts, lists, numbers and strings, without what was not given."""
    plain: dict[str, Any] = _ADAPTER.dump_python(study, mode="json")
    for key, variants in plain["vary"].items():
        if all(name == text_of(value) for name, value in variants.items()):
            plain["vary"][key] = list(variants.values())
    return {key: value for key, value in plain.items() if value not in ({}, None)}


def read_study(given: str | Path | Mapping[str, Any]) -> tuple[Study, str, str, str]:
    """The study in a file, of a shipped study's name, or in a dict.

    Returns:
        The study, its name, where it is from, for messages, and its text.

    Raises:
        InputError: no such file or study, a config of one run, or one line for each thing that is wrong.
    """
    if isinstance(given, Mapping):
        data = {str(key): numbers(copy.deepcopy(value)) for key, value in given.items()}
        study = _validated(data, "study")
        try:
            return study, "study", "study", dump_yaml(as_plain(study))
        except PydanticSerializationError as error:
            raise InputError(
                "study: networks, activations and regularisers of one's own must be in files, since other processes "
                f"make the runs ({error})"
            ) from None
    path = _file(given)
    data = read_yaml(path)
    data.pop("provenance", None)  # of the study.yaml in a study's folder
    study = _validated(data, str(given))
    if isinstance(study.base, str) and is_file(path.parent / study.base):
        study = _ADAPTER.validate_python({**vars(study), "base": str(path.parent / study.base)})
    return study, path.stem, str(given), path.read_text(encoding="utf-8")


def _file(given: str | Path) -> Path:
    path, studies = Path(given), shipped_configs(studies=True)
    if is_file(path):
        return path
    if path.name != str(given) or path.suffix in (".yaml", ".yml"):
        raise InputError(f"{given}: no such study file")
    if path.name in studies:
        return studies[path.name]
    if path.name in shipped_configs() or path.name in find():
        raise _one_run(str(given))
    raise unknown("study", str(given), studies)


def _validated(data: dict[str, Any], where: str) -> Study:
    if STUDY_KEY not in data and "base" not in data:
        raise _one_run(where)
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        schema = _ADAPTER.json_schema()
        lines = [explain(dict(problem), data, schema, whole="the study") for problem in error.errors()]
        raise InputError("\n".join(f"{where}: {line}" for line in dict.fromkeys(lines))) from None


def _one_run(where: str) -> InputError:
    return InputError(
        f"{where}: this is the config of one run, not a study, which has the keys base and {STUDY_KEY}; "
        f"use: pinnreg solve {where}"
    )
