"""Where parents stand."""

from typing import Final

from parentauth.flask._cli._options import as_json, command, optional_parent, show
from parentauth.flask._state import state_of


@command("status")
@optional_parent
@as_json
def status(account_id: str | None, *, as_json: bool) -> None:
    """
    Count the parents by where they stand, or tell where USERNAME stands.

    Example: flask parentauth status
    """
    auth = state_of().auth
    if account_id is None:
        counts = {state.value: count for state, count in auth.status_counts().items()}
        show(counts, as_json=as_json)
        return
    show({"id": account_id, "status": auth.status(account_id).value}, as_json=as_json)


COMMANDS: Final = (status,)
