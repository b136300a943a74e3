"""The school's data comes in: every row is checked before the first is written."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

import attrs

from parentauth import _families, _notices
from parentauth._canonical import email_key, username_key
from parentauth._events import EventKind
from parentauth._families import Family
from parentauth._model import Account, Key
from parentauth._parts import Parts, pages_of, until_current
from parentauth._texts import NAMES
from parentauth.exceptions import FamiliesError, TakenError
from parentauth.ports import Change

CHUNK = 500
STEP = 50


@attrs.frozen
class Saved:
    """
    What :meth:`parentauth.ParentAuth.save` did, or with ``dry_run`` would do, by account id.

    Args:
        unchanged: Parents whose data said nothing new.
        left: With ``complete``: parents who have no child any more.
        differences: What is new, one line each, for whoever checks it before it is done.
        look_alikes: Pairs of an added account and one that was there, with the same name and
            address; nothing is merged.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    left: tuple[str, ...] = ()
    differences: tuple[str, ...] = attrs.field(default=(), repr=False)
    look_alikes: tuple[tuple[str, str], ...] = ()


def save(parts: Parts, families: Iterable[Family], *, complete: bool, dry_run: bool) -> Saved:
    """Check every row before anything is written."""
    rows = list(families)
    found = _families.problems(rows, NAMES)
    if complete and not rows:
        found = ["there are no rows, and complete would end every child link; add the families"]
    if found:
        raise FamiliesError(found)
    parents = {family.id: family for family in _families.gathered(rows)}
    importer = _Importer(parts, parents, complete=complete)
    if dry_run:
        return importer.saved(importer.changes())
    try:
        return importer.write()
    except TakenError as error:
        # Somebody took a username between our look and our write.
        raise FamiliesError(["a username was taken meanwhile; import again"]) from error


@attrs.frozen
class _Importer:
    parts: Parts
    parents: Mapping[str, Family]
    complete: bool = attrs.field(kw_only=True)

    def write(self) -> Saved:
        """
        Write new parents and new usernames in one step, then the rest some at a time.

        Parents sign in meanwhile; in one step of thousands there would always be one who came
        in between.  Each small step is judged anew on the accounts as they are then.
        """
        changes = list(until_current(self._write_names))
        named = {after.id for _, after in _pairs(changes)}
        left = [account_id for account_id in self._all_ids() if account_id not in named]
        for start in range(0, len(left), STEP):
            changes += until_current(partial(self._write, left[start : start + STEP]))
        return self.saved(changes)

    def changes(self) -> Sequence[Change]:
        """Return what is new, on the accounts as they are now."""
        accounts = self._accounts(self._all_ids())
        self._refuse_clashes(accounts)
        return self._changes(accounts)

    def _write_names(self) -> Sequence[Change]:
        """Two parents may swap their usernames, which takes one step for both."""
        return self._replaced([change for change in self.changes() if _takes_name(change)])

    def _write(self, ids: Sequence[str]) -> Sequence[Change]:
        return self._replaced(self._changes(self._accounts(ids)))

    def _replaced(self, changes: Sequence[Change]) -> Sequence[Change]:
        if changes:
            self.parts.storage.replace(changes)
        now = self.parts.clock()
        for _, after in _pairs(changes):
            self.parts.tell(EventKind.FAMILY_SAVED, at=now, account_id=after.id)
        return changes

    def _changes(self, accounts: Mapping[str, Account | None]) -> list[Change]:
        """Return the changes of these accounts; None stands for one that is to be added."""
        now, pairs = self.parts.clock(), list[tuple[Account | None, Account]]()
        for account_id, before in accounts.items():
            family = self.parents.get(account_id)
            after = before
            if family is not None:
                after = _families.merged(before, family, now=now, complete=self.complete)
            if after is not None:
                pairs.append((before, self._ended(after, now) if self.complete else after))
        return [
            Change(before, after, _notices.of_change(before, after, now=now))
            for before, after in pairs
            if before != after
        ]

    def saved(self, changes: Sequence[Change]) -> Saved:
        """Sum up."""
        now, pairs = self.parts.clock(), _pairs(changes)
        added = [after for before, after in pairs if before is None]
        touched = {after.id for _, after in pairs}
        return Saved(
            added=tuple(account.id for account in added),
            changed=tuple(after.id for before, after in pairs if before is not None),
            unchanged=tuple(family_id for family_id in self.parents if family_id not in touched),
            left=tuple(
                after.id
                for before, after in pairs
                if before and before.has_child(now) and not after.has_child(now)
            ),
            differences=tuple(
                line for before, after in pairs for line in _families.differences(before, after)
            ),
            look_alikes=tuple(self._look_alikes(added)),
        )

    def _accounts(self, ids: Sequence[str]) -> Mapping[str, Account | None]:
        found = dict[str, Account]()
        for start in range(0, len(ids), CHUNK):
            found.update(self.parts.storage.accounts(ids[start : start + CHUNK]))
        return {account_id: found.get(account_id) for account_id in ids}

    def _all_ids(self) -> Sequence[str]:
        """Return whom it is about: the rows' parents, with *complete* all others, too."""
        if not self.complete:
            return list(self.parents)
        pages = pages_of(self.parts.storage)
        others = (account.id for page in pages for account in page)
        return [*self.parents, *(each for each in others if each not in self.parents)]

    def _ended(self, account: Account, now: datetime) -> Account:
        """End the links that the rows do not name; what has ended already stays as it is."""
        family = self.parents.get(account.id)
        named = {link.child_id for link in family.children} if family else set[str]()
        return _families.without_others(account, named, now=now)

    def _refuse_clashes(self, accounts: Mapping[str, Account | None]) -> None:
        """Look up each username that is new to its account."""
        holders = dict[str, Account]()
        for family in self.parents.values():
            key, account = username_key(family.username), accounts.get(family.id)
            if account is None or username_key(account.username) != key:
                holder = self.parts.storage.account(Key.by_username(family.username))
                if holder is not None:
                    holders[key] = holder
        found = _families.username_clashes(self.parents.values(), holders)
        if found:
            raise FamiliesError(found)

    def _look_alikes(self, added: Iterable[Account]) -> Iterable[tuple[str, str]]:
        for account in added:
            if account.email and account.name:
                for other in self.parts.storage.accounts_by_email(email_key(account.email)):
                    if other.id != account.id and other.name.casefold() == account.name.casefold():
                        yield account.id, other.id


def _takes_name(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or after is None:
        return True
    return username_key(before.username) != username_key(after.username)


def _pairs(changes: Iterable[Change]) -> list[tuple[Account | None, Account]]:
    return [(change.before, change.after) for change in changes if change.after is not None]
