import inspect
import logging

from datetime import datetime, timedelta

import attrs
import pytest

from parentauth import Argon2Hasher, Client, ParentAuth, PasswordPolicy, Paths
from parentauth._slots import Slots
from parentauth.exceptions import ConfigurationError, ParentAuthError
from parentauth.storage.memory import MemoryStorage
from tests.doubles import ListMailer
from tests.school import (
    BASE_URL,
    HOUR,
    OTHER_PASSWORD,
    PASSWORD,
    SCHOOL,
    SECOND,
    SECRET,
    Portal,
)


def auth(**settings: object) -> ParentAuth:
    """Make a core with little more than what must be given."""
    given = {
        "storage": MemoryStorage(),
        "mailer": ListMailer(),
        "secret_keys": [SECRET],
        "base_url": BASE_URL,
        "school": SCHOOL,
        "hasher": Argon2Hasher.for_tests(),
    }
    return ParentAuth(**{**given, **settings})


class TestConfiguration:
    @pytest.mark.parametrize(
        ("settings", "match"),
        [
            ({"secret_keys": []}, "secret_keys"),
            ({"secret_keys": SECRET}, "secret_keys"),
            ({"secret_keys": ["changeme"]}, "secret_keys"),
            ({"secret_keys": ["a" * 64]}, "secret_keys"),
            ({"secret_keys": [SECRET, ""]}, "key 2"),
            ({"secret_keys": [None]}, "secret_keys"),
            ({"base_url": "http://portail.ecole.be"}, "base_url"),
            ({"base_url": "portail.ecole.be"}, "base_url"),
            ({"locale": "xx"}, "xx"),
            ({"locale": ""}, "no texts"),
            ({"sender": "no address"}, "sender"),
            ({"sender": "École <portail@ecole.be>"}, "sender"),
            ({"first_login_ttl": timedelta(minutes=59)}, "first_login_ttl"),
            ({"reset_ttl": -HOUR}, "reset_ttl"),
            ({"not_before": datetime(2026, 1, 1)}, "not_before"),  # noqa: DTZ001
            ({"exempt_networks": ["x"]}, "exempt_networks"),
            ({"hashes_at_once": -1}, "hashes"),
            ({"hashes_at_once": 0}, "hashes"),
            ({"reset_pace": 0}, "reset_pace"),
            ({"reset_pace": -1}, "reset_pace"),
        ],
    )
    def test_refused(self, settings: dict, match: str) -> None:
        """What is missing or unsafe is refused at the start, by name."""
        with pytest.raises(ConfigurationError, match=match):
            auth(**settings)

    @pytest.mark.parametrize("key", ["canary-short", "canary" * 20])
    def test_tells_no_key(self, key: str) -> None:
        """An error about a key never repeats it."""
        with pytest.raises(ConfigurationError) as caught:
            auth(secret_keys=[key])

        assert "canary" not in str(caught.value)

    def test_defaults(self) -> None:
        """What is not given is safe: 15 characters, 14 days, an hour, twelve hours."""
        made = auth()
        parts = made._parts

        assert 15 == made.policy.minimum
        assert timedelta(days=14) == parts.lifetimes.first_login == parts.lifetimes.reset
        assert (HOUR, 12 * HOUR) == (parts.sessions.idle, parts.sessions.absolute)
        assert (2 * SECOND, 8 * SECOND) == parts.lifetimes.reset_delay
        assert () == parts.exempt
        assert "fr" == made.locale
        assert "noreply@portail.ecole.be" == parts.sender
        assert parts.clock().tzinfo is not None

    def test_default_hasher(self) -> None:
        """Passwords are hashed by Argon2id with RFC 9106's low-memory profile."""
        dummy = auth(hasher=None)._parts.dummy_hash

        assert dummy.startswith("$argon2id$v=19$m=65536,t=3,p=4$")

    def test_nothing_ships(self) -> None:
        """A fresh installation has no account and nobody to sign in."""
        made = auth()

        assert [] == list(made.storage.scan(None, 10))
        for username, password in (("admin", "admin"), ("", ""), ("root", "")):
            with pytest.raises(ParentAuthError):
                made.sign_in(username=username, password=password)

    def test_loopback_sender(self) -> None:
        """On loopback mails have a sender, too."""
        assert "noreply@example.com" == auth(base_url="http://127.0.0.1:5000")._parts.sender

    def test_properties(self) -> None:
        """What adapters need is there to read."""
        storage, policy, paths = MemoryStorage(), PasswordPolicy(minimum=20), Paths(prefix="/p")
        made = auth(storage=storage, policy=policy, paths=paths)

        assert (storage, policy, paths, SCHOOL, BASE_URL) == (
            made.storage,
            made.policy,
            made.site.paths,
            made.school,
            made.site.base_url,
        )

    def test_two_schools(self) -> None:
        """Two portals with a secret and a username in common have nothing to do with each other."""
        one, other = Portal(), Portal(settings={"base_url": "https://other.be"})
        token = one.invited("p1")
        signed_in = one.define(token)
        with pytest.raises(ParentAuthError):
            other.define(token)
        with pytest.raises(ParentAuthError):
            other.sign_in("anna")

        assert other.auth.resume(signed_in.session_id) is None
        assert not other.auth._parts.devices.knows(
            signed_in.device, other.auth._parts.device_digest("anna"), now=other.clock()
        )


class TestFace:
    def test_methods(self) -> None:
        """The public methods are these, each with a docstring."""
        public = {
            name
            for name, member in inspect.getmembers(ParentAuth)
            if not name.startswith("_") and (inspect.isfunction(member))
        }

        assert {
            "check_token",
            "visit_link",
            "define_password",
            "sign_in",
            "request_reset",
            "resume",
            "select_child",
            "change_password",
            "sign_out",
            "count_bad_input",
            "tell_csrf_refused",
            "save",
            "invite",
            "invite_all",
            "change_address",
            "set_active",
            "revoke_tokens",
            "end_sessions",
            "erase",
            "export",
            "status",
            "status_counts",
            "departed",
            "find_parent",
            "outbox",
            "retry",
            "drop",
            "purge",
            "deliver",
        } <= public
        assert all(inspect.getdoc(getattr(ParentAuth, name)) for name in public)

    @pytest.mark.parametrize("name", ["define_password", "sign_in", "change_password"])
    def test_keywords(self, name: str) -> None:
        """Two texts that could be swapped are given by name."""
        parameters = list(inspect.signature(getattr(ParentAuth, name)).parameters.values())
        positional = [
            each.name for each in parameters if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]

        assert len(positional) <= 2

    def test_no_token_for_the_school(self) -> None:
        """Nothing that the school calls returns a token."""
        for name in ("invite", "invite_all", "deliver", "outbox", "retry", "export"):
            returned = str(inspect.signature(getattr(ParentAuth, name)).return_annotation)
            assert "oken" not in returned


class TestCanary:
    def test_no_secret_anywhere(self, caplog: pytest.LogCaptureFixture) -> None:
        """After every flow no token, password, session id or typed name is in log, event or repr."""
        typed, wrong = "canary-typed-name", "canary-wrong-password"
        with caplog.at_level(logging.DEBUG):
            portal = Portal(settings={"hashes_at_once": 1})
            secrets = [PASSWORD, OTHER_PASSWORD, SECRET, typed, wrong]
            token = portal.invited("p1")
            portal.auth.check_token(token)
            for bad in ("x", wrong):
                with pytest.raises(ParentAuthError):
                    portal.auth.define_password(token, new_password=bad, confirmation="")
            first = portal.define(token)
            with pytest.raises(ParentAuthError):
                portal.define(token)
            second = portal.sign_in("anna", client=Client("192.0.2.7", first.device, "canary-id"))
            for username, password in ((typed, PASSWORD), ("anna", wrong), (typed, "\0")):
                for _ in range(6):
                    with pytest.raises(ParentAuthError):
                        portal.sign_in(username, password)
            portal.auth.request_reset("canary-address@example.be")
            portal.auth.request_reset("anna@example.be")
            third = portal.auth.change_password(
                second.session_id,
                current=PASSWORD,
                new_password=OTHER_PASSWORD,
                confirmation=OTHER_PASSWORD,
            )
            with pytest.raises(ParentAuthError):
                portal.auth.select_child(third.session_id, "canary-child")
            portal.deliver(after=10 * SECOND)
            portal.auth.resume(third.session_id)
            portal.auth.sign_out(third.session_id)

        secrets += [typed, "canary", "anna@example.be", "Anna@example.be"]
        secrets += [each.session_id for each in (first, second, third)]
        secrets += [each.device for each in (first, second, third)]
        secrets += [form for each in portal.mailer.tokens for form in (each, each.replace("-", ""))]
        told = "\n".join(
            [
                caplog.text,
                *map(repr, portal.events),
                *map(str, portal.events),
                *(repr(vars(record)) for record in caplog.records),
                repr([first, second, third]),
                repr(portal.outbox),
                repr(portal.auth),
                repr(portal.auth._parts.codec),
            ]
        )

        assert len(caplog.records) > 20
        assert [] == [secret for secret in secrets if secret in told]

    def test_at_rest(self, portal: Portal) -> None:
        """What is kept opens nothing: it holds no token, session id, device or password."""
        token = portal.invited("p1")
        signed_in = portal.define(token)
        kept = repr(
            [attrs.asdict(account) for account in portal.everything()[0]]
            + [attrs.asdict(row) for row in portal.outbox]
        )
        for secret in (
            token,
            token.replace("-", ""),
            signed_in.session_id,
            signed_in.device,
            PASSWORD,
        ):
            assert secret not in kept
        for found in set(kept.replace("'", " ").split()):
            assert portal.auth.resume(found) is None

    def test_errors(self, portal: Portal) -> None:
        """No error of a flow, nor what caused it, repeats what was typed."""
        for call in (
            lambda: portal.auth.check_token("canary"),
            lambda: portal.auth.check_token("canary\0"),
            lambda: portal.sign_in("canary", "canary"),
            lambda: portal.sign_in("canary\ud800", "canary"),
            lambda: portal.sign_in("anna", "canary\ud800"),
            lambda: portal.auth.request_reset("canary"),
            lambda: portal.auth.request_reset("canary@canary@"),
            lambda: portal.define(portal.invited("p1"), "canary"),
            lambda: portal.define(portal.invited("p1"), "canary\ud800"),
        ):
            with pytest.raises(ParentAuthError) as caught:
                call()
            error: BaseException | None = caught.value
            while error is not None:
                assert "canary" not in f"{error!s}{error!r}"
                error = error.__cause__ or error.__context__


class TestBusy:
    def test_slots_are_given_back(self, portal: Portal) -> None:
        """A refused or crashing verification gives its slot back."""
        portal.connected("p1")
        slots = Slots(1, queue=0, wait=timedelta(0))
        portal.auth._parts = attrs.evolve(portal.auth._parts, slots=slots)
        verify = portal.hasher.verify
        portal.hasher.verify = lambda **_: 1 / 0
        with pytest.raises(ZeroDivisionError):
            portal.sign_in("anna")
        portal.hasher.verify = verify

        for _ in range(3):
            with pytest.raises(ParentAuthError):
                portal.sign_in("nobody")
        assert portal.sign_in("anna")


class TestFailClosed:
    @pytest.mark.parametrize("port", ["storage", "hasher", "clock"])
    def test_port_away(self, portal: Portal, port: str) -> None:
        """When storage, hasher or clock fails nobody gets in, and no token is spent."""
        token = portal.invited("p1")
        working = portal.auth._parts

        class Away:
            def __getattr__(self, name: str) -> object:
                raise OSError("away")

            def __call__(self) -> datetime:
                raise OSError("away")

        portal.auth._parts = attrs.evolve(working, **{port: Away()})
        for call in (lambda: portal.define(token), lambda: portal.sign_in("anna")):
            with pytest.raises(OSError, match="away"):
                call()
        portal.auth._parts = working

        assert portal.define(token)
