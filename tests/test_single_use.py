"""Many redeem one token at the same moment, on a SQLite file: one of them wins, each round."""

import multiprocessing
import os
import threading

from collections import Counter
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier as ProcessBarrier
from pathlib import Path

import pytest

from parentauth import Argon2Hasher, Family, ParentAuth, School
from parentauth.exceptions import SignInRejectedError, TokenRejectedError
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from tests.doubles import ListMailer

THREADS, PROCESSES = 64, 8
ROUNDS = int(os.environ.get("PARENTAUTH_TEST_ROUNDS", "5"))
KEY = "iT4-Zq0wXb7cLr2yV9eUa5nPk8hMd3sG"


def portal(url: str, mailer: ListMailer | None = None) -> ParentAuth:
    """Return the library over a SQLite file, with the cheapest Argon2."""
    storage = SQLAlchemyStorage.from_url(url)
    storage.create_all()
    return ParentAuth(
        storage=storage,
        mailer=mailer or ListMailer(),
        secret_keys=[KEY],
        base_url="https://portail.ecole.be",
        school=School("École"),
        hasher=Argon2Hasher.for_tests(),
        hashes_at_once=THREADS,
    )


def password(number: int) -> str:
    """Return each contender's own password."""
    return f"le mot de passe du concurrent numéro {number} est à lui"


def redeemed(auth: ParentAuth, token: str, number: int) -> str:
    """Redeem, and say how it went."""
    try:
        auth.define_password(token, new_password=password(number), confirmation=password(number))
    except TokenRejectedError as error:
        return error.reason
    return "won"


class Walk:
    """One portal, and a freshly mailed token for each round."""

    def __init__(self, url: str) -> None:
        self.mailer = ListMailer()
        self.auth = portal(url, self.mailer)

    def token(self, number: int) -> str:
        """Invite another parent and read the mail."""
        self.auth.save([Family(f"p{number}", f"parent{number}", email=f"p{number}@example.be")])
        self.auth.invite(f"p{number}")
        self.auth.deliver()
        return self.mailer.tokens[-1]

    def check(self, number: int, outcomes: list[str]) -> None:
        """Exactly one has won, all others are told that it was used, and only the winner is in."""
        count = len(outcomes)
        assert Counter(won=1, used=count - 1) == Counter(outcomes)
        winner = outcomes.index("won")
        self.auth.sign_in(username=f"parent{number}", password=password(winner))
        with pytest.raises(SignInRejectedError):
            self.auth.sign_in(username=f"parent{number}", password=password((winner + 1) % count))
        notices = [row for row in self.auth.outbox() if row.intent.account_id == f"p{number}"]
        assert ["password_changed"] == [row.intent.kind.value for row in notices]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Give the URL of a new file."""
    return f"sqlite:///{tmp_path / 'portal.db'}"


@pytest.fixture
def school(url: str) -> Iterator[Walk]:
    """Give a portal in that file."""
    school = Walk(url)
    yield school
    school.auth.storage.engine.dispose()


class TestThreads:
    def test_one_winner(self, school: Walk) -> None:
        """Of 64 threads with one token, exactly one sets its password."""
        for number in range(ROUNDS):
            outcomes = together(school.auth, school.token(number))
            school.check(number, outcomes)


class TestProcesses:
    def test_one_winner(self, url: str, school: Walk) -> None:
        """Of 8 processes with one token, exactly one sets its password."""
        spawn = multiprocessing.get_context("spawn")
        barrier, answers = spawn.Barrier(PROCESSES), spawn.SimpleQueue()
        tokens = [school.token(number) for number in range(ROUNDS)]
        workers = [
            spawn.Process(target=contend, args=(url, tokens, number, barrier, answers))
            for number in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        told = dict(answers.get() for _ in range(PROCESSES * ROUNDS))
        for worker in workers:
            worker.join()

        for number in range(ROUNDS):
            school.check(number, [told[number, each] for each in range(PROCESSES)])


def together(auth: ParentAuth, token: str) -> list[str]:
    """Let all threads redeem at once, and return how each of them fared."""
    barrier, outcomes = threading.Barrier(THREADS), [""] * THREADS

    def run(number: int) -> None:
        barrier.wait()
        outcomes[number] = redeemed(auth, token, number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def contend(
    url: str, tokens: list[str], number: int, barrier: ProcessBarrier, answers: object
) -> None:
    """Redeem each round's token at the same moment as the other processes."""
    auth = portal(url)
    for each, token in enumerate(tokens):
        barrier.wait()
        answers.put(((each, number), redeemed(auth, token, number)))
