"""Whatever a config, a study or a file of measurements becomes by accident, it is taken or refused in plain words."""

from __future__ import annotations

import copy
import io
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from small_studies import TINY

import pinnreg
from pinnreg import InputError, registry
from pinnreg.config import resolve
from pinnreg.reference.reading import read_columns
from pinnreg.run.prepare import check_stages, prepare
from pinnreg.studies.model import read_study
from pinnreg.studies.plan import plan

Path_ = tuple[Any, ...]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, -(10**30), 1e308, float("nan"), float("inf"), -float("inf")),
    *("", " ", "u", "null", "1e-3", "9" * 5000, "\u00e9\u4e2d\U0001f600", "\u202e", "a\nb", "x" * 10_000, "../../x"),
    *([], {}, [[]], {"": {}}, [None], {"kind": "ktv"}, {"optimiser": "adam"}, [1, "a", None], {"a": {"b": {"c": []}}}),
)
TAGS = (
    "!!int ",
    "!!python/name:os.system ",
    "!!binary ",
    "!mine ",
    "&a ",
    "*a ",
    "? ",
    "- ",
    "%",
    "@",
    "\t",
    "{",
    "]",
    "'",
)


def places(data: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The paths of all that is in data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def parent_of(data: Any, path: Path_) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


def changed(data: Any, draw: random.Random) -> Any:
    """Data with one thing in it deleted, moved, wrapped, unwrapped, renamed, or replaced by something odd."""
    data = copy.deepcopy(data)
    path = draw.choice(list(places(data)) or [()])
    if not path:
        return draw.choice(ODD)
    parent, last = parent_of(data, path), path[-1]
    match draw.randrange(6):
        case 0:
            del parent[last]
        case 1:
            parent[last] = [parent[last]] if draw.random() < 0.5 else {"value": parent[last]}
        case 2:
            other = draw.choice(list(places(data)))
            parent[last] = copy.deepcopy(parent_of(data, other)[other[-1]])
        case 3 if isinstance(parent, dict):
            parent[draw.choice([f"{last}s", str(last)[:-1], str(last).upper(), "\u00b2", "", "a.b", 7])] = parent.pop(
                last
            )
        case _:
            parent[last] = draw.choice(ODD)
    return data


def broken(text: bytes, draw: random.Random) -> bytes:
    """A text with bytes deleted, doubled, flipped or put in."""
    at, length = draw.randrange(len(text) + 1), draw.randrange(1, 12)
    match draw.randrange(5):
        case 0:
            return text[:at] + text[at + length :]
        case 1:
            return text[: at + length] + text[at:]
        case 2:
            return text[:at] + bytes(draw.randrange(256) for _ in range(length)) + text[at:]
        case 3:
            return text[:at] + draw.choice(TAGS).encode() + text[at:]
        case _:
            lines = text.splitlines(keepends=True)
            line = draw.choice(lines or [b""])
            return text + line  # a key twice, or what belongs elsewhere


def mutated(text: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if draw.random() < 0.6:
            try:
                text = yaml.dump(
                    changed(yaml.load(text, yaml.CSafeLoader), draw), Dumper=yaml.CSafeDumper, allow_unicode=True
                ).encode()
            except Exception:  # what no longer is YAML
                text = broken(text, draw)
        else:
            text = broken(text, draw)
    return text


def refused(call: Any, *arguments: Any) -> str | None:
    """The message of a refusal; None if the call was content. Any other exception is what this looks for."""
    try:
        call(*arguments)
    except InputError as error:
        return str(error)
    return None


COUNTS = [pytest.param(120, id="some"), pytest.param(20_000, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", COUNTS)
def test_configs(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("FEWEST", "MOST"):
        monkeypatch.setattr(f"pinnreg.objective.settings.{bound}", 16)
    sources = [path.read_bytes() for path in registry.shipped_configs().values()]
    draw, file, messages = random.Random(count), tmp_path / "mine.yaml", []

    def prepared() -> None:
        check_stages(prepare(resolve(file), with_reference=False))

    for number in range(count):
        file.write_bytes(mutated(sources[number % len(sources)], draw))
        messages.append(refused(prepared))
    assert_readable(messages)
    assert count / 4 < sum(message is not None for message in messages) < 0.95 * count


@pytest.mark.parametrize("count", [pytest.param(4, id="some"), pytest.param(2000, id="many", marks=pytest.mark.slow)])
def test_studies(tmp_path: Path, count: int) -> None:
    shipped = registry.shipped_configs(studies=True)
    # others have many more runs to plan
    chosen = shipped if count > 4 else ["study_poisson_few_points"]
    sources = [shipped[name].read_bytes() for name in chosen]
    draw, file, messages = random.Random(count), tmp_path / "mine.yaml", []

    def planned() -> None:
        asked, _, where, _ = read_study(file)
        if len(asked.vary) and all(len(each) < 20 for each in asked.vary.values()):
            first = {key: dict(list(values.items())[:2]) for key, values in asked.vary.items()}
            asked.vary.update(first)
            plan(asked, where)

    for number in range(count):
        file.write_bytes(mutated(sources[number % len(sources)], draw))
        messages.append(refused(planned))
    assert_readable(messages)


@pytest.mark.parametrize("count", [pytest.param(150, id="some"), pytest.param(2000, id="many", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_measurement_files(tmp_path: Path, kind: str, count: int) -> None:
    file = tmp_path / f"data.{kind}"
    if kind == "csv":
        sound = b"x,t,u\n" + b"".join(f"{i / 9},{i},{i * 1e-3:.4e}\n".encode() for i in range(9))
    else:
        stream = io.BytesIO()
        np.savez(stream, x=np.arange(9.0), t=np.arange(9.0), u=np.arange(9.0))
        sound = stream.getvalue()
    draw, messages = random.Random(0), []
    for _ in range(count):
        data = sound
        for _ in range(draw.choice((1, 1, 3))):
            data = broken(data, draw)
        file.write_bytes(data)
        messages.append(refused(lambda: read_columns(file, ["x", "t", "u"], what="measurement")))
    assert_readable(messages)
    assert all(message is None or str(file) in message for message in messages)


RUN = {**TINY, "train": [{"optimiser": "ssbroyden", "steps": 3}], "measurements": [{"samples": 5, "held_out": 0.3}]}


def damaged(folder: Path, draw: random.Random) -> None:
    """A folder with one of its files deleted, emptied, cut, mixed up with another, replaced by a folder, or broken."""
    paths = sorted(folder.iterdir())
    path, other = draw.choice(paths), draw.choice(paths)
    data = path.read_bytes() if path.is_file() else b""
    match draw.randrange(9):
        case 0:
            path.unlink(missing_ok=True)
        case 1:
            path.write_bytes(b"")
        case 2:
            path.write_bytes(data[: draw.randrange(len(data) + 1)])
        case 3:
            path.write_bytes(other.read_bytes())
        case 4:
            path.unlink()
            path.mkdir()
        case 5:
            path.unlink()
            path.symlink_to(path.name)
        case _:
            path.write_bytes(mutated(data, draw) if path.suffix == ".yaml" else broken(data, draw))


@pytest.mark.parametrize("count", [pytest.param(5, id="some"), pytest.param(1000, id="many", marks=pytest.mark.slow)])
def test_folders_of_runs(tmp_path: Path, count: int) -> None:
    """Whatever is read of a run is refused in plain words, and a refusal leaves the folder as it was."""
    pinnreg.solve(RUN, out=tmp_path / "sound")
    draw, messages = random.Random(count), []

    def content(folder: Path) -> dict[str, Any]:
        return {each.name: each.read_bytes() if each.is_file() else each.is_dir() for each in folder.iterdir()}

    for number in range(count):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "sound", folder)
        damaged(folder, draw)
        before = content(folder)
        for call in (pinnreg.load, pinnreg.evaluate):
            messages.append(refused(call, folder))
            assert content(folder) == before
        messages.append(refused(lambda: pinnreg.solve(out=folder, resume=True, overrides={"train.0.steps": 4})))  # noqa: B023
        if messages[-1] is not None:
            assert content(folder) == before
    assert_readable(messages)
    assert 0 < sum(message is not None for message in messages) < len(messages)


def assert_readable(messages: list[str | None]) -> None:
    for message in messages:
        if message is not None:
            assert message.strip()
            assert "Traceback" not in message
            assert max(map(len, message.splitlines())) < 2000, message[:500]
