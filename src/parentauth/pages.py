"""
The page flow, for the authors of framework adapters.

An adapter reads a :class:`PageRequest`, asks :class:`Pages` once, and renders the
:class:`Show` or answers the :class:`Redirect` that comes back, with :data:`HEADERS`.
"""

from pathlib import Path
from typing import Final

from parentauth._clients import client_address
from parentauth._links import HostLinks
from parentauth._next import asked_path
from parentauth._page_values import (
    HEADERS,
    Context,
    Cookie,
    CookieNames,
    Links,
    Outcome,
    PageRequest,
    Redirect,
    Show,
)
from parentauth._pages import PAGES, Pages

__all__ = [
    "HEADERS",
    "PAGES",
    "STATIC",
    "TEMPLATES",
    "Context",
    "Cookie",
    "CookieNames",
    "HostLinks",
    "Links",
    "Outcome",
    "PageRequest",
    "Pages",
    "Redirect",
    "Show",
    "asked_path",
    "client_address",
]

#: The folder that holds ``parentauth/<page>.html``, for Jinja2 and Django alike.
TEMPLATES: Final = Path(__file__).parent / "templates"
#: The folder that holds ``parentauth/parentauth.css`` and the like.
STATIC: Final = Path(__file__).parent / "static"
