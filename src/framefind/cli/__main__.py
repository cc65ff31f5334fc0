"""`python -m framefind.cli`, the same as `framefind`."""

from framefind.cli.main import main

main()
