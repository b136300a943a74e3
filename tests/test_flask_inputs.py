import io

from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth.throttles import MemoryThrottle
from tests.flask_app import GARBAGE, Browser, Site, set_cookies
from tests.school import PASSWORD

FIELDS = {
    "/login": {"username": "anna", "password": PASSWORD, "next": "/mine"},
    "/token": {"token": GARBAGE, "switch": "1"},
    "/password": {
        "token": GARBAGE,
        "new_password": PASSWORD,
        "confirmation": PASSWORD,
        "switch": "1",
    },
    "/password/change": {
        "current_password": PASSWORD,
        "new_password": PASSWORD,
        "confirmation": PASSWORD,
    },
    "/forgot": {"email": "anna@example.be"},
    "/children": {"child": "c2", "next": "/mine"},
}
EACH = [(path, field) for path, fields in FIELDS.items() for field in fields]
# None of these is read by who knows that the token is none.
LATE = {("/password", "new_password"), ("/password", "confirmation"), ("/password", "switch")}
FORM = "application/x-www-form-urlencoded"


class Counting(MemoryThrottle):
    """Notes the failures that are counted on a prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    def hit(self, key: str, **values: Any) -> Any:
        """Count, and note."""
        self.failures += key.startswith("failures:")
        return super().hit(key, **values)


@pytest.fixture(scope="module")
def portal() -> Site:
    """Give a portal that notes failures."""
    return Site(throttle=Counting())


@pytest.fixture(scope="module")
def bert(portal: Site) -> Browser:
    """Give the browser of a signed-in parent of two children."""
    return portal.signed_in("p2")


@pytest.fixture
def site(portal: Site) -> Site:
    """Give that portal, with nothing counted, queued or told yet."""
    portal.throttle.__init__()
    portal.auth.drop([row.id for row in portal.outbox])
    portal.forget()
    return portal


def encoded(csrf: str, fields: dict[str, str], **raw: str) -> str:
    """Encode a form; *raw* values are encoded already."""
    pairs = [f"{quote(name)}={quote(value)}" for name, value in fields.items() if name not in raw]
    pairs += [f"{quote(name)}={value}" for name, value in raw.items()]
    return "&".join([f"csrf_token={quote(csrf)}", *pairs])


def sent(browser: Browser, path: str, body: str) -> Any:
    """Send a form as it is encoded."""
    text = body.replace("CSRF", quote(browser.csrf)).encode("utf-8", "surrogateescape")
    return browser.send(path, text, content_type=FORM)


@pytest.mark.parametrize(("path", "field"), EACH)
class TestEachField:
    def test_missing(self, site: Site, bert: Browser, path: str, field: str) -> None:
        """A form without one of its fields is answered in words."""
        fields = {name: value for name, value in FIELDS[path].items() if name != field}
        response = sent(bert, path, encoded("CSRF", fields))

        assert response.status_code in {200, 303, 404, 422}

    def test_repeated(self, site: Site, bert: Browser, path: str, field: str) -> None:
        """A field that comes twice is refused, and counted: two parsers might differ."""
        body = encoded("CSRF", FIELDS[path]) + f"&{field}=other"
        response = sent(bert, path, body)

        self._refused(site, path, field, response)

    def test_like_a_list(self, site: Site, bert: Browser, path: str, field: str) -> None:
        """``email[]`` is not ``email``."""
        fields = {name: value for name, value in FIELDS[path].items() if name != field}
        before = site.outbox
        response = sent(bert, path, encoded("CSRF", fields) + f"&{field}[]=a&{field}[]=b")

        assert response.status_code in {200, 303, 404, 422}
        assert before == [row for row in site.outbox if row.intent.kind.value == "reset"]

    @pytest.mark.parametrize("raw", ["a%00b", "%00", "%ED%A0%80%00", "a" * 3000])
    def test_no_text(self, site: Site, bert: Browser, path: str, field: str, raw: str) -> None:
        """NUL and a text far too long are refused and counted, wherever they are."""
        response = sent(bert, path, encoded("CSRF", FIELDS[path], **{field: raw}))

        if field == "next":
            # Where to go is only looked at by the pages.
            assert response.status_code in {303, 400}
        else:
            self._refused(site, path, field, response)

    @pytest.mark.parametrize(
        "raw",
        [
            "%ED%A0%80",
            "%FF%FE",
            "\udcff",
            "%C0%80",
            "%F0%9F%92%A9",
            "%E2%80%AE",
            "%0D%0AX:1",
            "%F5",
        ],
    )
    def test_odd_bytes(self, site: Site, bert: Browser, path: str, field: str, raw: str) -> None:
        """Half characters and other bytes that are no text are wrong, and nothing more."""
        body = encoded("CSRF", FIELDS[path], **{field: raw})
        response = sent(bert, path, body)

        assert response.status_code in {200, 303, 400, 403, 404, 422}

    def test_huge(self, site: Site, bert: Browser, path: str, field: str) -> None:
        """A megabyte is not read at all, and counted."""
        response = sent(bert, path, encoded("CSRF", FIELDS[path], **{field: "a" * 1_000_000}))

        assert (413, 1) == (response.status_code, site.throttle.failures)

    def _refused(self, site: Site, path: str, field: str, response: Any) -> None:
        if (path, field) in LATE:
            assert response.status_code in {400, 422}
            return
        assert 400 == response.status_code
        assert 1 <= site.throttle.failures <= 2
        assert set() == set_cookies(response).keys() - {"session"}


@pytest.mark.parametrize("path", FIELDS)
class TestWholeBody:
    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b'{"username": ["anna"], "email": null}', "application/json"),
            (b"[1, 2", "application/json"),
            (b"<x/>", "text/xml"),
            (b"anything", ""),
            (b"\xff\xfe\x00=\xff", FORM),
            (b"=&=&&;", FORM),
            (b"a" * 1000, "multipart/form-data; boundary=x"),
            (b"--x\r\nContent-Disposition: form-data\r\n\r\n", "multipart/form-data; boundary=x"),
            (b"x", "multipart/form-data"),
        ],
    )
    def test_no_form(self, site: Site, path: str, body: bytes, content_type: str) -> None:
        """A body that is no form has no CSRF token, and does nothing."""
        response = site.browser().send(path, body, content_type=content_type)

        assert response.status_code in {400, 403}
        assert [] == site.outbox

    def test_json_with_token(self, site: Site, path: str) -> None:
        """Not even with a CSRF token in a header is JSON taken for a form."""
        browser = site.browser()
        response = browser.send(
            path,
            b'{"username": "anna", "email": "anna@example.be"}',
            content_type="application/json",
            headers={"X-CSRFToken": browser.csrf},
        )

        assert response.status_code in {303, 422}
        assert [] == site.outbox

    def test_multipart(self, site: Site, path: str) -> None:
        """A multipart form is as good as any; a file is no text."""
        browser = site.browser()
        values = {"csrf_token": browser.csrf, **FIELDS[path]}
        response = browser.send(path, values, content_type="multipart/form-data")
        first = next(iter(FIELDS[path]))
        file = {**values, first: (io.BytesIO(b"\0\xff"), "x.txt")}

        assert response.status_code in {200, 303, 422}
        assert response.status_code != 500
        assert browser.send(path, file).status_code in {303, 422}

    def test_more_fields(self, site: Site, path: str) -> None:
        """Fields that no form has do nothing."""
        browser = site.browser()
        before = site.account("p1")
        browser.post(
            path,
            **FIELDS[path],
            is_active="1",
            active="0",
            account_id="p2",
            id="p2",
            is_staff="1",
            locale="nl",
            version="99",
        )

        assert before == site.account("p1")

    def test_many_fields(self, site: Site, path: str) -> None:
        """Thousands of fields are no more than a form that is wrong."""
        browser = site.browser()
        many = {f"f{number}": "x" for number in range(5000)}

        assert browser.post(path, **many).status_code in {303, 400, 413, 422}


class TestQueryAndBody:
    def test_query_is_ignored(self, site: Site) -> None:
        """A form's fields come from its body alone."""
        browser = site.browser()
        response = browser.send("/forgot?email=evil@example.be", {"csrf_token": browser.csrf})
        both = browser.send(
            "/forgot?email=evil@example.be",
            {"csrf_token": browser.csrf, "email": "anna@example.be"},
        )

        assert (422, 303) == (response.status_code, both.status_code)
        assert ["anna@example.be"] == [row.intent.address for row in site.outbox]

    def test_hundred_and_one(self) -> None:
        """Bad input is counted like bad passwords: the hundred-and-first attempt is refused."""
        site = Site()
        site.connected("p1")
        browser = site.browser()
        for _ in range(100):
            assert 400 == browser.post("/login", username="a\0b", password="x").status_code

        assert 429 == browser.sign_in("anna").status_code
        assert 303 == site.browser(address="198.51.100.9").sign_in("anna").status_code

    def test_other_sites_can_not_count(self, site: Site) -> None:
        """Another site can't use a parent's browser to have the parent's address refused."""
        browser = site.browser()
        site.throttle.failures = 0
        for data in ({"username": ["a", "b"]}, {"username": "a\0"}, {"username": "a" * 1_000_000}):
            browser.send("/login", data, headers={"Sec-Fetch-Site": "cross-site"})

        assert 0 == site.throttle.failures

    def test_looking_counts_nothing(self, site: Site) -> None:
        """A GET with odd values is refused, and counted nowhere."""
        browser = site.browser()
        statuses = [
            browser.get(path).status_code
            for path in (
                "/login?next=a&next=b",
                "/forgot?notice=%00",
                "/login?next=%00",
                "/token/%00",
            )
        ]

        assert {200, 400} >= set(statuses)
        assert 0 == site.throttle.failures


# Where a browser would leave the site, as WHATWG's URL standard reads it.
HOSTILE = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example",
    "http:///evil.example",
    "evil.example",
    "@evil.example",
    ":@evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil。example",
    "/。evil.example",
    "//portail.ecole.be@evil.example",
    "//portail.ecole.be.evil.example",
    "/x\r\nLocation: https://evil.example",
    "/x\r\nSet-Cookie: a=b",
    "/" + "a" * 8192,
    "",
    ".",
    "?x",
    "#x",
    "mine",
    "\0/mine",
]
HARMLESS = [
    "/mine",
    "/mine?a=1&b=2",
    "/%09/evil.example",
    "/%5Cevil.example",
    "/%2F%2Fevil.example",
    "/a//b",
    "/@evil.example",
    "/:80@evil.example",
    "/..//evil.example",
    "/./mine",
    "/mine?next=https://evil.example",
    "/%E2%80%AE",
]


def stays(location: str) -> bool:
    """
    Judge like a browser: backslash is slash, tabs and line ends go, ``//`` is a host.

    https://url.spec.whatwg.org/#concept-basic-url-parser, for special schemes.
    """
    text = location.strip("".join(map(chr, range(33))))
    text = "".join(mark for mark in text if mark not in "\t\n\r").replace("\\", "/")
    return text.startswith("/") and not text.startswith("//") and location.isascii()


@pytest.fixture(scope="module")
def shared() -> Site:
    """Give a portal that these tests share."""
    site = Site()
    site.connected("p1")
    site.connected("p2")
    return site


@pytest.fixture(scope="module")
def anna(shared: Site) -> Browser:
    """Give the browser of a signed-in parent."""
    browser = shared.browser()
    browser.sign_in("anna")
    return browser


class TestNext:
    @pytest.mark.parametrize("after", HOSTILE)
    def test_hostile(self, shared: Site, after: str) -> None:
        """What is no path of this site is dropped, at sign-in, when signed in, and at the choice."""
        browser = shared.browser()
        arrived = browser.sign_in("anna", next=after)
        again = browser.get("/login", query_string={"next": after})
        chooser = shared.browser()
        chooser.sign_in("bert")
        picked = chooser.post("/children", child="c2", next=after)
        page = chooser.get("/children", query_string={"next": after})

        for response, home in ((arrived, "/child/c1"), (again, "/child/c1"), (picked, "/child/c2")):
            assert response.status_code in {303, 400}
            assert response.headers.get("Location", home) == home
        assert "evil" not in page.text

    @pytest.mark.parametrize("after", HARMLESS)
    def test_harmless(self, shared: Site, after: str) -> None:
        """A path of this site is gone to as it is."""
        location = shared.browser().sign_in("anna", next=after).headers["Location"]

        assert after == location
        assert stays(location)

    @given(
        st.one_of(
            st.text(max_size=30),
            st.text(alphabet="/\\.:@?#%\t\r\n ehlxtps;0。", max_size=12),
            st.builds("/{}".format, st.text(alphabet="/\\.:@%\t\n09AFfe", max_size=8)),
        )
    )
    def test_any_text(self, anna: Browser, after: str) -> None:
        """For every text, a signed-in parent stays on the site."""
        response = anna.get("/login", query_string={"next": after})

        assert response.status_code in {303, 400}
        if response.status_code == 303:
            assert stays(response.headers["Location"])
            assert "" == urlsplit(response.headers["Location"]).netloc

    def test_repeated(self, shared: Site) -> None:
        """Where to go must be said once."""
        browser = shared.browser()
        response = browser.sign_in("anna", next=["/mine", "//evil.example"])

        assert 400 == response.status_code
        assert not browser.is_signed_in

    def test_once_more_at_the_choice(self, shared: Site) -> None:
        """It is carried through the choice of a child."""
        browser = shared.browser()
        location = browser.sign_in("bert", next="/mine").headers["Location"]

        assert "/children?next=/mine" == location
        assert 'name="next" value="/mine"' in browser.get(location).text
        assert "/mine" == browser.post("/children", child="c3", next="/mine").headers["Location"]
