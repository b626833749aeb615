"""The codec server: what it shows, to whom, and how the Web UI of an operator gets in."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from models.payload_keys import new_payload_key
from models.settings import Settings
from starter.api.codec_door import COOKIE, LIFE, origin_of, pass_for

from .conftest import Api, one_sentence

WEB_UI = "http://127.0.0.1:8233"
KEY = str(new_payload_key("k1"))


def payload(encoding: str, text: str) -> dict[str, Any]:
    """A payload as the Web UI sends it."""
    as_base64 = base64.b64encode(encoding.encode()).decode()
    data = base64.b64encode(text.encode()).decode()
    return {"metadata": {"encoding": as_base64}, "data": data}


CLEAR = payload("json/plain", '"Klopstockstieg 47"')


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """An installation with a key and a Web UI."""
    return settings.model_copy(
        update={"payload_keys": SecretStr(KEY), "temporal_ui": f"{WEB_UI}/", "max_body_bytes": 4096}
    )


async def sealed_by(api: Api) -> dict[str, Any]:
    """The payload, encrypted by the server."""
    answer = await api.post("/codec/encode", {"payloads": [CLEAR]})
    assert answer.status_code == 200
    (found,) = answer.json()["payloads"]
    return dict(found)


async def test_it_encrypts_and_decrypts_as_the_web_ui_asks(api: Api) -> None:
    """Both ways, with what the Web UI adds; what is in clear passes through."""
    sealed = await sealed_by(api)
    assert "Klopstock" not in base64.b64decode(sealed["data"]).decode(errors="replace")
    assert base64.b64decode(sealed["metadata"]["encryption-key-id"]) == b"k1"

    answer = await api.call(
        "POST",
        "/codec/decode?preserveStorageRefs=true",
        json={"payloads": [sealed, CLEAR]},
        headers={"X-Namespace": "default"},
    )
    assert answer.status_code == 200
    assert answer.json() == {"payloads": [CLEAR, CLEAR]}
    assert (await api.post("/codec/decode", {"payloads": []})).json() == {}


async def test_only_admins_with_the_token_may_read(api: Api) -> None:
    """A payload may hold what somebody typed into a correction."""
    body = {"payloads": [await sealed_by(api)]}
    for path in ("/codec/decode", "/codec/encode"):
        nobody = await api.call("POST", path, json=body, headers={"Authorization": "Bearer no"})
        assert nobody.status_code == 401
        for user in ("viktor", "anna"):
            refused = await api.post(path, body, user=user)
            assert refused.status_code == 403, user
            one_sentence(refused)


async def test_what_does_not_fit_is_refused_in_a_sentence(api: Api) -> None:
    """Not JSON, no payloads, too large, another namespace, a key that is not set."""
    for content in (b"{", b"[]", b'{"payloads": 1}', b"\xff\xfe", b'{"payloads":[{"data":5}]}'):
        answer = await api.call("POST", "/codec/decode", content=content)
        assert answer.status_code == 400, content
        one_sentence(answer)
    large = await api.post("/codec/decode", {"payloads": [payload("json/plain", "x" * 5000)]})
    assert large.status_code == 413
    elsewhere = await api.call(
        "POST", "/codec/decode", json={"payloads": []}, headers={"X-Namespace": "other"}
    )
    assert elsewhere.status_code == 422
    assert "default" in one_sentence(elsewhere)
    sealed = await sealed_by(api)
    sealed["metadata"]["encryption-key-id"] = base64.b64encode(b"k0").decode()
    missing = await api.post("/codec/decode", {"payloads": [sealed]})
    assert missing.status_code == 422
    assert "encrypted with the key k0" in one_sentence(missing)


async def test_only_the_web_ui_s_pages_may_ask(api: Api) -> None:
    """A preflight of any other page is answered as any call without a token."""
    asks = {"Authorization": "", "Access-Control-Request-Method": "POST"}
    allowed = await api.call("OPTIONS", "/codec/decode", headers={**asks, "Origin": WEB_UI})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == WEB_UI
    assert allowed.headers["access-control-allow-credentials"] == "true"
    for name in ("content-type", "x-namespace", "authorization"):
        assert name in allowed.headers["access-control-allow-headers"].lower()
    for origin in ("http://evil.example", "http://127.0.0.1:9999", "null", ""):
        refused = await api.call("OPTIONS", "/codec/decode", headers={**asks, "Origin": origin})
        assert refused.status_code == 401
        assert "access-control-allow-origin" not in refused.headers
    other = await api.call("OPTIONS", "/api/cases", headers={**asks, "Origin": WEB_UI})
    assert "access-control-allow-origin" not in other.headers


async def test_an_operator_gives_the_token_once_per_browser(api: Api, settings: Settings) -> None:
    """The browser gets a pass that is not the token and opens the codec from the Web UI alone."""
    body = {"payloads": [await sealed_by(api)]}
    api.http.headers.pop("Authorization")
    page = await api.call("GET", "/codec/login")
    assert "API token" in page.text
    wrong = await api.call("POST", "/codec/login", content=b"token=wrong")
    assert wrong.status_code == 401
    assert COOKIE not in wrong.cookies

    token = settings.api_token.get_secret_value()
    done = await api.call("POST", "/codec/login", content=f"token={token}".encode())
    assert done.status_code == 200
    assert "/codec</code>" in done.text
    cookie = done.headers["set-cookie"]
    assert token not in cookie
    for word in ("HttpOnly", "SameSite=strict", "Path=/codec/"):
        assert word in cookie

    ticket = {"Cookie": cookie.partition(";")[0]}
    read = await api.call("POST", "/codec/decode", json=body, headers={**ticket, "Origin": WEB_UI})
    assert read.json() == {"payloads": [CLEAR]}
    assert read.headers["access-control-allow-origin"] == WEB_UI
    for origin in ("http://127.0.0.1:9999", ""):
        elsewhere = {**ticket, "Origin": origin}
        refused = await api.call("POST", "/codec/decode", json=body, headers=elsewhere)
        assert refused.status_code == 401
    beyond = await api.call("GET", "/api/cases", headers={**ticket, "Origin": WEB_UI})
    assert beyond.status_code == 401


async def test_a_pass_ends_and_cannot_be_made_up(api: Api, settings: Settings) -> None:
    """After its days, with another proof, for another token."""
    body = {"payloads": [await sealed_by(api)]}
    api.http.headers.pop("Authorization")
    good = pass_for(settings.api_token, datetime.now(UTC))
    old = pass_for(settings.api_token, datetime.now(UTC) - LIFE - timedelta(seconds=2))
    later = f"{int(good.partition('.')[0]) + 1}.{good.partition('.')[2]}"
    foreign = pass_for(SecretStr("another token"), datetime.now(UTC))
    for value in (old, later, foreign, "", ".", "x.y", "²." + "0" * 64):
        headers = {"Cookie": f"{COOKIE}={value}".encode(), "Origin": WEB_UI}
        refused = await api.call("POST", "/codec/decode", json=body, headers=headers)
        assert refused.status_code == 401, value
    headers = {"Cookie": f"{COOKIE}={good}", "Origin": WEB_UI}
    assert (await api.call("POST", "/codec/decode", json=body, headers=headers)).status_code == 200


def test_an_address_without_scheme_and_host_has_no_origin() -> None:
    """So that without a Web UI no page may ask."""
    assert origin_of("") == ""
    assert origin_of("127.0.0.1:8233") == ""
    assert origin_of("https://ui.example/temporal/") == "https://ui.example"
