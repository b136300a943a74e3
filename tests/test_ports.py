"""The values of the ports."""

import pytest

from parentauth import Account
from parentauth.ports import Change


class TestChange:
    def test_one_account(self) -> None:
        """A change is of one account; nobody's row becomes somebody else's."""
        with pytest.raises(ValueError, match="one account"):
            Change(Account("p1", "anna"), Account("p2", "anna"))

    def test_ends(self) -> None:
        """Adding has no before, erasing no after."""
        account = Account("p1", "anna")

        assert (None, account) == (Change(None, account).before, Change(None, account).after)
        assert (account, None) == (Change(account, None).before, Change(account, None).after)
