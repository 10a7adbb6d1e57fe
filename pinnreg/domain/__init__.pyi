from .ball import Annulus, Ball
from .box import Box
from .corner import Corner, CornerKind
from .domain import Boundary, Domain, sample_side, shares_of
from .polygon import Polygon
from .quadric import Quadric
from .samplers import thinned, unit_points
from .settings import SAMPLERS, Sampler
from .shape import Combined, Product, Shape
from .sides import Face, Piece, Side, faces, flat
from .split import Split
from .star import Ellipse, Star
from .surface import Surface

__all__ = [
    "SAMPLERS",
    "Annulus",
    "Ball",
    "Boundary",
    "Box",
    "Combined",
    "Corner",
    "CornerKind",
    "Domain",
    "Ellipse",
    "Face",
    "Piece",
    "Polygon",
    "Product",
    "Quadric",
    "Sampler",
    "Shape",
    "Side",
    "Split",
    "Star",
    "Surface",
    "faces",
    "flat",
    "sample_side",
    "shares_of",
    "thinned",
    "unit_points",
]
