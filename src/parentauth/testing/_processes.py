# ruff: noqa: S101, SIM300  these are tests, and expected == actual
"""What a storage must do when several processes use it at once."""

import multiprocessing

from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

from parentauth.ports import Storage
from parentauth.testing._races import redeem
from parentauth.testing._samples import LEASE, NOW, ROUNDS, account, add, intent, reread

PROCESSES = 4
ROWS = 100
PATIENCE = 60

Factory = Callable[[], Storage]


def race_processes(
    work: Callable[..., None], factory: Factory, count: int = PROCESSES
) -> list[tuple[int, object]]:
    """
    Run *work* in *count* new processes, each with a storage that *factory* makes there.

    Returns:
        What they put into the queue that each is given.
    """
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(count), spawn.SimpleQueue()
    processes = [
        spawn.Process(target=work, args=(factory, number, barrier, answers))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    _join(processes)
    collected: list[tuple[int, object]] = []
    while not answers.empty():
        collected.append(answers.get())
    return collected


class ProcessContract:
    """
    Races between processes, for storages that processes share.

    The class that inherits gives a fixture ``storage_factory`` beside ``storage``: a
    callable that can be pickled and gives a new storage on the same data.
    """

    def test_single_use_between_processes(self, storage: Storage, storage_factory: Factory) -> None:
        """Of several processes that redeem one token, one wins."""
        rounds = range(max(ROUNDS, 5))
        add(storage, *(account(str(number)) for number in rounds))
        answers = race_processes(_redeem_each, storage_factory)

        for number in rounds:
            outcomes = [outcome for each, outcome in answers if each == number]
            winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
            assert PROCESSES == len(outcomes)
            assert 1 == len(winners)
            assert {"ConflictError"} >= set(outcomes) - set(winners)
            assert str(winners[0]) == reread(storage, account(str(number))).password_hash

    def test_claims_apart_between_processes(
        self, storage: Storage, storage_factory: Factory
    ) -> None:
        """Several workers drain one outbox: each row is claimed once, and none is left."""
        storage.enqueue(intent(str(number)) for number in range(ROWS))
        answers = race_processes(_drain, storage_factory)

        assert sorted(str(number) for number in range(ROWS)) == sorted(
            str(key) for _, key in answers
        )
        assert [] == storage.outbox(None, ROWS)


def _redeem_each(
    factory: Factory, number: int, barrier: Barrier, answers: "SimpleQueue[tuple[int, object]]"
) -> None:
    storage = factory()
    for each in range(max(ROUNDS, 5)):
        read = reread(storage, account(str(each)))
        barrier.wait(PATIENCE)
        try:
            answers.put((each, redeem(storage, read, number)))
        except Exception as error:  # noqa: BLE001  the test is told, and judges
            answers.put((each, type(error).__name__))


def _drain(
    factory: Factory, number: int, barrier: Barrier, answers: "SimpleQueue[tuple[int, object]]"
) -> None:
    storage = factory()
    barrier.wait(PATIENCE)
    while claims := storage.claim(now=NOW, lease=LEASE, limit=7):
        for claim in claims:
            answers.put((number, claim.intent.key))
        storage.settle(done=claims)


def _join(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.join(PATIENCE)
    for process in processes:
        if process.is_alive():
            process.kill()
    assert all(process.exitcode == 0 for process in processes)
