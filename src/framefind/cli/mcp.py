"""`framefind mcp`: the library as tools for agents."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from framefind.cli.options import DeviceOption, LibraryOption

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.server.security import Access

_HOST = "127.0.0.1"
_PORT = 8001


def mcp(
    http: Annotated[
        bool,
        typer.Option(
            "--http",
            help="Answer over HTTP, for agents that do not start this command themselves.",
            rich_help_panel=ADDRESS,
        ),
    ] = False,
    host: HostOption = _HOST,
    port: PortOption = _PORT,
    host_name: HostNameOption = None,
    token: TokenOption = False,
    allow_index: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Let agents index this folder and all below it. Repeatable.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    allow_export: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Let agents write clips into this folder.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    library: LibraryOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Let agents search your videos, by the Model Context Protocol.

    $ framefind mcp
    $ framefind mcp --allow-index ~/Videos --allow-export ~/Clips
    $ framefind mcp --http --token
    """
    from framefind.library import open

    if not http and (token or host_name or (host, port) != (_HOST, _PORT)):
        show.fail_usage("an address, its names and a token need --http")
    try:
        from framefind.mcp.server import Server
    except ImportError as error:
        show.fail(f"agents need the package mcp: pip install 'framefind[mcp]' ({error})")
    opened = open(library, device=device)
    roots = allow_index or []
    if http:
        _serve(opened, grant_access(host, port, host_name or (), token, roots), allow_export)
    else:
        signal.signal(signal.SIGINT, _end)
        Server(opened, tuple(map(os.path.realpath, roots)), allow_export).run()


def _end(number: int, _: object) -> None:
    """End at once: the thread that reads stdin cannot be stopped before its next line."""
    from framefind.files.disk import remove_unfinished

    remove_unfinished()
    os._exit(128 + number)


def _serve(library: "Library", access: "Access", clips: Path | None) -> None:
    """Serve over HTTP until a signal stops it; print how agents reach it."""
    from framefind.mcp.http import PATH, create_app
    from framefind.server.app import run

    show.print_note(library.uri)
    show.print_note(write_address(access).rstrip("/") + PATH)
    if access.token:
        show.print_note(f"Authorization: Bearer {access.token}")
    show.print_note("Ctrl-C stops it")
    run(create_app(library, access, clips), access)
