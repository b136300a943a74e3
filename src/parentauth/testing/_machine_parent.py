"""The rules of parents who are signed in: children, passwords, leaving."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from parentauth._outbox import IntentKind
from parentauth.testing._machine_model import ModelSession
from parentauth.testing._machine_school import PICKS, Period, Row
from parentauth.testing._machine_sign_in import SignInRules
from parentauth.testing._machine_tokens import MEDDLERS
from parentauth.testing._machine_world import CHILDREN, NEW_PASSWORDS, WRONG


class ParentRules(SignInRules):
    """What a session opens, and for how long."""

    # -- Signed in

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS)
    def resume(self, pick: int) -> None:
        """A request shows the own children, and only while the session lives."""
        self._resume(self._some_session(pick))

    def _resume(self, session: ModelSession) -> None:
        found, _ = self.ask(lambda: self.auth.resume(session.raw))
        live = self._is_live(session)
        self.expect("resume", expected=self.present(session) if live else None, actual=found)
        self.may_touch.add(session.account.id)
        if live and not self.storage.met_conflict:
            session.used(self.model.now)

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS, child=st.sampled_from(CHILDREN), meddler=MEDDLERS)
    def select_child(self, pick: int, child: str, meddler: str) -> None:
        """A child of one's own can be chosen, no other."""
        session = self._some_session(pick)
        self._meddle(meddler, session.account)
        self._select(session, child)

    def _select(self, session: ModelSession, child: str) -> None:
        found, reason = self.ask(lambda: self.auth.select_child(session.raw or "", child))
        self.storage.meddler = None
        expected = None if child in session.account.children(self.model.now) else "child_rejected"
        expected = expected if self._is_live(session) else "not_signed_in"
        self.expect("select_child", expected=expected, actual=reason)
        if found is not None:
            session.child, session.seen_at = child, self.model.now
            self.may_touch.add(session.account.id)
            self.expect("chosen", expected=self.present(session), actual=found)

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS, which=st.integers(0, 2), complete=st.booleans())
    def lose_child(self, *, pick: int, which: int, complete: bool) -> None:
        """A child that is open leaves the school: the next request does not show it any more."""
        session = self._some_session(pick)
        children = session.account.children(self.model.now) or list(CHILDREN)
        child = children[which % len(children)]
        self._select(session, child)
        if not session.account.erased:
            kept: dict[str, Period] = {
                each: (None, None) for each in session.account.links if each != child
            }
            ended: dict[str, Period] = {child: (None, 0)}
            names = session.account.id, session.account.username
            self.save([Row(*names, None, kept if complete else ended)], complete=complete)
        self._resume(session)

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS, minutes=st.sampled_from((50, 59)), requests=st.sampled_from((1, 3, 15)))
    def stay(self, pick: int, minutes: int, requests: int) -> None:
        """A parent goes on reading, until the day is over."""
        session = self._some_session(pick)
        for _ in range(requests):
            self.advance(timedelta(minutes=minutes))
            self._resume(session)

    @precondition(lambda self: self.cookies)
    @rule(
        pick=PICKS,
        right=st.sampled_from([True, True, False]),
        new=st.sampled_from((*NEW_PASSWORDS, *NEW_PASSWORDS[:3])),
        meddler=MEDDLERS,
    )
    def change_password(
        self,
        *,
        pick: int,
        right: bool,
        new: tuple[str, str],
        meddler: str,
    ) -> None:
        """The password changes for who knows the present one; all other sessions end."""
        session = self._some_session(pick)
        account = session.account
        current = (account.password if right else None) or WRONG
        counter = self.counter_of(account.username, device=True)
        shut = self.model.is_shut(counter)
        self._meddle(meddler, account)
        done, reason = self._guess(
            counter,
            lambda: self.auth.change_password(
                session.raw or "", current=current, new_password=new[0], confirmation=new[1]
            ),
        )
        self.storage.meddler = None
        refusals = (
            (not self._is_live(session), "not_signed_in"),
            (shut, "throttled"),
            (not right, "current_password"),
            (new not in NEW_PASSWORDS[:3], "password_rejected"),
        )
        expected = next((refusal for refused, refusal in refusals if refused), None)
        self.expect("change_password", expected=expected, actual=reason)
        if done is not None:
            account.set_password(new[0], self.model.now)
            self.opened(account, done, None)
            self._forgive(account)
            self.expect_queued(IntentKind.PASSWORD_CHANGED, account.id, None)

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS)
    def sign_out(self, pick: int) -> None:
        """A session ends where it is kept."""
        session = self._some_session(pick)
        self.ask(lambda: self.auth.sign_out(session.raw))
        self.may_touch.add(session.account.id)
        session.ended = True
        self._resume(session)
