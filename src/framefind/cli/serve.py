"""`framefind serve`: the page in a browser, and the HTTP API behind it."""

from pathlib import Path
from typing import Annotated

import typer

from framefind.cli import show
from framefind.cli.address import (
    ACCESS,
    ADDRESS,
    HostNameOption,
    HostOption,
    PortOption,
    TokenOption,
    grant_access,
    write_address,
)
from framefind.cli.help import LIBRARY
from framefind.cli.options import DeviceOption, LibraryOption
from framefind.cli.watch import keep_folders

_SECONDS_TO_START = 60


def serve(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    host_name: HostNameOption = None,
    show_page: Annotated[
        bool,
        typer.Option("--open", help="Open the page in your browser.", rich_help_panel=ADDRESS),
    ] = False,
    token: TokenOption = False,
    allow_root: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Let clients index this folder and all below it, and nothing else. Repeatable.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    watch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="Also index what comes into this folder, as `framefind watch` does. Repeatable.",
            rich_help_panel=LIBRARY,
        ),
    ] = None,
    library: LibraryOption = None,
    device: DeviceOption = "auto",
    refresh: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=0.1,
            help="Look every S seconds for what other programs have indexed.",
            rich_help_panel=LIBRARY,
        ),
    ] = 2.0,
) -> None:
    """Serve a page where you add folders, search and play, and the HTTP API behind it.

    $ framefind serve --open
    $ framefind serve --host 0.0.0.0 --host-name nas.local
    """
    from tempfile import TemporaryDirectory
    from threading import Thread
    from urllib.parse import quote

    from framefind.files.names import resolve_path
    from framefind.library import open
    from framefind.server.app import create_app, run

    opened = open(library, device=device)
    access = grant_access(host, port, host_name or (), token, allow_root or ())
    watched = [resolve_path(folder) for folder in watch or ()]
    keep_folders(opened, watched)
    address = write_address(access) + (
        f"?token={quote(access.token, safe='')}" if access.token else ""
    )
    for line in (opened.uri, address, "Ctrl-C stops it"):
        show.print_note(line)
    with TemporaryDirectory(prefix="framefind-") as folder:
        if show_page:
            arguments = (address, host.strip("[]"), port, Path(folder, "open.html"))
            Thread(target=_open_page, args=arguments, daemon=True).start()
        run(create_app(opened, access, refresh, watched), access)


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
