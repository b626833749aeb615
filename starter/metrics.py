"""Prometheus metrics of one process: Temporal's own, and ours through the same door.

Each process shows its own at ``http://ZAHLTAG_METRICS_ADDRESS/metrics``; without the setting
nothing is counted. No token: Prometheus would have to hold the one that may act as any user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from temporalio.common import MetricGauge, MetricMeter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from domain.errors import RefusedError
from domain.order_case import ENDED, Status
from models.settings import Settings
from models.store import figures
from models.store.database import Database

# How old the figures of the database may be: alarms look at minutes.
REFRESH_SECONDS = 15.0
KIND = "zahltag.webhook"  # where a route says in the scope what kind of channel it was

log = structlog.get_logger("metrics")


def runtime_of(settings: Settings, process: str) -> Runtime | None:
    """Open the door for metrics, once per process; ``None`` where no address is set."""
    address = settings.metrics_address
    if not address:
        return None
    config = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )
    telemetry = TelemetryConfig(
        metrics=config, global_tags={"process": process}, attach_service_name=False
    )
    try:
        return Runtime(telemetry=telemetry)
    except (RuntimeError, ValueError) as error:
        raise RefusedError(
            f"The metrics cannot be shown at {address} ({error}): another process has the port, or"
            " it is no address of this machine; correct ZAHLTAG_METRICS_ADDRESS."
        ) from error


def meter_of(runtime: Runtime | None) -> MetricMeter:
    """Return what counts; without a runtime it throws everything away."""
    return runtime.metric_meter if runtime else MetricMeter.noop


class DatabaseGauges:
    """Shows what is open in the database. Every dispatcher does; alarms take the largest."""

    def __init__(
        self,
        database: Database,
        meter: MetricMeter,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        def gauge(name: str, what: str) -> MetricGauge:
            return meter.create_gauge(f"zahltag_{name}", what)

        self._database, self._clock = database, clock
        self._cases = gauge("open_cases", "cases that are not closed, by status")
        self._attention = gauge("cases_needing_attention", "open cases that wait for a person")
        self._due = gauge("outbox_due_rows", "facts that should have been delivered by now")
        self._lag = meter.create_gauge_float(
            "zahltag_outbox_lag_seconds", "how long the longest due fact has waited"
        )
        self._oldest = meter.create_gauge_float(
            "zahltag_outbox_oldest_seconds", "age of the oldest fact that is not delivered"
        )
        self._approvals = gauge("approvals_pending", "approvals that wait for a person")
        self._exceptions = gauge("exceptions_open", "exceptions that are not resolved")
        self._tasks = gauge("tasks_open", "tasks that are not done")

    async def refresh(self) -> None:
        """Read the database once and show it; a status without cases shows 0."""
        async with self._database.transaction() as session:
            now = await figures.read(session, self._clock())
        for status in Status:
            if status not in ENDED:
                self._cases.set(now.open_cases.get(status, 0), {"status": status.value})
        self._attention.set(now.needing_attention)
        self._due.set(now.outbox_due)
        self._lag.set(now.outbox_lag)
        self._oldest.set(now.outbox_oldest)
        self._approvals.set(now.approvals_pending)
        self._exceptions.set(now.exceptions_open)
        self._tasks.set(now.tasks_open)

    async def run(self) -> None:
        """Refresh until cancelled; an outage is shown by the other metrics, and outlived."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - it must outlive every outage
                log.warning("the figures cannot be read", error=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)


class CountWebhooks:
    """A layer of the API that counts webhooks by kind of channel and outcome, and nothing else."""

    def __init__(self, app: ASGIApp, meter: MetricMeter) -> None:
        self._app = app
        self._webhooks = meter.create_counter(
            "zahltag_webhooks", "webhooks by kind of channel and outcome"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; read the status of what was a webhook."""
        if scope["type"] != "http" or not scope["path"].startswith("/webhooks/"):
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            labels = {"kind": scope.get(KIND, "unknown"), "outcome": _outcome(status)}
            self._webhooks.add(1, labels)


def _outcome(status: int) -> str:
    """``failed`` is ours to mend and will be sent again; ``refused`` is the sender's."""
    if status < 300:
        return "accepted"
    if status == 401:
        return "bad_signature"
    return "refused" if status < 500 else "failed"
