"""`python -m framefind.cli`, the same as `framefind`."""

from framefind.cli import main

main()
