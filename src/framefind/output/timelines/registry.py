"""All timeline formats: for each, one file with a function `write` and one line here."""

from framefind.output.timelines import (
    chapters,
    edl,
    fcp7,
    fcpxml,
    m3u,
    markers,
    otio,
    resolve_edl,
    xspf,
)
from framefind.output.timelines.base import Edit, Playlist

PLAYLISTS: dict[str, Playlist] = {
    "m3u": Playlist(m3u.write, ".m3u8"),
    "xspf": Playlist(xspf.write, ".xspf"),
}

EDITS: dict[str, Edit] = {
    "otio": Edit(otio.write, ".otio"),
    "edl": Edit(edl.write, ".edl"),
    "fcpxml": Edit(fcpxml.write, ".fcpxml"),
    "fcp7": Edit(fcp7.write, ".xml"),
    "resolve-edl": Edit(resolve_edl.write, ".edl", marks=True),
    "resolve-csv": Edit(markers.write_resolve, ".csv", marks=True),
    "premiere-csv": Edit(markers.write_premiere, ".csv", marks=True),
    "srt": Edit(chapters.write_srt, ".srt", marks=True, in_seconds=True),
    "vtt": Edit(chapters.write_vtt, ".vtt", marks=True, in_seconds=True),
}
