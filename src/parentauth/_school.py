"""The school's verbs: save families, invite, look where parents stand."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from parentauth import _families, _lifecycle, _notices, _selection
from parentauth._canonical import username_key
from parentauth._events import EventKind
from parentauth._families import Family
from parentauth._inputs import checked_text
from parentauth._model import Account, Key, Parent, Status
from parentauth._parts import Parts, until_current
from parentauth._texts import NAMES
from parentauth.exceptions import AccountNotFoundError, FamiliesError, TakenError
from parentauth.ports import Change, Storage

PAGE = 500
OnProgress = Callable[[int, int], None]


@attrs.frozen
class Saved:
    """
    What :meth:`parentauth.ParentAuth.save` did, by account id.

    Args:
        unchanged: Parents whose data said nothing new.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


def save(parts: Parts, families: Iterable[Family]) -> Saved:
    """Check every row, then write all of them or none."""
    rows = list(families)
    found = _families.problems(rows, NAMES)
    if found:
        raise FamiliesError(found)
    parents = _families.gathered(rows)

    def step() -> Saved:
        accounts = _accounts(parts, parents)
        _refuse_clashes(parts, parents, accounts)
        return _written(parts, parents, accounts)

    try:
        return until_current(step)
    except TakenError as error:
        # Somebody took a username between our look and our write.
        raise FamiliesError(["a username was taken meanwhile; import again"]) from error


def invite(parts: Parts, account_id: str, *, again: bool) -> None:
    """Put one invitation into the outbox."""
    account_id = checked_text(account_id, "id")
    if parts.storage.account(Key.by_id(account_id)) is None:
        raise AccountNotFoundError(f"no account has the id {account_id!r}")
    parts.storage.enqueue([_notices.invitation(account_id, again=again, now=parts.clock())])


def invite_all(parts: Parts, *, again: bool, on_progress: OnProgress | None) -> int:
    """Put an invitation into the outbox for everybody who needs one."""
    now = parts.clock()
    wanted = {Status.NOT_INVITED}
    if again:
        wanted |= {Status.WAITING, Status.EXPIRED}
    intents = [
        _notices.invitation(account.id, again=again, now=now)
        for page in pages_of(parts.storage)
        for account in page
        if _lifecycle.status_of(account, now=now) in wanted
    ]
    for done in range(0, len(intents), PAGE):
        parts.storage.enqueue(intents[done : done + PAGE])
        if on_progress is not None:
            on_progress(min(done + PAGE, len(intents)), len(intents))
    return len(intents)


def status(parts: Parts, account_id: str) -> Status:
    """Return where one parent stands."""
    account = parts.storage.account(Key.by_id(checked_text(account_id, "id")))
    if account is None:
        raise AccountNotFoundError(f"no account has the id {account_id!r}")
    return _lifecycle.status_of(account, now=parts.clock())


def status_counts(parts: Parts) -> Mapping[Status, int]:
    """Count the accounts by status."""
    now = parts.clock()
    counts = Counter(
        _lifecycle.status_of(account, now=now)
        for page in pages_of(parts.storage)
        for account in page
    )
    return {status: counts[status] for status in Status}


def find_parent(parts: Parts, username: str) -> Parent | None:
    """Look up one parent by username."""
    account = parts.storage.account(Key.by_username(checked_text(username, "username")))
    return None if account is None else _selection.parent_of(account)


def pages_of(storage: Storage) -> Iterator[Sequence[Account]]:
    """Give all accounts, page by page."""
    after: str | None = None
    while page := storage.scan(after, PAGE):
        yield page
        after = page[-1].id


def _accounts(parts: Parts, parents: Sequence[Family]) -> dict[str, Account]:
    accounts = dict[str, Account]()
    for start in range(0, len(parents), PAGE):
        ids = [family.id for family in parents[start : start + PAGE]]
        accounts.update(parts.storage.accounts(ids))
    return accounts


def _refuse_clashes(
    parts: Parts, parents: Sequence[Family], accounts: Mapping[str, Account]
) -> None:
    """Look up each username that is new to its account."""
    holders = dict[str, Account]()
    for family in parents:
        key, account = username_key(family.username), accounts.get(family.id)
        if account is None or username_key(account.username) != key:
            holder = parts.storage.account(Key.by_username(family.username))
            if holder is not None:
                holders[key] = holder
    found = _families.username_clashes(parents, holders)
    if found:
        raise FamiliesError(found)


def _written(parts: Parts, parents: Sequence[Family], accounts: Mapping[str, Account]) -> Saved:
    now = parts.clock()
    pairs = [
        (accounts.get(family.id), _families.merged(accounts.get(family.id), family, now=now))
        for family in parents
    ]
    changes = [Change(before, after) for before, after in pairs if before != after]
    if changes:
        parts.storage.replace(changes)
    for change in changes:
        if change.after is not None:
            parts.tell(EventKind.FAMILY_SAVED, at=now, account_id=change.after.id)
    return Saved(
        added=tuple(after.id for before, after in pairs if before is None),
        changed=tuple(after.id for before, after in pairs if before not in (None, after)),
        unchanged=tuple(after.id for before, after in pairs if before == after),
    )
