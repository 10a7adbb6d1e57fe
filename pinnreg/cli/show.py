"""What the commands print: tables, progress, notes."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json as json_module
import logging
import math
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final, get_args

from pinnreg import config, domain, equations, files, observations, registry
from pinnreg.cli import picture
from pinnreg.cli.target import JsonFile
from pinnreg.domain import SAMPLERS
from pinnreg.errors import InputError
from pinnreg.networks import ACTIVATION_NAMES, NetworkSettings
from pinnreg.optimisers import AnyStage
from pinnreg.regularisers import Shipped
from pinnreg.report import words
from pinnreg.scanning import Role

WIDE = 400


def line(text: str) -> None:
    """One line on stdout, as it is."""
    sys.stdout.write(text + "\n")


def json(data: Mapping[str, Any]) -> None:
    """JSON on stdout."""
    sys.stdout.write(files.json_text(data))


def first_line(path: Path) -> str | None:
    """The first line of a problem's docstring; None, and a warning line, if its file is broken."""
    try:
        return registry.summary(path)
    except InputError as error:
        print(f"warning: {error}".replace("\n", " "), file=sys.stderr)
        return None


def catalogue(
    problems: Mapping[str, str | None],
    groups: Mapping[str, str],
    own: Mapping[Role, Mapping[str, str]],
    target: JsonFile | None,
) -> None:
    """Everything that a config can name; `groups` are those of problems, `own` the user's parts by role."""
    optimisers = {_tag(stage, "optimiser"): _summary(stage) for stage in get_args(AnyStage)}
    line("problems:")
    width = max(map(len, problems))
    for group in sorted(set(groups.values()), key=lambda name: (not name, name)):
        line(f"  {group or 'others'}")
        for name, text in problems.items():
            if groups[name] == group:
                line(f"    {name:{width}}  {'(broken)' if text is None else text}")
    sections: dict[str, Mapping[str, str | None]] = {
        "configs": dict.fromkeys(registry.shipped_configs(), ""),
        "studies": dict.fromkeys(registry.shipped_configs(studies=True), ""),
        "regularisers": _both({_tag(kind, "kind"): _summary(kind) for kind in get_args(Shipped)}, own["regulariser"]),
        "optimisers": optimisers,
        "networks": _both({_tag(kind, "kind"): _summary(kind) for kind in get_args(NetworkSettings)}, own["network"]),
        "activations": _both(dict.fromkeys(map(str, ACTIVATION_NAMES), ""), own["activation"]),
        "samplers": dict.fromkeys(SAMPLERS, ""),
    }
    for title, entries in sections.items():
        if any(entries.values()):
            line(f"{title}:")
            width = max(map(len, entries))
            for name, text in entries.items():
                line(f"  {name:{width}}  {text}")
        else:
            line(f"{title}: {', '.join(entries)}")
    if target is not None:
        target.write({"problems": problems, "groups": groups, **sections})


def _both(shipped: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Shipped parts and the user's own, which do not replace them."""
    return {**shipped, **{name: text for name, text in own.items() if name not in shipped}}


def problem(resolved: config.Resolved, target: JsonFile | None) -> None:
    """A problem with its parameters, domain, conditions and defaults."""
    described, settings = resolved.problem, resolved.config
    split = equations.split_conditions(described, settings.conditions)
    reasons = {c.name: f"soft: {split.reasons[c.name]}" if c.name in split.reasons else "soft" for c in split.soft}
    ways = reasons | {condition.name: "exact" for condition in split.exact}
    conditions = {c.name: _condition(c, described, ways[c.name]) for c in (*split.exact, *split.soft)}
    measured = {str(each.name): _measured(each) for each in observations.complete(settings.measurements, described)}
    data = {
        "name": settings.problem["name"],
        "description": inspect.getdoc(described),
        "file": str(resolved.problem_file),
        "parameters": {key: value for key, value in settings.problem.items() if key != "name"},
        "domain": {axis: list(bounds) for axis, bounds in described.domain.bounds.items()},
        "parameter_axes": list(described.parameters),
        "features": [f"f({', '.join(inspect.signature(each).parameters)})" for each in described.features],
        "outputs": list(described.outputs),
        "conditions": conditions | measured,
        "defaults": dict(described.defaults),
        "reference": equations.reference_of(described) is not None,
    }
    parts = {}
    if not isinstance(described.domain, domain.Box):
        data["shape"] = repr(described.domain)
        parts = picture.parts_of(described.domain)
        measures = {str(side): picture.measure_of(described.domain, side) for side in parts}
        inside = {str(side): measures.pop(str(side)) for side in described.domain.interfaces}
        data |= {"boundary": measures, "interfaces": inside}
    line(f"{data['name']}: {data['description']}")
    for key in ("file", "parameters", "domain", "outputs", "conditions"):
        line(f"{key:10}  {_compact(data[key])}")
        if key == "domain" and "shape" in data:
            line(f"{'':10}  the box around {data['shape']}, {picture.size_of(described.domain)}")
            line(f"{'boundary':10}  {', '.join(f'{side} ({said})' for side, said in parts.items())}")
        if key == "domain" and described.parameters:
            line(f"{'':10}  of which parameters, not space: {', '.join(described.parameters)}")
        if key == "domain" and described.features:
            line(f"{'features':10}  {_compact(data['features'])}, which the network gets besides")
    line(f"{'reference':10}  {'yes' if data['reference'] else 'none: a solution is not verified'}")
    line(f"{'defaults':10}  {'those of every problem' if not described.defaults else ''}".rstrip())
    for section, values in described.defaults.items():
        line(f"  {section}: {json_module.dumps(values)}")
    if target is not None:
        target.write(data)


def result(folder: Path, facts: Mapping[str, Any], quiet: bool, target: JsonFile | None) -> None:
    """The outcome of `solve`: errors, reference, and where the figure is."""
    if target is not None:
        target.write(facts)
    if quiet:
        return
    _errors(facts)
    for text in [*words.coefficients(facts), words.verdict(facts), *(f"note: {note}" for note in facts["notes"])]:
        line(text)
    line(words.end(facts))
    line(f"figures: {folder / 'error_field.png'} and history.png")


def errors(facts: Mapping[str, Any], target: JsonFile | None) -> None:
    """The outcome of `evaluate`."""
    if target is not None:
        target.write(facts)
    _errors(facts)


def _errors(facts: Mapping[str, Any]) -> None:
    if rows := words.error_rows(facts):
        texts(words.ERROR_COLUMNS, rows)
    for text in [*words.error_remarks(facts), *words.estimates(facts), *words.validation(facts)]:
        line(text)


@contextlib.contextmanager
def notes(quiet: bool) -> Iterator[None]:
    """Show what the package notes along the way, such as a condition that cannot be exact, on stderr."""
    logger = logging.getLogger("pinnreg")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    handler.setLevel(logging.CRITICAL if quiet else logging.WARNING)
    handler.addFilter(_Once())
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@final
class _Once(logging.Filter):
    """Lets each message through once: problem files are looked for more than once in a run."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in self._seen
        self._seen.add(message)
        return new


def table(columns: Sequence[str], rows: Sequence[Sequence[str | int | float]]) -> None:
    """A table whose columns of numbers stand right."""
    numeric = [
        number for number in range(len(columns)) if rows and all(isinstance(row[number], int | float) for row in rows)
    ]
    texts(columns, [[cell(each) for each in row] for row in rows], right=numeric)


def texts(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> None:
    """A table of texts as they are, some columns of which stand right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    printed = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        printed.add_column(column, no_wrap=True, justify="right" if number in right else "left")
    for row in rows:
        printed.add_row(*map(Text, row))
    # wide enough for the table whatever the terminal is: a wrapped number is no number
    Console(file=sys.stdout, width=WIDE).print(printed)


def cell(value: str | int | float) -> str:
    """A cell of a table: numbers to three digits, whole ones in full."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def seconds(value: float) -> str:
    """A time in six columns; "-" for never."""
    if not math.isfinite(value):
        return "-"
    digits = 4 if value < 0.01 else 3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def _compact(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {item}" for key, item in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _condition(condition: equations.Condition, described: equations.Problem, way: str) -> str:
    says = [f"{condition.kind},", condition.formula, condition.place(described.domain), f"({way})"]
    return " ".join(filter(None, says))


def _measured(measured: observations.MeasurementSettings) -> str:
    shares = {key: getattr(measured, key) for key in ("noise", "outliers", "held_out", "trim")}
    source = f"{measured.samples} values of the reference" if measured.file is None else f"from {measured.file}"
    axes = observations.over_of(measured)
    over = f" integrated over {', '.join(axes)}" if axes else ""
    said = [f"{key} {share:g}" for key, share in shares.items() if share]
    return ", ".join([f"measurements, {measured.of}{over} {source}", *said]) + " (soft)"


def _tag(settings: Any, key: str) -> str:
    """The value by which a config chooses a settings class."""
    return str(next(field.default for field in dataclasses.fields(settings) if field.name == key))


def _summary(settings: Any) -> str:
    return (inspect.getdoc(settings) or "").partition("\n")[0]
