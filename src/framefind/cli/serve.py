"""`framefind serve`: check what is asked for, say where the page is, run the server."""

import os
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from framefind.cli import show
from framefind.library import Library


def run(
    library: Library,
    host: str,
    port: int,
    *,
    token: bool,
    names: Sequence[str],
    roots: Sequence[Path],
    refresh: float,
    show_page: bool,
) -> None:
    """Serve `library` until Ctrl-C. The address, with the token if one is asked for, is shown."""
    from framefind.server.app import serve
    from framefind.server.security import Access, is_loopback

    if host.strip("[]") in ("", "0.0.0.0", "::") and not names:
        show.usage(f"--host {host}: say by --host-name which name or address it is reached at")
    key = secrets.token_urlsafe(24) if token or not is_loopback(host) else None
    access = Access(host, port, key, tuple(names), tuple(map(os.path.realpath, roots)))
    named = names[0] if names else f"[{host}]" if ":" in host.strip("[]") else host
    address = f"http://{named}:{port}/" + (f"?token={key}" if key else "")
    for line in (library.uri, address, "Ctrl-C stops it"):
        show.say(line)
    with TemporaryDirectory(prefix="framefind-") as folder:
        if show_page:
            arguments = (address, host.strip("[]"), port, Path(folder, "open.html"))
            threading.Thread(target=_open, args=arguments, daemon=True).start()
        serve(library, access, refresh)


def _open(address: str, host: str, port: int, file: Path) -> None:
    """Open the page in a browser as soon as the server listens.

    By way of a file that only this user can read: all can read the arguments of a program.
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    for _ in range(600):
        with suppress(OSError):
            socket.create_connection((reached, port), 1).close()
            break
        time.sleep(0.1)
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={address}">')
    webbrowser.open(file.as_uri())
