"""The options of `index`, parsed and checked once, before anything is opened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from framefind.arguments import number, texts
from framefind.files.config import Setting
from framefind.indexing.reading import Reading, parse_readings
from framefind.types import PathLike
from framefind.video.open import find_hwaccel
from framefind.video.samplers import Sampler, parse_sampler
from framefind.video.views import MAX_DUPLICATE_CHANGE, Views


@dataclass(frozen=True)
class IndexOptions:
    """What `index` does with every file.

    `glob` and `exclude` choose files in folders, `retry` takes videos that failed before. A frame
    that looks like the one before it, by the bound `dedupe` (0: none does), takes its vectors.
    `decoder` is `auto`, `cpu` or a device of PyAV's. `read` are the words that are read.
    """

    sampler: Sampler
    views: Views
    glob: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    retry: bool = False
    dedupe: float = 0.0
    decoder: str = "auto"
    read: tuple[Reading, ...] = ()

    @classmethod
    def parse(
        cls,
        *,
        sampler: str = "every=1.0",
        views: str = "tiles",
        glob: PathLike | Iterable[PathLike] = (),
        exclude: PathLike | Iterable[PathLike] | None = None,
        retry: bool = False,
        dedupe: bool | float = False,
        decoder: str = "auto",
        read: str | Iterable[str] | None = None,
    ) -> "IndexOptions":
        """Read the options as users give them; `dedupe=True` is the usual bound.

        `Library.index`, `Library.plan`, `spark.index` and the command line have these arguments
        with these defaults. Raises UsageError.
        """
        if not isinstance(dedupe, bool):
            number(dedupe, "dedupe", 0, 255)
        find_hwaccel(decoder)
        return cls(
            sampler=parse_sampler(sampler),
            views=Views.parse(views),
            glob=tuple(texts(glob, "glob")),
            exclude=tuple(texts(exclude, "exclude")),
            retry=retry,
            dedupe=MAX_DUPLICATE_CHANGE if dedupe is True else float(dedupe),
            decoder=decoder,
            read=parse_readings(read),
        )

    @classmethod
    def pick(cls, arguments: dict[str, Any], settings: Mapping[str, Setting]) -> "IndexOptions":
        """Parse those of a function's arguments that are options, by their names.

        What was chosen of `exclude` and `read` stands in for None.
        """
        names = [field.name for field in fields(cls)]
        chosen = {name: arguments[name] for name in names if name in arguments}
        if chosen.get("exclude") is None:
            chosen["exclude"] = settings["exclude"].value
        if chosen.get("read") is None:
            chosen["read"] = settings["read"].value
            with settings["read"].blamed():
                parse_readings(chosen["read"])
        return cls.parse(**chosen)
