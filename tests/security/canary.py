"""A module that nobody imports: should it be, somebody ran what stood in a store."""

from pathlib import Path

Path("canary").touch()
