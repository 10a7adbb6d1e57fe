from .box import Box, Domain, Face, faces
from .samplers import unit_points
from .settings import SAMPLERS, Sampler

__all__ = ["SAMPLERS", "Box", "Domain", "Face", "Sampler", "faces", "unit_points"]
