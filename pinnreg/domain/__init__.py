"""Where a problem lives: domains with named axes and faces, and the samplers that put points into them."""

from pinnreg.domain.box import Box, Domain, Face, faces
from pinnreg.domain.samplers import SAMPLERS, Sampler, unit_points

__all__ = ["SAMPLERS", "Box", "Domain", "Face", "Sampler", "faces", "unit_points"]
