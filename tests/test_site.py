import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import Paths, School
from parentauth._site import Site, is_loopback
from parentauth.exceptions import ConfigurationError


class TestBaseUrl:
    @pytest.mark.parametrize(
        ("url", "kept", "secure"),
        [
            ("https://portail.ecole.be", "https://portail.ecole.be", True),
            ("https://portail.ecole.be/", "https://portail.ecole.be", True),
            ("https://ecole.be:8443/portail/", "https://ecole.be:8443/portail", True),
            ("https://xn--cole-9oa.be", "https://xn--cole-9oa.be", True),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", False),
            ("http://127.9.9.9", "http://127.9.9.9", False),
            ("http://localhost:5000", "http://localhost:5000", False),
            ("http://[::1]:5000", "http://[::1]:5000", False),
        ],
    )
    def test_accepted(self, url: str, kept: str, *, secure: bool) -> None:
        """https everywhere, plain http on this machine; a final slash doesn't matter."""
        site = Site(url)

        assert (kept, secure) == (site.base_url, site.is_secure)

    @pytest.mark.parametrize(
        ("url", "fault"),
        [
            ("", "not absolute"),
            ("portail.ecole.be", "not absolute"),
            ("//portail.ecole.be", "not absolute"),
            ("ftp://portail.ecole.be", "not absolute"),
            ("https://", "not absolute"),
            ("https:///x", "not absolute"),
            ("http://portail.ecole.be", "not encrypted"),
            ("http://localhost.evil.be", "not encrypted"),
            ("http://127.0.0.1.evil.be", "not encrypted"),
            ("https://a@b.be", "more than a host"),
            ("https://a:b@c.be", "more than a host"),
            ("https://@b.be", "more than a host"),
            ("https://b.be?x", "more than a host"),
            ("https://b.be#x", "more than a host"),
            ("https://b.be/%0d%0a", "characters"),
            ("https://b.be/{x}", "characters"),
            ('https://b.be/"x', "characters"),
            ("https://b.be\\@evil.be", ""),
            ("https://école.be", "characters"),
            ("https://b.be:99999", "not an address"),
            ("https://b.be:x", "not an address"),
            ("https://[::1", "not an address"),
        ],
    )
    def test_refused(self, url: str, fault: str) -> None:
        """Anything else is refused at the start, with the cure."""
        with pytest.raises(ConfigurationError, match=rf"base_url .*{fault}.*https://"):
            Site(url)

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """Whatever is given is accepted whole or refused as configuration."""
        try:
            site = Site(f"https://{text}")
        except ConfigurationError:
            return
        assert site.url("login").startswith("https://")
        assert site.url("login").isascii()

    @pytest.mark.parametrize("blank", [" ", "\t", "\n", "\r\n"])
    def test_blanks(self, blank: str) -> None:
        """A blank inside or at an end is refused: mails would break the link there."""
        for url in (f"https://b.be{blank}", f"https://b{blank}.be", f"https://b.be/{blank}x"):
            with pytest.raises(ConfigurationError):
                Site(url)


class TestUrls:
    def test_pages(self) -> None:
        """Links are made of the base, the prefix and the page's path; one page stands apart."""
        site = Site("https://ecole.be/portail", Paths(prefix="/parents"))

        assert "https://ecole.be/portail/parents/login" == site.url("login")
        assert "https://ecole.be/portail/.well-known/change-password" == site.url("well_known")
        assert "https://ecole.be/portail/parents/token/ABC" == site.token_url("ABC")
        assert "ecole.be" == site.host

    def test_defaults(self) -> None:
        """The default paths are the same in every adapter."""
        paths = Paths()
        names = [
            "login",
            "token",
            "password",
            "password_change",
            "forgot",
            "children",
            "logout",
            "well_known",
        ]

        assert [
            "/login",
            "/token",
            "/password",
            "/password/change",
            "/forgot",
            "/children",
            "/logout",
            "/.well-known/change-password",
        ] == [paths.of(name) for name in names]


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "",
            "login",
            "/login/",
            "//login",
            "/",
            "/lo gin",
            "/login?x",
            "/login#x",
            "/é",
            "/a\\b",
            "/%2f",
            "/a\n",
        ],
    )
    def test_refused(self, path: str) -> None:
        """A path begins with one slash, ends with none, and is plain."""
        with pytest.raises(ConfigurationError, match="'login'"):
            Paths(login=path)

    @pytest.mark.parametrize("prefix", ["/", "/p/", "p", "//p"])
    def test_prefix(self, prefix: str) -> None:
        """So does a prefix, unless there is none."""
        with pytest.raises(ConfigurationError, match="'prefix'"):
            Paths(prefix=prefix)


class TestPathsApart:
    def test_twice(self) -> None:
        """No two pages have one path."""
        with pytest.raises(ConfigurationError, match="two pages have the path '/token'"):
            Paths(login="/token")

    def test_prefix(self) -> None:
        """The prefix counts: the well-known address stands apart from it."""
        assert "/parents/login" == Paths(prefix="/parents").of("login")


class TestSchool:
    @pytest.mark.parametrize(
        "name", ["", " ", "a\nb", "a\0", "a\u202eb", "=?utf-8?q?a?=", 101 * "a"]
    )
    def test_name(self, name: str) -> None:
        """A school has a name of printable characters."""
        with pytest.raises(ConfigurationError, match="name"):
            School(name)

    @pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a\0"])
    def test_zone(self, zone: str) -> None:
        """A time zone that there is not is refused, with an example."""
        with pytest.raises(ConfigurationError, match="Europe/Brussels"):
            School("École", timezone=zone)

    @pytest.mark.parametrize("email", ["info", "a@b.be, c@d.be", "École <a@b.be>", "a@b\n.be"])
    def test_email(self, email: str) -> None:
        """An address that no mail could carry is refused at the start, not mail by mail."""
        with pytest.raises(ConfigurationError, match="school_email"):
            School("École", email=email)

    def test_email_kept(self) -> None:
        """An address is kept as mails carry it."""
        assert "info@xn--cole-9oa.be" == School("École", email=" info@école.be ").email

    def test_default_zone(self) -> None:
        """Dates are Brussels' unless told otherwise."""
        assert "Europe/Brussels" == School("École").zone.key


class TestLoopback:
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("localhost", True),
            ("127.0.0.1", True),
            ("127.1.2.3", True),
            ("::1", True),
            ("0.0.0.0", False),
            ("192.168.0.1", False),
            ("localhost.", False),
            ("", False),
            ("example.be", False),
        ],
    )
    def test_table(self, host: str, *, expected: bool) -> None:
        """Only this very machine counts."""
        assert expected is is_loopback(host)
