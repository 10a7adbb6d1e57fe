"""Settings for all tests."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import torch

# before any test imports numpy's or torch's pools: small tensors gain nothing from threads, and two pools on two busy
# cores wait for each other
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
torch.set_num_threads(1)

# the same examples in every run, and none fails by a busy machine's clock
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.load_profile("steady")

# the cases of the config's keys assert as tests do
pytest.register_assert_rewrite("options")

from small_studies import cli, made  # noqa: E402, F401


@pytest.fixture
def device() -> torch.device:
    """A CUDA device where there is one; tests marked `gpu` are skipped elsewhere."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(autouse=True)
def _figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes far longer than these runs and studies: only the tests marked `figures` do it."""
    if request.node.get_closest_marker("figures") is None:
        monkeypatch.setattr("pinnreg.run.line.write_figures", lambda *_: [])
        monkeypatch.setattr("pinnreg.run.line.viewed", lambda solution, *_: solution)
        monkeypatch.setattr("pinnreg.studies.runner.write_figures", lambda *_: None)


@pytest.fixture(autouse=True)
def _estimates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does estimating errors: only runs of the tests marked `estimates` say how wrong they are."""
    if request.node.get_closest_marker("estimates") is None:
        monkeypatch.setattr("pinnreg.run.line.estimated", lambda *_: None)
        monkeypatch.setattr("pinnreg.run.line.by_defect", lambda *_: None)


@pytest.fixture(scope="module")
def only_series() -> Iterator[None]:
    """Nested differentiation would take over from a rule that fails, with the same results."""

    def refuse(*_: Any) -> None:
        raise AssertionError("nested differentiation took over")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pinnreg.differentiation._say_slow", refuse)
        yield


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _leave_first(items)
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def _leave_first(items: list[pytest.Item]) -> None:
    """Of a test marked `first(n)` all cases but the first n that are not slow anyway are slow."""
    seen: Counter[tuple[object, object]] = Counter()
    for item in items:
        marker = item.get_closest_marker("first")
        if marker is None or "slow" in item.keywords:
            continue
        of = item.parent, getattr(item, "originalname", item.name)
        if seen[of] >= marker.args[0]:
            item.add_marker(pytest.mark.slow)
        seen[of] += 1


def pytest_collection_finish() -> None:
    # the garbage collector need not walk through all of torch again and again, nor after every few figures
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
