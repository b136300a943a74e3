import sys
import unicodedata

import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth._canonical import digest, email_key, username_key
from parentauth._model import Key, KeyKind, address_digest

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


class TestUsernameKey:
    @given(ANY_TEXT)
    def test_idempotent(self, username: str) -> None:
        """A canonical form is its own canonical form."""
        key = username_key(username)

        assert key == username_key(key)

    def test_every_character(self) -> None:
        """So it is for every character that folding or normalising touches, alone and in the middle."""
        for code in range(sys.maxunicode + 1):
            character = chr(code)
            if character.casefold() != character or not unicodedata.is_normalized(
                "NFKC", character
            ):
                for text in (character, f"a{character}b", f"e{character}\u0301"):
                    key = username_key(text)
                    assert key == username_key(key), hex(code)

    @pytest.mark.parametrize(
        "typed",
        [
            "Marie.Dubois",
            " marie.dubois\n",
            "MARIE.DUBOIS",
            "Ｍarie.Dubois",
            "\u2003marie.dubois\xa0",
        ],
    )
    def test_same(self, typed: str) -> None:
        """Capitals, blanks at the ends and width don't matter."""
        assert "marie.dubois" == username_key(typed)

    @pytest.mark.parametrize(
        "other", ["marie dubois", "mariedubois", "marié.dubois", "marıe.dubois"]
    )
    def test_different(self, other: str) -> None:
        """Everything else matters."""
        assert username_key("marie.dubois") != username_key(other)

    def test_accents(self) -> None:
        """An accent is the same however it is composed."""
        assert username_key("zoe\u0308") == username_key("ZOË")

    @given(st.text(), st.sampled_from(["", " ", "\t", "\u3000"]))
    def test_trimmed(self, username: str, blank: str) -> None:
        """Blanks at the ends never matter."""
        assert username_key(username) == username_key(f"{blank}{username}{blank}")


class TestEmailKey:
    @pytest.mark.parametrize("look_alike", ["mıke", "miKe", "mikeß", "mikſe", "ﬁmike", "ｍike"])
    def test_look_alikes(self, look_alike: str) -> None:
        """No letter of another alphabet becomes one of ASCII's, whatever is compared with it."""
        for ascii_one in ("mike", "mikess", "mikes", "fimike", "mikse"):
            assert email_key(ascii_one) != email_key(f"{look_alike}x".removesuffix("x")) or (
                look_alike.isascii()
            )

    def test_kelvin(self) -> None:
        """Python's lower() takes the Kelvin sign for a k, hence only ASCII is ever given to it."""
        assert "k" == email_key("\u212a")

    @given(st.text(st.characters(max_codepoint=127)))
    def test_idempotent(self, address: str) -> None:
        """A canonical address is its own canonical form."""
        assert email_key(address) == email_key(email_key(address))


class TestDigest:
    @given(ANY_TEXT)
    def test_form(self, text: str) -> None:
        """A digest has 64 hexadecimal digits in ASCII, whatever the text."""
        made = digest("x", text)

        assert 64 == len(made)
        assert set(made) <= set("0123456789abcdef")

    def test_domains(self) -> None:
        """The same text has another digest in another domain."""
        keys = [Key.by_id("a").digest, Key.by_username("a").digest, address_digest("a")]

        assert 3 == len(set(keys))

    def test_keys(self) -> None:
        """Usernames are found in any spelling, ids exactly as given."""
        assert Key.by_username(" ANNA") == Key.by_username("anna")
        assert Key.by_id("P1") != Key.by_id("p1")
        assert Key(KeyKind.TOKEN, "d") == Key.by_token("d") != Key.by_session("d")

    def test_repr(self) -> None:
        """A key does not show its digest."""
        assert "abc" not in repr(Key.by_session("abc"))
