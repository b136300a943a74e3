"""The school's pages; who may see which is asked of parentauth."""

from collections.abc import Callable
from functools import wraps

from flask import Blueprint, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from parentauth.flask import child_required, current_child, current_present, parent_required

from . import school_life

blueprint = Blueprint("portal", __name__)


def child_page(view: Callable[[], ResponseReturnValue]) -> Callable[[str], ResponseReturnValue]:
    """
    Show the pages of the current child, and of no other.

    The id in the address is for bookmarks; ``child_required`` holds it against the child that
    the parent chose.
    """

    @child_required
    @wraps(view)
    def page(child_id: str) -> ResponseReturnValue:  # noqa: ARG001  held against by child_required
        return view()

    return page


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Welcome everybody."""
    return render_template("portal/home.html", news=school_life.news())


@blueprint.get("/favicon.ico")
def favicon() -> ResponseReturnValue:
    """Show a leaf in the browser's tab, on parentauth's pages too."""
    return current_app.send_static_file("leaf.svg")


@blueprint.get("/compte")
@parent_required
def account() -> ResponseReturnValue:
    """Lead to the children, to the password and to the exit."""
    return render_template("portal/account.html", present=current_present())


@blueprint.get("/sans-enfant")
@parent_required
def no_child() -> ResponseReturnValue:
    """Tell a parent without child whom to telephone."""
    present = current_present()
    if present and present.children:
        return redirect(url_for("parentauth.children"), code=303)
    return render_template("portal/no_child.html")


@blueprint.get("/enfants/<child_id>")
@child_page
def dashboard() -> ResponseReturnValue:
    """Show what is new about the child."""
    return render_template(
        "portal/dashboard.html",
        agenda=school_life.agenda(current_child)[:2],
        results=school_life.results(current_child)[:3],
        notices=school_life.notices(current_child)[:1],
    )


@blueprint.get("/enfants/<child_id>/agenda")
@child_page
def agenda() -> ResponseReturnValue:
    """Show the week's homework."""
    return render_template("portal/agenda.html", agenda=school_life.agenda(current_child))


@blueprint.get("/enfants/<child_id>/bulletin")
@child_page
def results() -> ResponseReturnValue:
    """Show the points."""
    return render_template("portal/results.html", results=school_life.results(current_child))


@blueprint.get("/enfants/<child_id>/avis")
@child_page
def notices() -> ResponseReturnValue:
    """Show what the school writes to the parents."""
    return render_template("portal/notices.html", notices=school_life.notices(current_child))
