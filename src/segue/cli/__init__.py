"""The command line: `segue`. Command bodies import what they need, so that `segue --help` is fast."""

from __future__ import annotations

from segue.cli.main import main

__all__ = ["main"]
