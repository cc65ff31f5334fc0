"""`framefind doctor`: check that everything that framefind needs works on this machine."""

import typer

from framefind.cli import show
from framefind.cli.options import DeviceOption, LibraryOption


def doctor(library: LibraryOption = None, device: DeviceOption = "auto") -> None:
    """Check that everything framefind needs works here.

    Nothing is downloaded. Videos and libraries are not changed; only caches may be written.

    $ framefind doctor
    """
    from framefind.cli.checks import run_checks

    has_trouble = False
    for name, passed, text in run_checks(library, device):
        has_trouble = has_trouble or not passed
        show.print_line(f"{'ok  ' if passed else 'FAIL'}  {name:<10}  {text}")
    if has_trouble:
        raise typer.Exit(1)
