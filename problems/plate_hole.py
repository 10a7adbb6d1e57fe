from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pinnreg import Ball, Box, Problem, condition, dirichlet

RADIUS = 0.3


@dataclass(frozen=True)
class PlateHole(Problem):
    """∇·σ = 0 in a plate with a round hole, pulled along x: plane stress by Hooke's law, with two displacements.

    Kirsch's solution (1898) of the infinite plate: three times the stress on the hole's edge. Of a quarter, with
    symmetry on the axes, no stress on the hole, and his displacements on the other two sides.
    """

    group = "shapes and materials"
    poisson: Annotated[float, Field(gt=0, lt=1)] = 0.3
    outputs = ("u", "v")
    domain = Box(x=(0, 1), y=(0, 1)) - Ball(x=0, y=0, radius=RADIUS, name="hole")
    defaults = {"network": {"hidden": [24, 24]}, "train": [{"optimiser": "gauss_newton", "steps": 80}]}

    def displacement(self, x, y):
        """Of a plate with 2μ = 1 under a unit stress, by polar coordinates (Timoshenko & Goodier 1970, section 35)."""
        k, a = (3 - self.poisson) / (1 + self.poisson), RADIUS
        r2 = x**2 + y**2
        cos2, sin2 = (x**2 - y**2) / r2, 2 * x * y / r2
        radial = (r2 * (k - 1) / 2 + a**2 + (r2 + a**2 * (k + 1) - a**4 / r2) * cos2) / 2
        around = -(r2 + a**2 * (k - 1) + a**4 / r2) * sin2 / 2
        return (radial * x - around * y) / r2, (radial * y + around * x) / r2

    @property
    def conditions(self):
        held = dirichlet(0.0, on="x=min", of="u", name="left"), dirichlet(0.0, on="y=min", of="v", name="below")
        shear = condition(lambda u, v: u.y + v.x, on=("x=min", "y=min"), name="shear")
        far = {"u": lambda x, y: self.displacement(x, y)[0], "v": lambda x, y: self.displacement(x, y)[1]}
        moved = (dirichlet(u, on=("x=max", "y=max"), of=of, name=f"far_{of}") for of, u in far.items())
        pull = {"x": lambda u, v, normal: self.traction(u, v, normal)[0]}
        pull["y"] = lambda u, v, normal: self.traction(u, v, normal)[1]
        return *held, shear, *moved, *(condition(each, on="hole", name=f"traction_{at}") for at, each in pull.items())

    def traction(self, u, v, normal):
        """σ n, with σ = 2μ (ε + ν/(1 - ν) tr ε I) of plane stress and 2μ = 1."""
        pressure = self.poisson / (1 - self.poisson) * (u.x + v.y)
        shear, nx, ny = (u.y + v.x) / 2, normal[:, 0], normal[:, 1]
        return (u.x + pressure) * nx + shear * ny, shear * nx + (v.y + pressure) * ny

    def residual(self, u, v):
        c = self.poisson / (1 - self.poisson)
        up = (1 + c) * v.yy + v.xx / 2 + (0.5 + c) * u.xy
        return {"along": (1 + c) * u.xx + u.yy / 2 + (0.5 + c) * v.xy, "up": up}

    def reference(self):
        return self.displacement
