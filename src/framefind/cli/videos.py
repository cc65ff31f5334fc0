"""`framefind videos`: list what a library holds."""

from dataclasses import asdict

from framefind.cli import show
from framefind.cli.options import JsonOption, LibraryOption, VideosArgument


def videos(
    names: VideosArgument = None, library: LibraryOption = None, as_json: JsonOption = False
) -> None:
    """List the videos of the library, with their status.

    $ framefind videos
    $ framefind videos "*film*" --json
    """
    from framefind.library import open
    from framefind.times import clock

    opened = open(library)
    rows = opened.videos(names or ())
    offline = opened.offline()
    if as_json:
        listed = [asdict(row) | {"offline": row.video_id in offline} for row in rows]
        return show.print_json({"schema": "framefind/videos/v1", "videos": listed})
    table = []
    for row in rows:
        size = f"{row.width}×{row.height}" if row.width else ""
        length = clock(row.duration) if row.duration is not None else ""
        root = offline.get(row.video_id)
        reasons = [row.error] if row.error else []
        reasons += [f"offline: {root.root}: {root.reason}"] if root else []
        table.append(
            (row.path, length, size, str(row.frames), str(row.cues), row.status, "; ".join(reasons))
        )
    columns = ("video", "length", "size", "frames", "cues", "status", "reason")
    show.print_table(columns, table)
    return None
