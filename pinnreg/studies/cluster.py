"""Runs on a cluster, by the scheduler of Dask `distributed`, an optional extra."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pinnreg.errors import InputError, Interrupted
from pinnreg.studies.worker import Answer, Task, failure, work

POLL_SECONDS = 0.5  # between two looks at whether to stop
CONNECT_SECONDS = 30.0


def on_cluster(
    tasks: Sequence[Task], address: str, interrupted: Callable[[], int | None]
) -> Iterator[tuple[int, Answer]]:
    """Make runs on the workers of a Dask scheduler; yields the number of each that has ended, with its answer.

    The workers need pinnreg, and the folders of the tasks must be on a file system that all machines share, under the
    same paths. Start the workers with one thread each, since a run is one thread's work:
    `dask worker ADDRESS --nworkers 8 --nthreads 1`.

    Raises:
        InputError: Dask is not installed, or there is no scheduler at the address.
        Interrupted: `interrupted` gave a signal's number; runs that have not begun are cancelled, and those that have
            stop at their next step.
    """
    try:
        import distributed  # noqa: PLC0415
    except ImportError:
        raise InputError("--scheduler needs Dask, which is not installed: pip install 'pinnreg[cluster]'") from None
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--scheduler {address}: no Dask scheduler there: {error}") from None
    with client, client.as_current():
        # not pure: the folder is the result, and only it says whether a run is done
        futures = {client.submit(work, task, pure=False, retries=0): run for run, task in enumerate(tasks)}
        try:
            while futures:
                if (number := interrupted()) is not None:
                    raise Interrupted(number, None)
                with contextlib.suppress(TimeoutError):
                    distributed.wait(list(futures), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
                for future in [future for future in futures if future.done()]:
                    yield futures.pop(future), _answer(future)
        finally:
            client.cancel(list(futures))


def _answer(future: Any) -> Answer:
    if future.status == "finished":
        answer: Answer = future.result()
        return answer
    error = future.exception() if future.status == "error" else future.status
    return {"status": failure(f"{type(error).__name__}: {error}"), "measures": {}, "notes": []}
