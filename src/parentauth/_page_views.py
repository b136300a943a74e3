"""Builds what each template shows: ready-translated texts and plain values, nothing else."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from parentauth._model import CheckedToken, Child, Present
from parentauth._page_values import Context, PageRequest, Show
from parentauth._passwords import PasswordPolicy
from parentauth._site import School
from parentauth._texts import NAMES, Texts, available

LINKS: Final = ("login", "token", "forgot", "password_change", "children", "logout")


@attrs.frozen
class Problem:
    """
    One error, said at the top and beside its field.

    Args:
        field: The field's name, or empty: the page as a whole.
    """

    text: str
    field: str = ""


@attrs.frozen
class Step:
    """A way on from an error."""

    text: str
    href: str


@attrs.frozen
class Views:
    """The pages of one school, for one request in one language."""

    school: School
    policy: PasswordPolicy
    request: PageRequest
    texts: Texts

    # -- Pages

    def login(
        self,
        *,
        username: str = "",
        after: str = "",
        problems: Sequence[Problem] = (),
        notice: str = "",
        steps: Sequence[Step] = (),
        status: int = 200,
    ) -> Show:
        """Sign-in, one page of two blocks."""
        t = self.texts
        fields = [
            _field("username", t("Username"), value=username, autocomplete="username"),
            self._password("password", t("Password"), "current-password"),
        ]
        hidden = _hidden(next=after)
        context = self._frame(
            "login", t("Sign in"), problems, kept=_hidden(username=username, next=after)
        )
        context["notices"] += [notice] if notice else []
        context["text"] |= {
            "first_title": t("First sign-in"),
            "first_intro": t("to set your personal password"),
            "first_button": t("ACCESS CODE"),
            "next_title": t("Signing in again"),
            "forgot": t(
                "Forgotten your password? Don't panic, click here to set a new one."
            ),
        }
        self._add_form(context, "login", t("SIGN IN"), fields, hidden, problems)
        context["next_steps"] = _steps(steps)
        return Show("login.html", context, status)

    def token(
        self,
        *,
        token: str = "",
        switch: bool = False,
        problems: Sequence[Problem] = (),
        steps: Sequence[Step] = (),
        status: int = 200,
    ) -> Show:
        """The token field, filled from the link."""
        t = self.texts
        hidden = _hidden(switch="1" if switch else "")
        field = _field(
            "token",
            t("Access code"),
            value=token,
            autocomplete="one-time-code",
            hint=t("Enter the access code we sent you by email."),
        )
        context = self._frame(
            "token", t("Access code"), problems, kept=[*_hidden(token=token), *hidden]
        )
        context["text"] |= {
            "missing_mail": t(
                "Did you not receive the mail? Look among the unwanted mails, "
                "or telephone the school."
            ),
            "sign_in_link": t("Signing in again"),
        }
        self._add_form(context, "token", t("SIGN IN"), [field], hidden, problems)
        context["next_steps"] = _steps(steps)
        return Show("token.html", context, status)

    def password(
        self,
        checked: CheckedToken,
        *,
        token: str,
        switch: bool,
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Show:
        """Choose a password; the token travels in the form."""
        t = self.texts
        hidden = _hidden(token=token, switch="1" if switch else "")
        username = _field(
            "username",
            t("Username"),
            value=checked.parent.username,
            autocomplete="username",
            readonly=True,
        )
        context = self._frame("password", t("Set your personal password"), problems, kept=hidden)
        before, _, after = t(
            "Your username is %(name)s. Write it down.", name=_MARK
        ).partition(_MARK)
        context["text"] |= {
            "intro": t(
                "You received or asked for a (new) access code in order to set your "
                "personal password."
            ),
            "username_before": before,
            "username": checked.parent.username,
            "username_after": after,
            "rules": self._rules(),
        }
        fields = [username, *self._new_password_fields()]
        self._add_form(context, "password", t("CHANGE"), fields, hidden, problems)
        return Show("password.html", context, status)

    def password_change(
        self, *, username: str, problems: Sequence[Problem] = (), status: int = 200
    ) -> Show:
        """Change the password while signed in."""
        t = self.texts
        fields = [
            _field(
                "username",
                t("Username"),
                value=username,
                autocomplete="username",
                readonly=True,
            ),
            self._password("current_password", t("Current password"), "current-password"),
            *self._new_password_fields(),
        ]
        context = self._frame("password_change", t("Change my password"), problems)
        context["text"] |= {"rules": self._rules(), "back": t("Back to my children")}
        self._add_form(context, "password_change", t("CHANGE"), fields, [], problems)
        return Show("password_change.html", context, status)

    def forgot(
        self,
        *,
        email: str = "",
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Show:
        """Ask for a new token."""
        t = self.texts
        field = _field(
            "email",
            t("email"),
            value=email,
            type="email",
            inputmode="email",
            autocomplete="email",
        )
        context = self._frame(
            "forgot", t("Forgotten password"), problems, kept=_hidden(email=email)
        )
        context["text"] |= {
            "intro": t(
                "To set a new password, please enter your email address. "
                "You will receive instructions in your mailbox."
            ),
            "sign_in_link": t("Signing in again"),
        }
        self._add_form(context, "forgot", t("SUBMIT"), [field], [], problems)
        return Show("forgot.html", context, status)

    def forgot_sent(self) -> Show:
        """The answer, the same for every address."""
        t = self.texts
        context = self._frame("forgot", t("Forgotten password"), ())
        context["paragraphs"] = [
            t("If an account is linked to this address, a mail has just been sent."),
            t("It arrives within a minute or two. Look among the unwanted mails, too."),
            t(
                "Do you receive nothing? Try again with the email address that you gave "
                "to the school."
            ),
        ]
        context["text"] |= {"sign_in_link": t("Signing in again")}
        return Show("forgot_sent.html", context)

    def children(self, present: Present, *, after: str = "") -> Show:
        """Pick a child."""
        t = self.texts
        heading = t("Choose a child") if present.children else t("My children")
        context = self._frame("children", heading, (), kept=_hidden(next=after))
        context["children"] = [_child(child) for child in present.children]
        context["text"] |= {
            "none": t("No child is linked to your account. Telephone the school."),
            "change": t("Change my password"),
            "sign_out": t("Sign out"),
        }
        hidden = _hidden(next=after)
        self._add_form(context, "children", t("Sign in with this account"), [], hidden, ())
        return Show("children.html", context)

    def switch(self, *, token: str, wanted: str, present: str, status: int = 200) -> Show:
        """Ask before another account's session ends."""
        t = self.texts
        context = self._frame("token", t("Access code"), (), kept=_hidden(token=token))
        context["text"] |= {
            "question": t(
                "This link is for the account %(wanted)s. You are signed in as %(present)s.",
                wanted=wanted,
                present=present,
            ),
            "stay": t("Stay with %(name)s", name=present),
            "stay_href": self.request.links.page("children"),
        }
        button = t("CONTINUE WITH %(name)s", name=wanted)
        self._add_form(context, "token", button, [], _hidden(token=token, switch="1"), ())
        return Show("switch.html", context, status)

    def error(
        self, message: str, *, status: int, heading: str = "", steps: Sequence[Step] = ()
    ) -> Show:
        """Say what happened, with the school's telephone and a way on."""
        context = self._frame("login", heading or self.texts("There is a problem"), ())
        context["text"] |= {"message": message}
        context["next_steps"] = _steps(steps)
        return Show("error.html", context, status)

    # -- Their parts

    def _frame(
        self,
        page: str,
        heading: str,
        problems: Sequence[Problem],
        *,
        kept: Sequence[Mapping[str, str]] = (),
    ) -> Context:
        t, links = self.texts, self.request.links
        name, value = self.request.csrf()
        return {
            "lang": t.locale,
            "title": t("Error: %(title)s", title=heading) if problems else heading,
            "heading": heading,
            "school": _school(self.school),
            "links": {
                **{link: links.page(link) for link in LINKS},
                "stylesheet": links.static("parentauth.css"),
                "script": links.static("parentauth.js"),
                "extra_stylesheet": links.extra_stylesheet(),
            },
            "csrf": {"name": name, "value": value},
            "languages": {
                "label": t("Language"),
                "action": links.page(page),
                "hidden": kept,
                "choices": [
                    {"code": code, "name": NAMES[code], "current": code == t.locale}
                    for code in available()
                ],
            },
            "notices": list(self.request.flashes()),
            "errors": [
                {"href": f"#id_{problem.field}" if problem.field else "", "text": problem.text}
                for problem in problems
            ],
            "next_steps": [],
            "text": {
                "problem": t("There is a problem"),
                "help": t("Do you need help?"),
                "telephone": t("Telephone"),
                "show": t("Show"),
                "hide": t("Hide"),
            },
        }

    def _add_form(
        self,
        context: Context,
        page: str,
        button: str,
        fields: Sequence[Context],
        hidden: Sequence[Mapping[str, str]],
        problems: Sequence[Problem],
    ) -> None:
        for field in fields:
            field["error"] = " ".join(p.text for p in problems if p.field == field["name"])
            described = [f"{field['id']}_hint"] if field["hint"] else []
            described += [f"{field['id']}_error"] if field["error"] else []
            field["described_by"] = " ".join(described)
        context["form"] = {
            "action": self.request.links.page(page),
            "button": button,
            "hidden": hidden,
            "fields": fields,
        }

    def _password(self, name: str, label: str, autocomplete: str) -> Context:
        t = self.texts
        return _field(
            name,
            label,
            type="password",
            autocomplete=autocomplete,
            show=t("Show the password: %(field)s", field=label),
            hide=t("Hide the password: %(field)s", field=label),
        )

    def _new_password_fields(self) -> list[Context]:
        t = self.texts
        return [
            self._password("new_password", t("New password"), "new-password"),
            self._password("confirmation", t("Repeat the password"), "new-password"),
        ]

    def _rules(self) -> str:
        t = self.texts
        return t(
            "At least %(n)s characters. For example three words that have nothing to do "
            "with each other.",
            n=self.policy.minimum,
        )


_MARK: Final = "\N{OBJECT REPLACEMENT CHARACTER}"


def _field(
    name: str,
    label: str,
    *,
    value: str = "",
    type: str = "text",  # noqa: A002  HTML's own word
    hint: str = "",
    autocomplete: str = "off",
    inputmode: str = "text",
    readonly: bool = False,
    show: str = "",
    hide: str = "",
) -> Context:
    return {
        "id": f"id_{name}",
        "name": name,
        "type": type,
        "label": label,
        "hint": hint,
        "value": value,
        "autocomplete": autocomplete,
        "inputmode": inputmode,
        "readonly": readonly,
        "show": show,
        "hide": hide,
    }


def _hidden(**values: str) -> list[Mapping[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items() if value]


def _steps(steps: Sequence[Step]) -> list[Mapping[str, str]]:
    return [{"text": step.text, "href": step.href} for step in steps]


def _child(child: Child) -> Mapping[str, str]:
    return {"id": child.id, "name": child.name, "school_class": child.school_class}


def _school(school: School) -> Mapping[str, str]:
    digits = "".join(c for c in school.telephone if c in "+0123456789")
    return {
        "name": school.name,
        "logo": school.logo,
        "telephone": school.telephone,
        "telephone_href": f"tel:{digits}" if digits else "",
        "address": school.address,
        "email": school.email,
    }
