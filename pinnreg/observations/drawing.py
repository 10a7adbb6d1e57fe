"""Measurements that a network is fitted to besides the PDE: read from a file, or drawn from the reference."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.domain import unit_points
from pinnreg.equations import Problem, measurements, named_conditions
from pinnreg.equations.conditions import Measurements
from pinnreg.errors import InputError, unknown, user_code
from pinnreg.observations.settings import Measured
from pinnreg.randomness import derive, generator
from pinnreg.reference import Reference
from pinnreg.reference.datafile import read_arrays

Array = NDArray[np.float64]

OUTLIER_SIZE = 5.0


@final
@dataclasses.dataclass(frozen=True)
class Observed:
    """The values of one entry: those in `condition` are trained on, the others, (m, d) and (m,), are held out."""

    condition: Measurements
    held_points: Tensor
    held_values: Tensor

    def columns(self, axes: Iterable[str]) -> dict[str, Array]:
        """All coordinates by axis, the values by output, and `held_out`: 1 where a value was not trained on, (n,)."""
        points = torch.cat([self.condition.points, self.held_points]).numpy()
        values = torch.cat([self.condition.values, self.held_values]).numpy()
        held_out = np.repeat([0.0, 1.0], [len(self.condition.values), len(self.held_values)])
        return {**dict(zip(axes, points.T, strict=True)), str(self.condition.of): values, "held_out": held_out}


def complete(measured: Sequence[Measured], problem: Problem) -> tuple[Measured, ...]:
    """The entries with their names and outputs filled in.

    Raises:
        InputError: a name that another loss term has, or an output that the problem lacks or that must be named.
    """
    taken = ["residual", *(condition.name for condition in named_conditions(problem))]
    for number, each in enumerate(measured):
        if each.name in taken:
            raise InputError(f"measurements.{number}.name: another loss term is named {each.name!r}")
        taken += [each.name] if each.name else []
    several = len(problem.outputs) > 1 and sum(each.name is None for each in measured) > 1
    completed = []
    for number, each in enumerate(measured):
        of = _output(each, problem, number)
        stem = f"measurements_{of}" if several else "measurements"
        name = each.name or next(new for new in (stem, *(f"{stem}_{i}" for i in range(2, 999))) if new not in taken)
        taken.append(name)
        completed.append(dataclasses.replace(each, name=name, of=of))
    return tuple(completed)


def observe(
    measured: Sequence[Measured], problem: Problem, reference: Reference | None, seed: int
) -> tuple[Observed, ...]:
    """The values of each entry, as a condition.

    Args:
        measured: the entries.
        problem: whose outputs were measured.
        reference: what samples are drawn from.
        seed: the run's. The draws of an entry depend on its seed and its name alone.

    Raises:
        InputError: as `complete`; a file that cannot be used; samples of a problem without reference; shares of so few
            values that they are none or all.
    """
    observed = []
    for number, each in enumerate(complete(measured, problem)):
        own = seed if each.seed is None else each.seed
        if each.file is not None:
            points, values = _read(Path(each.file), problem, str(each.of))
        else:
            points, values = _draw(each, problem, reference, own, f"measurements.{number}")
        observed.append(_split(each, points, values, problem, own, f"measurements.{number}"))
    return tuple(observed)


def _output(each: Measured, problem: Problem, number: int) -> str:
    outputs = problem.outputs
    if each.of is None and len(outputs) > 1:
        raise InputError(f"measurements.{number}: must say of which output: of: {' | '.join(outputs)}")
    if each.of is not None and each.of not in outputs:
        raise unknown(f"output in measurements.{number}.of:", each.of, outputs)
    return each.of or outputs[0]


def _split(each: Measured, points: Array, values: Array, problem: Problem, seed: int, where: str) -> Observed:
    """Hold out a share of the values, and check that all of them lie in the domain."""
    count = len(values)
    held = _number(each.held_out, count, f"{where}.held_out")
    if held == count:
        raise InputError(f"{where}.held_out: {each.held_out:g} of {count} values leaves none to train on")
    order = torch.randperm(count, generator=generator(seed, f"held out {each.name}"))
    # in the order of the file, so that nothing is shuffled where nothing is held out
    out, kept = order[:held].sort().values.numpy(), order[held:].sort().values.numpy()
    if _number(each.trim, len(kept), f"{where}.trim") == len(kept):
        raise InputError(f"{where}.trim: {each.trim:g} of {len(kept)} values leaves none to train on")
    try:
        measurements(points, values, name=str(each.name)).faces(problem.domain)
        condition = measurements(
            points[kept], values[kept], of=each.of, name=str(each.name), trim=each.trim, batch=each.batch
        )
    except InputError as error:
        raise InputError(f"{each.file or where}: {error}") from None
    return Observed(condition, torch.from_numpy(points[out]), torch.from_numpy(values[out]))


def _draw(each: Measured, problem: Problem, reference: Reference | None, seed: int, where: str) -> tuple[Array, Array]:
    """Values of the reference at points of the sampler, with noise and outliers."""
    title = type(problem).__name__
    if reference is None:
        raise InputError(
            f"{where}.samples: values are drawn from the reference, but problem {title} has none, or it depends on a "
            "coefficient that is null; name a file of values here, or one of a solution under evaluate.reference"
        )
    assert each.samples is not None
    domain, start = problem.domain, derive(seed, f"measured points {each.name}")
    points = domain.interior(unit_points(each.sampler or "uniform", each.samples, domain.dimension, start)).numpy()
    with user_code(f"reference of {title}"):
        found = reference.at(dict(zip(domain.axes, points.T, strict=True)))
    if each.of not in found:
        raise InputError(f"reference of {title}: no values for the output {each.of!r}")
    clean = found[each.of]
    scale = math.sqrt(float(np.mean(clean**2)))
    if scale == 0 and (each.noise or each.outliers):
        raise InputError(f"{where}: noise and outliers are relative to the values drawn, which are all zero")
    return points, clean + scale * (_noise(each, len(clean), seed) + _outliers(each, len(clean), seed, where))


def _noise(each: Measured, count: int, seed: int) -> Array:
    draws = generator(seed, f"noise {each.name}")
    noise: Array = each.noise * torch.randn(count, generator=draws, dtype=torch.float64).numpy()
    return noise


def _outliers(each: Measured, count: int, seed: int, where: str) -> Array:
    draws = generator(seed, f"outliers {each.name}")
    chosen = torch.randperm(count, generator=draws)[: _number(each.outliers, count, f"{where}.outliers")]
    signs = 2.0 * torch.randint(2, (len(chosen),), generator=draws) - 1
    off = torch.zeros(count, dtype=torch.float64)
    off[chosen] = (each.outlier_size or OUTLIER_SIZE) * signs.double()
    return np.asarray(off.numpy())


def _number(share: float, count: int, where: str) -> int:
    """The number of values that is nearest to a share of them; a share that comes to none has no effect."""
    number = round(share * count)
    if share and not number:
        raise InputError(f"{where}: {share:g} of {count} values is none; at least {0.5 / count:.2g} is one")
    return number


def _read(path: Path, problem: Problem, output: str) -> tuple[Array, Array]:
    """Points and values in a file, by the names of its columns."""
    axes, kind = problem.domain.axes, path.suffix.lower()
    if kind not in (".csv", ".npz"):
        raise InputError(f"{path}: measurements are read from a .csv or an .npz file")
    columns = _read_csv(path, [*axes, output]) if kind == ".csv" else _read_npz(path, [*axes, output])
    if not len(columns[output]):
        raise InputError(f"{path}: no measurements in it")
    return np.stack([columns[axis] for axis in axes], axis=1), columns[output]


def _read_npz(path: Path, wanted: Sequence[str]) -> dict[str, Array]:
    arrays = read_arrays(path, wanted)
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or len(shapes[wanted[0]]) != 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"{path}: expected 1-D arrays of one length, a value for each measurement, got {listed}")
    return arrays


def _read_csv(path: Path, wanted: Sequence[str]) -> dict[str, Array]:
    try:
        # spreadsheets mark UTF-8 by an invisible first character
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [cell.strip() for cell in next(reader, [])]
            for name in wanted:
                if name not in header:
                    raise unknown(f"column in {path}:", name, header)
                if header.count(name) > 1:
                    raise InputError(f"{path}: two columns are named {name!r}")
            filled = (row for row in reader if any(map(str.strip, row)))
            rows = [_row(row, header, wanted, f"{path}, line {reader.line_num}") for row in filled]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV file ({error})") from None
    return dict(zip(wanted, np.array(rows, dtype=np.float64).reshape(-1, len(wanted)).T, strict=True))


def _row(row: Sequence[str], header: Sequence[str], wanted: Sequence[str], where: str) -> list[float]:
    if len(row) != len(header):
        raise InputError(f"{where}: expected {len(header)} values, one for each column of the header, got {len(row)}")
    return [_cell(row[header.index(name)], f"{where}, column {name!r}") for name in wanted]


def _cell(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: expected a number, got {text!r}") from None
    if not math.isfinite(value):
        raise InputError(f"{where}: expected a finite number, got {text!r}")
    return value
