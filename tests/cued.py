"""Libraries with cues, for tests that need them without subtitles or speech."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import framefind
from framefind.tables.rows import CueRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import Cue


def add_cues(library: framefind.Library, name: str, cues: Sequence[Cue]) -> str:
    """Publish cues of the video with that file name; return its id."""
    tables = Tables.open(library.uri)
    (row,) = [row for row in tables.videos() if row.path.endswith(name)]
    rows = []
    segments = []
    for source, own in groupby(sorted(cues, key=lambda cue: cue.source), lambda cue: cue.source):
        segments.append(new_segment(source))
        rows += [CueRow(row.video_id, segments[-1], cue) for cue in own]
    row = replace(row, cues=len(cues), cue_segments=segments)
    tables.publish(videos=[row], cues=tables.write_cues(rows))
    return row.video_id
