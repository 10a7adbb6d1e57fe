"""Measurements that a network is fitted to besides the PDE: what a config says of them, and the values themselves."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
