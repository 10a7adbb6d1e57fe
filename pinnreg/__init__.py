"""pinnreg: partial differential equations by physics-informed neural networks, regularised and checked.

>>> import pinnreg
>>> config = {"problem": {"name": "poisson", "dimension": 1}, "points": {"interior": 50},
...           "network": {"hidden": [8]}, "train": [{"optimiser": "lbfgs", "steps": 100}]}
>>> solution = pinnreg.solve(config, out=False)
>>> bool(solution.report.errors["u"].rel_l2 < 0.01)
True
>>> solution([[0.0], [0.5]]).shape
(2, 1)
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
