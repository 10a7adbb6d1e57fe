"""What cannot be a config is refused in one line, whatever PyYAML makes of it, in a file and on the command line."""

from __future__ import annotations

import contextlib
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnreg.config import parse_overrides, read_yaml
from pinnreg.errors import InputError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BROKEN = {
    "month": "key: 2020-13-45",
    "date": "key: [2020-01-01]",
    "int": "key: !!int x",
    "timestamp": "key: !!timestamp x",
    "float": "key: !!float x",
    "binary": 'key: !!binary "x"',
    "set": "key: !!set {a, b}",
    "ordered": "key: !!omap [a: 1]",
    "no digits": "key: 0b_",
    "5000 digits": "key: " + "1" * 5000,
    "circle": "key: &a [*a]",
    "circle of keys": "key: &a {b: *a}",
    "brackets": "key: " + "[" * 5000,
    "deep": "key: " + "[" * 60 + "]" * 60,
    "surrogate": 'key: "\\ud800"',
    "surrogate key": '{"\\udc00": 1}',
    "bomb": BOMB,
    "twice": "points: {interior: 1}\npoints: {interior: 2}",
    "twice deep": "key: [{a: 1, a: 2}]",
    "twice as text": 'key: {1: 2, "1": 3}',
    "code": "key: !!python/object/apply:os.system [ls]",
    "list as key": "key: {[1]: 2}",
    "no merge": "key: {<<: 3}",
    "no anchor": "key: *missing",
    "control": "key: \x07",
    "colons": "key: a: b: c",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_text_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert str(caught.value).startswith(f"{tmp_path / 'x.yaml'}: not valid YAML: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800
    with pytest.raises(InputError, match="cannot read the value") as caught:
        parse_overrides([f"key={text}"])
    assert len(str(caught.value)) < 800


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    """It stands for 9⁹ values, which would take the machine's memory."""
    (tmp_path / "x.yaml").write_text(BOMB + f"last: [{', '.join(['*i'] * 9)}]\n", encoding="utf-8")
    with pytest.raises(InputError, match="aliases stand for more than 10000 values"):
        read_yaml(tmp_path / "x.yaml")


def test_aliases_and_merges_of_a_reasonable_size_stay(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: &a {b: 1, c: 1e-3}\nd: [*a, *a]\ne: {<<: *a, b: 2}\n", encoding="utf-8")
    inner = {"b": 1, "c": 1e-3}
    assert read_yaml(tmp_path / "x.yaml") == {"a": inner, "d": [inner, inner], "e": {"b": 2, "c": 1e-3}}


def test_a_long_file_without_aliases_is_no_bomb(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("key: [" + "1, " * 20_000 + "1]\n", encoding="utf-8")
    assert len(read_yaml(tmp_path / "x.yaml")["key"]) == 20_001


@pytest.mark.parametrize("name", ["nul\0.yaml", "x" * 300, "missing.yaml", "."])
def test_a_name_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path / name)


@given(st.text(alphabet=string.printable + "äé\x00\x85\u2028", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_overrides([f"key={text}"])
