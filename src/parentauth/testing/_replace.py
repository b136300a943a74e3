# ruff: noqa: PLR2004, S101, SIM300  these are tests, with numbers, and expected == actual
"""What a storage's ``replace`` must do."""

import attrs
import pytest

from parentauth._model import ChildLink
from parentauth.exceptions import ConflictError, TakenError
from parentauth.ports import Account, Change, Death, Key, Storage
from parentauth.testing._samples import (
    LEASE,
    NOW,
    account,
    add,
    everything,
    intent,
    reread,
    session,
    token,
)

CLASHES = {
    "id": account("1", username="other", tokens=(), sessions=()),
    "username": account("9", username=" PARENT-1 "),
    "token": account("9", tokens=(token("9"), token("1"))),
    "session": account("9", sessions=(session("1"),)),
}


class ReplaceContract:
    """``replace``: every *after* and every intent, or nothing."""

    def test_replace_counts_versions(self, storage: Storage) -> None:
        """The storage counts the versions, whatever the *after* says."""
        [kept] = add(storage, account("1", version=41))
        storage.replace([Change(kept, attrs.evolve(kept, name="Ann", version=99))])

        assert 1 == kept.version
        assert 2 == reread(storage, kept).version

    def test_replace_nothing(self, storage: Storage) -> None:
        """An empty list changes nothing."""
        storage.replace([])

        assert ([], []) == everything(storage)

    def test_replace_children(self, storage: Storage) -> None:
        """Child links are replaced with their account, and keep their order."""
        [kept] = add(storage, account("1"))
        links = (ChildLink("c3", "Lou"), ChildLink("c1", "Noor", until=NOW), ChildLink("c2", "Max"))
        storage.replace([Change(kept, attrs.evolve(kept, children=links))])
        assert links == reread(storage, kept).children

        kept = reread(storage, kept)
        storage.replace([Change(kept, attrs.evolve(kept, children=()))])
        assert () == reread(storage, kept).children

    def test_replace_digests(self, storage: Storage) -> None:
        """The digest of a token or session that is gone finds nothing; a new one does."""
        [kept] = add(storage, account("1"))
        after = attrs.evolve(kept, tokens=(token("new"),), sessions=(session("new"),))
        storage.replace([Change(kept, after)])

        assert storage.account(Key.by_token(token("1").digest)) is None
        assert storage.account(Key.by_session(session("1").digest)) is None
        assert all(attrs.evolve(after, version=2) == storage.account(key) for key in after.keys)

    def test_replace_with_intents(self, storage: Storage) -> None:
        """Intents enter the outbox in the same step."""
        [kept] = add(storage, account("1"))
        storage.replace([Change(kept, kept, intents=[intent("a"), intent("b")])])

        assert {"a", "b"} == {row.intent.key for row in storage.outbox(None, 10)}

    def test_replace_with_waiting_intent(self, storage: Storage) -> None:
        """An intent whose key waits already is not kept, and the account is written."""
        [kept] = add(storage, account("1"))
        storage.enqueue([intent("a")])
        storage.replace([Change(kept, attrs.evolve(kept, name="Ann"), intents=[intent("a")])])

        assert 1 == len(storage.outbox(None, 10))
        assert "Ann" == reread(storage, kept).name

    # -- Compare and swap

    @pytest.mark.parametrize("erases", [False, True], ids=["change", "erasure"])
    def test_stale(self, storage: Storage, erases: bool) -> None:  # noqa: FBT001  a parameter
        """A *before* that was replaced meanwhile is a conflict, and nothing is written."""
        [stale] = add(storage, account("1"))
        storage.replace([Change(stale, attrs.evolve(stale, name="Ann"))])
        before = everything(storage)
        after = None if erases else attrs.evolve(stale, sessions=(session("late"),))

        with pytest.raises(ConflictError):
            storage.replace([Change(stale, after, intents=[intent("late")])])
        assert before == everything(storage)
        assert storage.account(Key.by_session(session("late").digest)) is None

    @pytest.mark.parametrize("erases", [False, True], ids=["change", "erasure"])
    def test_gone(self, storage: Storage, erases: bool) -> None:  # noqa: FBT001  a parameter
        """A *before* that was erased meanwhile is a conflict, and does not come back."""
        [gone] = add(storage, account("1"))
        storage.replace([Change(gone, None)])

        with pytest.raises(ConflictError):
            storage.replace([Change(gone, None if erases else gone, intents=[intent("late")])])
        assert ([], []) == everything(storage)

    def test_all_or_nothing(self, storage: Storage) -> None:
        """One conflict in a list, and no change, addition, erasure or intent is written."""
        kept = add(storage, *(account(str(number)) for number in range(5)))
        for stale in kept[2:3]:
            storage.replace([Change(stale, attrs.evolve(stale, name="Ann"))])
        before = everything(storage)
        changes = [
            Change(kept[0], attrs.evolve(kept[0], name="Lost"), intents=[intent("lost")]),
            Change(kept[1], None),
            Change(kept[2], attrs.evolve(kept[2], name="Lost")),
            Change(kept[3], attrs.evolve(kept[3], sessions=())),
            Change(None, account("new")),
        ]

        with pytest.raises(ConflictError):
            storage.replace(changes)
        assert before == everything(storage)

    # -- Keys in use

    @pytest.mark.parametrize("newcomer", CLASHES.values(), ids=CLASHES)
    def test_taken_by_addition(self, storage: Storage, newcomer: Account) -> None:
        """A new account takes no id, username or digest of another; nothing is written."""
        add(storage, account("1"))
        before = everything(storage)

        with pytest.raises(TakenError):
            storage.replace(
                [Change(None, account("8")), Change(None, newcomer, intents=[intent("lost")])]
            )
        assert before == everything(storage)

    @pytest.mark.parametrize("name", ["username", "token", "session"])
    def test_taken_by_change(self, storage: Storage, name: str) -> None:
        """An account takes no username or digest of another; nothing is written."""
        _, other, third = add(storage, account("1"), account("9"), account("3"))
        before = everything(storage)
        lost = Change(third, attrs.evolve(third, name="Lost"), intents=[intent("lost")])

        with pytest.raises(TakenError):
            storage.replace([lost, Change(other, CLASHES[name])])
        assert before == everything(storage)

    def test_taken_within_one_call(self, storage: Storage) -> None:
        """Two accounts of one call can't have one username."""
        changes = [Change(None, account(name, username="same")) for name in "ab"]

        with pytest.raises(TakenError):
            storage.replace(changes)
        assert ([], []) == everything(storage)

    def test_usernames_swapped(self, storage: Storage) -> None:
        """Accounts of one call may pass their usernames round."""
        kept = add(storage, account("1"), account("2"), account("3"))
        names = [each.username for each in (*kept[1:], kept[0])]
        storage.replace(
            [
                Change(each, attrs.evolve(each, username=name))
                for each, name in zip(kept, names, strict=True)
            ]
        )

        found = [storage.account(Key.by_username(name)) for name in names]
        assert ["1", "2", "3"] == [each and each.id for each in found]

    def test_username_inherited(self, storage: Storage) -> None:
        """A username that one account gives up, another one takes in the same call."""
        first, second = add(storage, account("1"), account("2"))
        storage.replace(
            [
                Change(None, account("new", username=first.username)),
                Change(first, None),
                Change(None, account("newer", username=second.username)),
                Change(second, attrs.evolve(second, username="renamed")),
            ]
        )

        names = [first.username, second.username, "renamed"]
        found = [storage.account(Key.by_username(name)) for name in names]
        assert ["new", "newer", "2"] == [each and each.id for each in found]

    def test_username_respelled(self, storage: Storage) -> None:
        """A username may change to another spelling of itself."""
        [kept] = add(storage, account("1", username="zoe"))
        storage.replace([Change(kept, attrs.evolve(kept, username="Zoe"))])

        assert "Zoe" == reread(storage, kept).username

    # -- Erasure

    def test_erased(self, storage: Storage) -> None:
        """Nothing finds an erased account, and the others stay."""
        gone, stays = add(storage, account("1"), account("2"))
        storage.replace([Change(gone, None)])

        assert all(storage.account(key) is None for key in gone.keys)
        assert [] == storage.accounts_by_email("parent-1@example.be")
        assert [stays] == list(storage.scan(None, 10))

    def test_erased_with_outbox(self, storage: Storage) -> None:
        """The account's outbox rows go with it: waiting, leased or dead; no other's."""
        gone, _ = add(storage, account("1"), account("2"))
        storage.enqueue([intent("dead", account_id="1")])
        [dead] = storage.claim(now=NOW, lease=LEASE, limit=1)
        storage.settle(dead=[Death(dead, NOW, "no such mailbox")])
        storage.enqueue([intent("leased", account_id="1")])
        storage.claim(now=NOW, lease=LEASE, limit=1)
        storage.enqueue([intent("waits", account_id="1"), intent("other", account_id="2")])
        storage.enqueue([intent("reset", address="parent-1@example.be")])
        storage.replace([Change(gone, None)])

        assert {"other", "reset"} == {row.intent.key for row in storage.outbox(None, 10)}

    def test_erased_then_added(self, storage: Storage) -> None:
        """All that an erased account held is free again, and begins anew."""
        [gone] = add(storage, account("1"))
        storage.enqueue([intent("a", account_id="1")])
        storage.replace([Change(gone, None)])
        storage.enqueue([intent("a", account_id="1")])

        assert [attrs.evolve(gone, version=1)] == add(storage, account("1"))
        assert 1 == len(storage.outbox(None, 10))
