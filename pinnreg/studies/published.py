"""Errors that others have published for problems of the zoo, with their sources.

PINNacle (Hao et al. 2023, arXiv:2306.08827) trained some ten kinds of networks on each of its problems, three times;
the numbers are the smallest mean relative L2 errors of its table of main results, taken from a summary of that table.
Its own reference of Burgers' equation is wrong by 1.3e-2.
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
        method: that reached it.
        source: where it stands.
        but: how the problem there differs; "" where it does not.
    """

    name: str
    error: float
    method: str
    source: str = PINNACLE
    but: str = ""


BEST = "best of its methods"

PUBLISHED = {
    "burgers": Published("Burgers1d-C", 1.45e-2, "PINN"),
    "heat_multiscale": Published("Heat2d-MS", 6.21e-2, "PINN"),
    "wave": Published("Wave1d-C", 9.79e-2, "PINN-NTK"),
    "cavity_parabolic": Published("NS2d-C", 3.6e-2, BEST),
    "kuramoto_sivashinsky_long": Published("KS", 9.57e-1, BEST),
    "inverse_heat": Published("HInv", 5.26e-2, BEST),
    "heat_pulsed": Published("Heat2d-LT", 9.99e-1, BEST, but="T = 100 there, 0.1 here"),
    "gray_scott": Published("GS", 7.99e-2, BEST, but="T = 200 there, 0.5 here"),
}
"""By the name of the problem or config, of those whose data are the same, but for what is said."""
