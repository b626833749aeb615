"""The doctor's checks of servers: database, Temporal, mail; wherever they run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from models.search_attributes import SEARCH_ATTRIBUTES
from models.settings import Settings
from starter.stack.table import greets
from starter.stack.temporal import RETENTION_DAYS

if TYPE_CHECKING:
    from asyncpg import Connection
    from temporalio.client import Client

BACKLOG = timedelta(minutes=5)
LAST_BACKUP = "backup"  # the name under which backups stand in the history
# A few tries; greylisting asks for some minutes.
MAIL_BACKLOG = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, whether it is as it should be, and what to do if not."""

    name: str
    ok: bool
    finding: str
    remedy: str = ""


async def check_database(settings: Settings) -> list[Check]:
    """Whether the database answers, is new enough, has the newest schema, and is worked off."""
    import asyncpg  # noqa: PLC0415 - slow to import

    from starter.stack import migrate  # noqa: PLC0415 - brings SQLAlchemy and Alembic along

    try:
        connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=5)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError) as error:
        return [
            Check(
                "database",
                ok=False,
                finding=f"the database cannot be reached: {_reason(error)}",
                remedy="start it (`zahltag up`), or correct ZAHLTAG_DATABASE_URL",
            )
        ]
    checks = []
    try:
        version = int(await connection.fetchval("show server_version_num"))
        checks.append(
            Check(
                "database",
                version >= 150_000,
                f"PostgreSQL {version // 10_000}.{version % 10_000} answers",
                "Zahltag needs PostgreSQL 15 or newer",
            )
        )
        current, newest = await migrate.versions(settings)
        checks.append(_schema(current, newest, migrate.revisions()))
        if checks[-1].ok:
            checks += [*await _facts(connection), await _channels(connection, settings)]
            checks.append(await _backups(connection))
    except asyncpg.PostgresError as error:
        checks.append(
            Check(
                "schema",
                ok=False,
                finding=f"the schema is not as it should be: {_reason(error)}",
                remedy="run `zahltag migrate`, with an account that may read the tables",
            )
        )
    finally:
        await connection.close(timeout=5)
    return checks


async def _facts(connection: Connection) -> list[Check]:
    companies = await connection.fetchval("select count(*) from company")
    late = await connection.fetchval(
        "select count(*) from outbox where delivered_at is null and due_at < now() - $1::interval",
        BACKLOG,
    )
    waiting = await connection.fetchrow(_MAILS_WAITING, MAIL_BACKLOG)
    return [
        Check(
            "company",
            companies == 1,
            "the company is set" if companies else "no company is set: no invoice can be made",
            "run `zahltag company set FILE` (samples/company.yaml shows the form)",
        ),
        Check(
            "outbox",
            late == 0,
            f"{late} facts have waited for delivery for more than {BACKLOG.seconds // 60} minutes",
            "look at the log of the dispatcher, and whether Temporal and the worker run",
        ),
        Check(
            "outgoing mail",
            waiting["count"] == 0,
            f"{waiting['count']} mails have waited for more than"
            f" {MAIL_BACKLOG.seconds // 60} minutes"
            + (f"; the last answer: {waiting['said']}" if waiting["said"] else ""),
            "mend what the answer says (the ZAHLTAG_SMTP_ settings, or the mail server); the mails"
            " go out by themselves then, and after 24 hours by `zahltag case retry`",
        ),
    ]


def _schema(current: str | None, newest: str | None, known: list[str]) -> Check:
    if current and current not in known:
        return Check(
            "schema",
            ok=False,
            finding=f"the schema is at {current}, which is newer than this program ({newest})",
            remedy="install the version that made it, or a later one; to go back, restore the"
            " backup from before the upgrade (docs/operations.md)",
        )
    return Check(
        "schema",
        current == newest,
        f"the schema is at {current or 'nothing'}; the newest version is {newest}",
        "run `zahltag migrate`",
    )


async def _channels(connection: Connection, settings: Settings) -> Check:
    """Whether the webhook secrets can be opened with the key of the settings."""
    from domain.errors import RefusedError  # noqa: PLC0415 - beside the next one
    from models.vault import Vault  # noqa: PLC0415 - brings cryptography along

    closed, why = [], ""
    for channel in await connection.fetch("select name, secret from channel order by name"):
        try:
            Vault(settings).open(channel["secret"])
        except RefusedError as refused:
            closed.append(channel["name"])
            why = refused.message
    return Check(
        "channels",
        not closed,
        f"webhooks of {', '.join(closed)} cannot be checked: {why}"
        if closed
        else "the webhook secrets can be opened",
        "bring the key back (ZAHLTAG_SECRET_KEY), or set the secrets with `zahltag channel set`",
    )


async def _backups(connection: Connection) -> Check:
    """A hint, no fault: others may take the backups."""
    last = await connection.fetchval("select max(at) from history where case_id = $1", LAST_BACKUP)
    age = (datetime.now(UTC) - last).days if last else 0
    return Check(
        "backup",
        ok=True,
        finding=f"the last `zahltag backup create` was {age} day(s) ago"
        if last
        else "none was taken with `zahltag backup create` yet",
    )


_MAILS_WAITING = """
select count(*), (array_agg(outcome order by handing_over_at desc nulls last)
                  filter (where outcome <> ''))[1] as said
from outgoing_mail
where state in ('intended', 'handing_over') and intended_at < now() - $1::interval
  and id not in (select mail_id from dunning_notice where mail_id is not null
                 and status <> 'approved')  -- a notice in doubt has a task of its own
"""


async def check_temporal(settings: Settings) -> list[Check]:
    """Whether Temporal serves our namespace, knows our attributes and keeps closed cases."""
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest  # noqa: PLC0415 - slow
    from temporalio.client import Client  # noqa: PLC0415 - slow
    from temporalio.service import RPCError, TLSConfig  # noqa: PLC0415 - slow

    certificate, key = settings.temporal_tls_cert, settings.temporal_tls_key
    tls: bool | TLSConfig = settings.temporal_tls
    try:
        if certificate and key:
            tls = TLSConfig(client_cert=_read(certificate), client_private_key=_read(key))
        async with asyncio.timeout(10):
            client = await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                tls=tls,
                api_key=settings.temporal_api_key.get_secret_value() or None,
            )
            described = await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=settings.temporal_namespace)
            )
    except (OSError, RPCError, RuntimeError, TimeoutError, ValueError) as error:
        return [
            Check(
                "temporal",
                ok=False,
                finding=f"Temporal cannot be used at {settings.temporal_address}: {_reason(error)}",
                remedy="start it (`zahltag up`), or correct the ZAHLTAG_TEMPORAL_ settings",
            )
        ]
    kept = described.config.workflow_execution_retention_ttl.ToTimedelta()
    return [
        Check("temporal", ok=True, finding=f"Temporal answers at {settings.temporal_address}"),
        await _attributes(client, settings.temporal_namespace),
        Check(
            "retention",
            kept >= timedelta(days=RETENTION_DAYS),
            f"closed cases stay visible for {kept.days} days",
            f"run `temporal operator namespace update --namespace {settings.temporal_namespace} "
            f"--retention {RETENTION_DAYS}d` against your cluster",
        ),
    ]


async def check_mail(settings: Settings) -> list[Check]:
    """Whether the mail server says hello (one with TLS from the first byte: takes a connection)."""
    host, port = settings.smtp_host, settings.smtp_port
    reached = await greets(port, host, silent=settings.smtp_tls == "tls")
    return [
        Check(
            "mail server",
            reached,
            f"the mail server {host}:{port} {'answers' if reached else 'gives no answer'}",
            "start it (`zahltag up`), or correct the ZAHLTAG_SMTP_ settings",
        )
    ]


async def _attributes(client: Client, namespace: str) -> Check:
    from temporalio.api.operatorservice.v1 import (  # noqa: PLC0415 - slow
        ListSearchAttributesRequest,
    )
    from temporalio.service import RPCError  # noqa: PLC0415 - slow

    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=namespace)
        )
    except RPCError as error:
        return Check(
            "search attributes",
            ok=False,
            finding=f"the search attributes cannot be listed: {_reason(error)}",
            remedy="check that the account may call the operator service",
        )
    missing = sorted(set(SEARCH_ATTRIBUTES) - set(known.custom_attributes))
    return Check(
        "search attributes",
        not missing,
        f"missing: {', '.join(missing)}" if missing else "all search attributes are there",
        "create them with `temporal operator search-attribute create` (docs/operations.md)",
    )


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _reason(error: Exception) -> str:
    """The first line of an error, or its kind if it has none: a sentence, no traceback."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
