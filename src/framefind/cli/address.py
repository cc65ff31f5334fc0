"""Where a server listens and who may use it: the options of `serve` and `mcp`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framefind.cli import show

if TYPE_CHECKING:
    from framefind.server.security import Access

ADDRESS = "Address"
ACCESS = "Who may do what"

_CHOSEN_TOKEN = re.compile(r"[!-~]{16,}")

HostOption = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Address to listen at. Any but this computer's own requires a token.",
        rich_help_panel=ADDRESS,
    ),
]
PortOption = Annotated[
    int,
    typer.Option(metavar="N", min=1, max=65535, help="Port to listen at.", rich_help_panel=ADDRESS),
]
HostNameOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A name or address that clients use for this computer. Repeatable.",
        rich_help_panel=ADDRESS,
    ),
]
TokenOption = Annotated[
    bool,
    typer.Option(
        "--token",
        help="Require a token on this computer too: $FRAMEFIND_TOKEN, or a new one.",
        rich_help_panel=ACCESS,
    ),
]


def grant_access(
    host: str, port: int, names: Iterable[str], token: bool, roots: Iterable[Path]
) -> "Access":
    """Return who may do what at an address; exit with 2 if it needs another name, or token."""
    import os
    import secrets

    from framefind.server.security import Access, is_loopback

    if host.strip("[]") in ("", "0.0.0.0", "::") and not names:
        show.fail_usage(f"--host {host}: add --host-name, the name or address that clients use")
    key = None
    if token or not is_loopback(host):
        key = os.environ.get("FRAMEFIND_TOKEN") or secrets.token_urlsafe(24)
        if not _CHOSEN_TOKEN.fullmatch(key):
            show.fail_usage("$FRAMEFIND_TOKEN: use 16 or more characters of ASCII, without spaces")
    return Access(host, port, key, tuple(names), tuple(map(os.path.realpath, roots)))


def write_address(access: "Access") -> str:
    """Return the address of a server, as clients use it, without its token."""
    host = f"[{access.host.strip('[]')}]" if ":" in access.host else access.host
    return f"http://{access.names[0] if access.names else host}:{access.port}/"
