"""
The page flow: which page follows which, with which message, status and cookie.

No framework and no I/O of its own: an adapter gives a :class:`PageRequest` and renders
what comes back.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import attrs

from parentauth import _page_children, _page_password, _page_sign_in
from parentauth import _page_words as words
from parentauth._auth import ParentAuth
from parentauth._clients import is_cross_site
from parentauth._model import Present
from parentauth._next import safe_next
from parentauth._page_frame import Problem, Step
from parentauth._page_values import CookieNames, Outcome, PageRequest, Redirect, Show
from parentauth._visit import Visit, client_of, retry_after
from parentauth.exceptions import BusyError, ConflictError, InputError

_FLOWS: Final[Mapping[str, Callable[[Visit], Outcome]]] = {
    "login": _page_sign_in.login,
    "token": _page_password.token,
    "password": _page_password.password,
    "password_change": _page_password.password_change,
    "forgot": _page_sign_in.forgot,
    "children": _page_children.children,
    "logout": _page_sign_in.logout,
    "well_known": _page_sign_in.well_known,
}
PAGES: Final = tuple(_FLOWS)
_GETS: Final = ("GET", "HEAD")
# What an adapter could not read: too large, or no form at all.
_UNREADABLE: Final = (400, 413)
_POST_ONLY: Final = ("logout",)
_GET_ONLY: Final = ("well_known",)


class Pages:
    """
    Answers the requests of one portal's pages.

    Args:
        auth: The library.
    """

    def __init__(self, auth: ParentAuth) -> None:
        self._auth = auth
        self.cookies: CookieNames = CookieNames(secure=auth.site.is_secure)

    def respond(self, page: str, request: PageRequest) -> Outcome:
        """
        Answer one request, whatever its method.

        Args:
            page: One of :data:`PAGES`.
        """
        if request.method not in _allowed(page):
            return self._not_allowed(request, _allowed(page))
        if request.method == "POST" and self._is_cross_site(request):
            return self.expired_form(page, request)
        return self._answered(self._visit(page, request), _FLOWS[page])

    def link(self, token: str, request: PageRequest) -> Outcome:
        """
        Answer the GET of a mailed link.

        Args:
            token: What the link's path carries.
        """
        if request.method not in _GETS:
            return self._not_allowed(request, _GETS)
        visit = self._visit("token", request)
        return self._answered(visit, lambda v: _page_password.link(v, token))

    def expired_form(self, page: str, request: PageRequest) -> Outcome:
        """
        Answer a form that CSRF protection refused: the same form anew, values kept.

        A method that no form has is told as such, whatever it carried.
        """
        if request.method != "POST":
            return self._not_allowed(request, _allowed(page) if page in PAGES else _GETS)
        self._auth.tell_csrf_refused(client_of(request))
        # Nothing of a refused form is done: it chooses no language either.
        form = {name: values for name, values in request.form.items() if name != "lang"}
        # A form may be sent to any address of ours, a mailed link's too.
        page = page if page in PAGES else "token"
        visit = self._visit(page, attrs.evolve(request, form=form), counted=False)
        return self._answered(visit, _expired)

    def error(self, request: PageRequest, status: int) -> Show:
        """Answer 404, 405, 500 and the like without jargon."""
        if status >= 500:  # noqa: PLR2004  HTTP's own number
            # What failed may be the storage: this page asks nothing of it.
            request = attrs.evolve(request, session_id=None)
        if status in _UNREADABLE and request.method == "POST" and not self._is_cross_site(request):
            self._auth.count_bad_input(client_of(request))
        visit = self._visit("login", request)
        message = words.error(visit.texts, status)
        return visit.views.error(message, status=status, steps=[visit.sign_in_step])

    def gate(
        self,
        request: PageRequest,
        present: Present | None,
        *,
        child: bool,
        after: str,
        child_id: object = None,
    ) -> Redirect | None:
        """
        Return where to send a visitor who may not see a host's page, or None: let in.

        Args:
            present: Who is signed in.
            child: The page needs to know the child, too.
            after: Where to come back to.
            child_id: The child that the page's own address names, or None.  Another than the
                present one leads to the present one's dashboard: an address is no permission.
        """
        links, after = request.links, safe_next(after) or ""
        if present is None:
            return Redirect(links.page("login", next=after))
        if child and present.child is None:
            return self._visit("children", request).landed(present.landing, after)
        if child and present.child is not None and child_id not in (None, present.child.id):
            return Redirect(links.dashboard(present.child))
        return None

    def band(self, request: PageRequest, present: Present | None) -> dict[str, str] | None:
        """Return what ``child_band.html`` shows at the top of a child's pages."""
        if present is None or present.child is None:
            return None
        t = self._visit("children", request).texts
        several = len(present.children) > 1
        return {
            "lang": t.locale,
            "text": t("You are signed in to the account of %(child)s", child=present.child.name),
            "back": t("Back to my children") if several else "",
            "back_href": request.links.page("children"),
        }

    def _not_allowed(self, request: PageRequest, allowed: Sequence[str]) -> Show:
        show = self.error(request, 405)
        return attrs.evolve(show, headers={"Allow": ", ".join(allowed)})

    def _is_cross_site(self, request: PageRequest) -> bool:
        return is_cross_site(
            fetch_site=request.fetch_site,
            origin=request.origin,
            host=request.host,
            base_url=self._auth.site.base_url,
        )

    def _visit(self, page: str, request: PageRequest, *, counted: bool = True) -> Visit:
        return Visit(self._auth, self.cookies, request, page, counted)

    def _answered(self, visit: Visit, flow: Callable[[Visit], Outcome]) -> Outcome:
        outcome: Outcome
        try:
            outcome = _menu_only(visit) or flow(visit)
        except InputError:
            outcome = visit.views.error(words.bad_input(visit.texts), status=400)
        except (BusyError, ConflictError) as error:
            # Who lost every race for an account is no worse off than who found no slot.
            wait = error.retry_after if isinstance(error, BusyError) else timedelta(seconds=1)
            show = visit.views.error(
                words.busy(visit.texts), status=503, steps=[visit.sign_in_step]
            )
            outcome = retry_after(show, wait)
        return visit.with_language(outcome)


def _allowed(page: str) -> tuple[str, ...]:
    if page in _POST_ONLY:
        return ("POST",)
    return _GETS if page in _GET_ONLY else (*_GETS, "POST")


# What the language menu's form may carry beside the language itself.
_CARRIED: Final = frozenset({"lang", "next", "notice"})


def _menu_only(visit: Visit) -> Outcome | None:
    """Answer the language menu of a page without values: the same page, by GET."""
    if not visit.language_only:
        return None
    csrf, _ = visit.request.csrf()
    if visit.request.form.keys() - _CARRIED - {csrf}:
        return None
    links = visit.request.links
    return Redirect(links.page(visit.page, next=visit.after, notice=visit.field("notice")))


def _expired(visit: Visit) -> Outcome:
    """Show the form again; nothing of it was done."""
    message = words.expired_form(visit.texts)
    problems, views = [Problem(message)], visit.views
    if visit.page == "login":
        return views.login(
            username=visit.field("username"), after=visit.after, problems=problems, status=403
        )
    if visit.page in ("token", "password"):
        return views.token(token=visit.field("token"), problems=problems, status=403)
    if visit.page == "forgot":
        return views.forgot(email=visit.field("email"), problems=problems, status=403)
    if visit.page == "password_change" and visit.present is not None:
        return _page_password.change_form(visit, *problems, status=403)
    step = Step(views.texts("Back to my children"), visit.request.links.page("children"))
    return views.error(message, status=403, steps=[step])
