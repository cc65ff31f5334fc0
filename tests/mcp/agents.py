"""A scripted agent: it asks a server in this process, through the SDK's memory transport."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp import Client
from mcp.types import CallToolResult, TextContent
from serving import alone

from framefind.mcp.server import Server

T = TypeVar("T")


def converse(server: Server, talk: Callable[[Client], Awaitable[T]]) -> T:
    """Return what a conversation with a server returns."""

    async def connect() -> T:
        async with Client(server, mode="legacy") as client:
            return await talk(client)

    return alone(connect())


def call(server: Server, name: str, **arguments: Any) -> CallToolResult:
    """Return the answer of a tool."""
    return converse(server, lambda client: client.call_tool(name, arguments))


def ask(server: Server, name: str, **arguments: Any) -> dict[str, Any]:
    """Return the typed answer of a tool, which must be no error."""
    result = call(server, name, **arguments)
    assert not result.is_error, said(result)
    assert result.structured_content is not None
    return result.structured_content


def refuse(server: Server, name: str, **arguments: Any) -> str:
    """Return why a tool does not answer."""
    result = call(server, name, **arguments)
    assert result.is_error
    return said(result)


def said(result: CallToolResult) -> str:
    """Return the text of an answer."""
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text
