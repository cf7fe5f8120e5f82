"""Asking git, safely: no network, no hooks, no programs that the reviewed repository's settings name."""

from __future__ import annotations

import os
import subprocess

_SAFE_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "log.showSignature=false",
)
_NO_REPOSITORY = "not a git repository"


class GitError(Exception):
    """Git is not installed, took too long or refused: the message says which, for the report."""


def git(folder: str, *arguments: str, timeout_seconds: float = 60.0) -> bytes:
    """
    Run one git command in `folder` and return its output. Raises `GitError`.

    The variables of the environment that redirect git (`GIT_DIR` and the like) are not passed on, and every
    transport is forbidden, so that a partial clone cannot fetch what it lacks.
    """
    settings = [word for setting in _SAFE_SETTINGS for word in ("-c", setting)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(  # noqa: S603  (no shell; the arguments are ours)
            ["git", "--no-pager", *settings, *arguments],  # noqa: S607  (the git that the user uses)
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git {arguments[0]} took longer than {timeout_seconds:.0f} s") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[0].removeprefix("fatal: ") if lines else f"git {arguments[0]} failed"
        raise GitError(_NO_REPOSITORY if reason.startswith(_NO_REPOSITORY) else reason)
    return done.stdout


def head_commit(folder: str) -> str | None:
    """The commit that is checked out, None before the first. Raises `GitError` outside a repository."""
    git(folder, "rev-parse", "--is-inside-work-tree")
    try:
        return git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode("ascii").strip()
    except GitError:
        return None
