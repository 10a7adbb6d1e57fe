from .ball import Annulus, Ball
from .box import Box
from .domain import Boundary, Domain, Face, Piece, Side, faces, flat, sample_side, shares_of
from .polygon import Polygon
from .samplers import unit_points
from .settings import SAMPLERS, Sampler
from .shape import Combined, Product, Shape
from .star import Ellipse, Star
from .surface import Surface

__all__ = [
    "SAMPLERS",
    "Annulus",
    "Ball",
    "Boundary",
    "Box",
    "Combined",
    "Domain",
    "Ellipse",
    "Face",
    "Piece",
    "Polygon",
    "Product",
    "Sampler",
    "Shape",
    "Side",
    "Star",
    "Surface",
    "faces",
    "flat",
    "sample_side",
    "shares_of",
    "unit_points",
]
