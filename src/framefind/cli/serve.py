"""`framefind serve`: the page in a browser, and the HTTP API behind it."""

from pathlib import Path
from typing import Annotated

import typer

from framefind.cli import show
from framefind.cli.help import LIBRARY
from framefind.cli.options import DeviceOption, LibraryOption

_ADDRESS = "Address"
_ACCESS = "Who may do what"

_SECONDS_TO_START = 60


def serve(
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen at; with any but this computer's own, clients need a token.",
            rich_help_panel=_ADDRESS,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=65535, help="Port to listen at.", rich_help_panel=_ADDRESS
        ),
    ] = 8000,
    host_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Answer requests to this name, too. Repeatable.",
            rich_help_panel=_ADDRESS,
        ),
    ] = None,
    show_page: Annotated[
        bool,
        typer.Option("--open", help="Open the page in your browser.", rich_help_panel=_ADDRESS),
    ] = False,
    token: Annotated[
        bool,
        typer.Option(
            "--token",
            help="Ask clients for a token on this computer, too.",
            rich_help_panel=_ACCESS,
        ),
    ] = False,
    allow_root: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Let clients index this folder and what is below it, nothing else. Repeatable.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    library: LibraryOption = None,
    device: DeviceOption = "auto",
    refresh: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=0.1,
            help="Look every S seconds for videos that other programs indexed.",
            rich_help_panel=LIBRARY,
        ),
    ] = 2.0,
) -> None:
    """Open a page to add folders, search and watch, with an HTTP API behind it.

    $ framefind serve --open
    $ framefind serve --host 0.0.0.0 --host-name nas.local
    """
    import os
    import secrets
    from tempfile import TemporaryDirectory
    from threading import Thread

    from framefind.library import open
    from framefind.server.app import serve as run_server
    from framefind.server.security import Access, is_loopback

    opened = open(library, device=device)
    names = tuple(host_name or ())
    if host.strip("[]") in ("", "0.0.0.0", "::") and not names:
        show.fail_usage(f"--host {host}: add --host-name, the name or address that clients use")
    key = secrets.token_urlsafe(24) if token or not is_loopback(host) else None
    roots = tuple(map(os.path.realpath, allow_root or ()))
    address = f"http://{_name_host(host, names)}:{port}/" + (f"?token={key}" if key else "")
    for line in (opened.uri, address, "Ctrl-C stops it"):
        show.print_note(line)
    with TemporaryDirectory(prefix="framefind-") as folder:
        if show_page:
            arguments = (address, host.strip("[]"), port, Path(folder, "open.html"))
            Thread(target=_open_page, args=arguments, daemon=True).start()
        run_server(opened, Access(host, port, key, names, roots), refresh)


def _name_host(host: str, names: tuple[str, ...]) -> str:
    """Return the host as it stands in the page's address."""
    if names:
        return names[0]
    return f"[{host}]" if ":" in host.strip("[]") else host


def _open_page(address: str, host: str, port: int, file: Path) -> None:
    """Open the page in a browser as soon as the server listens.

    The browser is given a file that only this user can read and that leads to the address: the
    arguments of a program, where the token would stand, can be read by every user.
    """
    import socket
    import time
    import webbrowser
    from contextlib import suppress

    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    for _ in range(10 * _SECONDS_TO_START):
        with suppress(OSError):
            socket.create_connection((reached, port), 1).close()
            break
        time.sleep(0.1)
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={address}">')
    webbrowser.open(file.as_uri())
