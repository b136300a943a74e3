"""One blinker signal per kind of event."""

from blinker import NamedSignal, Namespace
from flask import Flask

from parentauth import Event, EventKind, Listener

_namespace = Namespace()


def signal_of(kind: EventKind) -> NamedSignal:
    """
    Return the signal of one kind of event.

    Receivers get the application as sender and the core's :class:`parentauth.Event` as
    ``event``, after it was written.
    """
    return _namespace.signal(f"parentauth-{kind.value}")


def listener_for(app: Flask) -> Listener:
    """Return a listener that sends each event as a signal of *app*."""

    def send(event: Event) -> None:
        signal_of(event.kind).send(app, event=event)

    return send
