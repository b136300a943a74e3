"""
Child selection: none, one or several, over the links that are live now.

The present child is computed on every request and never trusted from before.
"""

from datetime import datetime

from parentauth._model import (
    Account,
    Child,
    ChildLink,
    ChooseChild,
    Dashboard,
    Landing,
    NoChild,
    Parent,
    Present,
    Session,
)


def parent_of(account: Account) -> Parent:
    """Return what a host may see of the account."""
    return Parent(
        id=account.id, username=account.username, name=account.name, locale=account.locale
    )


def children_of(account: Account, *, now: datetime) -> tuple[Child, ...]:
    """Return the children that the parent may enter now, in the account's order."""
    return tuple(_child(link) for link in account.children if link.is_live(now))


def current(children: tuple[Child, ...], chosen: str | None) -> Child | None:
    """Return the chosen child if it is there, else the only one, else None."""
    for child in children:
        if child.id == chosen:
            return child
    return children[0] if len(children) == 1 else None


def landing_of(children: tuple[Child, ...], child: Child | None) -> Landing:
    """Return where a parent of these children goes."""
    if child is not None:
        return Dashboard(child)
    return ChooseChild(children) if children else NoChild()


def present(account: Account, session: Session, *, now: datetime) -> Present:
    """Return the signed-in parent and the child whose pages are open now."""
    children = children_of(account, now=now)
    child = current(children, session.child_id)
    return Present(
        parent=parent_of(account),
        child=child,
        children=children,
        landing=landing_of(children, child),
    )


def _child(link: ChildLink) -> Child:
    return Child(id=link.child_id, name=link.name, school_class=link.school_class)
