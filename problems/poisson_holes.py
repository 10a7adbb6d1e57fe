from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import Field
from skfem.models import laplace

from pinnreg import Ball, Box, Problem, dirichlet, reference


@dataclass(frozen=True)
class PoissonHoles(Problem):
    """-Δu = source on (-1, 1)² with holes of radius 0.2 around (±place, ±place), u = outside and holes on its boundary.

    With a source u is as r² log r at the square's corners, and errors end at 5e-5.
    """

    group = "shapes and materials"
    source: float = 0.0
    place: Annotated[float, Field(ge=0.25, le=0.75)] = 0.45
    outside: float = 0.0
    holes: float = 1.0
    defaults = {"network": {"hidden": [24, 24, 24]}, "train": [{"optimiser": "gauss_newton", "steps": 120}]}

    @cached_property
    def domain(self):
        pair = (-self.place, self.place)
        holes = [Ball(x=x, y=y, radius=0.2, name="holes") for x in pair for y in pair]
        return Box(x=(-1, 1), y=(-1, 1)) - holes[0] - holes[1] - holes[2] - holes[3]

    @property
    def conditions(self):
        return dirichlet(self.outside, on=("x", "y"), name="outside"), dirichlet(self.holes, on="holes", name="holes")

    def residual(self, u):
        return u.laplacian + self.source

    def reference(self):
        values = {**dict.fromkeys(("x=min", "x=max", "y=min", "y=max"), self.outside), "holes": self.holes}
        return reference.finite_elements(self.domain, laplace.form, self.source, dirichlet=values, degree=4)
