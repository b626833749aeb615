"""Names with a slash in an address: an invoice ``2026/0117``, a customer ``B-4/x``.

Servers decode an address before it is routed, and such a name would be two parts of it. So a slash
that was sent as ``%2F`` is another character until ``Name`` gives it back.
"""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_STAND_IN = "\ue000"  # of the private use area: no name holds it


def with_slashes(name: str) -> str:
    """Return a part of an address as it was meant."""
    return name.replace(_STAND_IN, "/")


class SlashesInNames:
    """A layer right before the routes; they see one part where one was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decode the address part by part."""
        if scope["type"] == "http" and b"%2f" in scope.get("raw_path", b"").lower():
            parts = scope["raw_path"].decode("ascii", "replace").split("/")
            path = "/".join(unquote(part).replace("/", _STAND_IN) for part in parts)
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)
