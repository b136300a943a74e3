# ruff: noqa: PLR2004, S101, SIM300  these are tests, with numbers, and expected == actual
"""What a storage's reads must do."""

import attrs
import pytest

from hypothesis import given, settings

from parentauth.ports import Account, Change, Key, Storage
from parentauth.testing import strategies
from parentauth.testing._samples import account, add, reread, session, token

EXAMPLES = settings(deadline=None, max_examples=25)

LOOK_ALIKES = [
    "1",
    "01",
    "1 ",
    " 1",
    "\uff11",
    "a",
    "A",
    "á",
    "mike",
    "mıke",
    "MIKE",
    "ss",
    "ß",
    "%",
    "_",
]


class AccountsContract:
    """Reads: what is written comes back whole, and only by its own keys."""

    @pytest.mark.parametrize(
        "key",
        [Key.by_id("7"), Key.by_username("7"), Key.by_token("7" * 64), Key.by_session("7" * 64)],
        ids=lambda key: key.kind.value,
    )
    def test_account_unknown(self, storage: Storage, key: Key) -> None:
        """A key that nobody has finds nothing."""
        add(storage, account("1"))

        assert storage.account(key) is None

    def test_account_by_each_key(self, storage: Storage) -> None:
        """Id, username, each token and each session find the same whole account."""
        both = account("1", tokens=(token("a"), token("b")), sessions=(session("a"), session("b")))
        [kept] = add(storage, both, account("2"))[:1]

        assert 6 == len(kept.keys)
        assert all(kept == storage.account(key) for key in kept.keys)

    def test_account_key_kinds_apart(self, storage: Storage) -> None:
        """A digest finds an account only as what it is: no token opens a session."""
        add(storage, account("1"))
        as_session = Key.by_session(token("1").digest)
        as_token = Key.by_token(session("1").digest)

        assert storage.account(as_session) is None
        assert storage.account(as_token) is None

    def test_round_trip(self, storage: Storage) -> None:
        """Every value of an account comes back equal, to the microsecond and the last blank."""

        @EXAMPLES
        @given(strategies.accounts())
        def comes_back(written: Account) -> None:
            [kept] = add(storage, written)
            try:
                assert attrs.evolve(written, version=1) == kept
            finally:
                storage.replace([Change(kept, None)])

        comes_back()

    def test_round_trip_of_change(self, storage: Storage) -> None:
        """An account that was replaced by any other value of itself is that value."""
        values = strategies.accounts()

        @EXAMPLES
        @given(values, values)
        def is_replaced(first: Account, second: Account) -> None:
            second = attrs.evolve(second, id=first.id)
            [kept] = add(storage, first)
            storage.replace([Change(kept, second)])
            try:
                assert attrs.evolve(second, version=2) == reread(storage, first)
            finally:
                storage.replace([Change(reread(storage, first), None)])

        is_replaced()

    def test_ids_compare_byte_for_byte(self, storage: Storage) -> None:
        """Ids that look alike, or that a collation folds, are different accounts."""
        add(storage, *(account(name, username=f"u{n}") for n, name in enumerate(LOOK_ALIKES)))

        assert LOOK_ALIKES == [reread(storage, account(name)).id for name in LOOK_ALIKES]
        assert set(LOOK_ALIKES) == set(storage.accounts(LOOK_ALIKES))

    def test_similar_ids_find_nothing(self, storage: Storage) -> None:
        """An id finds no account whose id only looks like it."""
        add(storage, account("1"), account("mike"))

        assert {} == storage.accounts(set(LOOK_ALIKES) - {"1", "mike"})

    def test_usernames_compare_by_canonical_form(self, storage: Storage) -> None:
        """A dotless i is another username; capitals and blanks are not."""
        add(storage, account("1", username="mike"), account("2", username="mıke"))

        found = [storage.account(Key.by_username(name)) for name in (" MIKE", "mıke", "m%", "m_ke")]
        assert ["1", "2", None, None] == [each and each.id for each in found]

    def test_addresses_compare_byte_for_byte(self, storage: Storage) -> None:
        """An address finds its own accounts only: no folding, no wildcard, no trimming."""
        locals_ = ["mike", "mıke", "m%", "m_ke", "%", "_", "mike+a"]
        add(storage, *(account(name, email=f"{name}@example.be") for name in locals_))

        for name in locals_:
            found = storage.accounts_by_email(f"{name}@example.be")
            assert [name] == [each.id for each in found]
        assert [] == storage.accounts_by_email("mike@example.be ")

    def test_accounts(self, storage: Storage) -> None:
        """Several ids give those accounts that exist, each once."""
        kept = add(storage, account("1"), account("2"), account("3"))

        assert {"1": kept[0], "3": kept[2]} == storage.accounts(["3", "1", "3", "unknown"])
        assert {} == storage.accounts([])

    def test_accounts_by_email(self, storage: Storage) -> None:
        """One address finds each account that has it, in order of id digest."""
        names = [str(number) for number in range(5)]
        add(storage, *(account(name, email="family@example.be") for name in names))
        add(storage, account("other"), account("none", email=None))

        found = storage.accounts_by_email("family@example.be")
        assert sorted(names, key=_id_digest) == [each.id for each in found]

    def test_accounts_by_email_after_change(self, storage: Storage) -> None:
        """An address that was given up finds nothing any more."""
        [kept] = add(storage, account("1", email="old@example.be"))
        storage.replace([Change(kept, attrs.evolve(kept, email=None))])

        assert [] == storage.accounts_by_email("old@example.be")

    def test_scan(self, storage: Storage) -> None:
        """Pages hold every account once, in order of id digest, whole."""
        kept = add(storage, *(account(str(number)) for number in range(7)))
        kept.sort(key=lambda each: _id_digest(each.id))

        pages: list[list[Account]] = []
        while page := list(storage.scan(pages[-1][-1].id if pages else None, 3)):
            pages.append(page)
        assert [kept[:3], kept[3:6], kept[6:]] == pages

    def test_scan_after_erasure(self, storage: Storage) -> None:
        """A page begins behind an account that is gone as if it were there."""
        kept = add(storage, *(account(str(number)) for number in range(4)))
        kept.sort(key=lambda each: _id_digest(each.id))
        storage.replace([Change(kept[1], None)])

        assert kept[2:] == list(storage.scan(kept[1].id, 10))

    def test_many_at_once(self, storage: Storage) -> None:
        """No list is too long for one call."""
        ids = [str(number) for number in range(1_200)]
        storage.replace([Change(None, account(each)) for each in ids])
        kept = storage.accounts(ids)
        storage.replace([Change(each, attrs.evolve(each, name="Ann")) for each in kept.values()])

        assert set(ids) == set(kept)
        assert {("Ann", 2)} == {(each.name, each.version) for each in storage.scan(None, 2_000)}


def _id_digest(account_id: str) -> str:
    return Key.by_id(account_id).digest
