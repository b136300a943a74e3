"""A whole September: two thousand families come, are invited, connect, change, and leave."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest
import sqlalchemy

from parentauth import ChildLink, Family, ParentAuth, Status
from parentauth.ports import Mail
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from parentauth.testing import CheapHasher, FrozenClock, Mailbox
from tests.school import BASE_URL, DAY, MINUTE, OTHER_PASSWORD, PASSWORD, SCHOOL, SECRET
from tests.services import database

COUNT: Final = 2000
WITHOUT_ADDRESS: Final = 50
REFUSED: Final = 10
DELAYED: Final = 5
NEW: Final = 150
LOOK_ALIKES: Final = 10
DEPARTED: Final = 100
CHANGED: Final = 200
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def family(number: int) -> Family:
    """Return one of two parents of one child; each twentieth pair shares an address."""
    pair = number // 2
    mailbox = f"famille{pair}" if pair % 20 == 0 else f"parent{number}"
    return Family(
        f"p{number:04}",
        f"parent.{number}",
        f"Prénom{number} Nom{pair}",
        None if number >= COUNT - WITHOUT_ADDRESS else f"{mailbox}@example.be",
        children=(ChildLink(f"c{pair}", f"Enfant{pair}", "1A"),),
    )


@attrs.define
class Month:
    """The portal, and what the school expects of it."""

    auth: ParentAuth
    clock: FrozenClock
    mailbox: Mailbox
    status: dict[str, Status] = attrs.field(factory=dict)
    families: dict[str, Family] = attrs.field(factory=dict)
    failed: list[str] = attrs.field(factory=list)
    tokens: dict[str, str] = attrs.field(factory=dict)

    def check(self) -> None:
        """Compare every count, and see that no mail left twice."""
        counted = Counter(self.status.values())
        assert {each: counted[each] for each in Status} == dict(self.auth.status_counts())
        ids = [mail.message_id for mail in self.mailbox.sent]
        assert len(set(ids)) == len(ids)

    def stand(self, status: Status, *ids: str) -> None:
        """Say where these parents stand from now on."""
        self.status.update(dict.fromkeys(ids, status))

    def having(self, *statuses: Status) -> list[str]:
        """Return who stands there, in order."""
        return sorted(each for each, status in self.status.items() if status in statuses)

    def delivered(self) -> list[str]:
        """Run the worker, and return whom its mails were for, in order."""
        before = len(self.mailbox.sent)
        self.auth.deliver()
        return sorted(self.read(mail) for mail in self.mailbox.sent[before:])

    def read(self, mail: Mail) -> str:
        """Return for whom a mail is, and keep the token in it."""
        [username] = {
            line.split()[-1] for line in mail.text.splitlines() if line.startswith("Nom d'utilisa")
        }
        holders = {each.username: each.id for each in self.families.values()}
        for token in Mailbox.tokens(mail):
            self.tokens[holders[username]] = token
        return holders[username]

    def save(self, families: list[Family], **how: bool) -> object:
        """Import, and remember."""
        saved = self.auth.save(families, **how)
        self.families.update((each.id, each) for each in families)
        for each in saved.added:
            has_address = self.families[each].email is not None
            self.stand(Status.NOT_INVITED if has_address else Status.NO_ADDRESS, each)
        return saved


def begin(month: Month) -> None:
    """Two thousand families are imported: nobody is mailed yet."""
    saved = month.save([family(number) for number in range(COUNT)])

    assert COUNT == len(saved.added)
    assert [] == month.delivered()
    month.check()


def invite(month: Month) -> None:
    """All are invited; a few mails are refused or wait, and those that wait leave later."""
    wanted = month.having(Status.NOT_INVITED)
    assert len(wanted) == month.auth.invite_all()
    fates = ["refused"] * REFUSED + ["delayed"] * DELAYED
    unsent = list[str]()
    month.mailbox.fates = list(fates)
    month.mailbox.seen = lambda mail, fate: (
        None if fate == "sent" else unsent.append(month.read(mail))
    )

    sent = month.delivered()
    month.failed = unsent[:REFUSED]
    assert sorted(set(wanted) - set(unsent)) == sent
    month.stand(Status.WAITING, *sent)
    month.check()
    month.clock.advance(2 * MINUTE)
    assert sorted(unsent[REFUSED:]) == month.delivered()
    month.stand(Status.WAITING, *unsent[REFUSED:])
    month.check()


def connect(month: Month) -> None:
    """Half of them define a password, and each of these is told."""
    first = month.having(Status.WAITING)[::2]
    for account_id in first:
        done = month.auth.define_password(
            month.tokens[account_id], new_password=PASSWORD, confirmation=PASSWORD
        )
        assert account_id == done.parent.id
    month.stand(Status.CONNECTED, *first)

    assert first == month.delivered()
    month.check()


def import_again(month: Month) -> None:
    """The second import is complete: new, changed, departed; two usernames are swapped."""
    month.clock.advance(DAY)
    present = list(month.families.values())
    staying, leaving = present[DEPARTED:], present[:DEPARTED]
    one, other = staying[0], staying[1]
    staying[0] = attrs.evolve(one, username=other.username)
    staying[1] = attrs.evolve(other, username=one.username)
    staying[10 : 10 + CHANGED] = [
        attrs.evolve(each, name=f"{each.name}-Durand") for each in staying[10 : 10 + CHANGED]
    ]
    new = [attrs.evolve(family(COUNT + n), email=f"nouveau{n}@example.be") for n in range(NEW)]
    twins = [
        attrs.evolve(each, id=f"x{each.id}", username=f"x{each.username}")
        for each in staying[300 : 300 + LOOK_ALIKES]
    ]
    saved = month.save([*staying, *new, *twins], complete=True)

    assert NEW + LOOK_ALIKES == len(saved.added)
    assert {each.id for each in leaving} == set(saved.left)
    assert DEPARTED + 2 + CHANGED == len(saved.changed)
    assert {(each.id, each.id[1:]) for each in twins} == set(saved.look_alikes)
    assert [] == month.delivered()
    month.check()


def change(month: Month) -> None:
    """Addresses change, accounts are closed and erased; connected parents are told twice."""
    connected, waiting = month.having(Status.CONNECTED), month.having(Status.WAITING)
    for account_id in (*connected[200:210], *waiting[200:210]):
        month.auth.change_address(account_id, f"autre-{account_id}@example.be")
    month.stand(Status.NOT_INVITED, *waiting[200:210])
    for account_id in (*connected[220:230], *waiting[220:230]):
        month.auth.set_active(account_id, active=False)
        month.stand(Status.CLOSED, account_id)
    for account_id in (*connected[240:250], *waiting[240:250]):
        month.auth.erase(account_id)
        del month.status[account_id]

    assert sorted(connected[200:210] * 2) == month.delivered()
    month.check()


def mail_again(month: Month) -> None:
    """Dead letters are retried, and who was never invited is, once."""
    dead = [row for row in month.auth.outbox() if row.dead_at is not None]
    assert sorted(month.failed) == sorted(str(row.intent.account_id) for row in dead)
    assert REFUSED == month.auth.retry([row.id for row in dead])
    assert sorted(month.failed) == month.delivered()
    month.stand(Status.WAITING, *month.failed)
    month.check()

    wanted = month.having(Status.NOT_INVITED)
    assert len(wanted) == month.auth.invite_all()
    assert wanted == month.delivered()
    month.stand(Status.WAITING, *wanted)
    month.check()
    assert [] == list(month.auth.outbox())


def end(month: Month) -> None:
    """Weeks later invitations are over, what is old is forgotten, and who left is listed."""
    one, other = list(month.families.values())[DEPARTED : DEPARTED + 2]
    assert one.id == month.auth.find_parent(username=one.username).id
    assert other.id == month.auth.find_parent(username=other.username).id
    month.clock.advance(91 * DAY)
    month.stand(Status.EXPIRED, *month.having(Status.WAITING))
    month.check()
    gone = [each for each in list(month.families)[:DEPARTED] if each in month.status]
    assert sorted(gone) == sorted(each.parent.id for each in month.auth.departed())

    assert month.auth.purge().accounts > COUNT / 2
    assert 0 == month.auth.purge().accounts
    month.check()
    late = month.having(Status.EXPIRED)[0]
    month.auth.invite(late)
    assert [late] == month.delivered()
    month.auth.define_password(
        month.tokens[late], new_password=OTHER_PASSWORD, confirmation=OTHER_PASSWORD
    )
    month.stand(Status.CONNECTED, late)
    month.check()


def run(storage: SQLAlchemyStorage) -> None:
    """Let the month pass."""
    storage.create_all()
    clock, mailbox = FrozenClock(), Mailbox()
    auth = ParentAuth(
        storage=storage,
        mailer=mailbox,
        clock=clock,
        hasher=CheapHasher(),
        secret_keys=[SECRET],
        base_url=BASE_URL,
        school=SCHOOL,
    )
    month = Month(auth, clock, mailbox)
    for chapter in (begin, invite, connect, import_again, change, mail_again, end):
        chapter(month)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SQLAlchemyStorage]:
    """Give a file."""
    url = sqlalchemy.URL.create("sqlite", database=str(tmp_path / "portal.db"))
    storage = SQLAlchemyStorage.from_url(url)
    yield storage
    storage.engine.dispose()


def test_sqlite(sqlite: SQLAlchemyStorage) -> None:
    """Every count is right, and no mail is doubled or lost, in a SQLite file."""
    run(sqlite)


@pytest.mark.service
def test_postgresql() -> None:
    """The same on PostgreSQL."""
    with database("postgresql") as url:
        storage = SQLAlchemyStorage.from_url(url)
        run(storage)
        storage.engine.dispose()
