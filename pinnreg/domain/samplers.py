"""Point sets in the unit cube, each a function of its seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import scipy
import torch
from torch import Tensor

from pinnreg.domain.settings import Sampler


def unit_points(sampler: Sampler, count: int, dimension: int, seed: int) -> Tensor:
    """`count` points in the unit cube: a float64 tensor (count, dimension) on the CPU.

    `sobol` (scrambled) and `latin_hypercube` fill the cube more evenly than `uniform`; `grid` is the cell-centred
    tensor grid, its sides equal or one apart, that has at most `count` points, the same for every seed. A cube of
    dimension 0 (the end of an interval) is one point.
    """
    if dimension == 0:
        return torch.empty((1, 0), dtype=torch.float64)
    count, seed = int(count), int(seed)  # torch takes none of NumPy's
    match sampler:
        case "sobol":
            engine = torch.quasirandom.SobolEngine(dimension, scramble=True, seed=seed)
            return engine.draw(count, dtype=torch.float64)
        case "latin_hypercube":
            return torch.from_numpy(scipy.stats.qmc.LatinHypercube(dimension, rng=seed).random(count))
        case "uniform":
            generator = torch.Generator().manual_seed(seed)
            return torch.rand((count, dimension), generator=generator, dtype=torch.float64)
        case "grid":
            return _grid(count, dimension)


def thinned(rows: Sequence[Tensor], count: int, sampler: Sampler) -> tuple[Tensor, ...]:
    """`count` rows of tensors that belong to drawn points, spread as all of them are; all if there are fewer."""
    if sampler != "grid" or len(rows[0]) <= count:
        return tuple(each[:count] for each in rows)  # the first of a sequence are spread as all are
    chosen = torch.linspace(0, len(rows[0]) - 1, count).long()
    return tuple(each[chosen] for each in rows)


def _grid(count: int, dimension: int) -> Tensor:
    sides = [max(int(count ** (1 / dimension)) - 1, 1)] * dimension
    # grow the shortest side as long as the grid stays within `count`: sides differ by one at most
    for axis in itertools.cycle(range(dimension)):
        grown = [side + (i == axis) for i, side in enumerate(sides)]
        if math.prod(grown) > count:
            break
        sides = grown
    centres = [(torch.arange(side, dtype=torch.float64) + 0.5) / side for side in sides]
    return torch.cartesian_prod(*centres).reshape(-1, dimension)
