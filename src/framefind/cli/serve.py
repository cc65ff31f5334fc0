"""`framefind serve`: check what is asked for, say where the page is, run the server."""

import os
import secrets
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

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
    from framefind.server import serve
    from framefind.server.security import Access, is_loopback

    if host.strip("[]") in ("", "0.0.0.0", "::") and not names:
        show.usage(f"--host {host}: say by --host-name which name or address it is reached at")
    key = secrets.token_urlsafe(24) if token or not is_loopback(host) else None
    access = Access(host, port, key, tuple(names), tuple(map(os.path.realpath, roots)))
    named = names[0] if names else f"[{host}]" if ":" in host.strip("[]") else host
    address = f"http://{named}:{port}/" + (f"?token={key}" if key else "")
    show.say(f"{library.uri}\n{address}\nCtrl-C stops it")
    if show_page:
        threading.Timer(1.0, webbrowser.open, [address]).start()
    serve(library, access, refresh)
