"""Random numbers as functions of (seed, purpose, step), so that a resumed run draws what an uninterrupted one would.

No draw depends on how many came before it: every caller makes its own generator, and evaluation consumes none.
"""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, purpose: str, step: int = 0) -> int:
    """A 63-bit seed that depends on all three arguments and on nothing else."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, step: int = 0, *, device: torch.device | None = None) -> torch.Generator:
    """A fresh generator on `device` (the CPU if None), seeded by `derive`."""
    return torch.Generator(device or torch.device("cpu")).manual_seed(derive(seed, purpose, step))
