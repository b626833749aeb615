"""Signatures of webhooks: right, wrong, missing, tampered, replayed (R55)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from connectors.shops import SHOPS
from connectors.signatures import SignatureError, verify_standard
from domain.errors import RefusedError
from tests.connectors.samples import body

SECRET = "a secret of some length"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
NOW = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)
# What a CRM signs depends on its vendor: tests/connectors/test_crm_webhooks.py.
SIGNING = [source for source in SHOPS if source != "crm"]
HEADERS = {
    "shopify": "X-Shopify-Hmac-Sha256",
    "woocommerce": "X-WC-Webhook-Signature",
    "shopware": "shopware-shop-signature",
}


def signed(source: str, raw: bytes) -> dict[str, str]:
    """Return the headers with which the vendor would send this body."""
    if source == "zahltag":
        return standard(raw)
    digest = hmac.new(SECRET.encode(), raw, hashlib.sha256).digest()
    value = digest.hex() if source == "shopware" else base64.b64encode(digest).decode()
    return {HEADERS[source].lower(): value}


def standard(raw: bytes, at: datetime = NOW) -> dict[str, str]:
    """Sign as Standard Webhooks says."""
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(STANDARD_SECRET).sign("msg_1", at, raw.decode()),
    }


def secret(source: str) -> str:
    """Return the secret that fits the vendor's scheme."""
    return STANDARD_SECRET if source == "zahltag" else SECRET


@pytest.mark.parametrize("source", SIGNING)
def test_a_right_signature_passes_whatever_the_case_of_its_header(source: str) -> None:
    """Proxies rewrite the case of headers."""
    raw = body(f"{source}-ok")
    headers = signed(source, raw)

    SHOPS[source].verify(headers, raw, secret(source), NOW)
    SHOPS[source].verify({k.upper(): v for k, v in headers.items()}, raw, secret(source), NOW)


@pytest.mark.parametrize("source", SIGNING)
def test_one_changed_byte_is_seen(source: str) -> None:
    """The signature is over the raw body, not over what it means."""
    raw = body(f"{source}-ok")

    with pytest.raises(SignatureError, match="does not fit the body: check the secret"):
        SHOPS[source].verify(signed(source, raw), raw + b" ", secret(source), NOW)


@pytest.mark.parametrize("source", SIGNING)
@pytest.mark.parametrize("value", ["", "wrong", "v1,wrong", "ünicode", "=" * 5000])
def test_a_wrong_or_missing_signature_is_refused(source: str, value: str) -> None:
    """In one sentence, and never with another error."""
    raw = body(f"{source}-ok")
    headers = {key: value if "id" not in key.lower() else "x" for key in signed(source, raw)}

    with pytest.raises(SignatureError) as refusal:
        SHOPS[source].verify(headers, raw, secret(source), NOW)
    assert isinstance(refusal.value, RefusedError)
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize("source", SIGNING)
def test_no_headers_and_no_secret_are_refused(source: str) -> None:
    """A channel without a secret accepts nobody, not everybody."""
    raw = body(f"{source}-ok")

    with pytest.raises(SignatureError, match="unsigned messages are refused"):
        SHOPS[source].verify({}, raw, secret(source), NOW)
    with pytest.raises(SignatureError, match="secret"):
        SHOPS[source].verify(signed(source, raw), raw, "", NOW)


def test_another_secret_is_refused() -> None:
    """Two shops of one vendor don't take each other's orders."""
    raw = body("shopify-ok")

    with pytest.raises(SignatureError):
        SHOPS["shopify"].verify(signed("shopify", raw), raw, SECRET + "x", NOW)


def test_only_the_empty_ping_of_woocommerce_needs_no_signature() -> None:
    """It is form-encoded and says nothing."""
    woo = SHOPS["woocommerce"]

    woo.verify({}, b"webhook_id=17", SECRET, NOW)
    for raw in (b"webhook_id=17&x=1", b"webhook_id=", b'{"webhook_id": 17}'):
        with pytest.raises(SignatureError):
            woo.verify({}, raw, SECRET, NOW)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_five_minutes_are_tolerated_and_not_a_second_more(minutes: int) -> None:
    """A message that was caught on its way cannot be played again later."""
    raw, at = b"{}", NOW + timedelta(minutes=minutes)
    beyond = at + timedelta(seconds=1 if minutes > 0 else -1)

    verify_standard(standard(raw, at), raw, STANDARD_SECRET, NOW)
    with pytest.raises(SignatureError, match="more than five minutes off"):
        verify_standard(standard(raw, beyond), raw, STANDARD_SECRET, NOW)


def test_several_signatures_may_stand_while_a_secret_is_changed() -> None:
    """One that fits is enough."""
    raw = b"{}"
    headers = standard(raw)
    headers["Webhook-Signature"] = f"v1,AAAA v1a,BBBB {headers['Webhook-Signature']}"

    verify_standard(headers, raw, STANDARD_SECRET, NOW)


@pytest.mark.parametrize("stamp", ["soon", "-1", "1.5", "²", "9" * 30, "99999999999"])
def test_an_odd_timestamp_is_refused(stamp: str) -> None:
    """Not with a traceback."""
    headers = standard(b"{}") | {"Webhook-Timestamp": stamp}

    with pytest.raises(SignatureError):
        verify_standard(headers, b"{}", STANDARD_SECRET, NOW)


@pytest.mark.parametrize("odd", ["plain", "whsec_", "whsec_a", "whsec_ä"])
def test_an_odd_secret_is_named(odd: str) -> None:
    """The message is for whoever set the channel up."""
    with pytest.raises(SignatureError, match="whsec_"):
        verify_standard(standard(b"{}"), b"{}", odd, NOW)


def test_a_body_that_is_not_text_is_refused() -> None:
    """Standard Webhooks signs text."""
    with pytest.raises(SignatureError, match="not UTF-8"):
        verify_standard(standard(b"{}"), b"\xff", STANDARD_SECRET, NOW)
