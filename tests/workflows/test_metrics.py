"""What Prometheus sees of real cases: effects, mails, what is open, webhooks; and no names."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime
from temporalio.testing import WorkflowEnvironment

from connectors.shops import SHOPS
from connectors.shops.port import OrderEvent
from domain.company import Company
from domain.errors import RefusedError
from domain.order_case import Step
from models.settings import Settings
from models.store import intake
from models.store.database import Database
from starter.api.app import make_app
from starter.first_start import prepare
from starter.metrics import DatabaseGauges, meter_of, runtime_of
from starter.stack.ports import free_port
from tests.invariants import check
from tests.workflows.house import SAMPLES
from tests.workflows.opening import client_with, open_house

LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


class Seen(dict[tuple[str, frozenset[str]], float]):
    """One scrape."""

    def __call__(self, name: str, **labels: str) -> float:
        """Look one value up."""
        return self[name, frozenset(f'{key}="{text}"' for key, text in labels.items())]

    def labels(self) -> set[str]:
        """Every label of our own metrics."""
        return {one for name, some in self if name.startswith("zahltag_") for one in some if one}


async def scrape(address: str) -> Seen:
    """Ask like Prometheus: name and labels to value."""
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"http://{address}/metrics")).text
    lines = [LINE.fullmatch(line) for line in text.splitlines() if line[:1] not in {"#", ""}]
    return Seen(
        (
            (found[1], frozenset((found[2] or "").split(",")) - {'process="tests"', ""}),
            float(found[3]),
        )
        for found in lines
        if found
    )


def show(settings: Settings) -> tuple[str, Runtime, MetricMeter]:
    """Open a door of one's own; nobody else gets the same address."""
    address = f"127.0.0.1:{free_port()}"
    shown = settings.model_copy(update={"metrics_address": address})
    runtime = runtime_of(shown, "tests")
    assert runtime
    with pytest.raises(RefusedError, match="another process has the port"):
        runtime_of(shown, "second")
    return address, runtime, meter_of(runtime)


async def test_what_is_shown_of_real_cases(
    temporal: WorkflowEnvironment, database: Database, settings: Settings, company: Company
) -> None:
    """One case waits for a person after a refused mail, one for its money and then ends."""
    address, runtime, meter = show(settings)
    client = await client_with(temporal, "", runtime)
    gauges = DatabaseGauges(database, meter)
    async with open_house(client, database, settings, company, meter=meter) as house:
        buyer = {"name": "K. Brandt", "email": "refused@brandt-soehne.example", "language": "de"}
        waiting, failed = await asyncio.gather(
            house.submit("zahltag-ok"), house.submit("zahltag-paid", buyer=buyer)
        )
        await asyncio.gather(
            house.reaches(waiting, "awaiting_payment"), house.reaches(failed, "needs_retry")
        )
        await gauges.refresh()
        value = await scrape(address)
        assert value("zahltag_effects_total", step="create_invoice", outcome="done") == 2
        assert value("zahltag_effects_total", step="send_email", outcome="done") == 1
        assert value("zahltag_effects_total", step="send_email", outcome="refused") == 1
        assert value("zahltag_mails_total", outcome="sent") == 1
        assert value("zahltag_mails_total", outcome="refused") == 1
        assert value("zahltag_open_cases", status="awaiting_payment") == 1
        assert value("zahltag_open_cases", status="needs_retry") == 1
        assert value("zahltag_open_cases", status="overdue") == 0
        assert value("zahltag_cases_needing_attention") == 1
        assert value("zahltag_exceptions_open") == 1
        assert value("zahltag_tasks_open") == 2
        assert value("zahltag_approvals_pending") == 0

        # The server forgets the workflow: the case starts again, and its effects are found done.
        await house.workflow(waiting).terminate()
        await house.pay(waiting, "119.00")
        assert await house.ends(waiting) == "closed"
        await gauges.refresh()
        value = await scrape(address)
        assert value("zahltag_open_cases", status="awaiting_payment") == 0
        assert value("zahltag_effects_total", step="validate_customer", outcome="repeated") == 1

    await check(database, mailbox=settings.mailbox_dir)
    assert {label.partition("=")[0] for label in value.labels()} == {"step", "outcome", "status"}
    steps = {label[6:-1] for label in value.labels() if label.startswith("step=")}
    assert steps <= {*Step, "take_decision"}
    assert not any(word in str(value) for word in ("ZT-10", "Brandt", house.channel, "K1000"))


async def test_webhooks_and_what_nobody_delivers(
    database: Database, settings: Settings, company: Company
) -> None:
    """Webhooks are counted by kind of channel; a fact that waits shows its age."""
    address, _, meter = show(settings)
    document = json.loads((SAMPLES / "zahltag-ok.json").read_text())
    event = SHOPS["zahltag"].read(document, channel="zahltag")
    assert isinstance(event, OrderEvent)
    async with database.transaction() as session:
        arrived = datetime.now(UTC) - timedelta(seconds=90)
        arrival = intake.Arrival("zahltag", "event-1", "order", b"{}", arrived, "tests")
        await intake.accept_order(session, event.order, arrival, company, strict=False)
    await DatabaseGauges(database, meter).refresh()
    app = make_app(settings, database, meter=meter)
    await prepare(database, settings, datetime.now(UTC))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for channel in ("zahltag", "zahltag", "nowhere"):
            await http.post(f"/webhooks/{channel}", content=b"{}")
        await http.get("/health")
    value = await scrape(address)
    assert value("zahltag_outbox_due_rows") == 1
    assert 90 <= value("zahltag_outbox_lag_seconds") < 400
    assert 90 <= value("zahltag_outbox_oldest_seconds") < 400
    assert value("zahltag_webhooks_total", kind="zahltag", outcome="bad_signature") == 2
    assert value("zahltag_webhooks_total", kind="unknown", outcome="refused") == 1
    assert {label.partition("=")[0] for label in value.labels()} == {"kind", "outcome", "status"}
