"""The command line: thin over `Library`, with results on stdout and everything else on stderr."""

import atexit
import gc
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from framefind import __version__
from framefind.cli import failures, show, streams, videos
from framefind.cli import models as models_command
from framefind.cli.options import (
    DeviceOption,
    JsonOption,
    LibraryOption,
    ModelOption,
    PrecisionOption,
)

app = typer.Typer(
    name="framefind",
    help="Find the moment in your videos by what is in them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(models_command.app, name="models")

_MINI = (
    "this library uses mini, our own small model: good for everyday scenes, sports, animals, "
    "vehicles and food in plain words; for fine distinctions choose one of `framefind models`"
)


def main() -> None:
    """Run the command line and exit: 0 done, 1 error, 2 usage, 3 some videos failed."""
    warnings.filterwarnings("ignore", module="PIL")  # what is wrong with a picture is an error's
    atexit.register(gc.freeze)  # to search all there is for cycles takes a tenth of a second
    streams.prepare()
    with failures.explained():
        try:
            app()
        finally:
            streams.finish()


def _version(wanted: bool) -> None:
    if wanted:
        show.out(f"framefind {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def index(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH…", help="Videos, or folders of them.")
    ] = None,
    library: LibraryOption = None,
    model: ModelOption = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    every: Annotated[
        float | None, typer.Option(metavar="S", help="A frame every S seconds (default: 1).")
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", help="N frames of each video.")] = None,
    random: Annotated[
        int | None,
        typer.Option(metavar="SEED", help="With --count: random ones, not evenly spread."),
    ] = None,
    keyframes: Annotated[
        bool, typer.Option("--keyframes", help="The video's own keyframes; fastest.")
    ] = False,
    shots: Annotated[bool, typer.Option("--shots", help="The first frame of every shot.")] = False,
    views: Annotated[
        str,
        typer.Option(metavar="NAME", help="whole, tiles, or SIZE/STEP patches such as 360/180."),
    ] = "tiles",
    glob: Annotated[
        list[str] | None, typer.Option(help="In folders, only files that match.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="In folders, not files that match.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed videos again.")] = False,
    reembed: Annotated[
        bool, typer.Option("--reembed", help="Move the whole library over to --model.")
    ] = False,
    dedupe: Annotated[
        bool,
        typer.Option("--dedupe", help="A frame that looks like the one before takes its vectors."),
    ] = False,
    decoder: Annotated[
        str, typer.Option(help="auto, cpu, or a device for decoding such as cuda.")
    ] = "auto",
    engine: Annotated[str, typer.Option(help="local or spark.")] = "local",
    master: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Spark's master: local[2], spark://…, yarn or k8s://…"),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="URI", help="Spark's checkpoint; else in the library.")
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(help="With Spark: available-now, or go on every 30s, 5m, …")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Say where the time of all cores went.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Index videos: only what is new or changed is decoded; run it again at any time."""
    from framefind.library import open

    if not paths and not reembed:
        show.usage("name the videos, or folders of them")
    if engine not in ("local", "spark"):
        show.usage("--engine is local or spark")
    if engine == "local" and (master or checkpoint or trigger):
        show.usage("--master, --checkpoint and --trigger go with --engine spark")
    if engine == "spark" and (reembed or dry_run or profile):
        show.usage("--reembed, --dry-run and --profile do not go with --engine spark")
    opened = open(library, device=device, precision=precision)
    if model:
        models_command.say_full_name(model)
    new = not opened.exists
    sampler = _sampler(every, count, random, keyframes, shots)
    choice: dict[str, Any] = {
        "sampler": sampler,
        "views": views,
        "glob": glob or (),
        "exclude": exclude or (),
        "retry": retry,
    }
    try:
        if dry_run:
            show.print_plan(opened.plan(paths or (), model=model, **choice), as_json)
            return
        how: dict[str, Any] = {"model": model, "dedupe": dedupe, "decoder": decoder, **choice}
        if engine == "spark":
            from framefind.cli import spark

            report = spark.index(opened, paths or [], master, checkpoint, trigger, how)
        else:
            with show.progress() as tell:
                if reembed:
                    report = opened.reembed(model or "mini", on_progress=tell)
                else:
                    report = opened.index(paths or (), on_progress=tell, **how)
    except KeyboardInterrupt:
        show.say("stopped; what was done is kept, run it again to go on")
        raise typer.Exit(130) from None
    show.print_report(report, as_json)
    if profile:
        show.print_profile(report)
    if new and report.frames and (model or "mini").startswith("mini"):
        show.say(_MINI)
    if report.failed:
        raise typer.Exit(3)


@app.command()
def search(
    query: Annotated[
        str | None, typer.Argument(help="What the moment shows, taken literally.")
    ] = None,
    library: LibraryOption = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PICTURE",
            help="A picture: path, URL or VIDEO@TIME of the library; with #X,Y,W,H a box of it.",
        ),
    ] = None,
    plus: Annotated[
        list[str] | None, typer.Option(help="Also this text; 2:text counts double.")
    ] = None,
    minus: Annotated[list[str] | None, typer.Option(help="Away from this text.")] = None,
    then: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only if this follows in the same video.")
    ] = None,
    within: Annotated[
        float, typer.Option(metavar="S", help="With --then: at most S seconds after the end.")
    ] = 10.0,
    batch: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A query per line; a JSON document per line comes out."),
    ] = None,
    limit: Annotated[int, typer.Option(help="Moments, or videos with --by video.")] = 10,
    offset: Annotated[int, typer.Option(help="How many to pass over.")] = 0,
    by: Annotated[str, typer.Option(help="moment or video.")] = "moment",
    rank: Annotated[str, typer.Option(help="With --by video: softmax, max or sum.")] = "softmax",
    min_score: Annotated[
        float | None, typer.Option(help="Only scores from here on (cosine × 100).")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Only confidence from here on (0 to 1).")
    ] = None,
    video: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only these videos: glob or folder.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From this time in the video.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Up to this time in the video.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="DATE", help="Videos modified at or after.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Videos modified before.")
    ] = None,
    min_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Videos at least so long.")
    ] = None,
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Videos at most so long.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a contact sheet, .jpg or .png.")
    ] = None,
    play: Annotated[
        bool, typer.Option("--open", help="Open the best moment in your player.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find moments: by text, by picture, or by a sum of several."""
    from framefind.arguments import parse_date
    from framefind.files.lines import read_lines
    from framefind.library import open
    from framefind.output.documents import document, tsv
    from framefind.search.query_vectors import Query

    if batch and (query or sheet or play):
        show.usage("--batch takes its queries from the file, and only prints")
    if query is None and not image and not plus and not batch:
        show.usage("nothing to search for: give a text, --image, --plus or --batch")
    times = [
        None if text is None else show.seconds(text)
        for text in (start, end, min_duration, max_duration)
    ]
    asked = Query(
        query,
        image=image,
        plus=plus or (),
        minus=minus or (),
        then=then,
        within=within,
        limit=limit,
        offset=offset,
        by=by,
        rank=rank,
        min_score=min_score,
        min_confidence=min_confidence,
        video=video or (),
        start=times[0],
        end=times[1],
        after=parse_date(after) if after else None,
        before=parse_date(before) if before else None,
        min_duration=times[2],
        max_duration=times[3],
    )
    opened = open(library, model=model, device=device)
    if batch:
        queries = [replace(asked, text=text.strip()) for _, text in read_lines(batch)]
        for one, page in zip(queries, opened.search_batch(queries), strict=True):
            show.out_json(document(page, one.document()), indent=None)
        return
    (page,) = opened.search_batch([asked])
    if as_json:
        show.out_json(document(page, asked.document()))
    elif sys.stdout.isatty():
        show.print_page(page)
    else:
        for line in tsv(page):
            show.out(line)
    for note in page.notes:
        show.say(note)
    if not page.total:
        show.say("no moment found")
    if sheet:
        show.write_sheet(opened, page, query or " ".join([*(image or ()), *(plus or ())]), sheet)
    if play and page.moments:
        from framefind.cli.player import play as start_player

        show.say(start_player(page.moments[0].path, page.moments[0].start))


for _command in (
    videos.videos,
    videos.status,
    videos.remove,
    videos.prune,
    videos.restore,
    videos.maintain,
):
    app.command()(_command)


@app.command()
def serve(
    library: LibraryOption = None,
    device: DeviceOption = "auto",
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 8000,
    show_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token, also on this computer.")
    ] = False,
    allow_root: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Index only what is below.")
    ] = None,
    host_name: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Answer to this name as well.")
    ] = None,
    refresh: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="See new videos within S seconds.")
    ] = 2.0,
) -> None:
    """Open a page to add folders, search and watch, with an HTTP API behind it."""
    from framefind.cli.serve import run
    from framefind.library import open

    run(
        open(library, device=device),
        host,
        port,
        token=token,
        names=host_name or (),
        roots=allow_root or (),
        refresh=refresh,
        show_page=show_page,
    )


@app.command()
def evaluate(
    captions: Annotated[
        Path, typer.Argument(metavar="CAPTIONS", help='JSON lines: {"video": …, "texts": […]}.')
    ],
    library: LibraryOption = None,
    device: DeviceOption = "auto",
    rank: Annotated[str, typer.Option(help="softmax, max or sum.")] = "softmax",
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the result, to a .png or .jpg.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how well captions find the videos, and moments, that they describe."""
    from framefind.library import open

    opened = open(library, device=device)
    quality = opened.evaluate(captions, rank=rank)
    if as_json:
        show.out_json(quality.document())
    else:
        for line in quality.lines():
            show.out(line)
    if picture:
        show.write_chart(opened, quality, picture)


@app.command()
def doctor(library: LibraryOption = None, device: DeviceOption = "auto") -> None:
    """Check that everything framefind needs works here; changes and downloads nothing."""
    from framefind.cli.doctor import examine

    troubles = 0
    for name, fine, said in examine(library, device):
        troubles += not fine
        show.out(f"{'ok  ' if fine else 'FAIL'}  {name:<10}  {said}")
    if troubles:
        raise typer.Exit(1)


def _sampler(
    every: float | None, count: int | None, random: int | None, keyframes: bool, shots: bool
) -> str:
    chosen = [every is not None, count is not None, keyframes, shots]
    if sum(chosen) > 1:
        show.usage("choose one of --every, --count, --keyframes, --shots")
    if random is not None and count is None:
        show.usage("--random goes with --count")
    if count is not None:
        return f"count={count}" + ("" if random is None else f",random={random}")
    if keyframes or shots:
        return "keyframes" if keyframes else "shots"
    return f"every={1.0 if every is None else every}"
