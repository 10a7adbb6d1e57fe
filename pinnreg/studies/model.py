"""The study file: what is solved, what is varied, and how the results are judged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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

CASE, PART = "case", "part"
"""What the names of cases and of parts are called beside those of varied keys."""

BASE = "base"
"""The key of a case that says what it begins with, in the place of the study's own base."""

SEED = "seed"
WITHOUT_EFFECT = ("figures", "device")
"""Sections of a config that no result depends on."""
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


def _cases(value: Any) -> Any:
    """Cases by name, each as values by dotted key; a name alone is that of what it begins with."""
    return {
        name: {BASE: case} if isinstance(case, str) else case for name, case in (_named(value) if value else {}).items()
    }


Variants = Annotated[dict[str, Any], BeforeValidator(_named)]
Cases = Annotated[dict[str, dict[str, Any]], BeforeValidator(_cases)]


@dataclass(frozen=True, config=STRICT)
class Part:
    """What a part of a study has of its own, in the place of the study's: values of `set`, keys of `vary`, the rest."""

    set: dict[str, Any] = Field(default_factory=dict)
    vary: dict[str, Variants] = Field(default_factory=dict)
    cases: Cases = Field(default_factory=dict)
    budget: Positive | None = None


@dataclass(frozen=True, config=STRICT)
class Study:
    """Many runs that differ in the keys under `vary`, in all combinations.

    Attributes:
        base: a config's file, name or content, or a problem's name; none where each case has its own.
        vary: for each dotted key its values, a list or by name. In a value of `regularisers` a list where a `weight`
            or a `sigma` is expected means candidates, of which one is chosen.
        set: values by dotted key, for all runs.
        cases: what is solved, by name: a base's name, or values by dotted key that stand together, `base` among them
            where it is another one. In a list names stand for themselves. They stand above `set`.
        parts: studies by name that have all this in common, and something each of their own.
        choose: the score by which a candidate is chosen: the error at held-out measurements where there are any and
            else the residual at fresh points (validation), or always the latter (residual). Where conditions are soft
            the residual is that of the equations and these conditions together.
        budget: network sweeps times points, the same for all runs.
        analyse: whether the Hessian and the variations of each run are measured, which may take as long as a small run.
    """

    vary: Annotated[dict[str, Variants], Field(min_length=1)]
    base: str | dict[str, Any] | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    cases: Cases = Field(default_factory=dict)
    parts: dict[str, Part] = Field(default_factory=dict)
    choose: Literal["validation", "residual"] = "validation"
    budget: Positive | None = None
    analyse: bool = True

    def whole(self) -> dict[str, Study]:
        """The studies that it consists of, by the part's name: itself, under "", where there are no parts."""
        return {name: self._with(part) for name, part in self.parts.items()} or {"": self}

    def _with(self, part: Part) -> Study:
        both_set, both_varied = {**self.set, **part.set}, {**self.vary, **part.vary}
        cases, budget = part.cases or self.cases, part.budget or self.budget
        return replace(self, set=both_set, vary=both_varied, cases=cases, budget=budget, parts={})

    def only(self, parts: Sequence[str]) -> Study:
        """The study with some of its parts, in its own order.

        Raises:
            InputError: a part that it does not have.
        """
        for name in parts:
            if name not in self.parts:
                raise unknown("part of the study", name, self.parts)
        return replace(self, parts={name: part for name, part in self.parts.items() if name in parts})

    @model_validator(mode="after")
    def _parts_are_studies(self) -> Study:
        for name, part in self.parts.items():
            for key in part.vary:
                if key not in self.vary:
                    raise ValueError(f"parts.{name}.vary.{key}: the study does not vary it; what differs is `set`")
            try:
                self._with(part)
            except ValidationError as error:
                raise ValueError(f"parts.{name}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
        return self

    @model_validator(mode="after")
    def _something_is_solved(self) -> Study:
        without = [name for name, case in self.cases.items() if BASE not in case]
        if self.base is None and not self.parts and (without or not self.cases):
            which = f"cases.{without[0]}" if without else "the study"
            raise ValueError(f"{which} has no base: expected a config's file, name or content, or a problem's name")
        return self

    @model_validator(mode="after")
    def _no_key_is_set_and_varied(self) -> Study:
        for where, key in self._set():
            for varied in self.vary:
                if key == varied or key.startswith(f"{varied}."):
                    raise ValueError(f"{where} has no effect, since vary.{varied} replaces it")
        return self

    @model_validator(mode="after")
    def _no_clock_is_a_limit(self) -> Study:
        if self.parts:  # which are looked at by themselves, and may have budgets
            return self
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
    def _figures_make_no_entry(self) -> Study:
        for name in self.vary:
            if name.partition(".")[0] in WITHOUT_EFFECT:
                raise ValueError(f"vary.{name}: it changes no result, so that its runs would be the same; set it once")
        return self

    @model_validator(mode="after")
    def _seeds_are_repeated_once(self) -> Study:
        seeds = list(self.vary.get(SEED, {}).items())
        for number, (name, seed) in enumerate(seeds):
            for other, same in seeds[:number]:
                if seed == same:
                    raise ValueError(f"vary.seed: {other} and {name} are the same seed, {seed!r}: no repetition")
        return self

    def _set(self) -> dict[tuple[str, str], Any]:
        """What is set, for all or for cases, by where it is and its key."""
        found = {(f"set.{key}", key): value for key, value in self.set.items()}
        for name, case in self.cases.items():
            found |= {(f"cases.{name}.{key}", key): value for key, value in case.items() if key != BASE}
        return found

    def _given(self) -> list[tuple[str, str, Any]]:
        """What is set and what is varied: where, the key, the value."""
        given = [(*place, value) for place, value in self._set().items()]
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
    for part in (plain, *plain["parts"].values()):
        for key, variants in part["vary"].items():
            if all(name == text_of(value) for name, value in variants.items()):
                part["vary"][key] = list(variants.values())
        if part["cases"] and all(case == {BASE: name} for name, case in part["cases"].items()):
            part["cases"] = list(part["cases"])
    plain["parts"] = {name: _without_empty(part) for name, part in plain["parts"].items()}
    return _without_empty(plain)


def _without_empty(plain: Mapping[str, Any]) -> dict[str, Any]:
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
    study = _with_files(_validated(data, str(given)), path.parent)
    return study, path.stem, str(given), path.read_text(encoding="utf-8")


def _with_files(study: Study, folder: Path) -> Study:
    """The study with the whole paths of bases that are files beside its own."""

    def found(base: Any) -> Any:
        return str(folder / base) if isinstance(base, str) and is_file(folder / base) else base

    def placed(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        return {
            name: {key: found(value) if key == BASE else value for key, value in case.items()}
            for name, case in cases.items()
        }

    parts = {name: replace(part, cases=placed(part.cases)) for name, part in study.parts.items()}
    return replace(study, base=found(study.base), cases=placed(study.cases), parts=parts)


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
    if STUDY_KEY not in data and BASE not in data:
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
