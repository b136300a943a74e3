"""
The school's data meets the accounts: matched by id alone, additive.

What is absent changes nothing; look-alikes are never merged.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

import attrs

from parentauth import _lifecycle
from parentauth._addresses import ADDRESS_MAX, read_address
from parentauth._canonical import USERNAME_MAX, username_key
from parentauth._model import Account, ChildLink
from parentauth.exceptions import AddressError

TEXT_MAX: Final = 200
# What the import's columns are called, and the account's fields.
_COLUMNS: Final = {
    "username": "username",
    "email": "email",
    "parent_name": "name",
    "locale": "locale",
}


@attrs.frozen
class Family:
    """
    What the school knows of one parent: the row of an import.

    Args:
        id: The school's own key for that person; the account's id.
        email: None or empty leaves an address that the account has.
        locale: None leaves the account's.
        children: Added to the account's, or updated there.
        place: Where it comes from ("line 12"), for error messages.
    """

    id: str
    username: str
    name: str = ""
    email: str | None = None
    locale: str | None = None
    children: tuple[ChildLink, ...] = ()
    place: str = attrs.field(default="", eq=False)


def merged(
    account: Account | None, family: Family, *, now: datetime, complete: bool = False
) -> Account:
    """
    Return the account with what *family* says; equal to *account* when nothing is new.

    Args:
        complete: The rows are all there is: a child that is named without dates has come
            back, where its link had ended.  Else an ended link stays so until a row says
            since when it is live again: it may have ended by a judge's decision.
    """
    account = account or Account(id=family.id, username=family.username)
    email = read_address(family.email) if family.email else account.email
    return attrs.evolve(
        _lifecycle.with_address(account, email, now=now),
        username=family.username.strip(),
        name=family.name or account.name,
        locale=family.locale or account.locale,
        children=_with_links(account.children, family.children, now if complete else None),
    )


def gathered(families: Iterable[Family]) -> list[Family]:
    """Put the rows of one parent together, in the order of their first row."""
    by_id: dict[str, Family] = {}
    for family in families:
        first = by_id.get(family.id)
        by_id[family.id] = family if first is None else _joined(first, family)
    return list(by_id.values())


def problems(families: Iterable[Family], locales: Iterable[str]) -> list[str]:
    """Return every problem of the rows, in the words of who must mend it."""
    known, found = frozenset(locales), list[str]()
    first_rows: dict[str, Family] = {}
    names: dict[str, Family] = {}
    links: dict[tuple[str, str], ChildLink] = {}
    for family in families:
        found += [f"{_place(family)}{problem}" for problem in _row_problems(family, known)]
        if not family.id:
            continue
        first = first_rows.setdefault(family.id, family)
        found += [f"{_place(family)}{problem}" for problem in _disagreements(first, family)]
        found += [
            f"{_place(family)}child {link.child_id!r} differs from an earlier row of parent "
            f"{family.id!r}; keep one of them"
            for link in family.children
            if link != links.setdefault((family.id, link.child_id), link)
        ]
        holder = names.setdefault(username_key(family.username), family)
        if family.username.strip() and holder.id != family.id:
            found.append(
                f"{_place(family)}username {family.username!r} is also that of parent "
                f"{holder.id!r}; give each parent a username of their own"
            )
    return found


def username_clashes(families: Iterable[Family], holders: Mapping[str, Account]) -> list[str]:
    """
    Return a problem for each username that an account outside these rows has.

    Args:
        holders: Accounts by canonical username.
    """
    rows = list(families)
    renamed = {family.id: username_key(family.username) for family in rows}
    found = []
    for family in rows:
        holder = holders.get(username_key(family.username))
        if holder is None or holder.id == family.id:
            continue
        if renamed.get(holder.id, username_key(holder.username)) == username_key(family.username):
            found.append(
                f"{_place(family)}username {family.username!r} belongs to account "
                f"{holder.id!r}; choose another"
            )
    return found


def without_others(account: Account, named: Collection[str], *, now: datetime) -> Account:
    """Return the account with every link ended at *now* whose child is not *named*."""
    children = tuple(
        link if link.child_id in named or link.has_ended(now) else attrs.evolve(link, until=now)
        for link in account.children
    )
    return attrs.evolve(account, children=children)


def differences(before: Account | None, after: Account) -> Iterable[str]:
    """Say what is new about one account, one line each."""
    if before is None:
        yield f"{after.id}: new parent {after.username}, {len(after.children)} children"
        return
    for label, field in _COLUMNS.items():
        one, other = getattr(before, field), getattr(after, field)
        if one != other:
            yield f"{after.id}: {label} {one or ''!r} becomes {other or ''!r}"
    known = {link.child_id: link for link in before.children}
    for link in after.children:
        if link.child_id not in known:
            yield f"{after.id}: child {link.child_id} is added"
        elif link != known[link.child_id]:
            yield f"{after.id}: child {link.child_id} changes"


def _row_problems(family: Family, locales: frozenset[str]) -> Iterable[str]:
    if not family.id:
        yield "parent_id is empty; give each parent the school's key for that person"
    if not family.username.strip():
        yield "username is empty; give each parent one"
    if len(family.username) > USERNAME_MAX:
        yield f"username is longer than {USERNAME_MAX} characters; shorten it"
    for label, text in (
        ("parent_id", family.id),
        ("username", family.username),
        ("parent_name", family.name),
    ):
        if not text.isprintable() or len(text) > TEXT_MAX:
            yield f"{label} is too long or has characters that can't be printed; remove them"
    if family.email:
        try:
            read_address(family.email)
        except AddressError:
            yield f"email {family.email[:ADDRESS_MAX]!r} is no e-mail address; correct it or leave it empty"
    if family.locale and family.locale not in locales:
        yield f"locale {family.locale!r} is unknown; use {', '.join(sorted(locales))} or nothing"
    for link in family.children:
        yield from _link_problems(link)


def _link_problems(link: ChildLink) -> Iterable[str]:
    if not link.child_id:
        yield "child_id is empty; give each child the school's key"
    if not link.name:
        yield "child_name is empty; give each child a name"
    for label, text in (
        ("child_id", link.child_id),
        ("child_name", link.name),
        ("class", link.school_class),
    ):
        if not text.isprintable() or len(text) > TEXT_MAX:
            yield f"{label} is too long or has characters that can't be printed; remove them"
    if any(day is not None and day.tzinfo is None for day in (link.since, link.until)):
        yield "since and until need a time zone; use datetimes with tzinfo"
    elif link.since and link.until and link.since >= link.until:
        yield "until is not after since; correct one of them"


def _disagreements(first: Family, family: Family) -> Iterable[str]:
    for label, field in _COLUMNS.items():
        one, other = getattr(first, field), getattr(family, field)
        if (one or "") != (other or ""):
            yield (
                f"{label} {other or ''!r} differs from {one or ''!r} in an earlier row of "
                f"parent {family.id!r}; make them equal"
            )


def _joined(first: Family, family: Family) -> Family:
    return attrs.evolve(first, children=_with_links(first.children, family.children))


def _with_links(
    present: tuple[ChildLink, ...], new: tuple[ChildLink, ...], reopened_at: datetime | None = None
) -> tuple[ChildLink, ...]:
    links = {link.child_id: link for link in present}
    for link in new:
        known = links.get(link.child_id)
        links[link.child_id] = link if known is None else _updated(known, link, reopened_at)
    return tuple(links.values())


def _updated(known: ChildLink, link: ChildLink, reopened_at: datetime | None) -> ChildLink:
    """Take over what the row says; what it leaves empty changes nothing."""
    since, until = link.since, link.until
    if since is None:
        since, until = known.since, until or known.until
        if link.until is None and known.has_ended(reopened_at):
            until = None
    return attrs.evolve(
        link, school_class=link.school_class or known.school_class, since=since, until=until
    )


def _place(family: Family) -> str:
    return f"{family.place}: " if family.place else ""
