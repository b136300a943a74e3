"""
The contracts that storages fulfil: a test class inherits them and gives the storage.

.. code-block:: python

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self):
            return MyStorage()
"""

from parentauth.testing._accounts import AccountsContract
from parentauth.testing._outbox import OutboxContract
from parentauth.testing._processes import ProcessContract
from parentauth.testing._races import RacesContract
from parentauth.testing._replace import ReplaceContract

__all__ = ["ProcessContract", "StorageContract"]


class StorageContract(AccountsContract, ReplaceContract, OutboxContract, RacesContract):
    """
    Every rule of :class:`parentauth.ports.Storage`.

    The class that inherits gives a fixture ``storage``: an empty storage for each test.
    How many rounds each race is run is read from ``PARENTAUTH_TEST_ROUNDS``.
    A storage that other processes share inherits :class:`ProcessContract`, too.
    """
