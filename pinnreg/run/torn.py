"""Whether a network is a step somewhere: it changes faster than any point of training, or fresh one, can see.

Neurons that have saturated make a piecewise constant u, of which every derivative is zero at nearly all points, and so
is the residual of an equation without a source. In two stacked plates of contrast 290, started from outputs of 1e-8 of
their size, the loss fell to 1e-26 in seven steps, with an error of 1.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from pinnreg.equations import Points
from pinnreg.equations.jumps import Jumps, Lines, Sample, lines_inside, thin
from pinnreg.run.solution import Solution

HALVINGS = 7
"""Of cells of 1/64 of a line: layers of 1e-4 of it are seen."""
LARGE = 0.05
"""By this part of its range u changes over a cell otherwise than its slope says."""
MOST_AXES = 4


def torn(solution: Solution) -> str | None:
    """Where an output is a step, in words; None if none is."""
    domain = solution.problem.domain
    for axis in domain.axes[:MOST_AXES]:
        lines = lines_inside(domain, axis)
        for output, name in enumerate(solution.problem.outputs):
            if found := _steps(partial(_along, solution, lines, axis, output), lines):
                return f"{name!r} is a step along {axis} at {lines.place(found)}, where no point sees its slope"
    return None


def _along(solution: Solution, lines: Lines, axis: str, output: int, line: Tensor, s: Tensor) -> Tensor:
    """An output and its slope along lines, by their length, at places s, (n, 2)."""
    number, like = solution.problem.domain.axes.index(axis), next(iter(solution.parameters.values()))
    first = tuple(int(axis == each) for each in solution.problem.domain.axes)
    with torch.no_grad():
        sweep = solution.sweep(Points(lines.at(line, s)).on(like))
        values, slopes = (sweep(each)[:, output].cpu().double() for each in ((0,) * len(first), first))
    return torch.stack([values, slopes * lines.along[line, number]], dim=1)


def _steps(sample: Sample, lines: Lines) -> Jumps | None:
    edges = lines.edges()
    known = sample(torch.arange(len(lines)).repeat_interleave(edges.shape[1]), edges.reshape(-1))
    size = float(known[:, 0].max() - known[:, 0].min())
    if not 0 < size < math.inf:
        return None

    def gap(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        said = (right[:, 0] - left[:, 0]) * (left[:, 2] + right[:, 2]) / 2
        unsaid = (right[:, 1] - left[:, 1] - said).abs() / (LARGE * size)
        return unsaid, unsaid

    return thin(sample, gap, edges, known.reshape(*edges.shape, -1), HALVINGS)
