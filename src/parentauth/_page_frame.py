"""The parts that all pages share: frame, forms, fields."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from parentauth._model import Child
from parentauth._page_values import Context, PageRequest
from parentauth._passwords import PasswordPolicy
from parentauth._site import School
from parentauth._texts import NAMES, Texts, available

LINKS: Final = ("login", "token", "forgot", "password_change", "children", "logout")
Hidden = Sequence[Mapping[str, str]]


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
class Form:
    """
    What a page asks for.

    Args:
        page: Where it is sent.
        hidden: What travels with it unseen.
    """

    page: str
    button: str
    fields: Sequence[Context] = ()
    hidden: Hidden = ()


@attrs.frozen
class Frame:
    """The pages of one school, for one request in one language."""

    school: School
    policy: PasswordPolicy
    request: PageRequest
    texts: Texts

    def context(
        self,
        page: str,
        heading: str,
        *,
        form: Form | None = None,
        problems: Sequence[Problem] = (),
        steps: Sequence[Step] = (),
        kept: Hidden = (),
        text: Mapping[str, str] | None = None,
    ) -> Context:
        """
        Build what a template is given.

        Args:
            page: Where the language menu's form goes.
            kept: What the language menu carries, so that nothing typed is lost.
            text: The page's own texts.
        """
        t = self.texts
        return {
            "lang": t.locale,
            "title": t("Error: %(title)s", title=heading) if problems else heading,
            "heading": heading,
            "school": _school(self.school),
            "links": self._links(),
            "csrf": dict(zip(("name", "value"), self.request.csrf(), strict=True)),
            "languages": self._languages(page, kept),
            "notices": list(self.request.flashes()),
            "errors": [
                {"href": f"#id_{problem.field}" if problem.field else "", "text": problem.text}
                for problem in problems
            ],
            "next_steps": [{"text": step.text, "href": step.href} for step in steps],
            "text": {
                "problem": t("There is a problem"),
                "help": t("Do you need help?"),
                "telephone": t("Telephone"),
                "show": t("Show"),
                "hide": t("Hide"),
                **(text or {}),
            },
            "form": form and self._form(form, problems),
        }

    def password_field(self, name: str, label: str, autocomplete: str, rules: str = "") -> Context:
        """
        Return a password field with its *Afficher* button.

        Args:
            rules: Id of the box that describes the rules.
        """
        t = self.texts
        return field(
            name,
            label,
            type="password",
            autocomplete=autocomplete,
            described_by=rules,
            show=t("Show the password: %(field)s", field=label),
            hide=t("Hide the password: %(field)s", field=label),
        )

    def new_password_fields(self) -> list[Context]:
        """Return the new password's two fields."""
        t = self.texts
        return [
            self.password_field("new_password", t("New password"), "new-password", "id_rules"),
            self.password_field("confirmation", t("Repeat the password"), "new-password"),
        ]

    def rules(self) -> str:
        """Describe the rules, before anything is typed."""
        return self.texts(
            "At least %(n)s characters. For example three words that have nothing to do "
            "with each other.",
            n=self.policy.minimum,
        )

    def _links(self) -> Mapping[str, str]:
        links = self.request.links
        return {
            **{link: links.page(link) for link in LINKS},
            "stylesheet": links.static("parentauth.css"),
            "script": links.static("parentauth.js"),
            "extra_stylesheet": links.extra_stylesheet(),
        }

    def _languages(self, page: str, kept: Hidden) -> Context:
        return {
            "label": self.texts("Language"),
            "action": self.request.links.page(page),
            "hidden": kept,
            "choices": [
                {"code": code, "name": NAMES[code], "current": code == self.texts.locale}
                for code in available()
            ],
        }

    def _form(self, form: Form, problems: Sequence[Problem]) -> Context:
        return {
            "action": self.request.links.page(form.page),
            "button": form.button,
            "hidden": form.hidden,
            "fields": [_with_error(each, problems) for each in form.fields],
        }


def field(
    name: str,
    label: str,
    *,
    value: str = "",
    type: str = "text",  # noqa: A002  HTML's own word
    hint: str = "",
    autocomplete: str = "off",
    inputmode: str = "text",
    readonly: bool = False,
    described_by: str = "",
    show: str = "",
    hide: str = "",
) -> Context:
    """Return one field of a form."""
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
        "described_by": described_by,
        "show": show,
        "hide": hide,
    }


def hidden(**values: str) -> Hidden:
    """Return hidden fields for those values that are not empty."""
    return [{"name": name, "value": value} for name, value in values.items() if value]


def child_card(child: Child) -> Mapping[str, str]:
    """Return what a page shows of a child."""
    return {"id": child.id, "name": child.name, "school_class": child.school_class}


def _with_error(one: Context, problems: Sequence[Problem]) -> Context:
    error = " ".join(problem.text for problem in problems if problem.field == one["name"])
    described = [
        one["described_by"],
        f"{one['id']}_hint" if one["hint"] else "",
        f"{one['id']}_error" if error else "",
    ]
    return {**one, "error": error, "described_by": " ".join(filter(None, described))}


def _school(school: School) -> Mapping[str, str]:
    digits = "".join(mark for mark in school.telephone if mark in "+0123456789")
    return {
        "name": school.name,
        "logo": school.logo,
        "telephone": school.telephone,
        "telephone_href": f"tel:{digits}" if digits else "",
        "address": school.address,
        "email": school.email,
    }
