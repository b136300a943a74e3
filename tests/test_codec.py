import hmac
import re
import secrets

from base64 import b32encode
from hashlib import sha256
from random import Random

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from parentauth._codec import TokenCodec, check_secret_keys, grouped
from parentauth.exceptions import ConfigurationError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
OLD = "nQ0hV4qJ8yT1sX7cB2mL9wK5eR3uZ6aD"
NEW = "Gf5tYhU8iJk2lOp9aSd3fGh6jKl1qWe4"
RANDOM = bytes(range(16))
CODEC = TokenCodec([NEW, OLD])
TOKEN = CODEC.issue(RANDOM)

randoms = st.binary(min_size=16, max_size=16)
# What may stand between and around a token's characters.
between = st.text(
    st.sampled_from(
        " \u00a0\u202f\t\r\n-\u2010\u2011\u2013\u2014\u2212\u00ad\u200b\u200d\u2060\ufeff"
    ),
    max_size=3,
)


def decorated(token: str, breaks: list[str]) -> str:
    """Put something after each character."""
    return "".join(map("".join, zip(token, breaks, strict=True)))


class TestIssue:
    @given(randoms)
    def test_text(self, random: bytes) -> None:
        """A token is 32 of Crockford's characters, so that no mail program cuts its end."""
        token = CODEC.issue(random)

        assert re.fullmatch(f"[{ALPHABET}]{{32}}", token)

    @given(randoms)
    def test_round_trip(self, random: bytes) -> None:
        """What was written is read."""
        assert random == CODEC.read(CODEC.issue(random))

    def test_newest_signs(self) -> None:
        """The first key signs."""
        assert TOKEN == TokenCodec([NEW]).issue(RANDOM)
        assert TOKEN != TokenCodec([OLD]).issue(RANDOM)

    def test_stable(self) -> None:
        """A mailed token is readable after an upgrade: the format does not change."""
        assert "000G40R40M30E209185GR38E1Z8SN2C0" == TokenCodec([OLD]).issue(RANDOM)

    @given(randoms)
    def test_check(self, random: bytes) -> None:
        """The check is the first four bytes of an HMAC-SHA-256 under a key of its own."""
        key = hmac.digest(NEW.encode(), b"parentauth/token/v1", "sha256")
        data = random + hmac.digest(key, random, "sha256")[:4]
        crockford = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET)

        assert b32encode(data).decode().translate(crockford) == CODEC.issue(random)

    @pytest.mark.parametrize("size", [0, 15, 17, 32])
    def test_wrong_size(self, size: int) -> None:
        """A token is made of 16 random bytes, not of more or fewer."""
        with pytest.raises(ValueError, match="16 random bytes"):
            CODEC.issue(bytes(size))


class TestRead:
    @given(randoms, st.lists(between, min_size=32, max_size=32), st.randoms())
    def test_typed(self, random: bytes, breaks: list[str], rng: Random) -> None:
        """Case, blanks, hyphens, line breaks and invisible characters do not matter."""
        token = "".join(rng.choice((c.upper(), c.lower())) for c in CODEC.issue(random))

        assert random == CODEC.read(decorated(token, breaks))

    @pytest.mark.parametrize(
        "text",
        [
            "{}",
            "  {}\r\n",
            "{}.",
            "{} .",
            "« {} »",
            "«\u202f{}\u202f».",
            "„{}“",
            "“{}”",
            "‘{}’,",
            "'{}'",
            '"{}"',
            "({})",
            "[{}]",
            "<{}>",
            "{{{}}}",
            "\ufeff{}",
            "https://portail.ecole.be/token/{}",
            "https://portail.ecole.be/token/{}.",
            "https://portail.ecole.be/token/{}/",
            "https://portail.ecole.be/token/{}/.",
            "https://portail.ecole.be/token/{}?lang=nl",
            "https://portail.ecole.be/token/{}/?next=/children/7&lang=nl#top",
            "https://portail.ecole.be/token/{}#/a/b?c",
            "<https://portail.ecole.be/token/{}>",
            "< https://portail.ecole.be/token/{}/ >.",
            "(http://localhost:5000/parents/token/{})",
            "https://portail.ecole.be/\r\n  token/{}",
            "portail.ecole.be/token/{}",
            "/token/{}",
        ],
    )
    def test_pasted(self, text: str) -> None:
        """A token is found in quotes, in brackets, before a full stop, and in its own link."""
        for shown in (TOKEN, grouped(TOKEN), TOKEN.lower()):
            assert RANDOM == CODEC.read(text.format(shown))

    def test_link_twice(self) -> None:
        """A mail program that adds a link's target to its text does no harm."""
        link = f"https://portail.ecole.be/token/{TOKEN}"

        assert RANDOM == CODEC.read(f"{link}<{link}>")

    @given(randoms, st.randoms())
    def test_look_alikes(self, random: bytes, rng: Random) -> None:
        """I and L are read as 1, O as 0, in either case."""
        alike = {"1": "1IiLl", "0": "0Oo"}
        token = "".join(rng.choice(alike.get(c, c)) for c in CODEC.issue(random))

        assert random == CODEC.read(token)

    def test_every_substitution(self) -> None:
        """One wrong character is always noticed."""
        wrong = [
            TOKEN[:place] + other + TOKEN[place + 1 :]
            for place in range(32)
            for other in ALPHABET
            if other != TOKEN[place]
        ]

        assert 32 * 31 == len(wrong)
        assert [] == [text for text in wrong if CODEC.read(text) is not None]

    def test_every_swap(self) -> None:
        """Two neighbours in the wrong order are always noticed."""
        swapped = [
            TOKEN[:place] + TOKEN[place + 1] + TOKEN[place] + TOKEN[place + 2 :]
            for place in range(31)
            if TOKEN[place] != TOKEN[place + 1]
        ]

        assert [] == [text for text in swapped if CODEC.read(text) is not None]

    @given(st.text(st.sampled_from(ALPHABET), min_size=32, max_size=32))
    def test_forged(self, text: str) -> None:
        """Random characters are no token; the chance is one in four thousand million."""
        assert CODEC.read(text) is None

    @pytest.mark.parametrize("place", range(32))
    @pytest.mark.parametrize(
        "other", ["U", "u", "_", "+", "٣", "３", "Ａ", "²", "!", "*", "é", "\0", "\ud800", "𝟘"]
    )
    def test_foreign_character(self, place: int, other: str) -> None:
        """U, and what int() would take beside digits, is in no token."""
        assert CODEC.read(TOKEN[:place] + other + TOKEN[place + 1 :]) is None

    @pytest.mark.parametrize("prefix", ["+", "_", "0x", "0", "U", "*"])
    @pytest.mark.parametrize("side", ["before", "after"])
    def test_surplus(self, prefix: str, side: str) -> None:
        """A sign, a zero or anything else too much makes it another text."""
        text = prefix + TOKEN if side == "before" else TOKEN + prefix

        assert CODEC.read(text) is None

    def test_no_signed_zero_padding(self) -> None:
        """A sign or underscore does not stand in for a leading zero, which int() would allow."""
        assert TOKEN.startswith("0")
        for sign in "+_-":
            assert CODEC.read(sign + TOKEN[1:]) is None

    @pytest.mark.parametrize(
        "text", ["", " ", "/", "?", "#", ".", "-" * 32, "0" * 32, "None", "[]"]
    )
    def test_blank(self, text: str) -> None:
        """Nothing, zeros and punctuation are no token."""
        assert CODEC.read(text) is None

    @given(st.text() | st.text(st.characters(categories=["Cs", "Cf", "Nd", "Pd", "Zs"])))
    @settings(max_examples=300)
    def test_never_raises(self, text: str) -> None:
        """Any text is answered, half characters too."""
        assert CODEC.read(text) is None

    def test_long(self) -> None:
        """Texts of more than 2,048 characters are not looked at."""
        assert RANDOM == CODEC.read(TOKEN + " " * (2048 - 32))
        assert CODEC.read(TOKEN + " " * (2048 - 31)) is None
        assert CODEC.read("/" * 5_000_000) is None


class TestRotation:
    def test_old_key_verifies(self) -> None:
        """A token that an older key signed is read as long as that key is listed."""
        token = TokenCodec([OLD]).issue(RANDOM)

        assert RANDOM == TokenCodec([NEW, OLD]).read(token)
        assert TokenCodec([NEW]).read(token) is None

    @given(st.permutations([OLD, NEW, OLD[::-1], NEW[::-1]]), randoms)
    def test_any_order(self, keys: list[str], random: bytes) -> None:
        """All keys verify, wherever they stand, and the first signs."""
        codec = TokenCodec(keys)

        assert codec.issue(random) == TokenCodec(keys[:1]).issue(random)
        for key in keys:
            assert random == codec.read(TokenCodec([key]).issue(random))


class TestDigest:
    @given(randoms)
    def test_domain(self, random: bytes) -> None:
        """What is kept is a SHA-256 that no other use of the same bytes gives."""
        expected = sha256(b"parentauth/token/v1:" + random).hexdigest()

        assert expected == TokenCodec.digest(random) == CODEC.digest(random)
        assert sha256(random).hexdigest() != CODEC.digest(random)


class TestGrouped:
    def test_groups(self) -> None:
        """A token is shown in 8 groups of 4."""
        assert "ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345-6789" == grouped(
            "ABCDEFGHJKMNPQRSTVWXYZ0123456789"
        )

    @given(randoms)
    def test_round_trip(self, random: bytes) -> None:
        """The shown form is read."""
        assert random == CODEC.read(grouped(CODEC.issue(random)))


class TestRepr:
    def test_no_keys(self) -> None:
        """Neither a key nor what was derived from it is shown."""
        assert "<TokenCodec with 2 key(s)>" == repr(CODEC) == str(CODEC)


def refusal(keys: object) -> str:
    """Return the error's text."""
    with pytest.raises(ConfigurationError) as caught:
        check_secret_keys(keys)  # type: ignore[arg-type]
    return str(caught.value)


EXAMPLES = [
    "changeme" * 5,
    "changeme-changeme-changeme-changeme-",
    "change-me-0123456789012345678901234567890",
    "secret" * 6,
    "secret" + "0" * 30,
    "secret1234567890secret1234567890",
    "dev" * 12,
    "dev-dev-dev-dev-dev-dev-dev-dev-dev",
    "your-secret-key" * 3,
    "your-secret-key-your-secret-key-",
    "my-very-long-secret-key-for-development",
    "this-is-a-very-long-secret-key-change-me",
    "django-insecure-change-me-django-insecure",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "passwordpasswordpasswordpassword",
    "a" * 64,
    "\0" * 32,
    "abcdefg" * 8,
    "abcdefghijkl" * 4,
]


class TestCheckSecretKeys:
    @pytest.mark.parametrize("keys", [[], (), None])
    def test_none(self, keys: object) -> None:
        """Without a key nothing starts, and the error says how to make one."""
        assert 'python -c "import secrets; print(secrets.token_urlsafe(32))"' in refusal(keys)

    @pytest.mark.parametrize("keys", [NEW, NEW.encode(), ""])
    def test_one_text(self, keys: object) -> None:
        """One text is not taken for a list of one-character keys."""
        assert "secret_keys=[...]" in refusal(keys)
        assert NEW not in refusal(keys)

    @pytest.mark.parametrize("key", [NEW[:31], "", "é" * 15, b"x" * 32, None, 7, "\ud800" + NEW])
    def test_unfit(self, key: object) -> None:
        """A key is text of at least 32 bytes."""
        text = refusal([NEW, key])

        assert text.startswith("secret_keys, key 2: ")
        assert "token_urlsafe(32)" in text

    @pytest.mark.parametrize("key", EXAMPLES)
    def test_example(self, key: str) -> None:
        """Examples, padded or repeated, and few characters over and over are refused, unseen."""
        text = refusal([key])

        assert "token_urlsafe(32)" in text
        assert key not in text
        assert key[:12] not in text

    def test_random(self) -> None:
        """Keys as one makes them are taken, in the order given."""
        makers = (secrets.token_urlsafe, secrets.token_hex)
        keys = [make(32) for make in makers for _ in range(500)] + [
            secrets.token_hex(16) for _ in range(500)
        ]

        assert tuple(keys) == check_secret_keys(keys)

    def test_codec_checks(self) -> None:
        """A codec with a weak key can't be made."""
        with pytest.raises(ConfigurationError):
            TokenCodec(["changeme" * 8])
