"""The library's messages speak of arguments, the command line of options."""

import ast
from pathlib import Path

import pytest
from typer.main import get_command

import framefind
from framefind.cli.failures import explained, list_options, name_options
from framefind.cli.main import app
from framefind.errors import UsageError

SOURCE = Path(framefind.__file__).parent
OPTIONS = list_options(get_command(app))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`min_score` nan: use a finite number", "--min-score nan: use a finite number"),
        ("`start` 9 comes after `end` 5", "--from 9 comes after --to 5"),
        ("`paths`: an empty name", "PATH: an empty name"),
        ("`names` '{x}': there is no {x}", "--names '{x}': there is no {x}"),
        ("give a text, `image` or `plus`", "give a text, --image or --plus"),
        ("`maintain()` deletes it", "`framefind maintain` deletes it"),
        ("with `reembed('a/b')`", "with `framefind index --reembed --model a/b`"),
        ("`delta.columnMapping.mode` = `none`", "`delta.columnMapping.mode` = `none`"),
        ("`framefind prune` forgets it", "`framefind prune` forgets it"),
    ],
)
def test_arguments_become_options(text: str, expected: str) -> None:
    assert name_options(text, OPTIONS) == expected


def test_an_error_of_the_library_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, explained(app):
        raise UsageError("`limit` must be at least 1")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "framefind: --limit must be at least 1\n"


def test_messages_of_the_library_name_no_options() -> None:
    """Only whole commands, such as `framefind prune --offline`, may; the server is one itself."""
    for file in sorted(SOURCE.rglob("*.py")):
        if file.relative_to(SOURCE).parts[0] in ("cli", "server"):
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and node.exc:
                texts = [
                    part.value for part in ast.walk(node.exc) if isinstance(part, ast.Constant)
                ]
                message = "".join(text for text in texts if isinstance(text, str))
                outside = "".join(message.split("`")[::2])
                assert " --" not in outside, f"{file}:{node.lineno}: {message}"
