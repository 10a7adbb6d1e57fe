from .afresh import afresh
from .batch import Batch, Placement
from .blocks import Block, Blocks, Jacobian
from .building import objective_of
from .drawing import batch_of, first_batch, redraw, resample, residual_size, state_of, whole
from .evaluator import Evaluator
from .functions import gradient, residuals, total
from .in_blocks import InBlocks, blocks_of, linearised_for
from .linearise import Linearised, linearise, linearise_rows
from .model import Model
from .objective import Objective
from .regression import regression
from .replicas import Batches, Replicas
from .rows import Rows
from .settings import PointSettings
from .shared import Share, Shared
from .terms import INTERIOR, Soft
from .trainable import Drawn, DrawnBatch, Target, Trainable

__all__ = [
    "INTERIOR",
    "Batch",
    "Batches",
    "Block",
    "Blocks",
    "Drawn",
    "DrawnBatch",
    "Evaluator",
    "InBlocks",
    "Jacobian",
    "Linearised",
    "Model",
    "Objective",
    "Placement",
    "PointSettings",
    "Replicas",
    "Rows",
    "Share",
    "Shared",
    "Soft",
    "Target",
    "Trainable",
    "afresh",
    "batch_of",
    "blocks_of",
    "first_batch",
    "gradient",
    "linearise",
    "linearise_rows",
    "linearised_for",
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
