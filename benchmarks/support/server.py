"""`framefind serve` in a process of its own, for benchmarks that load it."""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from framefind.processes import python_command


class Server:
    """A context manager that runs `framefind serve`; afterwards `log` holds what it printed."""

    def __init__(self, library: str | Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        command = [*python_command("framefind.cli"), "serve", "--library", str(library)]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen([*command, "--port", str(self.port)], stderr=self._log)

    def __enter__(self) -> "Server":
        with self.client() as client:
            while self.process.poll() is None:
                try:
                    answer = client.get("/readyz")
                except httpx.TransportError:  # it does not listen yet
                    time.sleep(0.1)
                    continue
                if answer.is_success:
                    return self
                break  # it reads the library before it listens, so waiting does not help
        self.__exit__()
        raise SystemExit(f"the server cannot serve this library:\n{self.log}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._log.seek(0)
        self.log = self._log.read()

    def client(self) -> httpx.Client:
        """Return a client whose addresses are relative to the server's."""
        address = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=address, timeout=120, trust_env=False)

    def processor_seconds(self) -> float:
        """Return the processor time that the server has taken so far. Linux only."""
        fields = Path("/proc", str(self.process.pid), "stat").read_text("ascii").rsplit(")")[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def size(self) -> tuple[float, int, int]:
        """Return the megabytes of memory, threads and open files. Linux only."""
        folder = Path("/proc", str(self.process.pid))
        pages = int((folder / "statm").read_text("ascii").split()[1])
        megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return megabytes, len(os.listdir(folder / "task")), len(os.listdir(folder / "fd"))
