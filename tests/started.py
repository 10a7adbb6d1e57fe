"""Commands that tests start and wait for."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a process has made a file; fails if it ends before, with what it wrote."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
