"""What a run was made with, written beside its config."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy
import scipy
import torch

from pinnreg.config import Config, Resolved, fingerprint
from pinnreg.equations import Trial
from pinnreg.files import is_file
from pinnreg.registry import file_hash
from pinnreg.run.starting import Start


def provenance(resolved: Resolved, trial: Trial, device: torch.device, start: Start | None = None) -> dict[str, Any]:
    """Versions, device, threads, commit, scales, and the files of the problem, own parts and data with their hashes."""
    return {
        "pinnreg": package_version(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "problem_file": str(resolved.problem_file.resolve()) if resolved.problem_file else None,
        "problem_sha256": resolved.problem_hash,
        "parts": [
            {"role": each.role, "kind": each.kind, "file": str(each.file.resolve()) if each.file else None}
            | {"sha256": each.sha256}
            for each in resolved.parts
        ],
        "data_sha256": data_hashes(resolved.config),
        **({} if start is None else {"start_sha256": start.sha256}),
        "scale": {"sizes": list(trial.sizes), "offsets": list(trial.offsets)},
        "fingerprint": fingerprint(resolved.config),
    }


def data_hashes(config: Config) -> dict[str, str]:
    """SHA-256 of the files that measurements come from, by path."""
    files = [each.file for each in config.measurements]
    files += [config.evaluate.reference] if any(each.samples for each in config.measurements) else []
    return {file: file_hash(Path(file)) for file in files if file is not None and is_file(file)}


@cache
def package_version() -> str | None:
    """The version of pinnreg that is installed; None in a bare checkout."""
    try:
        return version("pinnreg")
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout that pinnreg runs from, `-dirty` with uncommitted changes; None outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
