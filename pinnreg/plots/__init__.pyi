from .analysis import TermAnalysis, analysis
from .calibration import calibration
from .convergence import Convergence, convergence
from .cuts import cut, plane_of
from .domains import Held, domain_picture, drawn_axes
from .evolution import Evolution, evolution
from .filming import FILM_MARK, check_film, save_film
from .layouts import error_field
from .loss_history import history
from .mathematics import flaw_in_mathematics
from .outlines import Outline, outline_of
from .panels import Curve, Panel, panels
from .run import draw, draw_analysis, title_of
from .saving import check_format, content, few_colours, is_marked, save, small
from .single import OnePanel, single
from .sketch import sketch
from .study_errors import ErrorRow, study_errors
from .study_fields import study_fields
from .study_ratios import RatioCell, study_ratios
from .study_weights import WeightCurves, study_weights
from .thumbnails import Thumbnail, thumbnails

__all__ = [
    "FILM_MARK",
    "Convergence",
    "Curve",
    "ErrorRow",
    "Evolution",
    "Held",
    "OnePanel",
    "Outline",
    "Panel",
    "RatioCell",
    "TermAnalysis",
    "Thumbnail",
    "WeightCurves",
    "analysis",
    "calibration",
    "check_film",
    "check_format",
    "content",
    "convergence",
    "cut",
    "domain_picture",
    "draw",
    "draw_analysis",
    "drawn_axes",
    "error_field",
    "evolution",
    "few_colours",
    "flaw_in_mathematics",
    "history",
    "is_marked",
    "outline_of",
    "panels",
    "plane_of",
    "save",
    "save_film",
    "single",
    "sketch",
    "small",
    "study_errors",
    "study_fields",
    "study_ratios",
    "study_weights",
    "thumbnails",
    "title_of",
]
