"""A real server in a process of its own, and raw requests to it."""

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

import framefind
from framefind.processes import python_command

T = TypeVar("T")


def alone(
    work: Coroutine[None, None, T], loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> T:
    """Run a coroutine in a thread of its own: Playwright leaves a loop running in the main one."""

    def run() -> T:
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(work)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


@dataclass
class Site:
    """A running server."""

    port: int
    said: str
    process: "subprocess.Popen[str]"

    @property
    def token(self) -> str:
        """The token that it has shown."""
        found = re.search(r"\?token=(\S+)", self.said)
        assert found
        return found[1]

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers=headers,
            timeout=60,
            trust_env=False,
            verify=False,  # else each client reads all certificates, for nothing
        )

    def raw(self, request: str | bytes) -> bytes:
        """All bytes that come back for a request as it is."""
        content = request.encode() if isinstance(request, str) else request
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(content.replace(b"PORT", str(self.port).encode()))
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer

    def status(self, *lines: str, body: bytes = b"") -> int:
        """The status that a request of these lines gets."""
        head = "\r\n".join((*lines, "Connection: close", "", "")).encode()
        return int(self.raw(head + body).split(b" ", 2)[1])


def find_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until_reached(process: "subprocess.Popen[str]", port: int) -> str:
    """What a server has printed, once it says how to stop it and listens."""
    assert process.stderr
    said = ""
    while "Ctrl-C" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    for _ in range(300):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    return said


@contextmanager
def serve(
    library: str | Path,
    *options: str,
    host: str = "127.0.0.1",
    limits: Mapping[str, float] | None = None,
) -> Iterator[Site]:
    """Run `framefind serve` on a library, with other values of constants of `server.timeouts`."""
    port = find_port()
    start = python_command("framefind.cli")
    if limits:
        code = "from framefind.cli.main import main; from framefind.server import timeouts"
        code += "".join(f"; timeouts.{name} = {value}" for name, value in limits.items())
        start = [sys.executable, "-P", "-c", f"{code}; main()"]
    command = [*start, "serve", "--library", str(library)]
    command += ["--host", host, "--port", str(port), "--refresh", "0.2", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        site = Site(port, wait_until_reached(process, port), process)
        yield site
        process.terminate()
        site.said += process.communicate(timeout=120)[1]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def served(shared_library: framefind.Library) -> Iterator[Site]:
    """A server of the shared library, for this computer. For reading only."""
    with serve(shared_library.uri) as site:
        yield site


@pytest.fixture
def api(served: Site) -> Iterator[httpx.Client]:
    """A client of that server."""
    with served.client() as client:
        yield client
