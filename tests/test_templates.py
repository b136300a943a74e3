"""
One set of templates for two engines.

The contexts below have every name that the pages use; both engines complain about a missing one.
"""

import re

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

Context = dict[str, Any]
Render = Callable[[str, Context], str]
Attributes = dict[str, str | None]

PACKAGE = Path(str(find_spec("parentauth").origin)).parent
TEMPLATES = PACKAGE / "templates"
STATIC = PACKAGE / "static" / "parentauth"
SOURCES = {path.name: path.read_text("utf-8") for path in (TEMPLATES / "parentauth").iterdir()}
STYLESHEET = (STATIC / "parentauth.css").read_text("utf-8")
SCRIPT = (STATIC / "parentauth.js").read_text("utf-8")

HOSTILE = "\"'><svg/onload=1>{{7*7}}{% if %}&amp;"
VOID = frozenset({"img", "input", "link", "meta"})


# What the pages are given ------------------------------------------------------------------------


def field(
    name: str, label: str, kind: str = "text", *, error: str = "", hint: str = "", **more: Any
) -> Context:
    """Describe one field."""
    key, secret = f"id_{name}", kind == "password"
    described = [f"{key}_hint"] * bool(hint) + [f"{key}_error"] * bool(error)
    return {
        "id": key,
        "name": name,
        "type": kind,
        "label": label,
        "hint": hint,
        "error": error,
        "value": "",
        "autocomplete": "off",
        "inputmode": "text",
        "readonly": False,
        "described_by": " ".join(described),
        "show": f"Afficher le mot de passe : {label}" if secret else "",
        "hide": f"Masquer le mot de passe : {label}" if secret else "",
        **more,
    }


def form(button: str, *fields: Context, **hidden: str) -> Context:
    """Describe a form."""
    return {
        "action": "/action",
        "button": button,
        "hidden": [{"name": name, "value": value} for name, value in hidden.items()],
        "fields": list(fields),
    }


def page(heading: str, *problems: Context, **text: str) -> Context:
    """Describe what every page has; *problems* are fields with an error."""
    links = ("login", "token", "forgot", "password_change", "children", "logout")
    names = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}
    return {
        "lang": "fr",
        "title": f"Erreur : {heading}" if problems else heading,
        "heading": heading,
        "school": {
            "name": "École Saint-Exupéry",
            "logo": "",
            "telephone": "02 555 12 34",
            "telephone_href": "tel:+3225551234",
            "address": "Rue des Tilleuls 12, 1050 Ixelles",
            "email": "secretariat@example.org",
        },
        "links": {
            **{link: f"/{link}" for link in links},
            "stylesheet": "/static/parentauth.css",
            "script": "/static/parentauth.js",
            "extra_stylesheet": "/static/school.css",
        },
        "csrf": {"name": "csrf_token", "value": "IjEyMyI.abc"},
        "languages": {
            "label": "Langue",
            "action": "/login",
            "hidden": [{"name": "email", "value": "parent@example.org"}],
            "choices": [
                {"code": code, "name": name, "current": code == "fr"}
                for code, name in names.items()
            ],
        },
        "notices": ["Vous êtes déconnecté.", "Votre mot de passe est enregistré."],
        "errors": [
            *({"href": f"#{problem['id']}", "text": problem["error"]} for problem in problems),
            *[{"href": "", "text": "La page est restée ouverte trop longtemps."}] * bool(problems),
        ],
        "next_steps": [{"text": "Mot de passe oublié", "href": "/forgot"}] * bool(problems),
        "text": {
            "problem": "Il y a un problème",
            "help": "Besoin d’aide ?",
            "telephone": "Téléphone",
            "show": "Afficher",
            "hide": "Masquer",
            **text,
        },
    }


def form_page(heading: str, button: str, fields: list[Context], **text: str) -> Context:
    """Describe a page with a form; what its fields complain about is told at the top, too."""
    context = page(heading, *(one for one in fields if one["error"]), **text)
    return context | {"form": form(button, *fields, token="7K3M9QXA")}


def pages(error: str) -> Iterator[tuple[str, Context]]:
    """Yield every template with a context; with an *error*, it is said of the last field."""
    username = field("username", "Nom d’utilisateur", value="c.dubois", readonly=True)
    new_password = field("new_password", "Nouveau Mot de passe", "password")
    confirmation = field("confirmation", "Vérification", "password", error=error)
    rules = "Au moins 15 caractères."

    yield "base.html", page("Connexion")
    yield (
        "login.html",
        form_page(
            "Connexion",
            "CONNEXION",
            [
                field("username", "Nom d’utilisateur"),
                field("password", "Mot", "password", error=error),
            ],
            first_title="Première connexion",
            first_intro="pour définir votre mot de passe personnel",
            first_button="JETON DE CONNEXION",
            next_title="Connexions suivantes",
            forgot="Mot de passe oublié ? Pas de panique.",
        ),
    )
    yield (
        "token.html",
        form_page(
            "Jeton de connexion",
            "CONNEXION",
            [field("token", "Jeton", error=error, hint="Introduisez votre jeton.", value="7K3M")],
            missing_mail="Vous n’avez pas reçu le mail ?",
            sign_in_link="Connexions suivantes",
        ),
    )
    yield (
        "password.html",
        form_page(
            "Définition du mot de passe personnel",
            "MODIFIER",
            [username, new_password, confirmation],
            intro="Vous avez reçu un jeton de connexion.",
            username_before="Votre nom d’utilisateur est ",
            username="c.dubois",
            username_after=". Notez-le.",
            rules=rules,
        ),
    )
    yield (
        "password_change.html",
        form_page(
            "Changer mon mot de passe",
            "MODIFIER",
            [
                field("current_password", "Mot de passe actuel", "password"),
                new_password,
                confirmation,
            ],
            rules=rules,
            back="Revenir à mes enfants",
        ),
    )
    yield (
        "forgot.html",
        form_page(
            "Mot de passe oublié",
            "SOUMETTRE",
            [field("email", "email", "email", error=error, inputmode="email")],
            intro="Veuillez entrer votre adresse email.",
            sign_in_link="Connexions suivantes",
        ),
    )
    yield (
        "forgot_sent.html",
        page("Mot de passe oublié", sign_in_link="Connexions suivantes")
        | {"paragraphs": ["Un mail vient d’être envoyé.", "Vous ne recevez rien ?"]},
    )
    texts = {"none": "Aucun enfant.", "change": "Changer", "sign_out": "Se déconnecter"}
    children = [
        {"id": "c1", "name": "Élise Dubois", "school_class": "3A"},
        {"id": "c2", "name": "Théo d’Arc", "school_class": ""},
    ]
    yield (
        "children.html",
        page("Choisissez un enfant", **texts)
        | {"form": form("Se connecter avec ce compte", next="/notes"), "children": children},
    )
    yield (
        "children.html",
        page("Mes enfants", **texts) | {"form": form("Se connecter"), "children": []},
    )
    yield (
        "switch.html",
        page(
            "Jeton de connexion",
            question="Ce lien est pour le compte c.dubois.",
            stay="Rester avec m.dubois",
            stay_href="/children",
        )
        | {"form": form("CONTINUER AVEC c.dubois", token="7K3M9QXA", switch="1")},
    )
    yield (
        "error.html",
        page("Un problème est survenu", message="Réessayez plus tard.")
        | {"next_steps": [{"text": "Connexion", "href": "/login"}]},
    )
    band = {
        "lang": "fr",
        "text": "Vous êtes connecté au compte de Élise",
        "back": "Revenir",
        "back_href": "/children",
    }
    yield "child_band.html", {"band": band}


def bare(context: Context) -> Context:
    """Return the context of a school that gave its name and nothing more, without any message."""
    school = {"name": "École", "logo": "/logo.png"}
    empty = dict.fromkeys(("telephone", "telephone_href", "address", "email"), "")
    return context | {
        "school": school | empty,
        "links": context["links"] | {"extra_stylesheet": ""},
        "notices": [],
    }


def cases() -> Iterator[Any]:
    """Yield every template, with its contexts, as parameters of a test."""
    seen: dict[str, int] = {}
    for name, context in [*pages(""), *pages("Incorrect.")]:
        seen[name] = seen.get(name, 0) + 1
        yield pytest.param(name, context, id=f"{name}-{seen[name]}")
        if "school" in context:
            yield pytest.param(name, bare(context), id=f"{name}-{seen[name]}-bare")


every_page = pytest.mark.parametrize(("name", "context"), list(cases()))
every_source = pytest.mark.parametrize("name", sorted(SOURCES))


# The engines, and what they made -----------------------------------------------------------------


def jinja() -> Render:
    """Render as Flask does, but refuse a name that is not there."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
    )
    return lambda name, context: environment.get_template(f"parentauth/{name}").render(context)


def django() -> Render:
    """Render as Django does, but mark a name that is not there."""
    template = pytest.importorskip("django.template")
    engine = template.Engine(dirs=[TEMPLATES], string_if_invalid="missing: %s")
    return lambda name, context: engine.get_template(f"parentauth/{name}").render(
        template.Context(context)
    )


class Reader(HTMLParser):
    """Reads a page into a list: tags with their attributes, and texts without needless spaces."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, Attributes]] = []
        self.stream: list[object] = []
        self.open: list[str] = []
        self._text = ""
        self.feed(html)
        self.close()
        self._flush()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and that it is open."""
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {attrs}"
        self._flush()
        self.tags.append((tag, dict(attrs)))
        self.stream.append((tag, sorted(attrs, key=lambda attr: attr[0])))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself, as in SVG."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an end, which must be that of the tag opened last."""
        self._flush()
        assert self.open.pop() == tag
        self.stream.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Gather a text."""
        self._text += data

    def _flush(self) -> None:
        if text := " ".join(self._text.split()):
            self.stream.append(("text", text))
        self._text = ""

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        """The tags and the names of their attributes."""
        return [(tag, sorted(attributes)) for tag, attributes in self.tags]

    def values(self, attribute: str) -> list[str]:
        """Return what the page's tags have as *attribute*."""
        return [found for _, attributes in self.tags if (found := attributes.get(attribute))]


def read(name: str, context: Context) -> Reader:
    """Render with Jinja2, and read."""
    return Reader(jinja()(name, context))


# Both engines ------------------------------------------------------------------------------------


@every_page
def test_both_engines_give_the_same_page(name: str, context: Context) -> None:
    """A school's developer may move from one to the other."""
    in_django = Reader(django()(name, context))

    assert Reader(jinja()(name, context)).stream == in_django.stream
    assert "missing: " not in str(in_django.stream)
    assert not in_django.open


def hostile(value: Any) -> Any:
    """Put markup of two kinds into every text."""
    if isinstance(value, dict):
        return {name: hostile(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner) for inner in value]
    return HOSTILE + value if isinstance(value, str) and value else value


@every_page
@pytest.mark.parametrize("engine", [jinja, django])
def test_no_text_becomes_markup(engine: Callable[[], Render], name: str, context: Context) -> None:
    """Whatever a name says, the page has the same tags and attributes, and shows the text."""
    attacked = Reader(engine()(name, hostile(context)))

    assert attacked.shape == Reader(engine()(name, context)).shape
    assert HOSTILE in str(attacked.stream).replace("\\'", "'")
    assert "49" not in str(attacked.stream)


def test_every_template_is_rendered_here() -> None:
    """A page can't be added without a context, nor a part that no page includes."""
    rendered = {name for name, _ in pages("")}
    included = set(re.findall(r'"parentauth/([\w.]+)"', "".join(SOURCES.values())))

    assert set(SOURCES) == rendered | included


@every_source
def test_the_source_uses_only_what_both_engines_know(name: str) -> None:
    """Dotted names and six tags: no filters, tests, calls, brackets or operators."""
    path = r"[a-z_]+(?:\.[a-z_]+)*"
    statement = rf'if {path}|elif {path}|else|endif|for [a-z_]+ in {path}|endfor|(?:extends|include) "parentauth/\w+\.html"|block [a-z]+|endblock'

    inside = re.findall(r"{%(.*?)%}", SOURCES[name], re.DOTALL)
    shown = re.findall(r"{{(.*?)}}", SOURCES[name], re.DOTALL)

    assert [one for one in inside if not re.fullmatch(f" (?:{statement}) ", one)] == []
    assert [one for one in shown if not re.fullmatch(f" {path} ", one)] == []
    # Jinja2 would find the method of the dictionary first.
    segments = {word for one in inside + shown for word in re.findall(r"\.([a-z_]+)", one)}
    assert not segments & set(dir(dict))


@every_source
def test_the_source_has_no_words(name: str) -> None:
    """Every word that a parent reads or hears comes from the context, in the page's language."""
    source = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", SOURCES[name], flags=re.DOTALL)
    spoken = {"alt", "aria-label", "aria-description", "content", "label", "title", "value"}

    class Words(HTMLParser):
        def handle_data(self, data: str) -> None:
            assert not re.search(r"\w", data)

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for attribute, value in attrs:
                said = attribute in spoken or attribute.startswith("data-")
                assert tag == "meta" or not said or not value

    Words().feed(source)


# The pages ---------------------------------------------------------------------------------------


@every_page
def test_ids_are_unique_and_what_points_at_them_arrives(name: str, context: Context) -> None:
    """Labels, descriptions, errors and buttons belong to something."""
    html = read(name, context)
    ids = html.values("id")
    pointers = ("for", "aria-controls", "aria-describedby", "aria-labelledby")
    targets = {
        target for pointer in pointers for value in html.values(pointer) for target in value.split()
    }
    targets |= {href[1:] for href in html.values("href") if href.startswith("#")}

    assert len(ids) == len(set(ids))
    assert targets <= set(ids)


@every_page
def test_every_form_is_posted_with_its_csrf_field(name: str, context: Context) -> None:
    """No form changes anything by GET, and no browser shows its own bubbles."""
    forms = jinja()(name, context).split("<form ")[1:]

    for each in forms:
        one = Reader("<form " + each.split("</form>")[0] + "</form>")
        _, attributes = one.tags[0]
        hidden = [found for tag, found in one.tags if tag == "input" and found["type"] == "hidden"]
        assert attributes["method"] == "post"
        assert str(attributes["action"]).startswith("/")
        assert "novalidate" in attributes
        assert [found["value"] for found in hidden if found["name"] == "csrf_token"] == [
            "IjEyMyI.abc"
        ]
    assert bool(forms) == (name != "child_band.html")


@every_page
def test_the_page_obeys_its_content_security_policy(name: str, context: Context) -> None:
    """Nothing inline, nothing from elsewhere."""
    html = read(name, context)

    for tag, attributes in html.tags:
        assert tag not in {"base", "iframe", "object", "style"}
        assert not [attribute for attribute in attributes if re.match("on|style$", attribute)]
        assert tag != "script" or "src" in attributes
    for address in html.values("href") + html.values("src") + html.values("action"):
        assert re.match(r"/\w|#|tel:|mailto:", address)


@every_page
def test_fields_let_parents_type_and_paste(name: str, context: Context) -> None:
    """No capital put in, no red waves, nothing cut, no jump; a name above each field."""
    html = read(name, context)
    fields = [found for tag, found in html.tags if tag == "input" and found["type"] != "hidden"]

    for attributes in fields:
        assert attributes["id"] in html.values("for")
        assert attributes["autocapitalize"] == "none"
        assert attributes["spellcheck"] == "false"
        assert not attributes.keys() & {
            "autofocus",
            "maxlength",
            "onpaste",
            "pattern",
            "placeholder",
        }
        assert ("aria-invalid" in attributes) == (f"{attributes['id']}_error" in html.values("id"))


@every_page
def test_the_page_says_its_language_and_where_to_get_help(name: str, context: Context) -> None:
    """The school is named in title, header and footer of every page, also of errors."""
    if name == "child_band.html":
        return
    html = read(name, context)
    texts = [entry[1] for entry in html.stream if isinstance(entry, tuple) and entry[0] == "text"]

    assert html.tags[0] == ("html", {"lang": "fr"})
    assert f"{context['title']} – {context['school']['name']}" in texts
    assert [tag for tag, _ in html.tags].count("h1") == 1
    assert context["heading"] in texts
    assert context["school"]["name"] in texts[-5:]
    assert ("tel:+3225551234" in html.values("href")) == bool(context["school"]["telephone"])
    others = [found for tag, found in html.tags if tag == "button" and found.get("name") == "lang"]
    assert [found["value"] for found in others] == ["nl", "de", "en"]
    assert all(found["lang"] == found["value"] for found in others)


def test_errors_come_first_and_lead_to_their_fields() -> None:
    """The summary is the first thing in main: it is announced, and can be focused."""
    context = dict(pages("Nom d’utilisateur ou mot de passe incorrect."))["login.html"]
    html = read("login.html", context)
    tags = [tag for tag, _ in html.tags]
    _, summary = html.tags[tags.index("main") + 1]

    assert summary["role"] == "alert"
    assert summary["tabindex"] == "-1"
    assert "#id_password" in html.values("href")
    assert "/forgot" in html.values("href")


def test_a_child_is_picked_by_a_form_of_its_own() -> None:
    """Each button says whom it is for, and keeps where the parent was going."""
    context = next(context for name, context in pages("") if name == "children.html")
    html = jinja()("children.html", context)
    cards = [Reader(f"<form{card.split('</form>')[0]}</form>") for card in html.split("<form")[2:4]]

    for card, child in zip(cards, context["children"], strict=True):
        assert {"csrf_token", "next", "child"} == set(card.values("name"))
        assert child["id"] in card.values("value")
        assert ("text", child["name"]) in card.stream
        assert ("text", "Se connecter avec ce compte") in card.stream


def test_a_host_without_a_chosen_child_shows_no_band() -> None:
    """The include may stand in every page of the host."""
    assert read("child_band.html", {"band": None}).tags == []


# Stylesheet and script ---------------------------------------------------------------------------


def test_stylesheet_and_templates_name_the_same_classes() -> None:
    """No rule is dead, and no class without a rule."""
    classes = {
        name
        for source in SOURCES.values()
        for value in re.findall(r'class="([^"]*)"', source)
        for name in value.split()
    }

    assert classes == set(re.findall(r"\.(parentauth[\w-]*)", STYLESHEET))


def test_the_script_finds_what_the_templates_mark() -> None:
    """Script and pages agree on the attributes."""
    marked = {name for source in SOURCES.values() for name in re.findall(r"data-[a-z-]+", source)}
    sought = set(re.findall(r"data-[a-z-]+", SCRIPT))
    sought |= {
        "data-" + re.sub(r"[A-Z]", lambda found: "-" + found[0].lower(), name)
        for name in re.findall(r"dataset\.(\w+)", SCRIPT)
    }

    assert marked == sought


@pytest.mark.parametrize("source", [STYLESHEET, SCRIPT], ids=["stylesheet", "script"])
def test_static_files_bring_nothing_from_elsewhere_and_keep_nothing(source: str) -> None:
    """No font or picture of a third party, no storage in the browser, no markup from text."""
    assert not re.search(
        r"//(?! )|@import|url\(|[lL]ocalStorage|[sS]essionStorage|cookie|innerHTML|fetch|eval",
        source,
    )


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` or ``#rgb`` (WCAG 2.2)."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper", "least"),
    [
        ("text", "ground", 4.5),
        ("text", "card", 4.5),
        ("text", "error-ground", 4.5),
        ("muted", "ground", 4.5),
        ("muted", "card", 4.5),
        ("info-text", "info", 4.5),
        ("error", "card", 4.5),
        ("error", "error-ground", 4.5),
        ("on-accent", "accent", 4.5),
        ("link", "card", 4.5),
        ("link", "ground", 4.5),
        ("link", "error-ground", 4.5),
        ("accent", "card", 3),
        ("border", "card", 3),
        ("border", "ground", 3),
        ("error", "ground", 3),
        ("focus", "card", 3),
        ("focus", "ground", 3),
        ("focus", "info", 3),
    ],
)
def test_the_colours_have_contrast(scheme: str, ink: str, paper: str, least: float) -> None:
    """Text as WCAG 2.2 AA wants it (1.4.3), borders and focus too (1.4.11)."""
    light, dark, *_ = re.findall(r":root {(.*?)}", STYLESHEET, re.DOTALL)
    colours = dict(re.findall(r"--parentauth-([a-z-]+): (#\w+|var\([^)]*\));", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--parentauth-([a-z-]+): (#\w+);", dark))
    colours["link"] = colours["accent"] if colours["link"].startswith("var") else colours["link"]

    lighter, darker = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)

    assert (lighter + 0.05) / (darker + 0.05) >= least
