"""Where a problem lives: domains with named axes and faces, and the samplers that put points into them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
