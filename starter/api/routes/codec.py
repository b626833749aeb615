"""The codec server: lets the Web UI and `temporal` show what is encrypted in Temporal.

They send payloads as they found them and get them back readable; `encode` is for what a person
types there. Only admins: a payload may hold the values of a correction. ``starter.api.codec_door``
lets the Web UI in.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from domain.errors import NotJsonError, RefusedError
from models.payloads import UnreadablePayloadError, codec
from models.settings import Settings
from starter.api.auth import Admin
from starter.api.codec_door import COOKIE, COOKIE_PATH, LIFE, LOGIN, is_token, pass_for
from starter.api.inputs import json_object
from starter.api.services import Uses
from starter.services import now

router = APIRouter()
Namespace = Annotated[str, Header(alias="X-Namespace")]


@router.post("/codec/decode")
async def decode(request: Request, services: Uses, _: Admin, namespace: Namespace = "") -> Response:
    """Return the payloads readable; what is in clear passes through."""
    given, chosen = await _payloads(request), _codec(services.settings, namespace)
    try:
        return _answer(await chosen.decode(given))
    except UnreadablePayloadError as error:
        raise RefusedError(str(error)) from error


@router.post("/codec/encode")
async def encode(request: Request, services: Uses, _: Admin, namespace: Namespace = "") -> Response:
    """Return the payloads encrypted with the newest key; unchanged where no key is set."""
    given, chosen = await _payloads(request), _codec(services.settings, namespace)
    return _answer(await chosen.encode(given))


@router.get(LOGIN)
async def login_page() -> HTMLResponse:
    """Ask for the token."""
    return _page(_FORM)


@router.post(LOGIN)
async def login(request: Request, services: Uses) -> HTMLResponse:
    """Give this browser a pass for the codec if the token is right."""
    form = parse_qs((await request.body()).decode(errors="replace"))
    settings = services.settings
    if not is_token(form.get("token", [""])[0], settings.api_token):
        return _page(f"<p>The token is wrong: use the one of this installation.</p>{_FORM}", 401)
    endpoint = f"{settings.api_base_url}/codec"
    done = _DONE.format(days=LIFE.days, ui=escape(settings.temporal_ui), endpoint=escape(endpoint))
    answer = _page(done)
    answer.set_cookie(
        COOKIE,
        pass_for(settings.api_token, now()),
        max_age=int(LIFE.total_seconds()),
        path=COOKIE_PATH,
        httponly=True,
        samesite="strict",
        secure=settings.api_base_url.startswith("https:"),
    )
    return answer


def _codec(settings: Settings, namespace: str) -> PayloadCodec:
    if namespace and namespace != settings.temporal_namespace:
        raise RefusedError(
            f"This installation has the keys of the namespace {settings.temporal_namespace},"
            f" not of {namespace[:60]}."
        )
    return codec(settings)


async def _payloads(request: Request) -> Sequence[Payload]:
    try:
        body = json_format.ParseDict(
            dict(json_object(await request.body())), Payloads(), ignore_unknown_fields=True
        )
    except (json_format.ParseError, RecursionError, ValueError) as error:
        raise NotJsonError(
            "The body is not a list of payloads: send what Temporal's Web UI and `temporal` send."
        ) from error
    return body.payloads


def _answer(payloads: Sequence[Payload]) -> Response:
    text = json_format.MessageToJson(Payloads(payloads=payloads), indent=None)
    return Response(text, media_type="application/json")


def _page(content: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Zahltag: codec</title>{content}",
        status,
        {
            "Cache-Control": "no-store",
            "Content-Security-Policy": (
                "default-src 'none'; form-action 'self'; frame-ancestors 'none'"
            ),
        },
    )


_FORM = """
<h1>Read encrypted payloads in Temporal's Web UI</h1>
<form method=post>
<label>API token <input type=password name=token autocomplete=current-password autofocus required>
</label> <button>Unlock for this browser</button>
</form>"""

_DONE = """
<h1>Unlocked for this browser, for {days} days</h1>
<p>Once per browser, in the <a href="{ui}">Web UI</a>: open the codec server's settings (the
glasses at the top right), choose "Use my browser setting", enter <code>{endpoint}</code>, tick
"Include cross-origin credentials", and apply.</p>"""
