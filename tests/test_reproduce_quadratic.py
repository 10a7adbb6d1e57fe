"""The experiment on quadratic networks: padding changes nothing, and its claims hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from objectives import placed, untrained

import pinnreg
from pinnreg.analysis import least_squares_minimum
from pinnreg.networks import Quadratic, Variant
from pinnreg.objective import regression
from pinnreg.optimisers import Adam
from pinnreg.randomness import generator
from pinnreg.reproductions import quadratic
from pinnreg.reproductions.fit import fit

STAGES = [Adam(steps=40, learning_rate=1e-2)]


def quiet(what: str, done: int, total: int) -> None:
    """Says nothing."""


@pytest.mark.first(1)
@pytest.mark.parametrize("variant", quadratic.VARIANTS)
def test_a_padded_start_is_trained_as_the_small_one(variant: Variant) -> None:
    padded = quadratic._objective(variant, 3, 0, 1)
    assert padded.model.initial()["blocks.0.weight"].shape == (10, 5)
    draws = generator(0, "quadratic start 3", 1)
    network = Quadratic(4, [3], 1, variant=variant, generator=draws, dtype=torch.float64)
    points, values = quadratic._data(0)
    small = regression(network, points, values, [(-10, 10)] * 4, regularisers=[*penalties(padded)])
    large, little = (fit([each], STAGES, quiet, "").each[0].parameters for each in (padded, small))
    weight = large["blocks.0.weight"]
    torch.testing.assert_close(weight[:3], little["blocks.0.weight"])
    assert not torch.equal(weight, padded.model.initial()["blocks.0.weight"])
    assert not weight[3:].any()
    assert not large["blocks.0.lam"][:, 3:].any()


def penalties(of: object) -> list[pinnreg.regularisers.Regulariser]:
    """The orthogonality penalty of an objective, with its weight."""
    assert isinstance(of, pinnreg.objective.Objective)
    return [
        pinnreg.regularisers.Orthogonality(weight=placed(of).weights[name])
        for name in of.names
        if name == "orthogonality"
    ]


def test_the_least_squares_optimum_has_arrived_and_zero_has_not() -> None:
    points, values = quadratic._data(2)
    trained = untrained(quadratic._objective("plain", 5, 2, 0))
    parameters = trained.parameters
    matrix, loss = least_squares_minimum(np.column_stack([points, np.ones(len(points))]), values)
    eigenvalues, vectors = np.linalg.eigh(matrix)
    with torch.no_grad():
        parameters["blocks.0.weight"].zero_()
        parameters["blocks.0.weight"][:5] = torch.from_numpy(vectors.T.copy())
        parameters["blocks.0.lam"].zero_()
        parameters["blocks.0.lam"][0, :5] = torch.from_numpy(eigenvalues)
        assert float(trained.objective.losses(trained.batch, parameters)["data"]) == pytest.approx(loss)
    found = quadratic._fit(trained, 2)
    assert found.arrived
    assert found.certificate.certified
    with torch.no_grad():
        parameters["blocks.0.lam"].zero_()
    found = quadratic._fit(trained, 2)
    assert found.missed == pytest.approx(1)
    assert not found.arrived
    assert 0 < quadratic._fall(found) <= 1


@pytest.mark.slow
def test_the_claims_hold(tmp_path: Path) -> None:
    found = pinnreg.reproduce("quadratic", tmp_path)
    assert [claim.text for claim in found.claims if not claim.holds] == []
