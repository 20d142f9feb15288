"""Child processes that a test has forked."""

from __future__ import annotations

import os
import signal
import time


def await_child(pid: int, seconds: float = 60) -> int:
    """Its exit status; it is killed, and the test fails, after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")
