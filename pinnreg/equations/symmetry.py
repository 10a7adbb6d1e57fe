"""Symmetries that a problem declares: `symmetry = odd("x")`, built into the network, and checked.

A symmetric solution need not be learnt twice, and what breaks the symmetry cannot grow: Burgers' equation with
ν = 0.01/π has its front exactly where an odd u vanishes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import torch
from torch import Tensor, nn

from pinnreg.domain import Domain, Face, Piece, Side, unit_points
from pinnreg.equations.conditions import FaceCondition
from pinnreg.equations.general import Condition
from pinnreg.equations.points import Points
from pinnreg.equations.problem import Problem
from pinnreg.equations.residual import evaluate_residual
from pinnreg.equations.sweep import Sweep
from pinnreg.equations.trial import Network, Trial
from pinnreg.errors import InputError, shortened, unknown
from pinnreg.networks import Symmetric
from pinnreg.randomness import derive

POINTS = 128
TOLERANCES = {torch.float64: 1e-7, torch.float32: 1e-2}

Image: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""m, b and signs of one map x -> m x + b."""


@final
@dataclass(frozen=True)
class Symmetry:
    """u(S x) = ±u(x), S a reflection at the middle of an axis or a shift along it.

    Attributes:
        kind: which S.
        axis: along which.
        sign: ±1.
        of: the output; None for all.
        order: of S: so many of them are no map at all.
    """

    kind: Literal["reflection", "shift"]
    axis: str
    sign: int
    of: str | None
    order: int = 2


@final
@dataclass(frozen=True)
class _Map:
    """S with the signs of all outputs."""

    kind: Literal["reflection", "shift"]
    axis: str
    order: int
    signs: tuple[int, ...]

    def power(self, times: int, domain: Domain) -> Image:
        """S applied so many times."""
        axis, (lower, upper) = domain.axes.index(self.axis), domain.bounds[self.axis]
        scale, offset = (torch.full((domain.dimension,), each, dtype=torch.float64) for each in (1.0, 0.0))
        if self.kind == "shift":
            offset[axis] = times * (upper - lower) / self.order
        elif times % 2:
            scale[axis], offset[axis] = -1.0, lower + upper
        return scale, offset, torch.tensor([float(sign**times) for sign in self.signs], dtype=torch.float64)

    def image(self, face: Face) -> Face:
        """The face that S maps one to."""
        turns = self.kind == "reflection" and face.axis == self.axis
        return Face(face.axis, "min" if face.side == "max" else "max") if turns else face

    def __str__(self) -> str:
        if self.kind == "reflection":
            names = {1: "even", -1: "odd"}
            return f"{' and '.join(dict.fromkeys(names[sign] for sign in self.signs))} in {self.axis!r}"
        names = {1: "the same", -1: "the negative"}
        what = " and ".join(dict.fromkeys(names[sign] for sign in self.signs))
        return f"{what} after 1/{self.order} of the period in {self.axis!r}"


def odd(axis: str, of: str | None = None) -> Symmetry:
    """u(-x) = -u(x), x measured from the middle of the axis; of one output, or of all."""
    return Symmetry("reflection", axis, -1, of)


def even(axis: str, of: str | None = None) -> Symmetry:
    """u(-x) = u(x), x measured from the middle of the axis; of one output, or of all."""
    return Symmetry("reflection", axis, 1, of)


def shift(axis: str, parts: int, sign: int = 1, of: str | None = None) -> Symmetry:
    """u(x + L/parts) = sign u(x) along an axis of the length L, in which u is periodic; of one output, or of all.

    Raises:
        InputError: fewer than two parts, a sign that is not ±1, or -1 for an odd number of parts.
    """
    if type(parts) is not int or parts < 2 or sign not in (1, -1) or (sign == -1 and parts % 2):
        raise InputError(
            f"shift({axis!r}, {parts!r}, sign={sign!r}): expected at least 2 parts and the sign 1, or -1 for an even "
            "number of them"
        )
    return Symmetry("shift", axis, sign, of, parts)


def symmetric(network: nn.Module, problem: Problem) -> nn.Module:
    """The network with the symmetries that its problem declares; itself if there are none.

    Raises:
        InputError: something else than symmetries, one of an axis or an output that there is not, or one that does not
            say of each output what it is.
    """
    images = _group(_maps(problem), problem)
    return network if len(images) == 1 else Symmetric(network, images)


def without_mean(problem: Problem) -> tuple[str, ...]:
    """The outputs that a declared symmetry turns into their negative, so that no constant is one of them."""
    turned = {number for each in _maps(problem) for number, sign in enumerate(each.signs) if sign < 0}
    return tuple(output for number, output in enumerate(problem.outputs) if number in turned)


def check_symmetry(
    problem: Problem, trial: Trial, conditions: Sequence[Condition], network: Network, like: Tensor
) -> None:
    """Refuse symmetries that equations or conditions do not have, looking at u from a symmetric network at some points.

    Args:
        problem: that declares them.
        trial: u = g + φ s N.
        conditions: all of the problem's; measurements, which noise makes asymmetric, are not looked at, nor are general
            ones and those on parts of faces or at points.
        network: N, symmetric.
        like: a tensor of its precision where it is.

    Raises:
        InputError: naming what is not symmetric.
    """
    for each in _maps(problem):
        with torch.no_grad():
            wrong = _wrong(each, problem, trial, conditions, network, like)
        if wrong is not None:
            raise InputError(
                f"symmetry of {type(problem).__name__}: {wrong} not {each} as it declares; correct it, or leave it out "
                "by network.symmetry: false"
            )


def _wrong(
    each: _Map, problem: Problem, trial: Trial, conditions: Sequence[Condition], network: Network, like: Tensor
) -> str | None:
    """What does not have a symmetry, with its verb; None if all have."""
    domain, tolerance = problem.domain, TOLERANCES[like.dtype]
    here = domain.sample(POINTS, "sobol", derive(0, "symmetry")).to(like)
    there, signs = _moved(here, each, domain), torch.tensor(each.signs).to(like)
    if not bool((domain.signed_distance(there) <= tolerance * max(_lengths(domain))).all()):
        return "the domain is"
    if each.kind == "shift" and each.axis not in trial.periodic:
        return f"no solution that need not be periodic in {each.axis!r} is"
    if not _alike(trial(network, here) * signs, trial(network, there), tolerance):
        return "the exact conditions' data are"
    # a system may have its equations change places
    before, after = (evaluate_residual(problem, Sweep(trial, network, Points(x))) for x in (here, there))
    for name, rows in before.items():
        if not any(_alike(rows.abs(), other.abs(), tolerance) for other in after.values()):
            return f"{name!r} is"
    size = float(trial(network, here).abs().max())
    alone = _alone(
        each, problem, [on for on in conditions if isinstance(on, FaceCondition) and on.part.whole], like, size
    )
    return None if alone is None else f"the data of {alone!r} are"


def _alone(each: _Map, problem: Problem, conditions: Sequence[FaceCondition], like: Tensor, size: float) -> str | None:
    """The name of a condition that says of a face what none says of the face's image; None if there is none.

    The outward normal is mapped, too, so that factors are to be the same, and values up to the sign of u.
    """
    domain, tolerance = problem.domain, TOLERANCES[like.dtype]
    for one, face in ((condition, face) for condition in conditions for face in condition.faces(domain)):
        unit = unit_points("sobol", POINTS, domain.dimension - 1, derive(0, str(face)))
        points, _, kept = domain.placed_on(face, unit)
        here = (points if kept is None else points[kept]).to(like)
        there = _moved(here, each, domain)
        value, *factors = one.data(Points(here), domain.axes).chunk(3)
        said = (each.signs[problem.outputs.index(str(one.of))] * value, *factors)
        answers = (
            other.data(Points(there), domain.axes).chunk(3)
            for other in conditions
            if other.of == one.of and _is_image(each, face, other.faces(domain))
        )
        scales = (size, 0.0, 0.0)
        if not any(all(map(_alike, said, answer, [tolerance] * 3, scales)) for answer in answers):
            return one.name
    return None


def _is_image(each: _Map, face: Side, sides: Sequence[Side]) -> bool:
    """Whether one of some sides may be what another is mapped onto; of curved ones all may."""
    if isinstance(face, Face):
        return each.image(face) in sides
    return any(isinstance(side, Piece) for side in sides)


def _lengths(domain: Domain) -> list[float]:
    return [upper - lower for lower, upper in domain.bounds.values()]


def _maps(problem: Problem) -> list[_Map]:
    """The symmetries that are declared, those of one S as one.

    Raises:
        InputError: as `symmetric`.
    """
    declared: Any = problem.symmetry
    given = tuple(declared) if isinstance(declared, tuple | list) else (declared,)
    title, signs = type(problem).__name__, dict[tuple[Any, ...], dict[str, int]]()
    for each in given:
        if not isinstance(each, Symmetry):
            raise InputError(
                f"symmetry of {title}: expected odd('x'), even('x') or shift('x', 2), got {shortened(each)}"
            )
        if each.axis not in problem.space_axes:
            raise unknown(f"axis of a symmetry of {title}", each.axis, problem.space_axes)
        if each.of is not None and each.of not in problem.outputs:
            raise unknown(f"output of a symmetry of {title}", each.of, problem.outputs)
        own = signs.setdefault((each.kind, each.axis, each.order), {})
        for output in problem.outputs if each.of is None else (each.of,):
            if own.setdefault(output, each.sign) != each.sign:
                raise InputError(f"symmetry of {title}: {output!r} cannot be both in {each.axis!r}")
    for (_, axis, _), own in signs.items():
        if silent := [output for output in problem.outputs if output not in own]:
            raise InputError(f"symmetry of {title} in {axis!r}: it does not say what {silent[0]!r} is")
    return [
        _Map(kind, axis, order, tuple(own[output] for output in problem.outputs))
        for (kind, axis, order), own in signs.items()
    ]


def _group(maps: Sequence[_Map], problem: Problem) -> list[Image]:
    """All maps that follow from some, the identity first."""
    domain, found = problem.domain, []
    for powers in itertools.product(*(range(each.order) for each in maps)):
        scale, offset, signs = (
            torch.full((size,), value, dtype=torch.float64)
            for size, value in ((domain.dimension, 1.0), (domain.dimension, 0.0), (len(problem.outputs), 1.0))
        )
        for each, times in zip(maps, powers, strict=True):
            m, b, own = each.power(times, domain)
            scale, offset, signs = m * scale, m * offset + b, own * signs
        found.append((scale, offset, signs))
    return found


def _alike(one: Tensor, other: Tensor, tolerance: float, scale: float = 0.0) -> bool:
    size = max(float(one.abs().max()), float(other.abs().max()), scale)
    # what is not finite is refused elsewhere
    return not size < math.inf or float((one - other).abs().max()) <= tolerance * size


def _moved(points: Tensor, each: _Map, domain: Domain) -> Tensor:
    """The images of points; what leaves the domain by a shift comes in at the other end."""
    scale, offset, _ = (part.to(points) for part in each.power(1, domain))
    lower, upper = (points.new_tensor(ends) for ends in zip(*domain.bounds.values(), strict=True))
    moved = scale * points + offset
    # only a shift leaves: rounding puts the image of a face beside the other, and must not put it on this one
    return torch.where(moved > upper, moved - (upper - lower), moved) if each.kind == "shift" else moved
