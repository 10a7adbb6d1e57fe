"""Measurements that a network is fitted to besides the PDE: read from a file, or drawn from the reference."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
