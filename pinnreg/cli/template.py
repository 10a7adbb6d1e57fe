"""The files that `new-problem` and `new-config` write."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pinnreg import config, registry
from pinnreg.errors import InputError, unknown
from pinnreg.files import create_text

TEMPLATE = '''\
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial


@dataclass(frozen=True)
class {name}(Problem):
    """uₜ + c uₓ = ν uₓₓ on (0, 1) × (0, 1]: advection and diffusion of a wave. Replace this with your equation."""

    # Parameters, set from YAML (`problem: {{name: {stem}, nu: 0.1}}`) or with --set problem.nu=0.1.
    speed: PositiveFloat = 1.0
    nu: PositiveFloat = 0.05

    # Named axes; the one named t is time and stands last.
    domain = Box(x=(0, 1), t=(0, 1))

    @property
    def conditions(self):
        # Functions take coordinates by name and use torch. There are also neumann, robin, periodic and measurements.
        return (
            initial(lambda x: torch.sin(2 * pi * x)),
            dirichlet(lambda t: self._wave(torch, 0.0, t), on="x=min"),
            dirichlet(lambda t: self._wave(torch, 1.0, t), on="x=max"),
        )

    def residual(self, u):
        # Zero for a solution. Derivatives by attribute: u.x, u.xx, u.xxt; coordinates by name: residual(self, u, x, t).
        return u.t + self.speed * u.x - self.nu * u.xx

    def reference(self):
        # What errors are measured against: a NumPy function of the axes, a pinnreg.reference solve, or None.
        return lambda x, t: self._wave(np, x, t)

    def _wave(self, lib, x, t):
        k = 2 * pi
        return lib.exp(-self.nu * k**2 * t) * lib.sin(k * (x - self.speed * t))

    # Settings that this problem needs; a config file stands above them.
    defaults = {{"network": {{"hidden": [20, 20]}}, "train": [{{"optimiser": "gauss_newton", "steps": 200}}]}}
'''


SECTIONS = {
    "network": "The network.",
    "points": "Where the equation and soft conditions are asked for.",
    "train": "The stages of training, one after the other.",
    "evaluate": "The grid that errors are measured on, how often, and how they are estimated without a reference.",
    "seed": "Of all draws.",
}
REGULARISERS = (
    "# Penalties and noise, such as the total variation of second order, which goes as training does.",
    "# regularisers:",
    "# - {kind: ktv, order: 2, weight: 1.0e-06, schedule: linear}",
)


def write_template(folder: Path, name: str, *, taken: Mapping[str, Path]) -> Path:
    """Write `folder/name.py`.

    Raises:
        InputError: a name that is no Python identifier or is taken, or a folder that cannot be written.
    """
    title = "".join(part.capitalize() for part in name.split("_"))
    # none.py would define the class None
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name) or keyword.iskeyword(title):
        raise InputError(f"new-problem {name!r}: expected a Python name such as advection_diffusion")
    if name in taken:
        raise InputError(f"new-problem {name!r}: there is a shipped problem of this name, {taken[name]}")
    path = folder / f"{name}.py"
    _create(path, TEMPLATE.format(name=title, stem=name))
    return path


def write_config_template(name: str, problem: str, folders: Sequence[Path]) -> Path:
    """Write `name.yaml`: a problem's parameters, and as comments what else it is solved with.

    Args:
        name: of the config.
        problem: what it solves.
        folders: of problem files besides the shipped one.

    Raises:
        InputError: a name that is no file's, an unknown problem, or a file that is there or cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise InputError(f"new-config {name!r}: expected a name of letters, digits, _ and -, such as my_run")
    if problem not in registry.find(folders):
        raise unknown("problem", problem, registry.find(folders))
    resolved = config.resolve({"problem": problem}, {}, folders)
    settings = config.as_dict(resolved.config)
    lines = [f"# {inspect.getdoc(resolved.problem) or problem}".partition("\n")[0]]
    lines += [
        f"# What is not said is as `pinnreg describe {problem}` says; `pinnreg schema SECTION` explains the keys."
    ]
    lines += config.dump_yaml({"problem": settings["problem"]}).splitlines()
    for section, meaning in SECTIONS.items():
        lines += ["", f"# {meaning}"]
        lines += [f"# {line}" for line in config.dump_yaml({section: settings[section]}).splitlines()]
    lines += ["", *REGULARISERS]
    path = Path(f"{name}.yaml")
    _create(path, "\n".join(lines) + "\n")
    return path


def _create(path: Path, text: str) -> None:
    try:
        create_text(path, text)
    except FileExistsError:
        raise InputError(f"{path}: exists already; choose another name, or move it away") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
