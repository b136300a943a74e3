from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth._dates import in_words
from parentauth._texts import NAMES, available, texts

BRUSSELS = ZoneInfo("Europe/Brussels")
NBSP = "\N{NO-BREAK SPACE}"


def local(*values: int) -> datetime:
    """Return a moment in Brussels."""
    return datetime(*values, tzinfo=BRUSSELS)


class TestInWords:
    @pytest.mark.parametrize(
        ("locale", "words"),
        [
            ("fr", f"lundi 7 décembre 2026 à 18{NBSP}h"),
            ("nl", "maandag 7 december 2026 om 18.00 uur"),
            ("de", "Montag, 7. Dezember 2026 um 18.00 Uhr"),
            ("en", "Monday 7 December 2026 at 18:00"),
        ],
    )
    def test_languages(self, locale: str, words: str) -> None:
        """Day and time in words, as each language writes them."""
        assert words == in_words(local(2026, 12, 7, 18), locale)

    @pytest.mark.parametrize(
        ("moment", "words"),
        [
            (local(2026, 9, 1, 8, 5), f"mardi 1er septembre 2026 à 8{NBSP}h{NBSP}05"),
            (local(2026, 1, 11, 0, 0), f"dimanche 11 janvier 2026 à 0{NBSP}h"),
            (local(2026, 8, 15, 23, 59), f"samedi 15 août 2026 à 23{NBSP}h{NBSP}59"),
        ],
    )
    def test_french(self, moment: datetime, words: str) -> None:
        """The first is « 1er », full hours have no minutes, minutes have two digits."""
        assert words == in_words(moment, "fr")

    def test_never_later(self) -> None:
        """Seconds are left out, so that a limit in words is never later than the real one."""
        assert in_words(local(2026, 9, 1, 8, 5, 59), "fr") == in_words(
            local(2026, 9, 1, 8, 5), "fr"
        )

    @given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(sorted(NAMES)))
    def test_every_moment(self, moment: datetime, locale: str) -> None:
        """Every moment has words, with its year and day, on one line."""
        words = in_words(moment, locale)

        assert str(moment.year) in words
        assert str(moment.day) in words
        assert "\n" not in words


class TestMoment:
    @pytest.mark.parametrize(
        ("utc", "hour"),
        [
            (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 2),
            (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 2),
            (datetime(2026, 10, 25, 2, 30, tzinfo=UTC), 3),
            (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 1),
            (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), 3),
        ],
    )
    def test_zone(self, utc: datetime, hour: int) -> None:
        """Dates are told in the school's time, on the days of the change of clocks too."""
        assert f"{hour}{NBSP}h{NBSP}30" in texts("fr").moment(utc, BRUSSELS)

    @given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
    def test_other_zones(self, moment: datetime) -> None:
        """The same moment has the same words, in whichever zone it is given."""
        for locale in available():
            there = moment.astimezone(ZoneInfo("Asia/Kathmandu"))
            assert texts(locale).moment(moment, BRUSSELS) == texts(locale).moment(there, BRUSSELS)
            assert texts(locale).moment(moment + timedelta(days=1), BRUSSELS) != (
                texts(locale).moment(moment, BRUSSELS)
            )
