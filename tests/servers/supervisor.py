"""Runs one server for as long as anybody holds the write end of a FIFO, then kills all of it.

    python supervisor.py FIFO DATA_DIR COMMAND...

The FIFO counts the users without counting them: each test process that uses the server keeps it
open for writing, and a process that ends in whatever way, SIGKILL too, closes it. At end of file
the server's whole process group goes, and DATA_DIR with it; logs are elsewhere and stay.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 5.0


def members(group: int) -> list[int]:
    """The processes of a group that live: zombies do not."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            with open(f"/proc/{entry.name}/stat", encoding="ascii", errors="replace") as stat:
                state, _parent, its_group = stat.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(entry.name))
    return found


def stop_group(child: subprocess.Popen[bytes]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while members(os.getpgrp()) != [os.getpid()] and time.monotonic() < deadline:
        child.poll()
        time.sleep(POLL_SECONDS / 4)


def main() -> None:
    fifo, data_dir, *command = sys.argv[1:]
    users = os.open(fifo, os.O_RDONLY)  # returns once the first user has it open
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    poller = select.poll()
    poller.register(users, select.POLLIN)
    while child.poll() is None:
        if poller.poll(POLL_SECONDS * 1000):
            break  # nobody writes to it: readable means end of file
    os.close(users)
    stop_group(child)
    shutil.rmtree(data_dir, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
