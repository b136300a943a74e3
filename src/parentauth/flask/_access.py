"""Who is signed in, for the host's own views and templates."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from flask import Response, after_this_request, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from werkzeug.local import LocalProxy

from parentauth import Child, Parent, Present
from parentauth.flask._state import page_request, session_id_of, state_of
from parentauth.pages import asked_path

P = ParamSpec("P")
R = TypeVar("R", bound=ResponseReturnValue)
_ON_G = "_parentauth"


def current_present() -> Present | None:
    """Return who is signed in on this request, read once for each session, or None."""
    state = state_of()
    session_id = session_id_of(request, state)
    known: tuple[str | None, Present | None] | None = g.get(_ON_G)
    if known is None or known[0] != session_id:
        # Not on g alone: an outer context of the host's may outlive the request.
        known = session_id, state.auth.resume(session_id)
        setattr(g, _ON_G, known)
        after_this_request(_keep_private)
    return known[1]


def _keep_private(response: Response) -> Response:
    """What a page shows depends on who is signed in: no cache may give it to another."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("Cookie")
    return response


def _parent() -> Parent | None:
    present = current_present()
    return present.parent if present else None


def _child() -> Child | None:
    present = current_present()
    return present.child if present else None


#: The signed-in :class:`parentauth.Parent`; false where there is none.
current_parent: Parent = cast("Parent", LocalProxy(_parent))
#: The :class:`parentauth.Child` whose pages are open; false where there is none.
current_child: Child = cast("Child", LocalProxy(_child))


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
            child_id=kwargs.get("child_id"),
            # A form that was sent can't be sent again by coming back.
            after=asked_path(request.root_path + request.path, request.query_string)
            if request.method == "GET"
            else "",
        )
        return view(*args, **kwargs) if away is None else redirect(away.location, code=303)

    return guarded


def template_context() -> dict[str, Any]:
    """Give every template ``current_parent``, ``current_child``, the child's ``band`` and ``csrf_token``."""
    return {
        "current_parent": current_parent,
        "current_child": current_child,
        "band": LocalProxy(_band),
        # As Flask-WTF's own, for hosts' forms where it is not switched on.
        "csrf_token": generate_csrf,
    }


def _band() -> dict[str, str] | None:
    state = state_of()
    return state.pages.band(page_request(request, state), current_present())
