"""What is minimised: terms, batches, and functions of the two.

`objective_of` builds an `Objective`, the terms of a run; `first_batch`, `redraw` and `resample` give the `Batch` of a
step; values and derivatives are functions of both and of the parameters. An `Evaluator` (or `Replicas`) is an objective
in training.
"""

from pinnreg.objective.batch import Batch, Placement
from pinnreg.objective.building import objective_of
from pinnreg.objective.drawing import batch_of, first_batch, redraw, resample, residual_size, state_of, whole
from pinnreg.objective.evaluator import Evaluator
from pinnreg.objective.filling import jacobian_of
from pinnreg.objective.functions import gradient, residuals, total
from pinnreg.objective.linearise import Linearised, linearise, linearise_rows
from pinnreg.objective.model import Model
from pinnreg.objective.objective import Objective
from pinnreg.objective.regression import regression
from pinnreg.objective.replicas import Batches, Replicas
from pinnreg.objective.rows import Rows
from pinnreg.objective.settings import PointSettings
from pinnreg.objective.terms import INTERIOR
from pinnreg.objective.trainable import Drawn, DrawnBatch, Fixed, Trainable

__all__ = [
    "INTERIOR",
    "Batch",
    "Batches",
    "Drawn",
    "DrawnBatch",
    "Evaluator",
    "Fixed",
    "Linearised",
    "Model",
    "Objective",
    "Placement",
    "PointSettings",
    "Replicas",
    "Rows",
    "Trainable",
    "batch_of",
    "first_batch",
    "gradient",
    "jacobian_of",
    "linearise",
    "linearise_rows",
    "objective_of",
    "redraw",
    "regression",
    "resample",
    "residual_size",
    "residuals",
    "state_of",
    "total",
    "whole",
]
