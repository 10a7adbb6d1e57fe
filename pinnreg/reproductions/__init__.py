"""The papers' own experiments, made again: each ends in tables, a figure, and a verdict computed from its numbers.

All training goes through the loop, the objectives, the noise and the optimisers that solve PDEs; replicas, seeds and
settings side by side, run as one batch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
