"""Pages that stand alone: results in HTML, with all that they need inside."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
