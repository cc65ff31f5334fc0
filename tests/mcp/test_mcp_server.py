import json
from pathlib import Path

import jsonschema
import pytest

import framefind
from cued import add_cues
from framefind.types import Cue

pytest.importorskip("mcp.types")

from agents import ask, converse, refuse
from mcp.shared.exceptions import MCPError
from mcp.types import ListToolsResult

from framefind.mcp.answers import count_tokens
from framefind.mcp.server import Server


@pytest.fixture(scope="module")
def tools(shared_library):
    server = Server(shared_library, roots=("/videos",), clips=Path("/clips"))
    return converse(server, lambda client: client.list_tools()).tools


def test_there_are_few_tools_and_four_only_read(tools):
    reads = {tool.name: tool.annotations.read_only_hint for tool in tools}
    reading = dict.fromkeys(("search", "look", "words", "videos"), True)
    assert reads == reading | {"export": False, "index": False}
    assert not any(tool.annotations.destructive_hint for tool in tools)


def test_nothing_can_be_written_unless_it_is_allowed(shared_library):
    server = Server(shared_library)
    listed = converse(server, lambda client: client.list_tools()).tools
    assert not {"index", "export"} & {tool.name for tool in listed}
    for name, arguments in (
        ("index", {"path": "/videos"}),
        ("export", {"video": "a.mp4", "start": 0, "end": 1}),
    ):
        assert "Unknown tool" in refuse(server, name, **arguments)


def test_every_argument_and_answer_is_typed_and_described(tools):
    for tool in tools:
        assert len(tool.description) > 100
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
        for name, argument in tool.input_schema["properties"].items():
            assert argument["description"], f"{tool.name}: {name}"
        assert ListToolsResult.model_validate({"tools": [tool.model_dump(by_alias=True)]})


def test_the_tools_leave_a_model_its_context(tools):
    shown = [
        {"name": tool.name, "description": tool.description, "schema": tool.input_schema}
        for tool in tools
    ]
    assert count_tokens(json.dumps(shown)) < 6000


def test_answers_fit_their_types(shared_library, tools):
    types = {tool.name: tool.output_schema for tool in tools}
    server = Server(shared_library)
    calls = {
        "search": {"text": "a cat", "by": "video"},
        "look": {"video": "a.mp4", "t": 1},
        "words": {"video": "a.mp4"},
        "videos": {},
    }
    for name, arguments in calls.items():
        jsonschema.validate(ask(server, name, **arguments), types[name])


class TestResources:
    def test_each_video_is_one(self, shared_library):
        listed = converse(Server(shared_library), lambda client: client.list_resources())
        rows = {row.path: row.video_id for row in shared_library.videos()}
        assert {one.name: one.uri.rpartition("/")[2] for one in listed.resources} == rows
        for resource in listed.resources:
            text = read(Server(shared_library), resource.uri).text
            assert json.loads(text)["video"] == resource.name

    def test_their_words_are_webvtt(self, library):
        video_id = add_cues(library, "a.mp4", [Cue(1.0, 2.0, "Hello there.", "speech", "en")])
        words = read(Server(library), f"framefind://videos/{video_id}/words.vtt")
        assert words.mime_type == "text/vtt"
        assert "00:00:01.000 --> 00:00:02.000\nHello there." in words.text

    def test_what_is_not_there(self, shared_library, tmp_path):
        async def read_in_vain(client):
            for name in ("01", "*", "a.mp4", "..", "%2Fetc"):
                for uri in (f"framefind://videos/{name}", f"framefind://videos/{name}/words.vtt"):
                    with pytest.raises(MCPError, match=r"no video of that id|Unknown resource"):
                        await client.read_resource(uri)
            with pytest.raises(MCPError):
                await client.read_resource("file:///x")

        converse(Server(shared_library), read_in_vain)
        empty = Server(framefind.open(tmp_path / "none.framefind"))
        assert converse(empty, lambda client: client.list_resources()).resources == []


def read(server, uri):
    (content,) = converse(server, lambda client: client.read_resource(uri)).contents
    return content


def test_the_server_introduces_itself(shared_library):
    async def greet(client):
        return client.server_info, client.instructions

    info, instructions = converse(Server(shared_library), greet)
    assert (info.name, info.version) == ("framefind", framefind.__version__)
    for name in ("search", "look", "words", "videos"):
        assert f"`{name}`" in instructions
