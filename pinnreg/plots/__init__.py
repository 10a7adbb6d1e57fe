"""Figures of a solution, its error field and its training history; matplotlib is imported only to draw."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
