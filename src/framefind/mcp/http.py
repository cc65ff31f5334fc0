"""The server over streamable HTTP, behind the rules of `framefind serve`."""

from pathlib import Path

from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from framefind.library import Library
from framefind.mcp.server import Server
from framefind.server.security import Access, Guard

PATH = "/mcp"
"""Where the protocol is spoken."""


def create_app(library: Library, access: Access, clips: Path | None = None) -> ASGIApp:
    """Return the application that speaks the protocol at `PATH`, to whom `access` lets in.

    `clips` is the folder where agents may write clips.
    """
    server = Server(library, access.roots, clips, reads_files=False)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        transport_security=TransportSecuritySettings(  # Guard knows the server's names
            enable_dns_rebinding_protection=False
        ),
    )
    return Guard(app, access)
