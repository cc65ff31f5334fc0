"""`/docs`: the API as a plain page, made from its OpenAPI description; it needs no script."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from framefind.server.routing import Router


def router(app: FastAPI) -> APIRouter:
    """Return the route of the page."""
    router = Router()

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse("\n".join(_write_page(app.openapi())))

    return router


def _write_page(api: dict[str, Any]) -> Iterator[str]:
    title = escape(api["info"]["title"])
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<title>{title} API</title><link rel="stylesheet" href="/base.css">'
    yield '<link rel="stylesheet" href="/docs.css"></head><body><main>'
    yield f"<h1>{title} {escape(api['info']['version'])}</h1>"
    yield f"<p>{escape(api['info']['description'])} For programs: "
    yield '<a href="/openapi.json">openapi.json</a>. Errors are problem documents '
    yield "(RFC 9457). Where this server asks for a token, programs send it as "
    yield "<code>Authorization: Bearer TOKEN</code>.</p>"
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield from _write_operation(api, method, path, operation)
    yield "<h2>Documents</h2>"
    for name, schema in sorted(api["components"]["schemas"].items()):
        if "properties" in schema:
            yield f'<h3 id="{escape(name)}">{escape(name)}</h3>'
            yield f"<p>{escape(schema.get('description', ''))}</p>"
            yield from _write_table(schema["properties"], schema.get("required", []))
    yield "</main></body></html>"


def _write_operation(
    api: dict[str, Any], method: str, path: str, operation: dict[str, Any]
) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    parameters = operation.get("parameters", [])
    fields = {parameter["name"]: parameter["schema"] | parameter for parameter in parameters}
    required = [name for name, field in fields.items() if field.get("required")]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = _dereference(api, content["schema"])
        fields |= schema.get("properties", {})
        required += schema.get("required", [])
    yield from _write_table(fields, required)
    responses = operation["responses"].items()
    listed = ", ".join(
        f"{status} {_link_document(response)}".strip() for status, response in responses
    )
    yield f"<p>Responses: {listed}</p>"


def _write_table(fields: dict[str, Any], required: list[str]) -> Iterator[str]:
    if fields:
        yield "<table>"
        for name, schema in fields.items():
            mark = " <b>required</b>" if name in required else ""
            meaning = escape(schema.get("description", ""))
            default = schema.get("default")
            if default not in (None, []):
                meaning += f" Default: {escape(json.dumps(default))}."
            yield f"<tr><th><code>{escape(name)}</code></th><td>{_describe_type(schema)}{mark}</td>"
            yield f"<td>{meaning}</td></tr>"
        yield "</table>"


def _describe_type(schema: dict[str, Any]) -> str:
    """Return the name of a type for people, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if "anyOf" in schema:
        return " or ".join(map(_describe_type, schema["anyOf"]))
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_describe_type(schema['items'])}"
    return escape(schema.get("format") or schema.get("type", "any"))


def _link_document(response: dict[str, Any]) -> str:
    """Return a link to the document of a response, as HTML; none for a problem."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return _describe_type(schema) if "$ref" in schema else ""


def _dereference(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return dict(api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
    return schema
