"""Queries: what is asked for; texts, images and weighted sums of them become one unit vector."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framefind import arguments
from framefind.errors import QueryError, UsageError
from framefind.files.names import openable_path
from framefind.index.text import TextIndex
from framefind.index.vectors import VectorIndex
from framefind.index.videos import IndexedVideo
from framefind.models.base import Model
from framefind.models.blank import embed_views
from framefind.models.vocabulary import find_foreign_words, is_cut, split_words
from framefind.search import query_images
from framefind.search.filters import Filters, VideoNames, names_of
from framefind.search.query_words import WordHits, find_words
from framefind.search.wording import unquote
from framefind.times import parse_time
from framefind.types import SEEN, Box, Crop, Image, Moment, Query
from framefind.video.views import WHOLE

_WEIGHT = re.compile(
    r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?):(?=.)",
    re.DOTALL | re.IGNORECASE,
)
_MAX_WEIGHT = 1e6  # of a term; beyond, the other terms no longer count


def as_queries(values: str | Query | Iterable[str | Query]) -> list[Query]:
    """Return one or several queries as a list; a text is a query with nothing else.

    Raises UsageError for anything else.
    """
    queries = []
    for query in arguments.several(values):
        if not isinstance(query, str | Query):
            raise UsageError(f"{query!r} is neither a text nor a Query")
        queries.append(Query(query) if isinstance(query, str) else query)
    return queries


@dataclass(frozen=True)
class Term:
    """One part of a sum: a text or a vector, and its weight (negative: away from it)."""

    value: str | NDArray[np.float32]
    weight: float = 1.0


def parse_term(text: str, sign: int) -> Term:
    """Read an entry of `plus` (sign 1) or `minus` (sign -1): `snow`, or `2:snow` for double.

    Raises UsageError for a weight that is no number from 0 to a million.
    """
    match = _WEIGHT.match(text)
    if match:
        try:
            arguments.number(float(match[1]), "weight", 0, _MAX_WEIGHT)
        except UsageError as error:
            name = "plus" if sign > 0 else "minus"
            raise UsageError(f"`{name}` {text!r}: {error}") from None
    weight, words = (float(match[1]), text[match.end() :]) if match else (1.0, text)
    return Term(words.strip(), sign * weight)


def list_terms(query: Query, embed: Callable[[Image], NDArray[np.float32]]) -> list[Term]:
    """Return the sum that a query asks for; `embed` embeds an image.

    Raises QueryError when there is nothing to search for.
    """
    texts = [] if query.text is None else [Term(unquote(query.text))]
    pictures = [Term(embed(image)) for image in query.images]
    more = [parse_term(entry, 1) for entry in query.plus]
    if not any(term.weight > 0 for term in (*texts, *pictures, *more)):
        raise QueryError("nothing to search for: give a text, `image` or `plus`")
    return texts + pictures + more + [parse_term(entry, -1) for entry in query.minus]


@dataclass(frozen=True)
class EmbeddedQuery:
    """A query ready to be searched for: its filters and its unit vector, float32 (dimensions,).

    `words` are the cues that hold its words, None where words have no part. `then` and
    `then_words` are those of what follows.
    """

    query: Query
    filters: Filters
    vector: NDArray[np.float32]
    then: NDArray[np.float32] | None = None
    words: WordHits | None = None
    then_words: WordHits | None = None


def embed_queries(
    queries: Sequence[Query],
    index: Callable[[], VectorIndex],
    names: Callable[[], VideoNames],
    text: Callable[[], TextIndex | None],
    model: Model,
) -> list[EmbeddedQuery]:
    """Embed queries, look up the videos that they name, and find cues that hold their words.

    All texts are embedded in one call; an image that several queries have, once. `index` is called
    for images only, which may be frames of it, `names` for names of videos only, and `text` for
    words only, of which it may have none. Raises QueryError when one of the queries is none, or
    names videos of which the library has none.
    """
    for query in queries:
        query.check()
    images: dict[Image, NDArray[np.float32]] = {}

    def embed_once(image: Image) -> NDArray[np.float32]:
        if image not in images:
            images[image] = embed_image(image, index(), model)
        return images[image]

    filters = _resolve_filters(queries, names)
    pairs = list(zip(queries, filters, strict=True))
    words = [find_words(query, query.text, passing, text, model) for query, passing in pairs]
    then_words = [find_words(query, query.then, passing, text, model) for query, passing in pairs]
    sums = [
        list_terms(query, embed_once) if _counts_pictures(hits) else []
        for query, hits in zip(queries, words, strict=True)
    ]
    thens = [
        [Term(unquote(query.then))] if query.then is not None and _counts_pictures(hits) else []
        for query, hits in zip(queries, then_words, strict=True)
    ]
    rows = embed([*sums, *thens], model)
    columns = (queries, filters, rows[: len(sums)], rows[len(sums) :], words, then_words)
    return [
        EmbeddedQuery(query, passing, row, None if query.then is None else then, hits, then_hits)
        for query, passing, row, then, hits, then_hits in zip(*columns, strict=True)
    ]


def _resolve_filters(queries: Sequence[Query], names: Callable[[], VideoNames]) -> list[Filters]:
    """Return the filters of each query; the videos of equal patterns are looked up once."""
    patterns = [tuple(arguments.texts(query.video, "video")) for query in queries]
    videos = {pattern: names().find_all(pattern) for pattern in {*patterns} if pattern}
    return [
        Filters.of(query, videos.get(pattern))
        for query, pattern in zip(queries, patterns, strict=True)
    ]


def _counts_pictures(hits: WordHits | None) -> bool:
    """Return whether pictures count beside the words that were found."""
    return hits is None or hits.is_seen


def embed(sums: Sequence[Sequence[Term]], model: Model) -> NDArray[np.float32]:
    """Add up each sum's terms, of unit length times their weights, to float32 unit rows (n, d).

    The row of a sum without terms is zero. Raises QueryError when the terms of a sum cancel out.
    """
    texts = [term.value for parts in sums for term in parts if isinstance(term.value, str)]
    texts = list(dict.fromkeys(texts))
    for text in texts:
        if not arguments.unicode(text).strip():
            raise QueryError("an empty text finds nothing: say what the moment shows")
        _check_words(text, model)
    vectors = dict(zip(texts, model.embed_texts(texts), strict=True)) if texts else {}
    totals = np.zeros((len(sums), model.dimensions), np.float32)
    for total, parts in zip(totals, sums, strict=True):
        for part in parts:
            vector = vectors[part.value] if isinstance(part.value, str) else part.value
            total += np.float32(part.weight) * vector
        length = float(np.linalg.norm(total))
        if parts and not length > 1e-6:
            names = [part.value for part in parts if isinstance(part.value, str)]
            raise QueryError(f"the parts of the query cancel each other out: {' '.join(names)}")
        total /= np.float32(length or 1)
    return totals


def _check_words(text: str, model: Model) -> None:
    """Raise QueryError when a model knows none of the words of a text."""
    words = split_words(model, text)
    if words.known:
        return
    if not words.unknown:
        raise QueryError(f"{text!r} holds no word: say what the moment shows")
    raise QueryError(
        f"{text!r}: {model.name} knows none of these words; use others, or a model that reads more "
        "languages, of those that `framefind models` lists"
    )


def list_notes(embedded: EmbeddedQuery, model: Model, has_words: bool) -> list[str]:
    """Return notes for the page of a query: what of it is in vain."""
    query = embedded.query
    hits = embedded.words
    if hits is not None and hits.must_occur and not has_words:
        return ["no words of this library's videos were read: `index` reads them (option `read`)"]
    if hits is not None and hits.must_occur and not hits.terms:
        return [f"no word of {query.text!r} could be said or written"]
    texts: list[str | None] = [*query.plus, *query.minus]
    if hits is None or (hits.is_seen and not hits.must_occur):
        texts = [query.text, *texts, query.then]
    notes = _note_vocabulary(model, [text for text in texts if text])
    if hits is not None and not hits.is_seen and _asks_for_pictures(query):
        searched = "only what is said and written was searched"
        return [f"{model.name} knows no word of this text: {searched}", *notes]
    return notes


def _asks_for_pictures(query: Query) -> bool:
    """Return whether pictures may answer a query's text: it has no quotes, and `in` allows them."""
    return unquote(query.text or "") == query.text and (not query.in_ or SEEN in query.in_)


def _note_vocabulary(model: Model, texts: Sequence[str]) -> list[str]:
    """Return notes about what a model does not read of some texts."""
    notes = []
    if unknown := [word for text in texts for word in split_words(model, text).unknown]:
        notes.append(f"{model.name} does not know: {', '.join(dict.fromkeys(unknown))}")
    if foreign := [word for text in texts for word in find_foreign_words(model, text)]:
        notes.append(
            f"{model.name} knows only English, which has no {', '.join(dict.fromkeys(foreign))}: "
            "say it in English, or use a model of `framefind models` that reads more languages"
        )
    if any(is_cut(model, text) for text in texts):
        notes.append(f"{model.name} reads only the beginning of a text this long")
    return notes


def embed_image(image: Image, index: VectorIndex, model: Model) -> NDArray[np.float32]:
    """Return the unit vector of an image, whole or of a box.

    A frame of the library uses the stored vector of the sampled frame shown then; a box of one is
    cut from that very frame, which is decoded again. Raises QueryError when there is no such
    image, and VideoError or StoreError when its video cannot be decoded or reached.
    """
    if isinstance(image, str):
        image = Crop.parse(image) or image
    of, box = (image.of, image.box) if isinstance(image, Crop) else (image, WHOLE)
    frame = _find_frame(of, index)
    if frame is None:
        assert not isinstance(of, Moment)
        pixels = query_images.read_image(of, box, model.size, model.resize)
    elif isinstance(image, Crop):
        from framefind.video.shown import frame as decode

        pixels = query_images.crop_frame(
            decode(openable_path(frame.video.paths), frame.t),
            box,
            model.size,
            model.resize,
        )
    else:
        return _read_stored(index, frame)
    return np.asarray(embed_views(model, pixels[np.newaxis])[0])


@dataclass(frozen=True)
class _Frame:
    """A frame of the library: its video, its time, and which of its views, if it matters."""

    video: IndexedVideo
    t: float
    box: Box | None = None


def _find_frame(image: str | Path | bytes | Moment, index: VectorIndex) -> _Frame | None:
    """Return the frame of the library that a Moment, or a text like `video@t`, names."""
    if isinstance(image, Moment):
        return _Frame(index.video(image.video_id), image.t, image.box)
    if not isinstance(image, str) or os.path.exists(os.path.expanduser(image)):
        return None
    name, _, time = image.rpartition("@")
    if name:
        with suppress(ValueError):
            t = parse_time(time)
            video = index.video(names_of(index).find(name))
            if video.duration is not None and t > video.duration:
                raise QueryError(f"{image}: past the end of the video at {video.duration:.3f} s")
            return _Frame(video, t)
    return None


def _read_stored(index: VectorIndex, frame: _Frame) -> NDArray[np.float32]:
    """Return the stored vector of the sampled frame: of the view with that box, or the first."""
    rows = index.rows(index.frame_at(frame.video.video_id, frame.t))
    index.check("vectors", rows)
    if frame.box is None:
        return np.asarray(index.vectors[rows.start], np.float32)
    distance = np.abs(index.boxes[rows] - np.asarray(frame.box, np.float32)).sum(axis=1)
    return np.asarray(index.vectors[rows.start + int(distance.argmin())], np.float32)
