"""One request on its way through the page flow: what was asked, by whom, in which language."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import attrs

from parentauth._auth import ParentAuth
from parentauth._devices import REMEMBERED
from parentauth._inputs import checked_text
from parentauth._model import ChooseChild, Client, Dashboard, Landing, Present, SignedIn
from parentauth._next import safe_next
from parentauth._page_frame import Step
from parentauth._page_values import Cookie, CookieNames, Outcome, PageRequest, Redirect, Show
from parentauth._page_views import Views
from parentauth._texts import Catalogue, available, negotiate, texts
from parentauth.exceptions import InputError


@attrs.define
class Visit:
    """
    One request.

    Args:
        page: The page that was asked for.
        counted: Whether bad input is a failure of the client's; another site's form is none.
    """

    auth: ParentAuth
    cookies: CookieNames
    request: PageRequest
    page: str
    counted: bool = True
    _present: Present | None = None
    _resumed: bool = False

    # -- What was asked

    @property
    def posted(self) -> bool:
        """Tell whether a form was sent."""
        return self.request.method == "POST"

    @property
    def language_only(self) -> bool:
        """Tell whether the form is the language menu's."""
        return self.posted and "lang" in self.request.form

    def field(self, name: str) -> str:
        """
        Return a field of the form, empty where it is missing.

        Raises:
            InputError: It came twice, or is no text of a form.
        """
        try:
            return _single(self.request.form, name)
        except InputError:
            if self.counted:
                self.auth.count_bad_input(self.client)
            raise

    def asked(self, name: str) -> str:
        """Return a field of the form or, with GET, of the query."""
        return self.field(name) if self.posted else _single(self.request.query, name)

    def noted(self, notice: str) -> bool:
        """Tell whether a redirect of ours left *notice* in the query."""
        return _single(self.request.query, "notice") == notice

    @property
    def after(self) -> str:
        """Where to go after signing in, if that is a path of this site."""
        return safe_next(self.asked("next")) or ""

    # -- By whom, in which language

    @property
    def client(self) -> Client:
        """What the core knows of the visitor."""
        return client_of(self.request)

    @property
    def present(self) -> Present | None:
        """Who is signed in; read once."""
        if not self._resumed:
            self._present, self._resumed = self.auth.resume(self.request.session_id), True
        return self._present

    @property
    def texts(self) -> Catalogue:
        """The texts in the visitor's language: chosen, the account's, the browser's, the portal's."""
        chosen = self._chosen_language or self.request.language
        locale = self.present.parent.locale if self.request.session_id and self.present else None
        wishes = (chosen, locale, self.request.accept_language)
        return texts(negotiate(wishes, self.auth.locale))

    @property
    def views(self) -> Views:
        """The pages, in that language."""
        return Views(self.auth.school, self.auth.policy, self.request, self.texts)

    @property
    def _chosen_language(self) -> str | None:
        values = self.request.form.get("lang", ())
        return values[0] if len(values) == 1 and values[0] in available() else None

    # -- What to answer

    def cookie(self, name: str, value: str | None, age: timedelta | None = None) -> Cookie:
        """Return one of our cookies."""
        max_age = None if age is None else int(age.total_seconds())
        return Cookie(name, value, secure=self.cookies.secure, max_age=max_age)

    def with_language(self, outcome: Outcome) -> Outcome:
        """Remember the language that the menu's form chose."""
        chosen = self._chosen_language
        if chosen is None:
            return outcome
        cookie = self.cookie(self.cookies.language, chosen, REMEMBERED)
        return attrs.evolve(outcome, cookies=(*outcome.cookies, cookie))

    def landed(self, landing: Landing, after: str = "", *, flash: str = "") -> Redirect:
        """Go to where a signed-in parent goes, or to the page asked for before."""
        links = self.request.links
        if isinstance(landing, Dashboard):
            return Redirect(after or links.dashboard(landing.child), flash)
        if isinstance(landing, ChooseChild):
            return Redirect(links.page("children", next=after), flash)
        return Redirect(links.no_child() or links.page("children"), flash)

    def welcomed(self, signed_in: SignedIn, after: str = "", *, flash: str = "") -> Redirect:
        """Give the browser its session and remember the device."""
        cookies = (
            self.cookie(self.cookies.session, signed_in.session_id),
            self.cookie(self.cookies.device, signed_in.device, REMEMBERED),
        )
        return attrs.evolve(self.landed(signed_in.landing, after, flash=flash), cookies=cookies)

    def sent_to_login(self) -> Redirect:
        """Ask to sign in first, and come back."""
        links = self.request.links
        return Redirect(links.page("login", next=links.page(self.page)))

    @property
    def forgot_step(self) -> Step:
        """The way on when a password or token does not help."""
        return Step(self.texts("Forgotten password"), self.request.links.page("forgot"))

    @property
    def sign_in_step(self) -> Step:
        """The way on for who has a password."""
        return Step(self.texts("Signing in again"), self.request.links.page("login"))


def client_of(request: PageRequest) -> Client:
    """Return what the core knows of the visitor."""
    return Client(address=request.address, device=request.device, session_id=request.session_id)


def retry_after(outcome: Show, wait: timedelta | None) -> Show:
    """Say when it is worth trying again, if it ever is."""
    if wait is None:
        return outcome
    seconds = max(1, -(-wait // timedelta(seconds=1)))
    return attrs.evolve(outcome, headers={**outcome.headers, "Retry-After": str(seconds)})


def _single(fields: Mapping[str, Sequence[str]], name: str) -> str:
    values = fields.get(name, ())
    if len(values) > 1:
        # Two parsers may each take another of the two (OWASP ASVS 5.0, 15.3.7).
        raise InputError(f"{name} came more than once")
    return checked_text(values[0], name) if values else ""
