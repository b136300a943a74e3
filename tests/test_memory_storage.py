import pytest

from parentauth.ports import Storage
from parentauth.storage.memory import MemoryStorage
from parentauth.testing import StorageContract
from parentauth.testing._samples import intent


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        """Give an empty storage."""
        return MemoryStorage()

    def test_enqueue_from_itself(self, storage: Storage) -> None:
        """Intents may come from a generator that reads the same storage."""
        storage.enqueue([intent("a")])
        storage.enqueue(intent(f"{row.intent.key}-again") for row in storage.outbox(None, 10))

        assert ["a", "a-again"] == [row.intent.key for row in storage.outbox(None, 10)]
