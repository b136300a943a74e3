import re

from collections.abc import Callable

import pytest

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.portal import PASSWORD, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OpenPage = Callable[..., Page]
Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]

KARIM = "karim.benali@example.com"
MARIE = "marie.dubois@example.com"
OTHER = "quatre autres mots pour demain"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
VIEWS = [
    pytest.param(PHONE, id="phone"),
    pytest.param({**PHONE, "color_scheme": "dark"}, id="phone-dark"),
    pytest.param(DESKTOP, id="desktop"),
    pytest.param({**DESKTOP, "color_scheme": "dark"}, id="desktop-dark"),
    pytest.param({"width": 320, "height": 256}, id="zoomed-to-400-percent"),
]


# What is on a page -------------------------------------------------------------------------------


def button(page: Page, name: str) -> Locator:
    """Return the button with exactly that name."""
    return page.get_by_role("button", name=name, exact=True)


def link(page: Page, name: str) -> Locator:
    """Return the first link with exactly that name."""
    return page.get_by_role("link", name=name, exact=True).first


def field(page: Page, label: str) -> Locator:
    """Return the field with exactly that label."""
    return page.get_by_label(label, exact=True)


def arrived(page: Page, heading: str) -> None:
    """Wait for a page by its heading."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)


# What a parent does ------------------------------------------------------------------------------


def read_mail(page: Page, address: str, *, number: int = 1) -> None:
    """Wait for so many mails with a token to an address, and open the newest."""
    page.goto("/mailbox")
    mails = page.get_by_role("listitem").filter(has_text=address)
    mails = mails.filter(has_text="votre jeton de connexion")
    eventually(lambda: mails.count() >= number or page.reload() is None)
    mails.first.get_by_role("link").click()


def open_link(page: Page) -> None:
    """Click the link with the token in the text of the mail that is open."""
    page.locator('a[href*="/token/"]').first.click()
    arrived(page, "Jeton de connexion")


def type_password(page: Page, password: str) -> None:
    """Type a new password twice."""
    field(page, "Nouveau Mot de passe").fill(password)
    field(page, "Vérification du mot de passe").fill(password)


def connect(page: Page, address: str, password: str = PASSWORD, *, number: int = 1) -> None:
    """Go from the mail to a saved password."""
    read_mail(page, address, number=number)
    open_link(page)
    button(page, "CONNEXION").click()
    type_password(page, password)
    button(page, "MODIFIER").click()


def sign_in(page: Page, username: str, password: str) -> None:
    """Fill in the sign-in page."""
    field(page, "Nom d'utilisateur").fill(username)
    field(page, "Mot de passe").fill(password)
    button(page, "CONNEXION").click()


# The journey, page by page -----------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
class TestPages:
    def test_first_connection(
        self, open_page: OpenPage, check: Check, view: dict[str, object]
    ) -> None:
        """From the home page over the mail to a child's page, every page is fit for everybody."""
        page = open_page(**view)
        page.goto("/")
        check(page)
        link(page, "Espace parents").click()
        arrived(page, "Connexion")
        check(page)

        read_mail(page, KARIM)
        check(page)
        link(page, "Le même mail en HTML").click()
        expect(page.get_by_text("Bonjour Karim Benali")).to_be_visible()
        link(page, "Utiliser ce jeton de connexion").click()
        arrived(page, "Jeton de connexion")
        check(page)

        button(page, "CONNEXION").click()
        arrived(page, "Définition du mot de passe personnel")
        check(page)
        type_password(page, "benali")
        button(page, "MODIFIER").click()
        expect(page.get_by_role("alert")).to_contain_text("au moins 15 caractères")
        check(page)
        type_password(page, PASSWORD)
        button(page, "MODIFIER").click()

        arrived(page, "Choisissez un enfant")
        expect(page.get_by_role("status")).to_have_text("Votre mot de passe est enregistré.")
        check(page)
        page.get_by_role("button", name="Sami Benali").click()
        arrived(page, "Sami Benali")
        for section in ("Agenda", "Bulletin", "Avis", "Aperçu"):
            link(page, section).click()
            expect(link(page, section)).to_have_attribute("aria-current", "page")
            check(page)

        link(page, "Revenir à mes enfants").click()
        page.get_by_role("button", name="Nour Benali").click()
        arrived(page, "Nour Benali")

    def test_next_times(self, open_page: OpenPage, check: Check, view: dict[str, object]) -> None:
        """Account, sign-out, a wrong password, sign-in: every page is fit for everybody."""
        page = open_page(**view)
        connect(page, MARIE)
        arrived(page, "Lucas Dubois")
        link(page, "Mon compte").click()
        check(page)
        link(page, "Changer mon mot de passe").click()
        arrived(page, "Changer mon mot de passe")
        check(page)

        page.go_back()
        button(page, "Se déconnecter").click()
        expect(page.get_by_text("Vous êtes déconnecté.")).to_be_visible()
        check(page)
        sign_in(page, "Marie.Dubois", OTHER)
        expect(page.get_by_role("alert")).to_contain_text("mot de passe incorrect")
        check(page)
        sign_in(page, "Marie.Dubois ", PASSWORD)
        arrived(page, "Lucas Dubois")

    def test_forgotten(self, open_page: OpenPage, check: Check, view: dict[str, object]) -> None:
        """A forgotten password leads over one's address to a new one."""
        page = open_page(**view)
        connect(page, MARIE)
        button(page, "Se déconnecter").click()
        page.get_by_role("link", name=re.compile("Mot de passe oublié")).click()
        arrived(page, "Mot de passe oublié")
        check(page)
        field(page, "email").fill(MARIE)
        button(page, "SOUMETTRE").click()
        expect(page.get_by_role("status")).to_contain_text("Si un compte est lié à cette adresse")
        check(page)
        connect(page, MARIE, OTHER, number=2)

        arrived(page, "Lucas Dubois")

    def test_no_child(self, open_page: OpenPage, check: Check, view: dict[str, object]) -> None:
        """A parent without child reads whom to telephone; so does who follows a wrong address."""
        page = open_page(**view)
        connect(page, "nathalie.collard@example.org")
        arrived(page, "Mes enfants")
        check(page)
        link(page, "Mon compte").click()
        check(page)


def test_mail(open_page: OpenPage) -> None:
    """The HTML part of a mail keeps the rules of WCAG; it has no landmarks, as a page has."""
    page = open_page(**PHONE)
    read_mail(page, KARIM)
    link(page, "Le même mail en HTML").click()
    expect(page.get_by_text("Bonjour Karim Benali")).to_be_visible()
    copy = page.context.new_page()  # The page itself allows no script, and axe is one.
    copy.set_content(page.content())
    wcag = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    results = Axe().run(copy, options=wcag)

    assert 0 == results.violations_count, results.generate_report()


# What browsers and their helpers rely on ---------------------------------------------------------


def test_without_script(open_page: OpenPage) -> None:
    """The first connection needs no JavaScript, and offers no button that would."""
    page = open_page(**PHONE, java_script_enabled=False)
    read_mail(page, KARIM)
    open_link(page)
    button(page, "CONNEXION").click()
    expect(page.locator("[data-parentauth-toggle]:visible")).to_have_count(0)
    type_password(page, "benali")
    button(page, "MODIFIER").click()
    expect(page.get_by_role("alert")).to_contain_text("au moins 15 caractères")
    type_password(page, PASSWORD)
    button(page, "MODIFIER").click()
    page.get_by_role("button", name="Inès Benali").click()

    arrived(page, "Inès Benali")


def test_summary_of_errors(open_page: OpenPage) -> None:
    """After a refusal the summary has the focus, and its link leads to the field."""
    page = open_page(**PHONE)
    page.goto("/forgot")
    field(page, "email").fill("marie")
    button(page, "SOUMETTRE").click()
    expect(page).to_have_title(re.compile(r"^Erreur\s: "))
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("alert").get_by_role("link").click()

    expect(field(page, "email")).to_be_focused()
    expect(field(page, "email")).to_have_value("marie")


def test_show(open_page: OpenPage) -> None:
    """*Afficher* shows one password, names it, and hides it again before it is sent."""
    page = open_page(**PHONE)
    page.goto("/login")
    password = page.locator("#id_password")
    password.fill(OTHER)
    toggle = button(page, "Afficher le mot de passe : Mot de passe")
    toggle.click()
    expect(password).to_have_attribute("type", "text")
    hide = button(page, "Masquer le mot de passe : Mot de passe")
    expect(hide).to_have_text("Masquer")
    hide.click()
    expect(password).to_have_attribute("type", "password")
    toggle.click()
    page.evaluate("document.forms[1].addEventListener('submit', event => event.preventDefault())")
    button(page, "CONNEXION").click()

    expect(password).to_have_attribute("type", "password")


def test_password_managers(open_page: OpenPage) -> None:
    """Password managers find username and password where they look for them."""
    page = open_page(**PHONE)
    page.goto("/login")
    expect(page.locator("#id_username")).to_have_attribute("autocomplete", "username")
    expect(page.locator("#id_password")).to_have_attribute("autocomplete", "current-password")
    read_mail(page, MARIE)
    open_link(page)
    expect(page.locator("#id_token")).to_have_attribute("autocomplete", "one-time-code")
    button(page, "CONNEXION").click()

    expect(page.locator("#id_username")).to_have_value("marie.dubois")
    expect(page.locator("#id_username")).to_have_attribute("autocomplete", "username")
    expect(page.locator("#id_new_password")).to_have_attribute("autocomplete", "new-password")
    expect(page.locator("#id_confirmation")).to_have_attribute("autocomplete", "new-password")


def test_back(open_page: OpenPage) -> None:
    """Going back after signing out shows no child's page from the browser's memory."""
    page = open_page(**PHONE)
    connect(page, MARIE)
    arrived(page, "Lucas Dubois")
    button(page, "Se déconnecter").click()
    expect(page.get_by_text("Vous êtes déconnecté.")).to_be_visible()
    page.go_back()

    arrived(page, "Connexion")


def test_double_click(open_page: OpenPage) -> None:
    """An impatient second click on MODIFIER does no harm: at worst one signs in once more."""
    page = open_page(**PHONE)
    read_mail(page, MARIE)
    open_link(page)
    button(page, "CONNEXION").click()
    type_password(page, PASSWORD)
    button(page, "MODIFIER").dblclick()
    used = page.get_by_role("alert").filter(has_text="a déjà servi")
    saved = page.get_by_role("status").filter(has_text="enregistré")
    expect(used.or_(saved)).to_be_visible()
    other = open_page(**PHONE)
    other.goto("/login")
    sign_in(other, "marie.dubois", PASSWORD)

    arrived(other, "Lucas Dubois")


def test_skip_link(open_page: OpenPage) -> None:
    """The first key leads past the header to what the page is about."""
    page = open_page(**DESKTOP)
    page.goto("/")
    page.keyboard.press("Tab")
    expect(link(page, "Aller au contenu")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()


def test_pictures(open_page: OpenPage, picture: Picture) -> None:
    """The three pages of the README's pictures are there; ``--screenshots`` takes them."""
    phone = open_page(**PHONE, device_scale_factor=2)
    phone.goto("/login")
    picture(phone, "sign-in")
    connect(phone, KARIM)
    arrived(phone, "Choisissez un enfant")
    phone.reload()
    picture(phone, "children")
    desktop = open_page(width=1024, height=900)
    connect(desktop, MARIE)
    arrived(desktop, "Lucas Dubois")
    desktop.reload()
    picture(desktop, "dashboard")
