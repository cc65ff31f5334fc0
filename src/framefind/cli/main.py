"""The command line: results on stdout, everything else on stderr; this file assembles it."""

import atexit
import gc
import signal
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Annotated

import typer

from framefind import __version__
from framefind.cli import failures, help, models, show, streams
from framefind.cli.config import config
from framefind.cli.doctor import doctor
from framefind.cli.evaluate import evaluate
from framefind.cli.export import export
from framefind.cli.index import index
from framefind.cli.maintain import maintain
from framefind.cli.mcp import mcp
from framefind.cli.prune import prune
from framefind.cli.remove import remove
from framefind.cli.restore import restore
from framefind.cli.search import search
from framefind.cli.serve import serve
from framefind.cli.status import status
from framefind.cli.videos import videos
from framefind.cli.watch import watch
from framefind.cli.words import words

_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    help.FIND: (index, watch, search, export, words, serve, mcp),
    help.MANAGE: (videos, status, config, remove, prune, restore, maintain),
    help.CHECK: (evaluate, doctor),
}

app = typer.Typer(
    name="framefind",
    cls=help.Group,
    help="Find the moment in your videos by what is in them.\n\n"
    '$ framefind index ~/Videos\n$ framefind search "a red motorcycle"',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(cls=help.Command, rich_help_panel=_panel)(_command)
app.add_typer(models.app, name="models", rich_help_panel=help.CHECK)


def main() -> None:
    """Run the command line and exit: 0 done, 1 error, 2 usage, 3 some videos failed."""
    warnings.filterwarnings("ignore", module="PIL")  # an unreadable image raises an error instead
    atexit.register(gc.freeze)  # the last search for cycles would take a tenth of a second
    streams.prepare()
    for name in ("SIGTERM", "SIGHUP"):  # the latter when the terminal is closed
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, _interrupt)
    with failures.explained(app):
        try:
            app()
        finally:
            streams.finish()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stop as Ctrl-C does, so that nothing half written stays."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # a shell ignores Ctrl-C for what it runs in the background
        raise KeyboardInterrupt
    handler(number, frame)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        show.print_line(f"framefind {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    pass
