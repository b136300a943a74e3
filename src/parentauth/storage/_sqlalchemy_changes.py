"""A list of changes, taken apart into the rows that SQL writes."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

import attrs

from parentauth._documents import dump
from parentauth.ports import Account, Change, Key, address_digest

SCALARS: Final = (
    "id",
    "username",
    "name",
    "email",
    "locale",
    "password_hash",
    "active",
    "invited_at",
    "invited_until",
    "connected_at",
    "last_sign_in_at",
)

LINK: Final = ("child_id", "name", "school_class", "since", "until")


def id_key(account_id: str) -> str:
    """Return what an account's id is looked up by."""
    return Key.by_id(account_id).digest


@attrs.frozen
class Steps:
    """
    What a list of changes asks for, in order of id key.

    Args:
        changed: The changes whose *before* must still be current, erasures too.
        kept: The changes of accounts that exist before and after.
        erased: The id keys of the accounts that go.
    """

    changed: Sequence[tuple[Account, Account | None]]
    kept: Sequence[tuple[Account, Account]]
    added: Sequence[Account]
    erased: Sequence[str]

    @classmethod
    def of(cls, changes: Sequence[Change]) -> "Steps":
        """Sort *changes* by what they ask for."""
        changed = [(change.before, change.after) for change in changes if change.before]
        changed.sort(key=lambda step: id_key(step[0].id))
        added = [change.after for change in changes if change.after and not change.before]
        return cls(
            changed=changed,
            kept=[(before, after) for before, after in changed if after],
            added=sorted(added, key=lambda after: id_key(after.id)),
            erased=[id_key(before.id) for before, after in changed if not after],
        )

    def guards(self) -> list[dict[str, Any]]:
        """Return the rows that must still be current, as they become."""
        rows: list[dict[str, Any]] = []
        for before, after in self.changed:
            row = _account_row(after or before, version=before.version + 1)
            if after is None or _username_key(before) != _username_key(after):
                row["username_key"] = None
            guard = {"guarded_key": id_key(before.id), "guarded_version": before.version}
            rows.append(row | guard)
        return rows

    def renames(self) -> list[dict[str, Any]]:
        """Return the usernames that were given up first, so that they can be swapped."""
        return [
            {"guarded_key": id_key(after.id), "username_key": _username_key(after)}
            for before, after in self.kept
            if _username_key(before) != _username_key(after)
        ]

    def additions(self) -> list[dict[str, Any]]:
        """Return the rows of new accounts."""
        return [_account_row(after, version=1) for after in self.added]

    def old_keys(self) -> list[str]:
        """Return the digests that find nothing any more."""
        return [
            key.digest for before, after in self.kept for key in _digests(before) - _digests(after)
        ]

    def new_keys(self) -> list[dict[str, Any]]:
        """Return the rows of digests that are new."""
        new = [(after, _digests(after) - _digests(before)) for before, after in self.kept]
        new += [(after, _digests(after)) for after in self.added]
        rows = [
            {"digest": key.digest, "id_key": id_key(after.id), "kind": key.kind.value}
            for after, keys in new
            for key in keys
        ]
        return sorted(rows, key=itemgetter("digest"))

    def old_children(self) -> list[str]:
        """Return whose child links are written anew."""
        return [
            id_key(after.id) for before, after in self.kept if before.children != after.children
        ]

    def new_children(self) -> list[dict[str, Any]]:
        """Return the rows of child links, where they changed."""
        new = [after for before, after in self.kept if before.children != after.children]
        return [
            {"id_key": id_key(after.id), "position": position}
            | {name: getattr(child, name) for name in LINK}
            for after in (*new, *self.added)
            for position, child in enumerate(after.children)
        ]


def _digests(account: Account) -> set[Key]:
    tokens = {Key.by_token(token.digest) for token in account.tokens}
    return tokens | {Key.by_session(session.digest) for session in account.sessions}


def _username_key(account: Account) -> str:
    return Key.by_username(account.username).digest


def _account_row(account: Account, *, version: int) -> dict[str, Any]:
    return {name: getattr(account, name) for name in SCALARS} | {
        "id_key": id_key(account.id),
        "username_key": _username_key(account),
        "email_key": None if account.email is None else address_digest(account.email),
        "document": dump(account),
        "version": version,
    }
