"""What is damaged is refused by name and nothing is lost by it; what can be spared is made again."""

from __future__ import annotations

import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from quick import only

import pinnreg
from pinnreg import InputError, Interrupted, files, registry
from pinnreg.config import resolve
from pinnreg.training import Hooks

CONFIG: dict[str, Any] = {
    "problem": {"name": "poisson", "dimension": 1},
    "network": {"hidden": [4]},
    "points": {"interior": 10},
    "train": [{"optimiser": "gauss_newton", "steps": 4}, {"optimiser": "lbfgs", "steps": 120}],
    "evaluate": {"grid": 9},
}
State = dict[str, Any]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole() -> Any:
    return pinnreg.solve(CONFIG, out=False)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped in its second stage."""
    folder, asked = tmp_path_factory.mktemp("damage") / "run", []

    def interrupted() -> int | None:
        asked.append(1)
        return 15 if len(asked) > 8 else None

    with pytest.raises(Interrupted):
        pinnreg.solve(CONFIG, out=folder, hooks=Hooks(interrupted=interrupted))
    return folder


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "run"))


# the history


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "lost", only([1, 30, 10**6, None], 30, None), ids=["an end of line", "30 bytes", "all", "the file"]
)
def test_a_torn_history_costs_a_row_at_most(
    run: Path, whole: Any, lost: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = run / "history.csv"
    if lost is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-lost])
    assert pinnreg.load(run).parameters
    resumed = pinnreg.solve(out=run, resume=True)
    for name, values in whole.parameters.items():
        assert torch.equal(resumed.parameters[name], values)
    assert ("is lost, and begins again at step" in caplog.text) == (lost is None or lost > 30)
    kept = np.isin(whole.history["step"], resumed.history["step"])
    np.testing.assert_array_equal(resumed.history["loss"], whole.history["loss"][kept])
    assert kept.sum() >= (len(kept) - 1 if lost in (1, 30) else 2)
    assert path.read_bytes().endswith(b"\n")


def test_a_row_that_cannot_be_added_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class HalfFull(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell() > 5:
                raise OSError(28, "No space left on device")
            return super().write(bytes(data)[:3])

    path = tmp_path / "file"
    path.write_text("four\n")
    monkeypatch.setattr(Path, "open", lambda self, *_, **__: HalfFull(self, "a"))
    with pytest.raises(OSError, match="No space left"):
        files.append_text(path, "more\n")
    monkeypatch.undo()
    assert path.read_text() == "four\n"


# the checkpoint


@pytest.mark.parametrize("count", [pytest.param(15, id="some"), pytest.param(1000, id="many", marks=pytest.mark.slow)])
def test_a_bit_that_is_flipped_is_noticed_or_does_no_harm(run: Path, count: int) -> None:
    path, draw = run / "checkpoint.pt", random.Random(0)
    before, sound = pinnreg.load(run).parameters, path.read_bytes()
    messages = []
    for _ in range(count):
        data = bytearray(sound)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        try:
            found = pinnreg.load(run).parameters
        except InputError as error:
            messages.append(str(error))
        else:
            assert all(torch.equal(found[name], values) for name, values in before.items())
    assert len(messages) > count / 3
    assert all(str(path) in message and "\n" not in message for message in messages)
    assert not any("weights_only" in message for message in messages)  # torch recommends to turn it off


@pytest.mark.parametrize("name", ["fields.npz", "measurements.npz"])
def test_a_bit_that_is_flipped_in_an_archive_is_noticed(whole: Any, tmp_path: Path, name: str) -> None:
    base = {**CONFIG, "train": [{"optimiser": "adam", "steps": 1}], "measurements": [{"samples": 5}]}
    pinnreg.solve(base, out=tmp_path / "run")
    path = tmp_path / "run" / name
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[-1]
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + 20 + info.compress_size // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(InputError, match=name):
        pinnreg.load(tmp_path / "run")


def changed(entry: str, value: Any) -> Callable[[State], None]:
    def change(state: State) -> None:
        *path, last = entry.split("/")
        for key in path:
            state = state[key]
        if value is KeyError:
            del state[last]
        else:
            state[last] = value

    return change


def first(state: State) -> str:
    return next(iter(state["parameters"]))


EDITS: dict[str, tuple[Callable[[State], None], str]] = {
    "no position": (changed("position", KeyError), "it lacks position"),
    "no objective": (changed("objective", KeyError), "it lacks objective"),
    "one more": (changed("mine", 1), "mine does not belong to it"),
    "a list of parameters": (changed("parameters", []), "parameters is a list"),
    "a text as optimiser": (changed("optimiser", "adam"), "optimiser is a str"),
    "no step": (changed("position/step", KeyError), "step is missing"),
    "one more in the position": (changed("position/mine", 1), "mine is unknown"),
    "a text as step": (changed("position/step", "4"), "step is '4'"),
    "a negative step": (changed("position/step", -4), "step is -4"),
    "infinite seconds": (changed("position/seconds", float("inf")), "seconds is inf"),
    "a stage that is none": (changed("position/stage", 7), "stage is 7 of 2"),
    "a plan of one number": (changed("position/planned", (3,)), "planned is"),
    "NaN": (lambda state: state["parameters"][first(state)].fill_(torch.nan), "is not finite"),
    "another shape": (lambda state: changed(f"parameters/{first(state)}", torch.zeros(9))(state), r"of shape \(9,\)"),
    "another dtype": (
        lambda state: changed(f"parameters/{first(state)}", state["parameters"][first(state)].float())(state),
        "torch.float32",
    ),
    "a number as parameter": (lambda state: changed(f"parameters/{first(state)}", 1.0)(state), "is a float"),
    "a parameter less": (lambda state: changed(f"parameters/{first(state)}", KeyError)(state), "is missing"),
    "a parameter more": (changed("parameters/mine", torch.zeros(1)), "'mine' is none of the network"),
    "another format": (changed("format", 1), "not a checkpoint of this version"),
    "another run": (changed("fingerprint", "0" * 64), "belongs to another config"),
}


# of each kind of mistake one in the quick suite
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(*each, id=name, marks=() if number % 3 == 0 else pytest.mark.slow)
        for number, (name, each) in enumerate(EDITS.items())
    ],
)
def test_an_entry_that_is_wrong_is_refused_by_name(run: Path, edit: Callable[[State], None], message: str) -> None:
    path = run / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    edit(state)
    torch.save(state, path)
    before = content(run)
    with pytest.raises(InputError, match=message):
        pinnreg.load(run)
    with pytest.raises(InputError, match=message):
        pinnreg.solve(out=run, resume=True)
    assert content(run) == before


@pytest.mark.parametrize("entry", ["optimiser/inner", "optimiser/scale", "objective/placed", "objective/balanced"])
def test_what_only_the_optimiser_or_the_batch_can_judge_costs_no_results(run: Path, entry: str) -> None:
    """Results of an earlier end, say, are there until the state has been accepted."""
    (run / "report.json").write_text("{}")
    for value in (KeyError, "text"):
        state = torch.load(run / "checkpoint.pt", weights_only=True)
        changed(entry, value)(state)
        torch.save(state, run / "checkpoint.pt")
        before = content(run)
        with pytest.raises(InputError, match="corrupt checkpoint"):
            pinnreg.solve(out=run, resume=True)
        assert content(run) == before
        changed(entry, {})(state) if value is KeyError else None
        torch.save(state, run / "checkpoint.pt")


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive at all", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_refused(run: Path, data: bytes) -> None:
    (run / "checkpoint.pt").write_bytes(data)
    with pytest.raises(InputError, match="corrupt checkpoint"):
        pinnreg.load(run)


# the other files of a run


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ended") / "run"
    pinnreg.solve({**CONFIG, "train": [{"optimiser": "adam", "steps": 2}]}, out=folder)
    return folder


@pytest.mark.parametrize(
    "provenance",
    [
        "text",
        ["a", "list"],
        {"pinnreg": "1", "problem_file": 3},
        {"pinnreg": "1", "problem_sha256": []},
        {"pinnreg": "1", "parts": 7},
        {"pinnreg": "1", "parts": ["part"]},
        {"pinnreg": "1", "parts": [{"role": "cook", "kind": "k", "file": None, "sha256": None}]},
        {"pinnreg": "1", "data_sha256": "hash"},
    ],
)
def test_a_provenance_that_pinnreg_cannot_have_written_is_refused(ended: Path, tmp_path: Path, provenance: Any) -> None:
    run = Path(shutil.copytree(ended, tmp_path / "run"))
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "provenance": provenance}), encoding="utf-8")
    before = content(run)
    for call in (lambda: pinnreg.load(run), lambda: pinnreg.solve(out=run, resume=True)):
        with pytest.raises(InputError, match="its provenance is not what pinnreg writes"):
            call()
    assert content(run) == before


def without(*keys: str) -> Callable[[Any], Any]:
    return lambda report: {key: value for key, value in report.items() if key not in keys}


@pytest.mark.parametrize(
    "edit",
    [
        *(without(key) for key in ("errors", "reference", "axes")),
        lambda report: [report],
        lambda report: 3,
        lambda report: {**report, "axes": 3},
        lambda report: {**report, "errors": {"u": 1}},
    ],
)
def test_a_report_that_is_none_is_refused(ended: Path, tmp_path: Path, edit: Callable[[Any], Any]) -> None:
    run = Path(shutil.copytree(ended, tmp_path / "run"))
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    (run / "report.json").write_text(json.dumps(edit(report)), encoding="utf-8")
    with pytest.raises(InputError, match=r"report\.json: not a readable report"):
        pinnreg.load(run)


def test_a_report_that_is_nested_without_end_is_refused(ended: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(ended, tmp_path / "run"))
    (run / "report.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(InputError, match=r"report\.json: not a readable report"):
        pinnreg.load(run)


def test_a_member_of_an_archive_that_is_no_array_is_refused(ended: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(ended, tmp_path / "run"))
    with zipfile.ZipFile(run / "fields.npz", "a") as archive:
        archive.writestr("mine.npy", b"no header")
    with pytest.raises(InputError, match=r"fields\.npz: not readable"):
        pinnreg.load(run)


def test_a_cell_of_the_history_without_end_is_refused(ended: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(ended, tmp_path / "run"))
    with (run / "history.csv").open("a", encoding="utf-8") as file:
        file.write("1" * 200_000 + "\n")
    with pytest.raises(InputError, match=r"history\.csv: not a readable history"):
        pinnreg.load(run)


def test_a_folder_and_a_link_to_nowhere_among_problem_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to(tmp_path / "nowhere")
    assert not {"folder", "link"} & registry.find([tmp_path]).keys()


@pytest.mark.parametrize(
    "key", ["train.\u00b2.steps", "train.9999999999999999.steps", "train." + "1" * 5000 + ".steps"]
)
def test_a_number_of_a_list_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="expected the number of a list element"):
        resolve("poisson1d", {key: 1})
