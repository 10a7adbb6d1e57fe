"""Many runs compared: all combinations of regularisers, other settings and seeds, in parallel processes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
