"""Writing SVG: elements whose attributes are escaped and whose numbers are short."""

from __future__ import annotations

from html import escape


def element(name: str, /, *children: str, **attributes: str | float) -> str:
    """
    One element. In names of attributes `_` stands for `-` and a trailing one is dropped (`class_`).

    Children are markup: pass text through `text` or `title`.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def picture(width: float, height: float, label: str, *children: str) -> str:
    """A drawing that scales with the page; `label` says what it shows to those who cannot see it."""
    size = f"0 0 {width:.0f} {height:.0f}"
    return element("svg", *children, class_="picture", viewBox=size, role="img", aria_label=label)


def title(content: str) -> str:
    """What a pointer sees that rests on the parent."""
    return element("title", escape(content))


def text(content: str, x: float, y: float, class_: str, *more: str) -> str:
    """Text at a place; `more` is markup behind it."""
    return element("text", escape(content), *more, class_=class_, x=x, y=y)


def _value(value: str | float) -> str:
    return escape(value, quote=True) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
