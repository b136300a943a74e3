"""The page on which a parent of several children picks one."""

from parentauth import _page_words as words
from parentauth._page_values import Outcome
from parentauth._visit import Visit
from parentauth.exceptions import ChildRejectedError, NotSignedInError


def children(visit: Visit) -> Outcome:
    """Show the children; with one child there is nothing to pick."""
    present = visit.present
    if present is None:
        return visit.sent_to_login()
    if visit.posted and not visit.language_only:
        return _picked(visit)
    several = len(present.children) > 1
    at_home = not present.children and visit.request.links.no_child() is None
    if several or at_home:
        return visit.views.children(present, after=visit.after)
    return visit.landed(present.landing, visit.after)


def _picked(visit: Visit) -> Outcome:
    try:
        present = visit.auth.select_child(visit.request.session_id or "", visit.field("child"))
    except NotSignedInError:
        return visit.sent_to_login()
    except ChildRejectedError:
        return visit.views.error(words.error(visit.texts, 404), status=404)
    return visit.landed(present.landing, visit.after)
