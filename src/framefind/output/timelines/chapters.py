"""Chapters of a video, as SubRip and WebVTT: each moment with what it is, by time."""

from collections.abc import Iterator

from framefind.output.subtitles import write_srt as write_srt_cues
from framefind.output.subtitles import write_vtt as write_vtt_cues
from framefind.output.timelines.base import clip_title, describe
from framefind.output.timelines.timeline import Timeline
from framefind.types import Cue


def write_srt(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of a SubRip file, in the video's own time."""
    yield from write_srt_cues(_cues(timeline)).split("\n")


def write_vtt(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of a WebVTT file, in the video's own time."""
    yield from write_vtt_cues(_cues(timeline)).split("\n")


def _cues(timeline: Timeline) -> list[Cue]:
    moments = sorted((clip.moment for clip in timeline.clips), key=lambda moment: moment.start)
    return [
        Cue(moment.start, moment.end, f"{clip_title(moment)}\n{describe(moment)}", "subtitles")
        for moment in moments
    ]
