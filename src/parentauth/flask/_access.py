"""Who is signed in, for the host's own views and templates."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast
from urllib.parse import quote

from flask import g, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.local import LocalProxy

from parentauth import Child, Parent, Present
from parentauth.flask._state import page_request, session_id_of, state_of

P = ParamSpec("P")
R = TypeVar("R", bound=ResponseReturnValue)
_ON_G = "_parentauth"
# What a path may hold as it is (RFC 3986, 3.3).
_PATH: Final = "!$&'()*+,/:;=@"


def current_present() -> Present | None:
    """Return who is signed in on this request, read once, or None."""
    if _ON_G not in g:
        state = state_of()
        setattr(g, _ON_G, state.auth.resume(session_id_of(request, state)))
    present: Present | None = getattr(g, _ON_G)
    return present


def _parent() -> Parent | None:
    present = current_present()
    return present.parent if present else None


def _child() -> Child | None:
    present = current_present()
    return present.child if present else None


#: The signed-in :class:`parentauth.Parent`; false where there is none.
current_parent = cast("Parent", LocalProxy(_parent))
#: The :class:`parentauth.Child` whose pages are open; false where there is none.
current_child = cast("Child", LocalProxy(_child))


def parent_required(view: Callable[P, R]) -> Callable[P, R | ResponseReturnValue]:
    """Let only a signed-in parent in; others sign in first and come back."""
    return _gated(view, child=False)


def child_required(view: Callable[P, R]) -> Callable[P, R | ResponseReturnValue]:
    """Let only a parent in whose child is known; others pick one first and come back."""
    return _gated(view, child=True)


def _gated(view: Callable[P, R], *, child: bool) -> Callable[P, R | ResponseReturnValue]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | ResponseReturnValue:
        state = state_of()
        away = state.pages.gate(
            page_request(request, state),
            current_present(),
            child=child,
            # A form that was sent can't be sent again by coming back.
            after=_asked() if request.method == "GET" else "",
        )
        return view(*args, **kwargs) if away is None else redirect(away.location, code=303)

    return guarded


def _asked() -> str:
    """Return the path and query asked for: below the mount, and in ASCII as a browser wrote it."""
    path = quote(request.root_path + request.path, safe=_PATH)
    query = quote(request.query_string, safe=f"{_PATH}?%")
    return f"{path}?{query}" if query else path


def template_context() -> dict[str, Any]:
    """Give every template ``current_parent``, ``current_child`` and the child's ``band``."""
    return {
        "current_parent": current_parent,
        "current_child": current_child,
        "band": LocalProxy(_band),
    }


def _band() -> dict[str, str] | None:
    state = state_of()
    return state.pages.band(page_request(request, state), current_present())
