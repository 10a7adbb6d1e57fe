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
        but: how the problem there differs; "" where it does not.
    """

    name: str
    error: float
    method: str = "best of its methods"
    source: str = PINNACLE
    but: str = ""


PUBLISHED = {
    "burgers": Published("Burgers1d-C", 1.45e-2, "PINN"),
    "cavity_parabolic": Published("NS2d-C", 3.6e-2),
    "gray_scott": Published("GS", 7.99e-2, but="T = 200 there, 0.5 here"),
    "heat_ball": Published("HNd", 1.19e-4),
    "heat_circles": Published("Heat2d-CG", 2.39e-2, "PINN-LAAF"),
    "heat_multiscale": Published("Heat2d-MS", 6.21e-2, "PINN"),
    "heat_pulsed": Published("Heat2d-LT", 9.99e-1, but="T = 100 there, 0.1 here"),
    "inverse_diffusivity": Published("PInv", 2.45e-2),
    "inverse_heat": Published("HInv", 5.26e-2),
    "kuramoto_sivashinsky_long": Published("KS", 9.57e-1),
    "poisson_boltzmann": Published("Poisson2d-CG", 1.43e-2),
    "poisson_holes_cold": Published("Poisson2d-C", 1.23e-2),
    "poisson_sines": Published("PNd", 4.67e-4),
    "wave": Published("Wave1d-C", 9.79e-2, "PINN-NTK"),
    "wave_driven_long": Published("Wave2d-MS", 9.82e-1),
}
"""By the name of the problem or config, of those whose data are the same, but for what is said."""
