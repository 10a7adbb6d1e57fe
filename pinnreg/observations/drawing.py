"""Measurements that a network is fitted to besides the PDE: read from a file, or drawn from the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.equations import Problem, measurements, named_conditions
from pinnreg.equations.measured import Measurements
from pinnreg.errors import InputError, unknown, user_code
from pinnreg.naming import free_name
from pinnreg.observations.settings import MeasurementSettings
from pinnreg.randomness import derive, generator
from pinnreg.reference import Reference
from pinnreg.reference.reading import read_columns

Array = NDArray[np.float64]

OUTLIER_SIZE = 5.0


def complete(measured: Sequence[MeasurementSettings], problem: Problem) -> tuple[MeasurementSettings, ...]:
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
        stem = f"measurements_{of.replace('.', '_')}" if several else "measurements"
        name = each.name or free_name(stem, taken)
        taken.append(name)
        completed.append(replace(each, name=name, of=of))
    return tuple(completed)


def observe(
    measured: Sequence[MeasurementSettings], problem: Problem, reference: Reference | None, seed: int
) -> tuple[Measurements, ...]:
    """The values of each entry, as a condition; a share of them held out.

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
            points, values = _read(Path(each.file), problem, str(each.of), over_of(each))
        else:
            points, values = _draw(each, problem, reference, own, f"measurements.{number}")
        observed.append(_split(each, points, values, problem, own, f"measurements.{number}"))
    return tuple(observed)


def _output(each: MeasurementSettings, problem: Problem, number: int) -> str:
    outputs = problem.outputs
    if each.of is None and len(outputs) > 1:
        raise InputError(f"measurements.{number}: must say of which output: of: {' | '.join(outputs)}")
    for axis in over_of(each):
        if axis not in problem.domain.axes:
            raise unknown(f"axis in measurements.{number}.over:", axis, problem.domain.axes)
    if each.of is not None and each.of.partition(".")[0] not in outputs:
        raise unknown(f"output in measurements.{number}.of:", each.of.partition(".")[0], outputs)
    return each.of or outputs[0]


def _split(
    each: MeasurementSettings, points: Array, values: Array, problem: Problem, seed: int, where: str
) -> Measurements:
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
        measurements(points, values, name=str(each.name), of=each.of).check(problem.domain)
        condition = measurements(
            points[kept],
            values[kept],
            of=each.of,
            name=str(each.name),
            over=over_of(each),
            trim=each.trim,
            batch=each.batch,
            noise=_known_noise(each, values, where),
        )
    except InputError as error:
        raise InputError(f"{each.file or where}: {error}") from None
    return replace(condition, held_points=torch.from_numpy(points[out]), held_values=torch.from_numpy(values[out]))


def _known_noise(each: MeasurementSettings, values: Array, where: str) -> float | None:
    """The standard deviation that values from a file are said to have."""
    if each.file is None or not each.noise:
        return None
    scale = math.sqrt(float(np.mean(values**2)))
    if scale == 0:
        raise InputError(f"{where}.noise is relative to the values, which are all zero")
    return each.noise * scale


def _draw(
    each: MeasurementSettings, problem: Problem, reference: Reference | None, seed: int, where: str
) -> tuple[Array, Array]:
    """Values of the reference at points of the sampler, with noise and outliers."""
    title = type(problem).__name__
    if reference is None:
        raise InputError(
            f"{where}.samples: values are drawn from the reference, but problem {title} has none, or it depends on a "
            "coefficient that is null; name a file of values here, or one of a solution under evaluate.reference"
        )
    assert each.samples is not None
    domain, start = problem.domain, derive(seed, f"measured points {each.name}")
    points = domain.sample(each.samples, each.sampler or "uniform", start).numpy()
    with user_code(f"reference of {title}"):
        found = reference.at(dict(zip(domain.axes, points.T, strict=True)))
    if each.of not in found:
        raise InputError(f"reference of {title}: no values for the output {each.of!r}")
    clean = found[each.of]
    scale = math.sqrt(float(np.mean(clean**2)))
    if scale == 0 and (each.noise or each.outliers):
        raise InputError(f"{where}: noise and outliers are relative to the values drawn, which are all zero")
    return points, clean + scale * (_noise(each, len(clean), seed) + _outliers(each, len(clean), seed, where))


def _noise(each: MeasurementSettings, count: int, seed: int) -> Array:
    draws = generator(seed, f"noise {each.name}")
    noise: Array = each.noise * torch.randn(count, generator=draws, dtype=torch.float64).numpy()
    return noise


def _outliers(each: MeasurementSettings, count: int, seed: int, where: str) -> Array:
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


def over_of(each: MeasurementSettings) -> tuple[str, ...]:
    """The axes that an entry's output is integrated over."""
    return (each.over,) if isinstance(each.over, str) else each.over


def _read(path: Path, problem: Problem, output: str, over: Sequence[str]) -> tuple[Array, Array]:
    """Points and values in a file, by the names of its columns; in the middle of axes that are integrated over."""
    bounds = problem.domain.bounds
    columns = read_columns(path, [*(axis for axis in bounds if axis not in over), output], what="measurement")
    count = len(columns[output])
    found = [np.full(count, sum(ends) / 2) if axis in over else columns[axis] for axis, ends in bounds.items()]
    return np.stack(found, axis=1), columns[output]
