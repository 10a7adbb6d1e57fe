"""Errors that others have published for problems of the zoo, with their sources.

PINNacle (Hao et al. 2023, arXiv:2306.08827) trained some ten kinds of networks on each of its problems, three times;
the numbers are the smallest mean relative L2 errors of its table of main results, taken from a summary of that table.
Of several outputs its error is that of all together, which is at most the largest, ours. Its own reference of Burgers'
equation is wrong by 1.3e-2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

PINNACLE = "arXiv:2306.08827"


@final
@dataclass(frozen=True)
class Published:
    """The smallest error found of a problem.

    Attributes:
        name: of the problem there.
        error: relative L2.
        method: that reached it, if it is known.
        source: where it stands.
    """

    name: str
    error: float
    method: str = "best of its methods"
    source: str = PINNACLE


PUBLISHED = {
    "burgers": Published("Burgers1d-C", 1.45e-2, "PINN"),
    "heat_ball": Published("HNd", 1.19e-4),
    "heat_multiscale": Published("Heat2d-MS", 6.21e-2, "PINN"),
    "inverse_diffusivity": Published("PInv", 2.45e-2),
    "poisson_boltzmann": Published("Poisson2d-CG", 1.43e-2),
    "poisson_holes_cold": Published("Poisson2d-C", 1.23e-2),
    "poisson_sines": Published("PNd", 4.67e-4),
    "wave": Published("Wave1d-C", 9.79e-2, "PINN-NTK"),
    "wave_driven_long": Published("Wave2d-MS", 9.82e-1),
}
"""By the problem's or config's name, of those whose data are the same."""
