"""Uploaded forms: a query's fields, and pictures that are checked before they are decoded."""

from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from framefind.files.stills import MAX_UPLOADED_PIXELS, UPLOADED, opened
from framefind.server.schemas import SearchForm

MAX_PICTURES = 8
_LISTS = ("plus", "minus", "video")


async def read_form(request: Request) -> tuple[SearchForm, list[bytes]]:
    """The fields and the pictures of a multipart form."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise HTTPException(415, "send multipart/form-data")
    fields: dict[str, Any] = {}
    pictures: list[bytes] = []
    async with request.form(max_files=MAX_PICTURES, max_fields=128) as form:
        for name, value in form.multi_items():
            if not isinstance(value, str):
                if name != "image":
                    raise HTTPException(422, "pictures are called image")
                pictures.append(checked(await value.read()))
            elif name in _LISTS:
                fields.setdefault(name, []).append(value)
            else:
                fields[name] = value
    try:
        return SearchForm.model_validate(fields), pictures
    except ValidationError as error:
        wrong = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(wrong) from None


def checked(picture: bytes) -> bytes:
    """Return the picture, if its header says that it may be decoded. Raises QueryError if not."""
    with opened(picture, "the picture", UPLOADED, MAX_UPLOADED_PIXELS):
        return picture


def described() -> dict[str, Any]:
    """The OpenAPI description of the form."""
    schema = SearchForm.model_json_schema()
    one = {"type": "string", "format": "binary"}
    schema["properties"]["image"] = {"type": "array", "items": one, "maxItems": MAX_PICTURES}
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
