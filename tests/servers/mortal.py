"""A server of one test's own, to be killed, stopped, and started again with the data it has."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .shared import Server, ServerSpec, run_folder, starting, supervise
from .supervisor import members


class MortalServer:
    """Runs from `with` to its end. Its address stays the same through all its lives."""

    def __init__(self, spec: ServerSpec) -> None:
        folder = Path(tempfile.mkdtemp(prefix=f"{spec.name}-own-", dir=run_folder()))
        self._data_dir = folder / "data"
        self._data_dir.mkdir()
        self._launch = spec.prepare(folder, self._data_dir)
        self._spec = spec
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._user = -1
        self.lives = 0
        self.server = Server(
            spec.name, spec.version, self._launch.uri, folder, self._launch.options
        )

    @property
    def uri(self) -> str:
        return self.server.uri

    def start(self) -> None:
        """Returns when it is ready."""
        self.lives += 1
        # What a supervisor removes at the end: not the data, which the next life needs.
        life = Path(tempfile.mkdtemp(prefix="life-", dir=self.server.folder))
        self._supervisor, self._user = supervise(
            self._spec, self._launch, life, life / "nothing", self.server.log
        )

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        supervisor = self._supervisor
        if supervisor is None:
            return
        os.killpg(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        while members(supervisor.pid):  # they hold ports and locks up to the end
            time.sleep(0.01)
        os.close(self._user)
        self._supervisor = None

    def pause(self) -> None:
        """SIGSTOP: the kernel goes on taking connections and bytes for it, up to a point."""
        assert self._supervisor is not None
        os.killpg(self._supervisor.pid, signal.SIGSTOP)
        # On a busy machine threads run on until the one that was told of the signal has its turn.
        while not all(map(_is_stopped, members(self._supervisor.pid))):
            time.sleep(0.001)
        # Only the supervisor can end it, should this process not come to it.
        os.kill(self._supervisor.pid, signal.SIGCONT)

    def resume(self) -> None:
        assert self._supervisor is not None
        os.killpg(self._supervisor.pid, signal.SIGCONT)

    def __enter__(self) -> MortalServer:
        with starting():
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._data_dir, ignore_errors=True)


def _is_stopped(process: int) -> bool:
    """Whether all of its threads stand still, or are gone."""
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            stat = Path(f"/proc/{process}/task/{thread}/stat").read_text(errors="replace")
            if stat.rpartition(")")[2].split()[0] not in ("T", "X", "Z"):
                return False
    except OSError:
        pass
    return True
