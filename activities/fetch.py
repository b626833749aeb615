"""Fetch a deal that a webhook only named, and take it in like any order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.services import Services
from connectors.crm.port import CrmAwayError, CrmBusyError
from connectors.crm.settings import CrmSettings, read_settings
from connectors.crm.vendors import connected
from connectors.shops.crm import CrmConnector
from connectors.shops.port import OrderEvent, parse_document
from domain.errors import RefusedError
from models.messages import FetchRequest
from models.store import channels, company, fetches, intake
from models.store.intake import Arrival
from models.tables import OrderFetch
from models.vault import Vault

PATIENCE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class FetchActivities:
    """The activity ``fetch_order``."""

    services: Services

    @activity.defn(name="fetch_order")
    async def fetch_order(self, request: FetchRequest) -> str:
        """Fetch the deal and take it in; return ``done``, ``ignored`` or ``failed``.

        A CRM that is away or busy is an error, so that Temporal tries again. What no repeating
        mends is written down for a person here, in the database: its words may quote the deal, and
        nothing personal belongs into a workflow's history.
        """
        async with self.services.database.transaction() as session:
            row = await fetches.begin(session, request.fetch_id)
        if row.done_at is not None:
            return row.state
        try:
            return await (self._fail(row, request.give_up) if request.give_up else self._fetch(row))
        except (CrmBusyError, CrmAwayError) as error:
            if _now() - row.requested_at < PATIENCE:
                raise
            return await self._fail(row, f"{error.message} It was tried for three days.")
        except RefusedError as error:
            return await self._fail(row, error.message)

    async def _fetch(self, row: OrderFetch) -> str:
        settings, token = await self._connection(row)
        async with connected(row.channel, settings, token) as connection:
            document = await connection.fetch(row.external_id)
        body = json.dumps(document, ensure_ascii=False).encode()
        event = CrmConnector(settings).read(parse_document(body), channel=row.channel)
        async with self.services.database.transaction() as session:
            if not isinstance(event, OrderEvent):
                reason = getattr(event, "reason", "It is no order.")
                await fetches.succeed(session, row, fetches.IGNORED, reason, "", _now())
                return fetches.IGNORED
            arrival = Arrival(
                channel=row.channel,
                event_id=f"fetched:{row.external_id}:{hashlib.sha256(body).hexdigest()}",
                kind="order",
                body=body,
                at=_now(),
                by=f"channel {row.channel}",
            )
            firm = await company.get(session)
            case_id, outcome = await intake.accept_order(
                session, event.order, arrival, firm, strict=False
            )
            await fetches.succeed(session, row, fetches.DONE, outcome.value, case_id, _now())
        return fetches.DONE

    async def _connection(self, row: OrderFetch) -> tuple[CrmSettings, str]:
        async with self.services.database.transaction() as session:
            channel = await channels.get(session, row.channel)
        token = Vault(self.services.settings).open(channel.api_token) if channel.api_token else ""
        return read_settings(channel.settings), token

    async def _fail(self, row: OrderFetch, why: str) -> str:
        async with self.services.database.transaction() as session:
            firm = await company.find(session)
            await fetches.fail(session, row, why, firm, _now())
        return fetches.FAILED


def _now() -> datetime:
    return datetime.now(UTC)
