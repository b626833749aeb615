"""How Temporal's Web UI may ask the codec: a page of another address, in an operator's browser.

It can send no token of ours. So a person gives the token to this API once; the browser then holds a
pass that opens the codec and nothing else, and sends it along from the Web UI's pages only. Cookies
do not know ports: the pass is therefore not the token, and counts from the Web UI's origin alone.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.settings import Settings

COOKIE = "zahltag_codec"
COOKIE_PATH = "/codec/"
LOGIN = "/codec/login"
LIFE = timedelta(days=7)

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": (
        "Authorization, Authorization-Extras, Content-Type, X-Namespace"
    ),
    "Access-Control-Max-Age": "600",
}


class CodecDoor:
    """Answers the Web UI's preflights, and turns the pass of its operator into the token."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._origin = origin_of(settings.temporal_ui)
        self._token = settings.api_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on that is not from the Web UI."""
        if scope["type"] != "http" or not scope["path"].startswith(COOKIE_PATH):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._origin or headers.get("origin") != self._origin:
            await self._app(scope, receive, send)
            return
        allowed = {
            "Access-Control-Allow-Origin": self._origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers={**allowed, **_PREFLIGHT})(scope, receive, send)
            return

        async def allowing(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(allowed)
            await send(message)

        await self._app(self._with_token(scope, headers), receive, allowing)

    def _with_token(self, scope: Scope, headers: Headers) -> Scope:
        cookie = _cookie(headers.get("cookie", ""))
        if "authorization" in headers or not _is_pass(cookie, self._token, datetime.now(UTC)):
            return scope
        bearer = f"Bearer {self._token.get_secret_value()}".encode()
        return {**scope, "headers": [*scope["headers"], (b"authorization", bearer)]}


def origin_of(address: str) -> str:
    """Return scheme, host and port of an address, as browsers name the origin of a page."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""


def is_token(given: str, token: SecretStr) -> bool:
    """Whether somebody knows the installation's token; without one nobody does."""
    wanted = token.get_secret_value()
    return bool(wanted) and hmac.compare_digest(given.strip().encode(), wanted.encode())


def pass_for(token: SecretStr, at: datetime) -> str:
    """Make a pass: when it ends, and a proof that the holder of the token asked for it."""
    until = str(int((at + LIFE).timestamp()))
    return f"{until}.{_proof(token, until)}"


def _is_pass(given: str, token: SecretStr, at: datetime) -> bool:
    until, _, proof = given.partition(".")
    if not token.get_secret_value() or not (until.isascii() and until.isdecimal()):
        return False
    genuine = hmac.compare_digest(proof.encode(), _proof(token, until).encode())
    return genuine and at.timestamp() < int(until)


def _proof(token: SecretStr, until: str) -> str:
    text = f"zahltag codec until {until}"
    return hmac.new(token.get_secret_value().encode(), text.encode(), hashlib.sha256).hexdigest()


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
