"""A server with the planted model of ``headrank doctor`` in a process of its own; as a program, around a command.

planted_server.py COMMAND...     runs it with HEADRANK_URL and HEADRANK_SERVE_TOKEN in its environment
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrank.doctor.world import World, make_world

_ADDRESS = re.compile(r"serving .* on 127\.0\.0\.1:(\d+)")


@dataclass
class PlantedServer:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def stop(self) -> int:
        """Its exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def memory(self) -> float:
        """Its resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


@contextmanager
def serving(world: World, folder: Path, *options: str, token: str = "") -> Iterator[PlantedServer]:
    """A server that has loaded the planted model; it is killed at the end, if it still runs."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "headrank.cli", "serve", "--method", "qrhead", "--backbone"]
    environment = {**os.environ, **({"HEADRANK_SERVE_TOKEN": token} if token else {})}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, str(world.backbone), "--heads", str(world.heads), "--port", "0", *options],
            stderr=stream,
            env=environment,
        )
    try:
        while not (found := _ADDRESS.search(log.read_text())):
            if process.poll() is not None:
                raise SystemExit(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield PlantedServer(process, int(found[1]), log)
    finally:
        process.kill()
        process.wait()


def main() -> int:
    token = os.urandom(16).hex()
    with tempfile.TemporaryDirectory(prefix="headrank-") as name:
        folder = Path(name)
        with serving(make_world(folder), folder, token=token) as server:
            given = {"HEADRANK_URL": f"http://127.0.0.1:{server.port}", "HEADRANK_SERVE_TOKEN": token}
            status = subprocess.run(sys.argv[1:], env={**os.environ, **given}).returncode
            return status or server.stop()


if __name__ == "__main__":
    sys.exit(main())
