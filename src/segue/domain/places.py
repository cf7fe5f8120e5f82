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


def user_place() -> str:
    """The line of the user's code that is running."""
    frame = user_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
