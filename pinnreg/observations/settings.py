"""The entries of a config's `measurements`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.domain import Sampler
from pinnreg.settings import STRICT, Count, NonNegative, Positive, Seed, Share


@dataclass(frozen=True, config=STRICT)
class MeasurementSettings:
    """An entry of `measurements`: values of one output at points, or of what is made of it, from a `file` or drawn as
    `samples`.

    Attributes:
        name: of the loss term; "measurements", numbered where that is taken, if not given.
        of: the output, when there are several, or a derivative, as u.x, u.xt or u.laplacian.
        over: an axis or several over which it is integrated.
        file: a .csv file with a header, or an .npz file of 1-D arrays of one length, that has a column for each axis
            that is not integrated over, and one for the output or its derivative, under their names; other columns
            are ignored.
        samples: how many values to draw from the problem's reference; `sampler: grid` may give fewer.
        sampler: how their points are spread over the domain; uniform if not given.
        noise: the standard deviation of Gaussian noise, relative to the root mean square of the values. Samples get
            so much, as if it were not known; of values from a file it is what they have, and so known to intervals
            and to `weight: auto`, which otherwise find it.
        outliers: the share of the drawn values that are off by ± `outlier_size` besides, chosen at random.
        outlier_size: relative to the same root mean square; 5 if not given.
        seed: of everything that is drawn here; null takes the run's.
        held_out: the share of the values, chosen at random, that is kept from training, to validate the result with.
        trim: the share of the largest residuals that is left out of the loss, so that outliers do not count.
        batch: how many of the values, chosen afresh, each step of adam or sgd sees; null for all. Not with `trim`.
    """

    name: Annotated[str, Field(min_length=1)] | None = None
    of: str | None = None
    over: str | tuple[str, ...] = ()
    file: str | None = None
    samples: Count | None = None
    sampler: Sampler | None = None
    noise: NonNegative = 0.0
    outliers: Share = 0.0
    outlier_size: Positive | None = None
    seed: Seed | None = None
    held_out: Share = 0.0
    trim: Share = 0.0
    batch: Count | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> MeasurementSettings:
        if (self.file is None) == (self.samples is None):
            given = "neither" if self.file is None else "both"
            raise ValueError(
                "expected either file, where the values are, or samples, how many to draw from the reference; "
                f"got {given}"
            )
        return self

    @model_validator(mode="after")
    def _has_effect(self) -> MeasurementSettings:
        if self.samples is not None and (self.over or "." in (self.of or "")):
            raise ValueError("samples are drawn of an output itself; derivatives and integrals come from a file")
        for key in ("sampler", "outliers"):
            if self.file is not None and getattr(self, key):
                raise ValueError(f"{key} has no effect on values from a file; it goes with samples")
        if self.outlier_size is not None and not self.outliers:
            raise ValueError("outlier_size has no effect without outliers")
        drawn = self.samples is not None and (self.sampler != "grid" or self.noise or self.outliers)
        if self.seed is not None and not (drawn or self.held_out):
            raise ValueError("seed has no effect: nothing here is drawn at random")
        return self
