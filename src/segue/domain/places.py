"""Where something stands in the user's code, as `file:line`."""

from __future__ import annotations

import functools
import inspect
import sys
from types import FrameType
from typing import Any


def function_behind(fn: Any) -> Any:
    """The function that runs when `fn` is called: of a partial, a method, or an object with `__call__`."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    if inspect.ismethod(fn):
        return fn.__func__
    return fn if inspect.isroutine(fn) else type(fn).__call__


def place_of(fn: Any) -> str:
    """Where a callable is defined; its module where that has no source."""
    function = inspect.unwrap(function_behind(fn))
    code = getattr(function, "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", None) or type(fn).__module__)
    return f"{code.co_filename}:{code.co_firstlineno}"


def user_frame() -> FrameType:
    """The innermost frame that is not in `segue.domain`: the line of the user's code that is running."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("segue.domain."):
        frame = frame.f_back
    return frame


def raised_at(error: BaseException, package: str) -> str:
    """The line of the user's code at which an error came out of a package of others."""
    place = user_place()
    traceback = error.__traceback__
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if not module.startswith((f"{package}.", "segue.domain.")):
            place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def user_place() -> str:
    """The line of the user's code that is running."""
    frame = user_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
