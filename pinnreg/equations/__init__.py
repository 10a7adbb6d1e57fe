"""What a problem file is written in: `Problem`, `Field` and the conditions; and the trial function."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
