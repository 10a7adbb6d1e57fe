"""A page of every shipped problem, from its file, from what `pinnreg describe` says, and from the zoo's results."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pinnreg import equations, registry
from pinnreg.cli import main

ROOT = Path(__file__).resolve().parents[2]
ZOO = ROOT / "outputs" / "gallery" / "bench_zoo.md"


def pages() -> dict[str, str]:
    """Markdown by place on the site: one page for each problem, and one with all of them."""
    return {"problems/index.md": _index()} | {f"problems/{name}.md": page(name) for name in registry.find()}


def nav() -> list[dict[str, list[str]]]:
    """The pages by groups, for the navigation."""
    return [{group.capitalize(): [f"problems/{name}.md" for name in names]} for group, names in _groups().items()]


@cache
def _groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, path in registry.find().items():
        found.setdefault(registry.load(path).group or "others", []).append(name)
    return dict(sorted(found.items()))


def _index() -> str:
    parts = [
        "# Problem files",
        "",
        f"The {len(registry.find())} problems that pinnreg ships, each a file in `problems/`.",
    ]
    parts += ["`pinnreg solve NAME` solves one. How accurate the defaults are: [the zoo](../gallery/bench_zoo.md).", ""]
    for group, names in _groups().items():
        parts += [f"## {group.capitalize()}", "", "| problem | |", "| --- | --- |"]
        parts += [f"| [{name}]({name}.md) | {_cell(registry.summary(registry.find()[name]))} |" for name in names]
        parts.append("")
    return "\n".join(parts)


def page(name: str) -> str:
    """Markdown of the page of one problem."""
    path = registry.find()[name]
    about = described(name)
    equation, _, more = about["description"].partition("\n")
    sections = [f"# {name}", equation, more.strip()]
    sections += _listing("Parameters", _parameters(path), ("parameter", "type", "default"))
    sections += ["## Domain and conditions", _domain(about)]
    sections += _listing(
        "", [[f"`{key}`", _cell(text)] for key, text in about["conditions"].items()], ("condition", "")
    )
    sections += ["## Solve it", f"```sh\npinnreg solve {name}\n```", *_settings(name, about)]
    sections += ["## Reference", _reference(name), *_picture(name)]
    sections += ["## The file", f"`problems/{name}.py`", f"```python\n{path.read_text(encoding='utf-8').strip()}\n```"]
    return "\n\n".join(filter(None, sections)) + "\n"


@cache
def described(name: str) -> dict[str, Any]:
    """What `pinnreg describe NAME --json -` says."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        main(["describe", name, "--json", "-"])
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def _parameters(path: Path) -> list[list[str]]:
    """Name, type and default of each field as the file writes them."""
    body = next(
        each for each in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(each, ast.ClassDef)
    ).body
    fields = [
        each for each in body if isinstance(each, ast.AnnAssign) and "ClassVar" not in ast.unparse(each.annotation)
    ]
    return [
        [f"`{ast.unparse(each.target)}`", _code(each.annotation), "" if each.value is None else _code(each.value)]
        for each in fields
    ]


def _code(node: ast.expr) -> str:
    return f"`{ast.unparse(node)}`"


def _domain(about: Mapping[str, Any]) -> str:
    axes = ", ".join(f"{axis} from {low:.6g} to {high:.6g}" for axis, (low, high) in about["domain"].items())
    shape = f"`{about['shape']}`, in the box {axes}" if "shape" in about else axes
    parameters = (
        f" Parameters, and no space, are {', '.join(about['parameter_axes'])}." if about["parameter_axes"] else ""
    )
    return f"Axes: {shape}.{parameters} Outputs: {', '.join(about['outputs'])}."


def _settings(name: str, about: Mapping[str, Any]) -> list[str]:
    found = []
    if about["defaults"]:
        written = yaml.safe_dump(about["defaults"], sort_keys=False, default_flow_style=None, width=100).strip()
        found += ["It has defaults of its own:", f"```yaml\n{written}\n```"]
    if configs := configs_of(name):
        found.append(f"Configs that begin with it: {', '.join(f'`{each}`' for each in configs)}.")
    return found


@cache
def _configs() -> dict[str, Any]:
    return {name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in registry.shipped_configs().items()}


def configs_of(name: str) -> list[str]:
    """The shipped configs of a problem."""
    stated = {config: data.get("problem") for config, data in _configs().items()}
    return [
        config
        for config, given in stated.items()
        if given == name or (isinstance(given, dict) and given["name"] == name)
    ]


def _reference(name: str) -> str:
    found = equations.reference_of(registry.create(name, {}))
    if found is None:
        return "None: a run has an estimate of its error only."
    beside = f", beside an independent solve by the {found.scipy.kind}" if found.scipy is not None else ""
    return f"By {found.kind}{beside}.{_measured(name)}"


def _measured(name: str) -> str:
    """How large the zoo's page says that the error is."""
    linked = rf"\[?{name}(?:\]\([^)]*\))?"
    row = rf"^\| {linked} \| ([^|]*) \| (?:[^|]*\|){{4}} ([^|]*) \|"
    rows = re.findall(row, ZOO.read_text(encoding="utf-8"), re.MULTILINE)
    if not rows:
        return ""
    error, seconds = rows[0]
    return (
        f" With the defaults the median of three runs ended {error.rstrip('!')} from it, after {seconds} seconds of a"
        f" CPU: [the zoo](../gallery/bench_zoo.md) has the details."
    )


def _picture(name: str) -> list[str]:
    """What the first run of the zoo has come to, and its error."""
    picture = ZOO.with_name(f"{ZOO.stem}_{name}.png")
    return [f"![The solution that the defaults end with, and its error](../gallery/{picture.name})"] * picture.is_file()


def _listing(title: str, rows: list[list[str]], head: tuple[str, ...]) -> list[str]:
    if not rows:
        return []
    lines = [head, ["---"] * len(head), *rows]
    return [f"## {title}" if title else "", "\n".join(f"| {' | '.join(each)} |" for each in lines)]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
