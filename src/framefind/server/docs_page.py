"""`/docs`: the API as a plain page, made of its OpenAPI description; it needs no script."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from framefind.server.routing import Router


def router(app: FastAPI) -> APIRouter:
    """The route of the page."""
    routes = Router()

    @routes.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse("\n".join(_page(app.openapi())))

    return routes


def _page(api: dict[str, Any]) -> Iterator[str]:
    title = escape(api["info"]["title"])
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<title>{title} API</title><link rel="stylesheet" href="/base.css">'
    yield '<link rel="stylesheet" href="/docs.css"></head><body><main>'
    yield f"<h1>{title} {escape(api['info']['version'])}</h1>"
    yield f"<p>{escape(api['info']['description'])} The same for programs: "
    yield '<a href="/openapi.json">openapi.json</a>. What goes wrong is told as a problem document '
    yield "(RFC 9457). Where this server asks for a token, programs send it as "
    yield "<code>Authorization: Bearer TOKEN</code>.</p>"
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield from _operation(api, method, path, operation)
    yield "<h2>Documents</h2>"
    for name, schema in sorted(api["components"]["schemas"].items()):
        if "properties" in schema:
            yield f'<h3 id="{escape(name)}">{escape(name)}</h3>'
            yield f"<p>{escape(schema.get('description', ''))}</p>"
            yield from _table(schema["properties"], schema.get("required", []))
    yield "</main></body></html>"


def _operation(
    api: dict[str, Any], method: str, path: str, operation: dict[str, Any]
) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    given = {one["name"]: one["schema"] | one for one in operation.get("parameters", [])}
    needed = [name for name, one in given.items() if one.get("required")]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = _resolved(api, content["schema"])
        given |= schema.get("properties", {})
        needed += schema.get("required", [])
    yield from _table(given, needed)
    answers = operation["responses"].items()
    told = ", ".join(f"{status} {_name(answer)}".strip() for status, answer in answers)
    yield f"<p>Answers: {told}</p>"


def _table(fields: dict[str, Any], needed: list[str]) -> Iterator[str]:
    if fields:
        yield "<table>"
        for name, schema in fields.items():
            mark = " <b>needed</b>" if name in needed else ""
            default = schema.get("default")
            usual = "" if default in (None, []) else f" Else {escape(json.dumps(default))}."
            meaning = escape(schema.get("description", "")) + usual
            yield f"<tr><th><code>{escape(name)}</code></th><td>{_type(schema)}{mark}</td>"
            yield f"<td>{meaning}</td></tr>"
        yield "</table>"


def _type(schema: dict[str, Any]) -> str:
    """A type for people, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    return escape(schema.get("format") or schema.get("type", "any"))


def _name(answer: dict[str, Any]) -> str:
    """The document of a good answer."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return _type(schema) if "$ref" in schema else ""


def _resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return dict(api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
    return schema
