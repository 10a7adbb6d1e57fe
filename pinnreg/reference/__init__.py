"""Reference solutions that know their own error: closed forms, SciPy solves, data files.

A reference never evaluates a problem's residual, so that a sign error in the one cannot hide in the other.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
