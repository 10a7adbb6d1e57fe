"""What is minimised: terms, batches, and functions of the two.

`objective_of` builds an `Objective`, the terms of a run; `first_batch`, `redraw` and `resample` give the `Batch` of a
step; values and derivatives are functions of both and of the parameters. An `Evaluator` (or `Replicas`) is an objective
in training.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
