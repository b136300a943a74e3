from datetime import timedelta

import pytest

from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from parentauth._devices import REMEMBERED, SKEW, Devices
from parentauth.testing.clock import START
from tests.school import BASE_URL, SECOND, SECRET, Portal

OTHER_SECRET = "Zk8rQ1xNw5JtV3bYc7MhDf2LpGs9TuEa-newer"
DEVICES = Devices([SECRET], audience=BASE_URL)


class TestKnows:
    def test_own(self) -> None:
        """A note is known for its username, and for no other."""
        note = DEVICES.remember("anna", now=START)

        assert DEVICES.knows(note, "anna", now=START)
        assert not DEVICES.knows(note, "bert", now=START)

    @pytest.mark.parametrize(
        ("offset", "known"),
        [
            (REMEMBERED - SECOND, True),
            (REMEMBERED, False),
            (-SKEW, True),
            (-SKEW - SECOND, False),
        ],
    )
    def test_year(self, offset: timedelta, *, known: bool) -> None:
        """A device is remembered for a year; a note from the future only within the clocks' skew."""
        note = DEVICES.remember("anna", now=START)

        assert known is DEVICES.knows(note, "anna", now=START + offset)

    @pytest.mark.parametrize("note", [None, "", ".", "..", "x", "\ud800", "é", "x" * 100_000])
    def test_garbage(self, note: str | None) -> None:
        """Garbage is nobody's device."""
        assert not DEVICES.knows(note, "anna", now=START)

    @given(st.text(st.characters(exclude_categories=[])))
    def test_any_text(self, note: str) -> None:
        """So is any text."""
        assert not DEVICES.knows(note, "anna", now=START)

    @given(st.integers(0, 10_000), st.sampled_from("AZaz09-_."))
    def test_changed(self, place: int, mark: str) -> None:
        """A note changed in one character is worthless, unless it says the very same."""
        note = DEVICES.remember("anna", now=START)
        place %= len(note)
        changed = note[:place] + mark + note[place + 1 :]

        # The last character of base64 has bits that mean nothing.
        assert (changed == note or place == len(note) - 1) or not DEVICES.knows(
            changed, "anna", now=START
        )

    def test_other_portal(self) -> None:
        """A note of another portal under the same secret is worth nothing."""
        note = Devices([SECRET], audience="https://other.be").remember("anna", now=START)

        assert not DEVICES.knows(note, "anna", now=START)

    @pytest.mark.parametrize(
        "salt", ["itsdangerous", "parentauth/token/v1", "parentauth/device/v1:"]
    )
    def test_other_purpose(self, salt: str) -> None:
        """What the same secret signed for another purpose is worth nothing."""
        forged = URLSafeSerializer(SECRET, salt=salt).dumps({"u": "anna", "t": START.timestamp()})

        assert not DEVICES.knows(forged, "anna", now=START)

    def test_rotation(self) -> None:
        """The newest secret signs, older ones still verify, a lost one no more."""
        old = DEVICES.remember("anna", now=START)
        rotated = Devices([OTHER_SECRET, SECRET], audience=BASE_URL)
        new = rotated.remember("anna", now=START)

        assert rotated.knows(old, "anna", now=START)
        assert rotated.knows(new, "anna", now=START)
        assert not DEVICES.knows(new, "anna", now=START)
        assert not Devices([OTHER_SECRET], audience=BASE_URL).knows(old, "anna", now=START)


class TestNote:
    def test_tells_nothing(self, portal: Portal) -> None:
        """A note holds no name, opens nothing, and fits a cookie."""
        device = portal.connected("p1").device

        assert len(device) < 400
        assert "anna" not in device
        assert portal.auth.resume(device) is None

    def test_spellings(self, portal: Portal) -> None:
        """A note is bound to the canonical username."""
        assert portal.auth._parts.device_digest(" ANNA") == portal.auth._parts.device_digest("anna")
        assert portal.auth._parts.device_digest("bert") != portal.auth._parts.device_digest("anna")
