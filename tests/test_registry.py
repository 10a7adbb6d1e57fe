"""Problem files are found by scanning and loaded by path."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest

from pinnreg import InputError, Problem
from pinnreg.registry import create, file_hash, find, load, shipped, summary

SHIPPED = sorted(path.stem for path in shipped("problems").glob("*.py") if not path.stem.startswith("_"))

GOOD = '''
from dataclasses import dataclass

from pydantic import PositiveFloat, PositiveInt

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class {name}(Problem):
    """k u'' = 0."""

    conductivity: PositiveFloat = {k}
    mode: PositiveInt = 1
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u):
        return self.conductivity * u.xx
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rod.py").write_text(GOOD.format(name="Rod", k=2.0))
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def test_the_shipped_problems_are_found() -> None:
    assert {"poisson", "heat", "burgers"} <= set(SHIPPED)
    assert sorted(find()) == SHIPPED
    assert all(path.is_file() for path in find().values())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_problem_loads_with_its_defaults(name: str) -> None:
    problem = create(name, {})
    assert isinstance(problem, Problem)
    assert type(problem).__doc__
    parameters = {field.name: getattr(problem, field.name) for field in dataclasses.fields(problem)}  # type: ignore[arg-type]
    assert create(name, parameters) is not problem
    assert dataclasses.asdict(create(name, parameters)) == parameters  # type: ignore[call-overload]


def test_shipped_folders_exist() -> None:
    assert shipped("problems").is_dir()
    assert shipped("configs").is_dir()


def test_a_user_s_folder_adds_a_problem(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = find([folder])
    assert sorted(found) == sorted([*SHIPPED, "rod"])
    assert found["rod"] == folder / "rod.py"
    assert create("rod", {"conductivity": 3}, [folder]).conductivity == 3.0  # type: ignore[attr-defined]
    assert create("rod", {}, [folder]).conductivity == 2.0  # type: ignore[attr-defined]
    assert caplog.records == []


def test_a_different_file_of_a_shipped_name_wins_and_is_announced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "heat", GOOD.format(name="Heat", k=5.0))
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        assert find([tmp_path])["heat"] == path
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "'heat'" in record.getMessage()
    assert str(path) in record.getMessage()
    assert str(shipped("problems") / "heat.py") in record.getMessage()
    assert create("heat", {}, [tmp_path]).conductivity == 5.0  # type: ignore[attr-defined]


def test_an_identical_copy_of_a_shipped_file_is_not_announced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copy(shipped("problems") / "heat.py", tmp_path)
    assert find([tmp_path])["heat"] == tmp_path / "heat.py"
    assert caplog.records == []


def test_the_last_folder_wins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, each in enumerate(folders):
        each.mkdir()
        write(each, "rod", GOOD.format(name="Rod", k=float(number + 1)))
    # loaded side by side: neither file's module takes the other's place
    for order in (folders, folders[::-1]):
        expected = folders.index(order[-1]) + 1
        assert create("rod", {}, order).conductivity == expected  # type: ignore[attr-defined]
    assert "is used instead of" in caplog.text
    first, second = (type(create("rod", {}, [each])) for each in folders)
    assert first.__module__ != second.__module__


def test_private_files_and_other_files_are_ignored(folder: Path) -> None:
    write(folder, "_helpers", "raise RuntimeError")
    write(folder, "__init__", "raise RuntimeError")
    (folder / "notes.txt").write_text("no Python")
    (folder / "sub").mkdir()
    write(folder / "sub", "deep", GOOD.format(name="Deep", k=1.0))
    assert sorted(find([folder])) == sorted([*SHIPPED, "rod"])


def test_finding_does_not_run_files(folder: Path) -> None:
    write(folder, "broken", "raise RuntimeError('was run')")
    assert "broken" in find([folder])
    assert create("rod", {}, [folder])  # a broken neighbour does not matter


@pytest.mark.parametrize("name", SHIPPED)
def test_the_summary_of_a_file_is_that_of_its_class(name: str) -> None:
    path = find()[name]
    assert summary(path) == (inspect.getdoc(load(path)) or "").partition("\n")[0] != ""


@pytest.mark.parametrize(
    "text",
    [
        GOOD.format(name="Rod", k=1.0),
        GOOD.format(name="Rod", k=1.0).replace("class Rod(Problem)", "class Rod(pinnreg.Problem)"),
        GOOD.format(name="Rod", k=1.0) + '\nclass Helper:\n    """Something else."""\n',
        GOOD.format(name="_Base", k=1.0).replace("k u'' = 0.", "A base.")
        + '\n\nclass Rod(_Base):\n    """k u\'\' = 0.\n\n    More."""\n',
    ],
    ids=["plain", "qualified", "helper", "own base"],
)
def test_a_summary_does_not_run_the_file(folder: Path, text: str) -> None:
    assert summary(write(folder, "rod", text + "\nraise RuntimeError('was run')\n")) == "k u'' = 0."


def test_a_summary_runs_a_file_whose_problem_it_cannot_see(folder: Path) -> None:
    text = (
        GOOD.format(name="_Rod", k=1.0) + "\nRod = dataclass(frozen=True)(type('Rod', (_Rod,), {'__doc__': 'Made.'}))"
    )
    assert summary(write(folder, "made", text + "\nRod.__module__ = __name__\n")) == "Made."
    with pytest.raises(InputError, match=r"broken.py: fails to import \(line 1\): SyntaxError"):
        summary(write(folder, "broken", "def ("))
    with pytest.raises(InputError, match="found One, Two"):
        summary(write(folder, "two", GOOD.format(name="One", k=1.0) + GOOD.format(name="Two", k=1.0)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", r"broken.py: fails to import \(line 1\): SyntaxError"),
        ("raise RuntimeError('oh dear')", "broken.py: fails to import.*RuntimeError: oh dear"),
        ("import no_such_module_anywhere", r"fails to import \(line 1: .*no_such_module_anywhere"),
        ("from pinnreg import *\n\ndirichlet(0.0, onn='x')", r"\(line 3: dirichlet.*'onn'; did you mean 'on'"),
        ("import pinnreg\npinnreg.dirichlet(0.0, onn='x')", r"\(line 2: pinnreg.*'onn'; did you mean 'on'"),
        ("from pinnreg import *\nrobin(1, 1, 0, of='u', nam='a')", r"\(line 2: .*'nam'; did you mean 'name'"),
        ("from pinnreg import *\nPolygon([], edge=['a'])", r"\(line 2: .*'edge'; did you mean 'edges'"),
        ("from pinnreg import *\nSplit(1, 2, nme='a')", r"\(line 2: .*'nme'; did you mean 'name'"),
        ("from pinnreg import *\nBall(x=0, y=0, r=1)", r"\(line 2: Ball.*\): Ball: .*is r= meant for radius="),
        ("from pinnreg import *\nBaal(x=0, y=0, radius=1)", r"\(line 2: .*NameError: .*; did you mean 'Ball'"),
        ("from pinnreg import dirichelt", r"\(line 1: .*ImportError: .*; did you mean 'dirichlet'"),
        ("import torch\ntorch.sinn(1)", r"\(line 2: .*AttributeError: .*; did you mean 'sin'"),
        ("made = [\n    dirichlet(0)]", r"\(line 2: .*NameError: .*; write from pinnreg import dirichlet$"),
        ("", "broken.py: expected one public Problem class, found none"),
        ("from pinnreg import Problem", "found none"),
        ("x = 3\nclass Rod: pass", "found none"),
        (GOOD.format(name="One", k=1.0) + GOOD.format(name="Two", k=1.0), "found One, Two"),
        (GOOD.format(name="_Hidden", k=1.0), "found none"),
        (
            GOOD.format(name="Rod", k=1.0).replace("def residual(self, u)", "def resdual(self, u)"),
            "Rod has no residual method",
        ),
    ],
)
def test_a_file_that_defines_no_problem_is_refused(folder: Path, text: str, message: str) -> None:
    path = write(folder, "broken", text)
    before = set(sys.modules)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    if "fails to import" in message:
        assert set(sys.modules) == before  # no half-executed module stays behind
    with pytest.raises(InputError, match=message):
        create("broken", {}, [folder])


def test_helper_classes_do_not_count(folder: Path) -> None:
    text = (
        GOOD.format(name="_Base", k=1.0) + "\n\n@dataclass(frozen=True)\nclass Rod(_Base):\n    length: float = 2.0\n"
    )
    assert load(write(folder, "own_base", text)).__name__ == "Rod"
    # a base class imported from elsewhere: here from the file above, as the user's sys.path may allow
    write(folder, "base_of_rods", GOOD.format(name="Base", k=4.0))
    text = (
        f"import sys\nsys.path.insert(0, {str(folder)!r})\nfrom base_of_rods import Base\nsys.path.pop(0)\n"
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Bar(Base):\n    length: float = 2.0\n"
    )
    try:
        cls = load(write(folder, "bar", text))
        assert cls.__name__ == "Bar"
        assert cls().conductivity == 4.0  # type: ignore[attr-defined]
    finally:
        sys.modules.pop("base_of_rods", None)


def test_one_class_under_two_names_is_one_class(folder: Path) -> None:
    path = write(folder, "twice", GOOD.format(name="Rod", k=1.0) + "\nAlias = Rod\n")
    assert load(path).__name__ == "Rod"


def test_an_undecorated_class_is_refused(folder: Path) -> None:
    write(folder, "plain", GOOD.format(name="Plain", k=1.0).replace("@dataclass(frozen=True)\n", ""))
    with pytest.raises(InputError, match="problem Plain: decorate the class with @dataclass"):
        create("plain", {}, [folder])


def test_an_unknown_problem_lists_the_near_ones(folder: Path) -> None:
    with pytest.raises(InputError, match=r"unknown problem 'rods'; did you mean 'rod'\?.*poisson.*rod"):
        create("rods", {}, [folder])
    with pytest.raises(InputError, match=r"unknown problem 'poison'; did you mean 'poisson'"):
        create("poison", {})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"conductivty": 1.0}, "unknown parameter of problem 'rod': 'conductivty'; did you mean 'conductivity'"),
        ({"zzz": 1.0}, r"'zzz' \(known: conductivity, mode\)"),
        ({"domain": 1.0}, "unknown parameter of problem 'rod': 'domain'"),
        ({"conductivity": -1.0}, "conductivity: .*greater than 0"),
        ({"mode": True}, "mode: expected a number"),
    ],
)
def test_wrong_parameters_are_refused(folder: Path, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create("rod", parameters, [folder])


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"problem folder '.*missing' does not exist"):
        find([tmp_path / "missing"])
    with pytest.raises(InputError, match="does not exist"):
        find([write(tmp_path, "file", "")])


def test_a_changed_file_is_read_anew(folder: Path) -> None:
    before = file_hash(folder / "rod.py")
    assert create("rod", {}, [folder]).conductivity == 2.0  # type: ignore[attr-defined]
    write(folder, "rod", GOOD.format(name="Rod", k=123.0))
    assert create("rod", {}, [folder]).conductivity == 123.0  # type: ignore[attr-defined]
    assert file_hash(folder / "rod.py") != before


def test_problems_loaded_by_path_can_be_pickled(folder: Path) -> None:
    problem = create("rod", {"mode": 3}, [folder])
    assert pickle.loads(pickle.dumps(problem)) == problem


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    a, b = write(tmp_path, "a", "x = 1"), write(tmp_path, "b", "x = 1")
    assert file_hash(a) == file_hash(b) != file_hash(write(tmp_path, "c", "x = 2"))
    assert len(file_hash(a)) == 64


def test_an_edit_of_the_same_length_in_the_same_second_is_another_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = write(folder, "rod", GOOD.format(name="Rod", k=1.0))
    when = path.stat().st_mtime
    assert load(path)().conductivity == 1.0  # type: ignore[attr-defined]
    path.write_text(GOOD.format(name="Rod", k=2.0), encoding="utf-8")
    os.utime(path, (when, when))
    assert load(path)().conductivity == 2.0  # type: ignore[attr-defined]
