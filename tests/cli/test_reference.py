"""The page of the command line knows every command, option and exit code."""

from pathlib import Path

import typer.main

from segue.cli.main import app
from segue.cli.output import EXIT_CODES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()


def test_every_command_and_option_is_explained() -> None:
    """Whatever `--help` offers has its place on the page."""
    group = typer.main.get_group(app)
    for name, command in group.commands.items():
        assert f"## `segue {name}" in PAGE
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("-") and option not in {"-h", "--help"}:
                    assert f"`{option}`" in PAGE or f"`{option} " in PAGE, f"{name} {option}"


def test_every_exit_code_is_explained() -> None:
    """The table of exit codes is that of `segue --help`."""
    for code, meaning in EXIT_CODES:
        assert f"| {code} | {meaning} |" in PAGE
