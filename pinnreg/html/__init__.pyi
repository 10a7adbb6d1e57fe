from .elements import Html, element, folded, image, joined, pairs, table, text
from .page import MARK, page
from .results import course, errors, estimates, found, notes, status, summary
from .settings import keys, settings

__all__ = [
    "MARK",
    "Html",
    "course",
    "element",
    "errors",
    "estimates",
    "folded",
    "found",
    "image",
    "joined",
    "keys",
    "notes",
    "page",
    "pairs",
    "settings",
    "status",
    "summary",
    "table",
    "text",
]
