import dataclasses

from typing import Any

import argon2
import pytest

from argon2.exceptions import HashingError, InvalidHashError, VerificationError
from argon2.profiles import CHEAPEST, PRE_21_2
from hypothesis import given, settings
from hypothesis import strategies as st

from parentauth._hashing import (
    OWASP_12_MIB,
    OWASP_19_MIB,
    OWASP_46_MIB,
    RFC_9106_HIGH_MEMORY,
    RFC_9106_LOW_MEMORY,
    Argon2Hasher,
)
from parentauth.exceptions import ConfigurationError
from parentauth.ports import Hasher

PROFILES = {
    "12": OWASP_12_MIB,
    "19": OWASP_19_MIB,
    "46": OWASP_46_MIB,
    "low": RFC_9106_LOW_MEMORY,
}
CHEAP = Argon2Hasher.for_tests()
HASH = CHEAP.hash(password="agrafe cheval pile")

passwords = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def with_costs(password_hash: str, *, m: int = 8, t: int = 1, p: int = 1) -> str:
    """Return the hash with other costs in its text."""
    return password_hash.replace("m=8,t=1,p=1", f"m={m},t={t},p={p}")


def changed(parameters: argon2.Parameters, **changes: Any) -> argon2.Parameters:
    """Return other parameters."""
    return dataclasses.replace(parameters, **changes)


@pytest.fixture(name="never_verifies")
def _never_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a call of Argon2's verification fail the test."""

    def verify(*_: object) -> bool:
        raise AssertionError("this hash must not be verified")

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)


class TestVerify:
    @given(passwords)
    @settings(deadline=None)
    def test_round_trip(self, password: str) -> None:
        """A password has the hash that was made of it, whatever its length and script."""
        assert CHEAP.verify(password=password, password_hash=CHEAP.hash(password=password))

    @given(passwords, passwords)
    @settings(deadline=None)
    def test_mismatch(self, password: str, other: str) -> None:
        """Another password has another hash: nothing is folded, stripped or cut."""
        assert (password == other) == CHEAP.verify(
            password=other, password_hash=CHEAP.hash(password=password)
        )

    @pytest.mark.parametrize("cut", [72, 255])
    def test_no_truncation(self, cut: int) -> None:
        """The first 72 or 255 characters of a password of 256 do not open."""
        password = "".join(chr(0x4E00 + place) for place in range(256))
        password_hash = CHEAP.hash(password=password)

        assert not CHEAP.verify(password=password[:cut], password_hash=password_hash)

    def test_salted(self) -> None:
        """The same password has a new hash each time."""
        assert CHEAP.hash(password="x") != CHEAP.hash(password="x")

    @given(st.text())
    @settings(deadline=None)
    def test_any_hash(self, password_hash: str) -> None:
        """A text that is no hash is a wrong password, never an error."""
        assert not CHEAP.verify(password="x", password_hash=password_hash)

    @given(st.integers(0, len(HASH) - 1), st.characters())
    @settings(deadline=None, max_examples=200)
    def test_damaged(self, place: int, other: str) -> None:
        """A hash with one character changed never opens to another password, nor raises."""
        damaged = HASH[:place] + other + HASH[place + 1 :]

        assert not CHEAP.verify(password="another", password_hash=damaged)

    @given(st.integers(0, len(HASH) - 1))
    @settings(deadline=None)
    def test_cut(self, length: int) -> None:
        """A hash that was cut short opens to nothing."""
        assert not CHEAP.verify(password="agrafe cheval pile", password_hash=HASH[:length])

    @pytest.mark.parametrize("password", ["\ud800", "a\udfffb"])
    def test_half_character(self, password: str) -> None:
        """What can't be encoded is a wrong password."""
        assert not CHEAP.verify(password=password, password_hash=HASH)

    @pytest.mark.parametrize(
        "error", [MemoryError, VerificationError, InvalidHashError, HashingError, ValueError]
    )
    def test_failure(self, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever fails in Argon2, memory included, lets nobody in and looks the same."""

        def verify(*_: object) -> bool:
            raise error

        monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)

        assert CHEAP.verify(password="agrafe cheval pile", password_hash=HASH) is False

    def test_other_type(self) -> None:
        """A hash of Argon2i that was taken over from elsewhere still opens."""
        other = argon2.PasswordHasher.from_parameters(changed(CHEAPEST, type=argon2.Type.I))

        assert CHEAP.verify(password="x", password_hash=other.hash("x"))


@pytest.mark.usefixtures("never_verifies")
class TestTooCostly:
    @pytest.mark.parametrize(
        "costs",
        [
            {"m": 4 * 65536 + 1},
            {"m": 2**32 - 1},
            {"t": 13},
            {"t": 2**32 - 1},
            {"m": 65536, "p": 17},
            {"m": 10**300},
            {"m": 65536, "t": 10**30},
        ],
    )
    def test_refused(self, costs: dict[str, int]) -> None:
        """A hash that would cost over four times the memory, time or lanes is not verified."""
        stored = with_costs(HASH, **costs)

        assert not Argon2Hasher().verify(password="agrafe cheval pile", password_hash=stored)

    def test_long(self) -> None:
        """A hash of a megabyte is not verified."""
        assert not CHEAP.verify(password="x", password_hash=HASH + "A" * 1_000_000)


class TestAffordable:
    @pytest.mark.parametrize("costs", [{"m": 4 * 65536}, {"t": 12}, {"m": 65536, "p": 16}])
    def test_four_times(self, costs: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
        """Up to four times the configured costs a hash is verified."""
        monkeypatch.setattr(argon2.PasswordHasher, "verify", lambda *_: True)

        assert Argon2Hasher().verify(password="x", password_hash=with_costs(HASH, **costs))

    @pytest.mark.parametrize("now", PROFILES)
    @pytest.mark.parametrize("before", PROFILES)
    def test_profiles(self, now: str, before: str) -> None:
        """Changing from one named profile to another, also to a lower one, locks nobody out."""
        stored = Argon2Hasher(PROFILES[before]).hash(password="x")
        hasher = Argon2Hasher(PROFILES[now])

        assert hasher.verify(password="x", password_hash=stored)
        assert (now != before) == hasher.needs_rehash(password_hash=stored)


class TestNeedsRehash:
    def test_own(self) -> None:
        """What it made itself stays."""
        assert not CHEAP.needs_rehash(password_hash=HASH)

    @pytest.mark.parametrize("costs", [{"m": 16}, {"t": 2}, {"m": 16, "p": 2}])
    def test_others(self, costs: dict[str, int]) -> None:
        """Other parameters ask for a new hash."""
        assert CHEAP.needs_rehash(password_hash=with_costs(HASH, **costs))

    @given(st.text())
    def test_damaged(self, password_hash: str) -> None:
        """A text that is no hash asks for a new one, and raises nothing."""
        assert CHEAP.needs_rehash(password_hash=password_hash)


class TestParameters:
    def test_default(self) -> None:
        """The default is Argon2id with 64 MiB, 3 passes and 4 lanes."""
        password_hash = Argon2Hasher().hash(password="x")

        assert password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")

    @pytest.mark.parametrize(
        "parameters",
        [*PROFILES.values(), RFC_9106_HIGH_MEMORY, changed(OWASP_19_MIB, memory_cost=20_000)],
    )
    def test_strong(self, parameters: argon2.Parameters) -> None:
        """OWASP's alternatives, RFC 9106's, and whatever is above one of them, may be used."""
        Argon2Hasher(parameters)

    @pytest.mark.parametrize(
        "parameters",
        [
            CHEAPEST,
            PRE_21_2,
            changed(OWASP_46_MIB, memory_cost=47103),
            changed(OWASP_19_MIB, memory_cost=19455),
            changed(OWASP_12_MIB, memory_cost=12287),
            changed(OWASP_19_MIB, time_cost=1),
            changed(OWASP_12_MIB, time_cost=2),
            changed(OWASP_12_MIB, time_cost=100, memory_cost=1024),
            changed(OWASP_19_MIB, salt_len=15),
            changed(OWASP_19_MIB, hash_len=31),
            changed(OWASP_19_MIB, type=argon2.Type.I),
            changed(OWASP_19_MIB, type=argon2.Type.D),
        ],
    )
    def test_weak(self, parameters: argon2.Parameters) -> None:
        """What is weaker than OWASP's minimum does not start."""
        with pytest.raises(ConfigurationError, match="RFC_9106_LOW_MEMORY"):
            Argon2Hasher(parameters)

    def test_for_tests(self) -> None:
        """Only who says that it is unsafe gets the cheapest parameters."""
        assert "m=8,t=1,p=1" in HASH
        assert "<Argon2Hasher t=1 m=8 KiB p=1>" == repr(Argon2Hasher(CHEAPEST, unsafe=True))

    def test_port(self) -> None:
        """It is a Hasher."""
        hasher: Hasher = CHEAP

        assert hasher.verify(password="agrafe cheval pile", password_hash=HASH)
