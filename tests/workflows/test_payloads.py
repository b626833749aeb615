"""Payloads are encrypted whole, keys rotate under running cases, and a missing key loses nothing."""

from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from domain.company import Company
from domain.errors import RefusedError
from models.messages import Progress
from models.payload_keys import new_payload_key, parse_payload_keys
from models.payloads import ENCODING, UnreadablePayloadError, codec, data_converter, key_of
from models.settings import Settings
from models.store.database import Database
from starter.logs import DiscreetFormatter
from starter.payload_key_use import keys_of_open_cases
from starter.stack.payload_check import check_payloads
from tests.invariants import check
from tests.workflows.house import House, eventually
from tests.workflows.opening import client_with, open_house
from tests.workflows.test_replay import replay

A, B, OTHER_A = (str(new_payload_key(name)) for name in ("a-2026", "b-2027", "a-2026"))


def with_keys(*keys: str) -> Settings:
    """Settings that say nothing but the keys."""
    return Settings(_env_file=None, payload_keys=SecretStr(",".join(keys)))


CLEAR_TEXT = Payload(metadata={"encoding": b"json/plain", "type": b"secret"}, data=b'"K. Brandt"')


async def test_the_whole_payload_is_hidden_and_comes_back() -> None:
    """Metadata too; the same twice does not look the same."""
    sealed = await codec(with_keys(A)).encode([CLEAR_TEXT, CLEAR_TEXT])

    assert sealed[0].data != sealed[1].data
    for payload in sealed:
        assert payload.metadata["encoding"] == ENCODING
        assert key_of(payload) == "a-2026"
        seen = payload.SerializeToString()
        assert b"Brandt" not in seen
        assert b"json/plain" not in seen
    assert await codec(with_keys(A)).decode(sealed) == [CLEAR_TEXT, CLEAR_TEXT]


async def test_keys_rotate_and_what_is_in_clear_passes() -> None:
    """The first key seals, each one opens; without a key nothing changes."""
    old = await codec(with_keys(A)).encode([CLEAR_TEXT])
    both = codec(with_keys(B, A))
    (new,) = await both.encode([CLEAR_TEXT])

    assert key_of(new) == "b-2027"
    assert await both.decode([*old, new, CLEAR_TEXT]) == [CLEAR_TEXT] * 3
    assert await codec(with_keys()).encode([CLEAR_TEXT]) == [CLEAR_TEXT]
    assert await codec(with_keys()).decode([CLEAR_TEXT]) == [CLEAR_TEXT]


async def test_what_cannot_be_opened_names_its_key() -> None:
    """A missing key, another key of that name, a changed byte, a payload cut short."""
    (sealed,) = await codec(with_keys(A)).encode([CLEAR_TEXT])
    changed = Payload(metadata=sealed.metadata, data=sealed.data[:-1] + b"?")
    short = Payload(metadata=sealed.metadata, data=sealed.data[:5])
    renamed = Payload(
        metadata={**sealed.metadata, "encryption-key-id": b"b-2027"}, data=sealed.data
    )
    for keys, payload in [
        ((B,), sealed),
        ((), sealed),
        ((OTHER_A,), sealed),
        ((A,), changed),
        ((A,), short),
    ]:
        with pytest.raises(UnreadablePayloadError, match="a-2026"):
            await codec(with_keys(*keys)).decode([payload])
    with pytest.raises(UnreadablePayloadError, match="b-2027"):
        await codec(with_keys(A, B)).decode([renamed])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("secretsecretsecret", "Entry 1 .* is not NAME:KEY"),
        (f"{A},:abc", "Entry 2 .* is not NAME:KEY"),
        ("na me:abc", "Entry 1 .* is not NAME:KEY"),
        ("k1:secretsecretsecret", "The key k1 .* is not 32 bytes in base64"),
        ("k1:not base64!", "The key k1 .* is not 32 bytes in base64"),
        (f"{A},{OTHER_A}", "two keys of the name a-2026"),
    ],
    ids=["no name", "empty name", "name with a space", "no base64", "no key", "name twice"],
)
def test_a_wrong_setting_is_refused_in_a_sentence_that_shows_no_key(text: str, says: str) -> None:
    """The settings of every process are read through this, so none starts with it."""
    with pytest.raises(RefusedError, match=says) as refused:
        with_keys(text)
    assert "secretsecret" not in refused.value.message
    assert refused.value.message[-1] == "."
    assert A.partition(":")[2] not in refused.value.message


def test_both_alphabets_and_spaces_are_taken() -> None:
    """As people paste keys."""
    key = new_payload_key("k1")
    urlsafe = str(key).translate(str.maketrans("+/", "-_"))
    assert parse_payload_keys(f" {urlsafe} , {B}")[0] == key
    assert parse_payload_keys("") == ()
    assert "secret" not in repr(key)
    with pytest.raises(RefusedError):
        new_payload_key("with space")


async def test_a_case_outlives_its_key(
    temporal: WorkflowEnvironment,
    database: Database,
    settings: Settings,
    company: Company,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Started in clear, then with A, then B and A; without A it stands still; with A it ends."""

    async def partly_paid() -> bool | None:
        return (await house.case(case_id)).amount_due == 80 or None

    client = await client_with(temporal, "")
    async with open_house(client, database, settings, company) as house:
        case_id = await house.submit("zahltag-ok")
        await house.reaches(case_id, "awaiting_payment")
    same = {"queue": house.settings.task_queue, "channel": house.channel}

    # Encryption is switched on while the case runs, and the key is rotated.
    client = await client_with(temporal, A)
    async with open_house(client, database, settings, company, **same) as house:
        await house.pay(case_id, "39.00", "part-1")
        await eventually(partly_paid)
    client = await client_with(temporal, f"{B},{A}")
    async with open_house(client, database, settings, company, **same) as house:
        progress = await house.workflow(case_id).query("progress", result_type=Progress)
        assert progress.amount_due == 80

    client = await client_with(temporal, B)
    async with open_house(client, database, settings, company, **same) as house:
        logging.getLogger("temporalio").setLevel(logging.WARNING)
        await house.pay(case_id, "80.00", "part-2")
        await eventually(lambda: _task_failed(house, case_id))
        said = "\n".join(map(DiscreetFormatter().format, caplog.records))
        assert "encrypted with the key a-2026, which ZAHLTAG_PAYLOAD_KEYS does not have" in said
        assert (await house.case(case_id)).closed_at is None

        used = await eventually(lambda: _used(house))
        assert used["a-2026"] >= 1
        own = settings.model_copy(
            update={
                "temporal_address": temporal.client.service_client.config.target_host,
                "payload_keys": SecretStr(B),
            }
        )
        (found,) = await check_payloads(own)
        assert not found.ok
        assert "encrypted with the key b-2027; open cases need the key a-2026" in found.finding

    client = await client_with(temporal, f"{B},{A}")
    async with open_house(client, database, settings, company, **same) as house:
        assert await house.ends(case_id) == "closed"
        assert await house.mails(case_id) == ["invoice", "payment_confirmation"]
        history = await house.workflow(case_id).fetch_history()
    await check(database, mailbox=settings.mailbox_dir)
    assert await replay(history, converter=data_converter(with_keys(B, A)))


async def _task_failed(house: House, case_id: str) -> bool | None:
    history = await house.workflow(case_id).fetch_history()
    failed = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return any(event.event_type == failed for event in history.events) or None


async def _used(house: House) -> dict[str, int] | None:
    """Visibility lags behind a little."""
    used = await keys_of_open_cases(house.client)
    return used if used["a-2026"] else None
