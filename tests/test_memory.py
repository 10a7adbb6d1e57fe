"""What needs more memory than is free is refused before any of it is taken, with the figure and what would help."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pinnreg
from pinnreg import Box, Problem, memory
from pinnreg.config import resolve
from pinnreg.equations import Points
from pinnreg.errors import InputError
from pinnreg.objective.settings import TIMES
from pinnreg.optimisers import LBFGS, Adam, GaussNewton, SSBroyden, check_memory
from pinnreg.reference.reading import read_columns
from pinnreg.run.prepare import check_stages, prepare
from pinnreg.studies.model import read_study
from pinnreg.studies.plan import check, plan

HUGE = 10**30
FIXED: dict[str, Any] = {"resample_every": None}
BASE: dict[str, Any] = {
    "problem": {"name": "heat"},
    "network": {"hidden": [20, 20]},
    "points": FIXED | {"interior": 50},
    "train": [{"optimiser": "adam"}],
}


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("points.interior", HUGE, r"points\.interior: .* take fewer points"),
        ("points.interior", 10**10, r"points\.interior: this needs about 1600\.0 GB"),
        ("points.boundary", HUGE, r"points\.boundary: .* take fewer points"),
        ("regularisers", [{"kind": "ktv", "samples": HUGE}], r"regularisers\.0\.samples: "),
        ("regularisers", [{"kind": "ridge"}, {"kind": "gpinn", "samples": HUGE}], r"regularisers\.1\.samples: "),
        (
            "regularisers",
            [{"kind": "noise_stability", "samples": HUGE}],
            r"regularisers: noise_stability at 20+ times 501 parameters: .* take fewer samples",
        ),
        ("measurements", [{"samples": HUGE}], r"measurements\.0\.samples: "),
        ("network.hidden", [HUGE], "network: .* take a smaller one"),
        ("network.hidden", [10**6, 10**6], r"network: this needs about 32000\.2 GB"),
        ("network", {"kind": "quadratic", "width": HUGE}, "network: "),
        ("network.features.fourier", {"count": HUGE}, "network: "),
        ("evaluate.grid", HUGE, r"evaluate\.grid .* as in evaluate\.grid: 50"),
        ("evaluate.grid", [10**5, 10**5], r"evaluate\.grid \(100000 x 100000\): this needs about 3360\.0 GB"),
    ],
)
def test_counts_beyond_any_machine(tmp_path: Path, key: str, value: Any, named: str) -> None:
    with pytest.raises(InputError, match=named) as refused:
        pinnreg.solve(BASE, {key: value}, out=tmp_path / "run")
    assert "GB of memory" in str(refused.value)
    assert "GB are free" in str(refused.value)
    assert not any(tmp_path.iterdir())


def test_points_chosen_among_candidates_need_more() -> None:
    resampled = {"points.interior": 10**10, "points.resample": "residual", "points.resample_every": 5}
    with pytest.raises(InputError, match=r"points\.interior: this needs about 3200\.0 GB"):
        pinnreg.solve(BASE, resampled, out=False)


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how much memory is free."""

    def limit(size: float) -> None:
        monkeypatch.setattr(memory, "free", lambda device=None: size)

    return limit


@pytest.mark.parametrize(
    ("changes", "free", "named"),
    [
        # 1500 points of heat keep 1.3 MB a layer; a Jacobian of 1500 x 501 has 6 MB
        ({"points.interior": 100_000}, 500e6, r"a gradient at 100000 points of the equations: .* set points\.chunk"),
        ({"conditions": "soft", "points.boundary": 40_000}, 60e6, "a gradient at 40000 points of 'initial'"),
        ({"regularisers": [{"kind": "ktv", "samples": 30_000}]}, 280e6, "a gradient at 30000 points of 'ktv'"),
        ({"train": [{"optimiser": "gauss_newton"}], "points.interior": 10_000}, 100e6, r"a Jacobian of 10200 rows"),
        (
            {"train": [{"optimiser": "adam", "steps": 1}, {"optimiser": "ssbroyden"}], "network.hidden": [50, 50]},
            100e6,
            r"train\.1: ssbroyden with a matrix of 2751 x 2751 parameters: .* take lbfgs",
        ),
        ({"train": [{"optimiser": "lbfgs", "history": 10_000, "steps": 10_000}]}, 70e6, "a history of 10000 pairs"),
        ({"evaluate.grid": [1000, 1000]}, 100e6, r"evaluate\.grid \(1000 x 1000\)"),
    ],
)
def test_what_does_not_fit(
    tmp_path: Path, limited: Callable[[float], None], changes: dict[str, Any], free: float, named: str
) -> None:
    limited(free)
    with pytest.raises(InputError, match=named):
        pinnreg.solve(BASE, changes, out=tmp_path / "run")
    assert not any(tmp_path.iterdir())


def test_parts_of_the_points_need_less(tmp_path: Path, limited: Callable[[float], None]) -> None:
    limited(150e6)
    changes = {"points.interior": 20_000, "train.0.steps": 1}
    with pytest.raises(InputError, match=r"points\.chunk"):
        pinnreg.solve(BASE, changes, out=tmp_path / "run")
    assert pinnreg.solve(BASE, changes | {"points.chunk": 500}, out=False).report is not None


def test_blocks_of_a_jacobian_need_less(limited: Callable[[float], None]) -> None:
    changes = {"train": [{"optimiser": "gauss_newton", "steps": 1}], "points.interior": 20_000, "evaluate.grid": 10}
    limited(100e6)
    with pytest.raises(InputError, match=r"a Jacobian of 20200 rows and 501 parameters: .* or set points\.chunk"):
        check_stages(prepare(resolve(BASE, changes | {"network.hidden": [20, 20]}), with_reference=False))
    parts = prepare(resolve(BASE, changes | {"points.chunk": 500}), with_reference=False)
    check_stages(parts)
    limited(10e6)
    with pytest.raises(InputError, match="20200 rows of a Jacobian by 501 parameters, 500 at a time"):
        check_stages(parts)


def test_a_run_of_a_study_that_does_not_fit_is_refused_before_the_first(
    tmp_path: Path, limited: Callable[[float], None]
) -> None:
    limited(100e6)
    study = {"base": "heat", "vary": {"points.interior": [50, 60_000]}}
    with pytest.raises(InputError, match="a gradient at 60000 points"):
        pinnreg.study(study, out=tmp_path / "study")
    assert not any(tmp_path.iterdir())


def test_the_grid_counts_before_the_first_run_of_a_study(tmp_path: Path) -> None:
    study = {"base": "heat", "set": {"evaluate.grid": [100_000, 100_000]}, "vary": {"seed": [0]}}
    with pytest.raises(InputError, match=r"evaluate\.grid \(100000 x 100000\)"):
        pinnreg.study(study, out=tmp_path / "study")
    assert not any(tmp_path.iterdir())


def test_where_runs_are_made_elsewhere_this_machine_does_not_count(limited: Callable[[float], None]) -> None:
    study, _, where, _ = read_study({"base": "heat", "vary": {"points.interior": [60_000]}})
    plans = plan(study, where)
    limited(100e6)
    check(plans, where, device=False)
    with pytest.raises(InputError, match="a gradient at 60000 points"):
        check(plans, where, device=True)


def test_looking_at_a_run_takes_no_gradient(tmp_path: Path, limited: Callable[[float], None]) -> None:
    pinnreg.solve(BASE, {"points.interior": 20_000, "train.0.steps": 1, "evaluate.grid": 10}, out=tmp_path / "run")
    limited(50e6)
    assert pinnreg.load(tmp_path / "run").report is not None
    assert pinnreg.evaluate(tmp_path / "run").report is not None
    with pytest.raises(InputError, match="a gradient at 20000 points"):
        pinnreg.solve(out=tmp_path / "run", resume=True, overrides={"train.0.steps": 2})


def kept(residual: Any, points: int, chunk: int | None = None) -> int:
    @dataclass(frozen=True)
    class Mine(Problem):
        domain = Box(x=(0, 1))
        residual = property(lambda self: residual)

    at = {"interior": points, "chunk": chunk, "resample_every": None}
    config = {"problem": Mine(), "points": at, "network": {"hidden": [8]}}
    return prepare(resolve(config), with_reference=False).objective.kept


def test_a_gradient_takes_what_grows_with_the_points() -> None:
    table = torch.rand(1_000_000, dtype=torch.float64, requires_grad=True)

    def plain(u: Any, x: Any) -> Any:
        return u.xx - x

    def looked_up(u: Any, x: Any) -> Any:
        return u.xx - x * (table * table).sum()

    small, large = kept(plain, 20_000), kept(plain, 40_000)
    assert large == pytest.approx(2 * small, rel=0.02)
    # a table is kept once, whatever the number of points
    assert kept(looked_up, 20_000) - small < 2 * 3 * 8e6
    assert kept(plain, 20_000, chunk=1000) < 0.1 * small


def test_points_that_may_be_added_count_where_there_can_be_more() -> None:
    """Not those that a penalty draws itself, nor measurements."""
    found = []
    for samples in (10, 20):
        changes = {
            "regularisers": [{"kind": "ktv", "samples": samples}],
            "points": {"interior": 50, "most": 150, "resample_every": 10},
            "conditions": "exact",
        }
        found.append(prepare(resolve(BASE, changes), with_reference=False).objective.row_count)
    assert found == [150 + 2 * 10, 150 + 2 * 20]


def test_rows_of_all_perturbed_networks_count() -> None:
    noise = {"kind": "noise_stability", "samples": 3, "unperturbed": 0.1}
    changes = {"regularisers": [noise, {"kind": "ridge"}], "conditions": "soft", "points.boundary": 20}
    prepared = prepare(resolve(BASE, changes), with_reference=False)
    assert prepared.objective.row_count == (2 * 3 + 1) * (50 + 2 * 20 + 501)


@pytest.mark.parametrize(("most", "times"), [(None, TIMES), (75, 1.5)])
def test_points_that_may_be_added_count(most: int | None, times: float) -> None:
    changes = {"conditions": "soft", "points.boundary": 20, "points.resample_every": 10, "points.most": most}
    objective = prepare(resolve(BASE, changes | {"measurements": [{"samples": 7}]})).objective
    assert objective.row_count == times * (50 + 2 * 20) + 7


@pytest.mark.parametrize(
    ("stage", "entries"),
    [
        (GaussNewton(), 2.5 * 1000 * 200),
        (GaussNewton(sketch=50), 3.5 * 1000 * 200),
        (GaussNewton(sketch=200), 2.5 * 1000 * 200),
        (SSBroyden(), 3.5 * 200**2),
        (LBFGS(history=7, steps=100), 2 * 9 * 200),
        (LBFGS(history=7, steps=3), 2 * 5 * 200),
        (Adam(), 4 * 200),
    ],
)
def test_what_a_stage_holds(limited: Callable[[float], None], stage: Any, entries: float) -> None:
    like = {"w": torch.zeros(200, dtype=torch.float64)}
    limited(8 * entries + 1000)
    check_memory([stage], 1000, like, 1000)
    limited(8 * entries + 999)
    with pytest.raises(InputError, match=rf"train\.0: {stage.optimiser} with"):
        check_memory([stage], 1000, like, 1000)


def test_so_many_points_that_a_float32_cannot_count_them() -> None:
    assert Points(torch.zeros(2**24 + 3, 1)).thinned(5).x.shape == (5, 1)


def test_least_squares(limited: Callable[[float], None]) -> None:
    limited(10e6)
    with pytest.raises(InputError, match=r"a Jacobian of 2000 rows and 1000 parameters: this needs about 40\.0 MB"):
        pinnreg.least_squares(lambda x: torch.cat([x, x**2]), torch.ones(1000, dtype=torch.float64))


def _member(count: int, values: bytes) -> bytes:
    text = str({"descr": "<f8", "fortran_order": False, "shape": (count,)}).encode()
    text += b" " * ((64 - (len(text) + 11) % 64) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values


def test_files(tmp_path: Path, limited: Callable[[float], None]) -> None:
    for name in ("lie.npz", "bomb.npz"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for key in "xu":
                archive.writestr(f"{key}.npy", _member(10**13 if name[0] == "l" else 10**6, bytes(8 * 10**6)))
    with pytest.raises(InputError, match=r"lie\.npz: cannot be read"):
        read_columns(tmp_path / "lie.npz", "xu", what="value")
    assert len(read_columns(tmp_path / "bomb.npz", "xu", what="value")["x"]) == 10**6
    with (tmp_path / "sparse.csv").open("wb") as stream:
        stream.truncate(10**13)  # of which the disk has nothing
    with pytest.raises(InputError, match=r"sparse\.csv: this needs about 10\^5 GB of memory"):
        read_columns(tmp_path / "sparse.csv", "xu", what="value")
    limited(10e6)
    with pytest.raises(InputError, match=r"bomb\.npz: this needs about 48\.0 MB"):
        read_columns(tmp_path / "bomb.npz", "xu", what="value")


@pytest.mark.parametrize("command", ["solve", "study"])
def test_a_config_of_gigabytes(tmp_path: Path, command: str) -> None:
    with (tmp_path / "c.yaml").open("wb") as stream:
        stream.truncate(10**12)
    with pytest.raises(InputError, match=r"c\.yaml: 1000000000000 bytes are no config"):
        getattr(pinnreg, command)(tmp_path / "c.yaml", out=tmp_path / "run")


def test_counts_beyond_all_floats() -> None:
    with pytest.raises(InputError, match=r"train\.0\.steps: expected fewer than 10\^300"):
        pinnreg.solve(BASE, {"train.0.steps": 10**400}, out=False)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.0 kB"), (123_456, "123.5 kB"), (3 * 10**9, "3.0 GB"), (10**13, "10000.0 GB"), (10**39, "10^30 GB")],
)
def test_sizes_as_messages_show_them(size: int, text: str) -> None:
    assert memory.text(size) == text


def test_free_memory_is_what_groups_leave(tmp_path: Path) -> None:
    # a group of 8 GB with 5 in use, 1 of them files, in one of 5 GB with 3 in use
    for folder, most, used in ((tmp_path / "a" / "b", "8000000000", 5e9), (tmp_path / "a", "5000000000", 3e9)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{used:.0f}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {1e9 if folder.name == 'b' else 0:.0f}\n")
    (tmp_path / "memory.max").write_text("max\n")
    names = {"limit": "memory.max", "used": "memory.current", "cache": "inactive_file"}
    assert list(memory._left(tmp_path, "/a/b", **names)) == [4e9, 2e9]
    assert list(memory._left(tmp_path, "/../elsewhere", **names)) == []
    assert 0 < memory.free() < math.inf


def test_a_limit_of_the_address_space_counts() -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (10**9,) * 2); from pinnreg import memory; "
    code += "print(memory.free())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.5e9 < float(done.stdout) < 1e9


def test_what_nobody_foresaw_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    from pinnreg.cli.process import guarded

    def taken() -> None:
        np.empty(10**15)

    def taken_by_torch() -> None:
        torch.empty(10**15)

    for each in (taken, taken_by_torch):
        assert guarded(each) == 1
        message = capsys.readouterr().err
        assert message.startswith("error: out of memory: take fewer points")
        assert "Traceback" not in message


MEASURE = """
import json, sys
import pinnreg, torch
from pinnreg import memory
torch.set_num_threads(1)
found, check = [], memory.check
def noted(needs, remedy, device=None):
    found.append(sum(needs.values()))
    check(needs, remedy, device)
memory.check = noted
def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
config = json.loads(sys.argv[1])
stages = [{"optimiser": name, "steps": 1} for name in ("adam", "gauss_newton")]
pinnreg.solve({"problem": config["problem"], "train": stages}, {"points.interior": 500}, out=False)
before = peak()
found.clear()
pinnreg.solve(config, {"train.0.steps": 2, "evaluate.grid": 10}, out=False)
print(json.dumps([found[-1], peak() - before]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"train": [{"optimiser": "adam"}]},
        {"train": [{"optimiser": "gauss_newton"}]},
        {"train": [{"optimiser": "adam"}], "network": {"hidden": [20, 20], "activation": "gelu"}},
        {"train": [{"optimiser": "adam"}], "network": {"kind": "quadratic"}},
        {"train": [{"optimiser": "gauss_newton"}], "network": {"kind": "quadratic"}},
        {"train": [{"optimiser": "adam"}], "dtype": "float32"},
        {"train": [{"optimiser": "adam"}], "regularisers": [{"kind": "ktv", "order": 3, "samples": 50_000}]},
        {
            "train": [{"optimiser": "gauss_newton"}],
            "network": {"hidden": [70, 70]},
            "points": FIXED | {"interior": 8000},
        },
        {"train": [{"optimiser": "ssbroyden"}], "network": {"hidden": [70, 70]}, "points": FIXED | {"interior": 1000}},
    ],
)
def test_estimates_are_near_the_peaks_of_processes(changes: dict[str, Any]) -> None:
    config = {"problem": {"name": "heat"}, "points": FIXED | {"interior": 80_000}, **changes}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURE, json.dumps(config)], capture_output=True, text=True, check=True
    )
    estimate, peak = json.loads(done.stdout)
    assert 0.6 < estimate / peak < 2.0
