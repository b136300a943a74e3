# ruff: noqa: PLR2004, S101, SIM300  these are tests, with numbers, and expected == actual
"""What a storage's outbox must do."""

from datetime import datetime

import pytest

from hypothesis import given

from parentauth.ports import Change, Claim, Death, Delay, Intent, OutboxRow, Storage
from parentauth.testing import strategies
from parentauth.testing._accounts import EXAMPLES
from parentauth.testing._samples import LEASE, NOW, SECOND, account, add, intent


def claim_all(storage: Storage, now: datetime = NOW) -> list[Claim]:
    """Claim all that is due."""
    return list(storage.claim(now=now, lease=LEASE, limit=10_000))


def rows(storage: Storage) -> list[OutboxRow]:
    """Return the whole outbox."""
    return list(storage.outbox(None, 10_000))


def keys(storage: Storage) -> list[str]:
    """Return the keys of all rows."""
    return sorted(row.intent.key for row in rows(storage))


class OutboxContract:
    """The outbox: a key waits once, a row has one holder, a lost lease is ignored."""

    # -- Keys

    def test_intent_round_trip(self, storage: Storage) -> None:
        """Every value of an intent comes back equal."""

        @EXAMPLES
        @given(strategies.intents())
        def comes_back(written: Intent) -> None:
            storage.enqueue([written])
            [claim] = claim_all(storage, now=written.due)
            storage.settle(done=[claim])
            assert written == claim.intent

        comes_back()

    def test_enqueue_once(self, storage: Storage) -> None:
        """A key that waits is kept once, the first; keys compare byte for byte."""
        storage.enqueue([intent("a"), intent("a", due=NOW + SECOND), intent("A"), intent("a ")])
        storage.enqueue([intent("a", account_id="1")])

        assert ["A", "a", "a "] == keys(storage)
        assert intent("a") in {row.intent for row in rows(storage)}

    def test_enqueue_many(self, storage: Storage) -> None:
        """Thousands enter in one call, from any iterable, duplicates far apart included."""
        storage.enqueue(intent(f"key-{number % 2_500}") for number in range(5_000))

        assert 2_500 == len(rows(storage))

    def test_enqueue_nothing(self, storage: Storage) -> None:
        """No intents, no claims, no rows: nothing happens."""
        storage.enqueue([])
        storage.settle()
        storage.drop([], now=NOW)

        assert [] == rows(storage)
        assert [] == claim_all(storage)

    def test_key_free_while_leased(self, storage: Storage) -> None:
        """A leased row does not hold its key: what is asked meanwhile is not lost."""
        storage.enqueue([intent("a")])
        claim_all(storage)
        storage.enqueue([intent("a")])
        assert ["a", "a"] == keys(storage)

        storage.enqueue([intent("a")])
        assert ["a", "a"] == keys(storage)

    def test_key_free_while_dead(self, storage: Storage) -> None:
        """A dead row does not hold its key, so that it can be enqueued anew."""
        storage.enqueue([intent("a")])
        storage.settle(dead=[Death(claim, NOW, "no") for claim in claim_all(storage)])
        storage.enqueue([intent("a")])

        assert ["a", "a"] == keys(storage)

    # -- Claims

    def test_claim_due(self, storage: Storage) -> None:
        """What is due is claimed, the longest due first; what is not yet due is left."""
        delays = {"soon": 1, "now": 0, "oldest": -9, "old": -3}
        storage.enqueue(intent(key, due=NOW + SECOND * delay) for key, delay in delays.items())

        assert ["oldest", "old", "now"] == [claim.intent.key for claim in claim_all(storage)]

    def test_claim_limit(self, storage: Storage) -> None:
        """A claim takes no more rows than asked for, and the next one the rest."""
        storage.enqueue(intent(str(number)) for number in range(5))

        sizes = [len(storage.claim(now=NOW, lease=LEASE, limit=3)) for _ in range(3)]
        assert [3, 2, 0] == sizes

    def test_claim_shows(self, storage: Storage) -> None:
        """A claimed row shows until when it is held, and that it was tried."""
        storage.enqueue([intent("a")])
        [claim] = claim_all(storage)

        [row] = rows(storage)
        assert (claim.id, NOW + LEASE, 1) == (row.id, row.leased_until, row.attempts)
        assert 1 == claim.attempts

    def test_claim_again_when_lease_is_over(self, storage: Storage) -> None:
        """The row of a worker that died is claimed again when its lease is over, not before."""
        storage.enqueue([intent("a")])
        [first] = claim_all(storage)
        assert [] == claim_all(storage, now=NOW + LEASE - SECOND / 1_000_000)

        [second] = claim_all(storage, now=NOW + LEASE)
        assert (first.id, 2) == (second.id, second.attempts)
        assert first.lease != second.lease

    # -- Settling

    def test_done(self, storage: Storage) -> None:
        """A row that is done is deleted."""
        storage.enqueue([intent("a"), intent("b")])
        a, b = claim_all(storage)
        storage.settle(done=[a])

        assert [b.id] == [row.id for row in rows(storage)]

    def test_later(self, storage: Storage) -> None:
        """A row given back waits until its new date; its intent's own never moves."""
        storage.enqueue([intent("a")])
        [claim] = claim_all(storage)
        due = NOW + SECOND * 60
        storage.settle(later=[Delay(claim, due, "mailbox is busy")])

        expected = OutboxRow(claim.id, intent("a"), due, attempts=1, reason="mailbox is busy")
        assert [expected] == rows(storage)
        assert [] == claim_all(storage, now=due - SECOND)
        assert [2] == [again.attempts for again in claim_all(storage, now=due)]

    def test_later_holds_key(self, storage: Storage) -> None:
        """A row given back holds its key again."""
        storage.enqueue([intent("a")])
        storage.settle(later=[Delay(claim, NOW, "") for claim in claim_all(storage)])
        storage.enqueue([intent("a", account_id="1")])

        assert [intent("a")] == [row.intent for row in rows(storage)]

    def test_later_onto_held_key(self, storage: Storage) -> None:
        """A row given back is dropped where another one took its key meanwhile."""
        storage.enqueue([intent("a"), intent("b")])
        claims = claim_all(storage)
        storage.enqueue([intent("a", account_id="newer")])
        storage.settle(later=[Delay(claim, NOW, "") for claim in claims])

        assert {intent("a", account_id="newer"), intent("b")} == {
            row.intent for row in rows(storage)
        }

    def test_later_twice_onto_one_key(self, storage: Storage) -> None:
        """Of two rows given back with one key, one stays."""
        storage.enqueue([intent("a")])
        first = claim_all(storage)
        storage.enqueue([intent("a")])
        storage.settle(later=[Delay(each, NOW, "") for each in first + claim_all(storage)])

        assert ["a"] == keys(storage)

    def test_dead(self, storage: Storage) -> None:
        """A dead row is never claimed again, and stays with its date and reason."""
        storage.enqueue([intent("a")])
        [claim] = claim_all(storage)
        storage.settle(dead=[Death(claim, NOW + SECOND, "no such mailbox")])

        [row] = rows(storage)
        assert [] == claim_all(storage, now=NOW + LEASE * 1_000)
        assert (NOW + SECOND, "no such mailbox", None) == (
            row.dead_at,
            row.reason,
            row.leased_until,
        )

    @pytest.mark.parametrize("verdict", ["done", "later", "dead"])
    def test_lease_lost(self, storage: Storage, verdict: str) -> None:
        """Who lost a lease to another worker changes nothing, and is not told."""
        storage.enqueue([intent("a")])
        lost = claim_all(storage)
        [held] = claim_all(storage, now=NOW + LEASE)
        before = rows(storage)
        _settle(storage, lost, verdict)

        assert before == rows(storage)
        _settle(storage, [held], "done")
        assert [] == rows(storage)

    @pytest.mark.parametrize("verdict", ["done", "later", "dead"])
    def test_lease_over_but_unclaimed(self, storage: Storage, verdict: str) -> None:
        """A lease that is over, but that nobody took, still settles."""
        storage.enqueue([intent("a")])
        _settle(storage, claim_all(storage), verdict)

        assert all(row.leased_until is None for row in rows(storage))
        assert (verdict != "done") == bool(rows(storage))

    @pytest.mark.parametrize("verdict", ["done", "later", "dead"])
    def test_settled_twice(self, storage: Storage, verdict: str) -> None:
        """A claim settles once."""
        storage.enqueue([intent("a")])
        claims = claim_all(storage)
        storage.settle(later=[Delay(claim, NOW, "first") for claim in claims])
        before = rows(storage)
        _settle(storage, claims, verdict)

        assert before == rows(storage)

    @pytest.mark.parametrize("verdict", ["done", "later", "dead"])
    def test_settled_after_erasure(self, storage: Storage, verdict: str) -> None:
        """The row of an account that was erased meanwhile does not come back."""
        [gone] = add(storage, account("1"))
        storage.enqueue([intent("a", account_id="1")])
        claims = claim_all(storage)
        storage.replace([Change(gone, None)])
        _settle(storage, claims, verdict)

        assert [] == rows(storage)

    def test_settle_mixed(self, storage: Storage) -> None:
        """One call settles many claims, each its own way."""
        storage.enqueue(intent(f"{number:03}") for number in range(90))
        claims = sorted(claim_all(storage), key=lambda claim: claim.intent.key)
        storage.settle(
            done=claims[:30],
            later=[
                Delay(claim, NOW + SECOND * number, "")
                for number, claim in enumerate(claims[30:60])
            ],
            dead=[Death(claim, NOW, "no") for claim in claims[60:]],
        )

        assert [f"{number:03}" for number in range(30, 90)] == keys(storage)
        assert 10 == len(claim_all(storage, now=NOW + SECOND * 9))

    # -- What the school sees

    def test_outbox(self, storage: Storage) -> None:
        """Pages hold every row once, in order of row id; a new row shows its intent."""
        storage.enqueue(intent(str(number), due=NOW + SECOND) for number in range(7))

        pages: list[list[OutboxRow]] = []
        while page := list(storage.outbox(pages[-1][-1].id if pages else None, 3)):
            pages.append(page)
        listed = [row for page in pages for row in page]
        assert [3, 3, 1] == [len(page) for page in pages]
        assert sorted(listed, key=lambda row: row.id) == listed
        assert {OutboxRow(row.id, row.intent, NOW + SECOND, attempts=0) for row in listed} == set(
            listed
        )

    def test_drop(self, storage: Storage) -> None:
        """Rows that wait or are dead are dropped; their keys are free."""
        storage.enqueue([intent("dead")])
        storage.settle(dead=[Death(claim, NOW, "no") for claim in claim_all(storage)])
        storage.enqueue([intent("waits"), intent("stays")])
        dropped = [row.id for row in rows(storage) if row.intent.key != "stays"]
        storage.drop([*dropped, "unknown", "é"], now=NOW)
        assert ["stays"] == keys(storage)

        storage.enqueue([intent("waits")])
        assert ["stays", "waits"] == keys(storage)

    def test_drop_held(self, storage: Storage) -> None:
        """A row that a worker holds is not dropped; when its lease is over, it is."""
        storage.enqueue([intent("a")])
        [claim] = claim_all(storage)
        storage.drop([claim.id], now=NOW + LEASE - SECOND)
        assert ["a"] == keys(storage)

        storage.drop([claim.id], now=NOW + LEASE)
        assert [] == rows(storage)


def _settle(storage: Storage, claims: list[Claim], verdict: str) -> None:
    due = claims[0].intent.due
    if verdict == "done":
        storage.settle(done=claims)
    elif verdict == "later":
        storage.settle(later=[Delay(claim, due, "later") for claim in claims])
    else:
        storage.settle(dead=[Death(claim, due, "dead") for claim in claims])
