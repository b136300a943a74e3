import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth._clients import client_address, is_cross_site
from parentauth._throttling import prefix_of

BASE = "https://portail.ecole.be"
HOST = "portail.ecole.be"


class TestClientAddress:
    @pytest.mark.parametrize(
        ("forwarded", "trusted", "expected"),
        [
            (None, 0, "10.0.0.1"),
            ("203.0.113.9", 0, "10.0.0.1"),
            ("203.0.113.9", 1, "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9", 1, "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9", 2, "198.51.100.1"),
            (" 198.51.100.1 ,, 203.0.113.9 ,", 2, "198.51.100.1"),
            # Fewer than there are proxies: somebody came around them.
            ("203.0.113.9", 2, "10.0.0.1"),
            ("", 1, "10.0.0.1"),
            (None, 1, "10.0.0.1"),
        ],
    )
    def test_address(self, forwarded: str | None, trusted: int, expected: str) -> None:
        """Each trusted proxy appends one address, and only those are believed, from the right."""
        assert expected == client_address("10.0.0.1", forwarded, trusted=trusted)

    def test_no_socket(self) -> None:
        """Where the server knows no address, there is none."""
        assert client_address(None, None, trusted=1) is None

    @given(st.lists(st.text(alphabet="0123456789abcdef:., \t", max_size=20)), st.integers(1, 3))
    def test_client_can_not_choose(self, claimed: list[str], trusted: int) -> None:
        """Whatever a client writes itself, the address is what the proxies saw."""
        seen = [f"203.0.113.{number}" for number in range(trusted)]
        header = ",".join([*claimed, *seen])

        assert seen[0] == client_address("10.0.0.1", header, trusted=trusted)

    @pytest.mark.parametrize(
        ("hop", "prefix"),
        [
            ("203.0.113.9:51234", "203.0.113.9"),
            ("[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2:3::4]:443", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ],
    )
    def test_with_port(self, hop: str, prefix: str) -> None:
        """Some proxies append the port, too; the client is counted all the same."""
        assert prefix == prefix_of(client_address("10.0.0.1", hop, trusted=1))


def crossing(
    origin: str | None = None, fetch_site: str | None = None, host: str | None = HOST
) -> bool:
    """Tell how a form is judged."""
    return is_cross_site(fetch_site=fetch_site, origin=origin, host=host, base_url=BASE)


class TestIsCrossSite:
    @pytest.mark.parametrize("value", ["same-origin", "none"])
    def test_fetch_site_own(self, value: str) -> None:
        """A browser that says that the form is ours is believed."""
        assert not crossing(fetch_site=value)

    @pytest.mark.parametrize("value", ["cross-site", "same-site", "", "SAME-ORIGIN", "x"])
    def test_fetch_site_other(self, value: str) -> None:
        """Anything else is another site, a sibling host too, whatever ``Origin`` says."""
        assert crossing(fetch_site=value, origin=BASE)

    def test_silent_browser(self) -> None:
        """An old browser says nothing; then the CSRF token alone decides."""
        assert not crossing()

    @pytest.mark.parametrize("origin", [BASE, f"{BASE}:443", "https://PORTAIL.ecole.be"])
    def test_own_origin(self, origin: str) -> None:
        """The portal's own origin, with or without its usual port."""
        assert not crossing(origin)
        assert not crossing(origin, host="backend:8000")

    def test_host_that_the_browser_sees(self) -> None:
        """A portal may have a second name; a page can't choose the ``Host`` of its forms."""
        assert not crossing("https://parents.ecole.be", host="parents.ecole.be")

    @pytest.mark.parametrize(
        "origin",
        [
            "null",
            "",
            "https://evil.example",
            "http://portail.ecole.be",
            "https://portail.ecole.be:8443",
            "https://portail.ecole.be.evil.example",
            "https://evil.example/portail.ecole.be",
            "https://portail.ecole.be@evil.example",
            "https://xportail.ecole.be",
            "https://[::1",
            "https://portail.ecole.be:x",
            "ftp://portail.ecole.be",
            "file://",
            "portail.ecole.be",
        ],
    )
    @pytest.mark.parametrize("host", [HOST, "", None, "a:b:c", "[::1"])
    def test_other_origin(self, origin: str, host: str | None) -> None:
        """Every other origin is another site, whatever the ``Host`` is."""
        assert crossing(origin, host=host)

    @given(st.text(), st.text())
    def test_any_text(self, origin: str, host: str) -> None:
        """Whatever the headers are, there is an answer; a host that names nobody matches nothing."""
        assert is_cross_site(fetch_site=None, origin=origin, host=host, base_url=BASE) in {
            True,
            False,
        }
        assert crossing("https://evil.example", host=HOST)
