"""Runs on a cluster, by the scheduler of Dask `distributed`, an optional extra."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from pinnreg.errors import InputError, Interrupted
from pinnreg.studies.worker import Answer, Task, failure, work

POLL_SECONDS = 0.5  # between two looks at whether to stop
CONNECT_SECONDS = 30.0
CONNECTED = "running"  # the status of a client that has its scheduler


def on_cluster(
    tasks: Sequence[Task], address: str, interrupted: Callable[[], int | None]
) -> Iterator[tuple[int, Answer]]:
    """Make runs on the workers of a Dask scheduler; yields the number of each that has ended, with its answer.

    The workers need pinnreg, and the folders of the tasks must be on a file system that all machines share, under the
    same paths. Start the workers with one thread each, since a run is one thread's work:
    `dask worker ADDRESS --nworkers 8 --nthreads 1`.

    Raises:
        InputError: Dask is not installed, or there is no scheduler at the address.
        ConnectionError: the connection to the scheduler was lost.
        Interrupted: `interrupted` gave a signal's number; runs that have not begun are cancelled, and those that have
            stop at their next step.
    """
    try:
        import distributed  # noqa: PLC0415
    except ImportError:
        raise InputError("--scheduler needs Dask, which is not installed: pip install 'pinnreg[cluster]'") from None
    try:
        # at once, while a client would try an address that cannot be one for as long as any other
        distributed.comm.resolve_address(address)
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--scheduler {address}: no Dask scheduler there: {error}") from None
    with _closing(client), client.as_current():
        # not pure: the folder is the result, and only it says whether a run is done
        futures = {client.submit(work, task, pure=False, retries=0): run for run, task in enumerate(tasks)}
        try:
            while futures:
                if (number := interrupted()) is not None:
                    raise Interrupted(number, None)
                with contextlib.suppress(TimeoutError, CancelledError):  # what was cancelled has its own answer
                    distributed.wait(list(futures), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
                if client.status != CONNECTED:
                    raise ConnectionError(
                        f"--scheduler {address}: the connection was lost; finished runs are kept, and the same command "
                        "goes on with the others"
                    )
                for future in [future for future in futures if future.done()]:
                    yield futures.pop(future), _answer(future)
        finally:
            if client.status == CONNECTED:
                client.cancel(list(futures))


@contextlib.contextmanager
def _closing(client: Any) -> Iterator[None]:
    """Close a client in the end, without the tracebacks that Dask logs where the connection is lost."""
    try:
        yield
    finally:
        logger = logging.getLogger("distributed")
        before = logger.level
        if client.status != CONNECTED:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            client.close()
        finally:
            logger.setLevel(before)


def _answer(future: Any) -> Answer:
    if future.status == "finished":
        answer: Answer = future.result()
        return answer
    if future.status == "error":
        error = future.exception()
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = f"the cluster gave no answer: {future.status}"
    return {"status": failure(reason), "measures": {}, "notes": []}
