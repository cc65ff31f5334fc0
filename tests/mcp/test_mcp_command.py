"""The command as clients start it: over stdin and stdout, and over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from serving import alone, find_port, wait_until_reached
from typer.testing import CliRunner

from framefind.cli.main import app
from framefind.processes import python_command

pytest.importorskip("mcp.types")

import httpx2  # what the SDK asks with
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


def test_over_stdin_and_stdout(shared_library):
    command = [*python_command("framefind.cli"), "mcp", "--library", shared_library.uri]
    parameters = StdioServerParameters(command=command[0], args=command[1:], env={**os.environ})

    async def talk():
        async with Client(stdio_client(parameters)) as client:
            tools = await client.list_tools()
            found = await client.call_tool("search", {"text": "a circle"})
            looked = await client.call_tool("look", {"video": "a.mp4", "t": 1, "end": 3})
            return tools.tools, found, looked

    tools, found, looked = alone(talk())
    assert [tool.name for tool in tools] == ["search", "look", "words", "videos"]
    assert found.structured_content["moments"]
    assert [part.type for part in looked.content] == ["text"] + 6 * ["image"]


def test_it_ends_when_it_is_told_to_though_it_waits_for_input(shared_library):
    command = [*python_command("framefind.cli"), "mcp", "--library", shared_library.uri]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    version = {"protocolVersion": "2025-06-18", "capabilities": {}}
    hello = version | {"clientInfo": {"name": "test", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["result"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    process.communicate()


def test_over_http_by_the_rules_of_serve(shared_library):
    with serve(shared_library.uri, "--token") as (address, said):
        token = re.search(r"Authorization: Bearer (\S+)", said)[1]
        allowed = {"Authorization": f"Bearer {token}"}

        async def talk():
            async with httpx2.AsyncClient(headers=allowed, trust_env=False, timeout=60) as http:
                transport = streamable_http_client(address, http_client=http)
                async with Client(transport) as client:
                    return await client.call_tool("search", {"text": "a circle"})

        assert alone(talk()).structured_content["moments"]
        accepts = {"Accept": "application/json, text/event-stream"}
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        tried = {
            "with it": allowed,
            "without it": {},
            "another": {"Authorization": "Bearer of-something-else"},
            "another site": {**allowed, "Origin": "https://example.com"},
            "another host": {**allowed, "Host": "example.com"},
        }
        with httpx.Client(trust_env=False, timeout=60) as client:
            statuses = {
                name: client.post(address, json=ping, headers=accepts | headers).status_code
                for name, headers in tried.items()
            }
        assert statuses == {
            "with it": 200,
            "without it": 401,
            "another": 401,
            "another site": 403,
            "another host": 421,
        }


def test_an_address_without_http_is_a_usage_error(shared_library):
    for options in (["--token"], ["--port", "9"], ["--host", "10.0.0.2"]):
        ended = CliRunner().invoke(app, ["mcp", "--library", shared_library.uri, *options])
        assert ended.exit_code == 2
        assert "--http" in ended.stderr


def test_without_the_extra_it_says_what_to_install(shared_library):
    code = "import sys; sys.modules['mcp.types'] = sys.modules['mcp.server'] = None; "
    code += "from framefind.cli.main import main; main()"
    command = [sys.executable, "-P", "-c", code, "mcp", "--library", shared_library.uri]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == 1
    assert "pip install 'framefind[mcp]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@contextmanager
def serve(library, *options):
    """Run the command over HTTP; yields its address and what it has printed."""
    port = find_port()
    command = [*python_command("framefind.cli"), "mcp", "--http", "--port", str(port), *options]
    process = subprocess.Popen([*command, "--library", library], stderr=subprocess.PIPE, text=True)
    try:
        said = wait_until_reached(process, port)
        yield f"http://127.0.0.1:{port}/mcp", said
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.communicate()
