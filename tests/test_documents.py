import json

from datetime import UTC, timedelta, timezone

import attrs
import pytest

from hypothesis import given

from parentauth._documents import LENGTH_MAX, dump, load
from parentauth._model import Account
from parentauth.exceptions import StorageError
from parentauth.testing import strategies
from parentauth.testing._samples import NOW, account, session


class TestDump:
    @given(strategies.accounts())
    def test_round_trip(self, account: Account) -> None:
        """What was dumped is loaded equal."""
        assert (account.tokens, account.sessions) == load(dump(account))

    def test_form(self) -> None:
        """The text is compact ASCII JSON, and begins with its version."""
        text = dump(attrs.evolve(account("é"), tokens=()))

        assert text.isascii()
        assert text.startswith('{"v":1,')
        assert " " not in text
        assert "2026-09-01T08:00:00Z" in text

    def test_zones(self) -> None:
        """A datetime of any zone is the same moment afterwards, in UTC."""
        there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
        opened = attrs.evolve(session("a"), opened_at=there)
        _, [loaded] = load(dump(account("1", sessions=(opened,))))

        assert opened == loaded
        assert UTC is loaded.opened_at.tzinfo

    def test_naive(self) -> None:
        """A naive datetime is refused: nobody knows which moment it means."""
        naive = attrs.evolve(session("a"), opened_at=NOW.replace(tzinfo=None))

        with pytest.raises(StorageError, match=r"datetime.now\(UTC\)"):
            dump(account("1", sessions=(naive,)))

    def test_bounded(self) -> None:
        """More than the shortest text column holds is refused, not cut."""
        long = attrs.evolve(session("a"), child_id="x" * LENGTH_MAX)

        with pytest.raises(StorageError, match="more"):
            dump(account("1", sessions=(long,)))


class TestLoad:
    @pytest.mark.parametrize("version", [0, 2, "1", None])
    def test_version(self, version: object) -> None:
        """A format that is not ours is refused, with the cure."""
        text = json.dumps({"v": version, "tokens": [], "sessions": []})

        with pytest.raises(StorageError, match="install the parentauth that wrote it"):
            load(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{}",
            '{"v":1}',
            '{"v":1,"tokens":[["short"]],"sessions":[]}',
            '{"v":1,"tokens":[],"sessions":[["secret","not a date","",null]]}',
        ],
    )
    def test_damaged(self, text: str) -> None:
        """A damaged text is refused, and the error quotes nothing of it."""
        with pytest.raises(StorageError, match="damaged") as caught:
            load(text)

        assert caught.value.__suppress_context__
        assert "secret" not in str(caught.value)
