import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from parentauth._next import NEXT_MAX, safe_next

# The pieces that have led browsers astray elsewhere.
PIECES = st.lists(
    st.sampled_from(
        [
            *"/\\@:?#.%;&=~ \t\r\n\0\v\x7f",
            "//",
            "/\\",
            "http:",
            "https:",
            "javascript:",
            "data:",
            "evil.example",
            "%09",
            "%0d%0a",
            "%2f",
            "%5c",
            "..",
            "/./",
            "\u3002",
            "\uff0f",
            "\u2215",
            "\u2028",
            "\ufeff",
            "\xa0",
            "child/c1",
        ]
    ),
    max_size=8,
).map("".join)
ANYTHING = PIECES | st.text(st.characters(exclude_categories=[]))


def stays(location: str) -> bool:
    """
    Judge as a browser would, by the URL standard, where a relative Location leads.

    Leading and trailing control characters and blanks go, tabs and line ends go everywhere, a
    backslash is a slash; a scheme or two slashes lead away.
    """
    text = location.strip("".join(map(chr, range(0x21))))
    text = text.translate({ord(mark): None for mark in "\t\r\n"}).replace("\\", "/")
    scheme, colon, _ = text.partition(":")
    has_scheme = (
        bool(colon)
        and scheme[:1].isascii()
        and scheme[:1].isalpha()
        and all(mark.isascii() and (mark.isalnum() or mark in "+-.") for mark in scheme)
    )
    return not has_scheme and text.startswith("/") and not text.startswith("//")


class TestSafeNext:
    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/child/c1",
            "/child/c1?day=2026-09-01&x=%20#top",
            "/a//b",
            "/a:b",
            "/@x",
            "/%5Cevil.example",
            "/%2F/evil.example",
            "/?next=//evil.example",
            "/" + "x" * (NEXT_MAX - 1),
        ],
    )
    def test_kept(self, path: str) -> None:
        """A path of this site is kept as it is."""
        assert path == safe_next(path)

    @pytest.mark.parametrize(
        "text",
        [
            None,
            "",
            " ",
            "child",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " /child",
            "/child ",
            "/a b",
            "https:evil.example",
            "https:/evil.example",
            "https://evil.example",
            "HTTPS://evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "@evil.example",
            "?next",
            "#top",
            "/a\r\nSet-Cookie: x",
            "/\0",
            "/\x7f",
            "/évil",
            "/\u2028",
            "\ufeff/child",
            "／／evil.example",
            "/x\\..\\y",
            "/" + "x" * 8192,
        ],
    )
    def test_refused(self, text: str | None) -> None:
        """Whatever any browser could read as another place is nothing."""
        assert safe_next(text) is None

    @given(ANYTHING)
    @example("/\t/e")
    @example("/\\e")
    def test_any_text(self, text: str) -> None:
        """What is kept is kept unchanged, is printable ASCII, and leads to this site alone."""
        kept = safe_next(text)

        assert kept in (None, text)
        if kept is not None:
            assert stays(kept)
            assert kept.isascii()
            assert kept.isprintable()
            assert kept == safe_next(kept)


class TestJudge:
    @pytest.mark.parametrize(
        ("location", "expected"),
        [("/a", True), ("//e", False), ("/\\e", False), ("\t/\t/e", False), ("x:y", False)],
    )
    def test_judge(self, location: str, *, expected: bool) -> None:
        """The judge itself knows what browsers do."""
        assert expected is stays(location)
