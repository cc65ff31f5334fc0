"""All samplers, and how one is read by its name."""

from framefind.errors import UsageError
from framefind.video.samplers.base import Sampler
from framefind.video.samplers.count import Count
from framefind.video.samplers.every import Every
from framefind.video.samplers.keyframes import Keyframes
from framefind.video.samplers.shots import Shots

SAMPLERS: tuple[type[Sampler], ...] = (
    Every,
    Count,
    Keyframes,
    Shots,
)


def parse_sampler(name: str) -> Sampler:
    """Read the name of a sampler, such as `every=1`. Raises UsageError for any other name."""
    name = str(name)
    for sampler in SAMPLERS:
        if parsed := sampler.parse(name):
            return parsed
    *usages, last = (sampler.usage for sampler in SAMPLERS)
    raise UsageError(f"sampler {name!r}: use {', '.join(usages)} or {last}")
