from .box import Box, Domain, Face
from .samplers import unit_points
from .settings import SAMPLERS, Sampler

__all__ = ["SAMPLERS", "Box", "Domain", "Face", "Sampler", "unit_points"]
