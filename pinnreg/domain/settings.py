"""What a config can say about points in a domain: how they are spread."""

from __future__ import annotations

from typing import Literal, get_args

Sampler = Literal["sobol", "latin_hypercube", "uniform", "grid"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
