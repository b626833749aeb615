"""The tables: facts in PostgreSQL. One class per table; constraints and triggers guard them.

Money is NUMERIC with a currency beside it. Personal data lives in ``customer``, ``sales_order``,
``inbox``, ``invoice``, ``document`` and ``outgoing_mail`` only. Migrations in ``migrations/`` make
them; the triggers (append-only journal and history, immutable invoices and documents, balanced
entries) stand there in SQL.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

Json = dict[str, Any]


def _key() -> Any:  # noqa: ANN401 - Field() is typed as what it stands for
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


def _reference(target: str, *, nullable: bool = False, index: bool = True) -> Any:  # noqa: ANN401
    return Field(
        default=None if nullable else ...,
        sa_column=Column(BigInteger, ForeignKey(target), nullable=nullable, index=index),
    )


def _money(*, nullable: bool = False, default: Decimal | None = None) -> Any:  # noqa: ANN401
    return Field(
        default=default if default is not None or nullable else ...,
        sa_column=Column(Numeric(18, 3), nullable=nullable),
    )


def _instant(*, nullable: bool = False) -> Any:  # noqa: ANN401
    return Field(
        default=None if nullable else ...,
        sa_column=Column(DateTime(timezone=True), nullable=nullable),
    )


def _json(*, nullable: bool = False) -> Any:  # noqa: ANN401
    return Field(default=None if nullable else ..., sa_column=Column(JSONB, nullable=nullable))


def _settings() -> Any:  # noqa: ANN401
    return Field(
        default_factory=dict,
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")),
    )


class CompanyRow(SQLModel, table=True):
    """The company (Mandant): exactly one row, its profile as ``domain.company.Company``."""

    __tablename__: ClassVar[str] = "company"
    __table_args__ = (CheckConstraint("id = 1", name="only_one_company"),)

    id: int = Field(default=1, primary_key=True)
    profile: Json = _json()
    set_at: datetime = _instant()
    set_by: str


class Channel(SQLModel, table=True):
    """A configured connection (one shop); its webhook secret and API token lie here encrypted."""

    __tablename__: ClassVar[str] = "channel"

    name: str = Field(primary_key=True)
    source: str
    secret: str
    created_at: datetime = _instant()
    settings: Json = _settings()
    api_token: str = ""


class Customer(SQLModel, table=True):
    """A debtor (Debitor). Its row is the lock that every posting and every letter to it takes."""

    __tablename__: ClassVar[str] = "customer"
    __table_args__ = (CheckConstraint("kind in ('b2b', 'b2c')", name="kind"),)

    id: int | None = _key()
    customer_no: str = Field(unique=True)
    kind: str
    name: str
    email: str = ""
    phone: str = ""
    vat_id: str = ""
    language: str = ""
    address: Json = _json()
    terms_days: int | None = None
    created_at: datetime = _instant()
    updated_at: datetime = _instant()


class CustomerIdentity(SQLModel, table=True):
    """By what a customer is recognised: (shop, channel:id), (email, normalised)."""

    __tablename__: ClassVar[str] = "customer_identity"

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    customer_id: int = _reference("customer.id")


class Inbox(SQLModel, table=True):
    """What came from outside, byte for byte, once per source event."""

    __tablename__: ClassVar[str] = "inbox"
    __table_args__ = (UniqueConstraint("channel", "event_id", name="inbox_event"),)

    id: int | None = _key()
    channel: str
    event_id: str
    kind: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sha256: str
    received_at: datetime = _instant()


class SalesOrder(SQLModel, table=True):
    """An order as it stands after corrections; the shop's own words stay in the inbox."""

    __tablename__: ClassVar[str] = "sales_order"
    __table_args__ = (
        UniqueConstraint("channel", "order_no", name="sales_order_number"),
        Index("sales_order_fingerprint", "fingerprint", "placed_at"),
    )

    id: int | None = _key()
    channel: str
    order_no: str
    source: str
    case_id: str = Field(unique=True)
    customer_id: int | None = _reference("customer.id", nullable=True)
    currency: str
    total: Decimal = _money()
    content: Json = _json()
    # Of what was last taken over from the shop; without one, that is the content.
    digest: str | None = None
    fingerprint: str
    placed_at: datetime = _instant()
    modified_at: datetime = _instant()
    received_at: datetime = _instant()
    revision: int = 1
    checked_revision: int = 0
    hold_reason: str = ""
    accepted: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    routed: Json = _settings()


class CaseFile(SQLModel, table=True):
    """The projection of one case: what lists and shows read. Written with every effect."""

    __tablename__: ClassVar[str] = "case_file"
    __table_args__ = (
        Index("case_file_open", "status", postgresql_where=text("closed_at is null")),
        Index(
            "case_file_dunning",
            "customer_id",
            unique=True,
            postgresql_where=text("kind = 'dunning'"),
        ),
    )

    id: str = Field(primary_key=True)
    kind: str
    order_id: int | None = _reference("sales_order.id", nullable=True)
    customer_id: int | None = _reference("customer.id", nullable=True)
    channel: str
    order_no: str
    invoice_no: str | None = None
    status: str
    payment_status: str
    fulfilment_status: str
    return_status: str
    accounting_status: str
    amount_due: Decimal | None = _money(nullable=True)
    currency: str
    due_date: date | None = None
    next_step: str
    next_step_at: datetime | None = _instant(nullable=True)
    why: str
    waiting_for: str
    needs_attention: bool = False
    overdue_noted: bool = False
    cancel_reason: str | None = None
    closed_as: str | None = None
    opened_at: datetime = _instant()
    closed_at: datetime | None = _instant(nullable=True)
    updated_at: datetime = _instant()


class Document(SQLModel, table=True):
    """A file as it went out: the same bytes for ever (guarded by a trigger)."""

    __tablename__: ClassVar[str] = "document"

    id: int | None = _key()
    kind: str
    filename: str
    media_type: str
    sha256: str
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = _instant()


class InvoiceCounter(SQLModel, table=True):
    """The last number given in a series and year; locked last, so numbers stay gapless."""

    __tablename__: ClassVar[str] = "invoice_counter"

    series: str = Field(primary_key=True)
    year: int = Field(primary_key=True)
    last: int


class InvoiceRow(SQLModel, table=True):
    """An issued invoice: immutable. ``content`` is the whole ``domain.invoice.Invoice``.

    One of type ``imported`` was issued elsewhere: it has no order, no document and no number of
    our series here.
    """

    __tablename__: ClassVar[str] = "invoice"
    __table_args__ = (
        UniqueConstraint("series", "year", "number", name="invoice_gapless_number"),
        Index(
            "invoice_one_per_order",
            "order_id",
            unique=True,
            postgresql_where=text("type = '380'"),
        ),
        Index(
            "invoice_one_cancellation",
            "order_id",
            unique=True,
            postgresql_where=text("type = '384'"),
        ),
        CheckConstraint(
            "case when type = 'imported' then"
            " coalesce(series, year::text, order_id::text, document_id::text) is null else"
            " series is not null and year is not null and number is not null"
            " and order_id is not null and document_id is not null"
            " and net is not null and tax is not null end",
            name="imported_or_ours",
        ),
    )

    id: int | None = _key()
    invoice_no: str = Field(unique=True)
    series: str | None = None
    year: int | None = None
    number: int | None = None
    type: str
    case_id: str = Field(index=True)
    order_id: int | None = _reference("sales_order.id", nullable=True, index=False)
    customer_id: int = _reference("customer.id")
    issue_date: date
    due_date: date
    currency: str
    net: Decimal | None = _money(nullable=True)
    tax: Decimal | None = _money(nullable=True)
    charged: Decimal = _money()
    paid_at_issue: bool
    content: Json = _json()
    document_id: int | None = _reference("document.id", nullable=True, index=False)
    created_at: datetime = _instant()


class OpenItem(SQLModel, table=True):
    """What is still owed on an invoice (offener Posten), kept in step with the journal."""

    __tablename__: ClassVar[str] = "open_item"
    __table_args__ = (
        CheckConstraint("open_amount between 0 and amount", name="open_amount"),
        Index("open_item_due", "customer_id", "due_date", postgresql_where=text("open_amount > 0")),
    )

    invoice_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("invoice.id"), primary_key=True)
    )
    invoice_no: str = Field(unique=True)
    case_id: str = Field(index=True)
    customer_id: int = _reference("customer.id", index=False)
    due_date: date | None = None
    currency: str
    amount: Decimal = _money()
    open_amount: Decimal = _money()


class JournalEntry(SQLModel, table=True):
    """One booking with two dates: valid on (Wertstellung) and known at. Append-only."""

    __tablename__: ClassVar[str] = "journal_entry"

    id: int | None = _key()
    key: str = Field(unique=True)
    kind: str
    valid_on: date
    known_at: datetime = _instant()
    case_id: str | None = Field(default=None, index=True)
    description: str


class Posting(SQLModel, table=True):
    """One line of an entry: positive is debit (Soll), negative credit (Haben). Sums to zero."""

    __tablename__: ClassVar[str] = "posting"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount_not_zero"),)

    id: int | None = _key()
    entry_id: int = _reference("journal_entry.id")
    account: str
    amount: Decimal = _money()
    currency: str
    customer_id: int | None = _reference("customer.id", nullable=True)
    invoice_id: int | None = _reference("invoice.id", nullable=True)
    payment_id: int | None = _reference("payment.id", nullable=True)
    tax_rate: Decimal | None = Field(default=None, sa_column=Column(Numeric(6, 3)))


class Payment(SQLModel, table=True):
    """A receipt of money, known by the provider's transaction id. Only ``unallocated`` changes."""

    __tablename__: ClassVar[str] = "payment"
    __table_args__ = (
        UniqueConstraint("provider", "transaction_id", name="payment_once"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("unallocated between 0 and amount", name="unallocated"),
    )

    id: int | None = _key()
    provider: str
    transaction_id: str = Field(index=True)
    amount: Decimal = _money()
    currency: str
    unallocated: Decimal = _money()
    valid_on: date
    received_at: datetime = _instant()
    source: str
    reference: str = ""
    invoice_no: str = ""
    payer_name: str = ""
    payer_iban: str = ""
    case_id: str | None = Field(default=None, index=True)
    customer_id: int | None = _reference("customer.id", nullable=True)
    reconciled_at: datetime | None = _instant(nullable=True)


class Allocation(SQLModel, table=True):
    """Which part of a payment settled which invoice (Zuordnung); a release is negative."""

    __tablename__: ClassVar[str] = "allocation"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount_not_zero"),)

    id: int | None = _key()
    payment_id: int = _reference("payment.id")
    invoice_id: int = _reference("invoice.id")
    entry_id: int = _reference("journal_entry.id", index=False)
    amount: Decimal = _money()
    currency: str


class Effect(SQLModel, table=True):
    """An effect that happened: its key, what was asked, and the result a retry gets back."""

    __tablename__: ClassVar[str] = "effect"

    key: str = Field(primary_key=True)
    case_id: str = Field(index=True)
    step: str
    request_sha256: str
    result: Json = _json()
    done_at: datetime = _instant()


class OutgoingMail(SQLModel, table=True):
    """A mail: intent, hand-over mark and outcome. The intent's commit is the point of no return."""

    __tablename__: ClassVar[str] = "outgoing_mail"
    __table_args__ = (
        CheckConstraint("state in ('intended','handing_over','sent','failed')", name="state"),
    )

    id: int | None = _key()
    key: str = Field(unique=True)
    case_id: str = Field(index=True)
    kind: str
    recipient: str
    subject: str
    message_id: str = Field(unique=True)
    document_id: int | None = _reference("document.id", nullable=True, index=False)
    state: str
    attempts: int = 0
    intended_at: datetime = _instant()
    handing_over_at: datetime | None = _instant(nullable=True)
    settled_at: datetime | None = _instant(nullable=True)
    outcome: str = ""


class Task(SQLModel, table=True):
    """Something a person has to do, once per key."""

    __tablename__: ClassVar[str] = "task"
    __table_args__ = (
        CheckConstraint("status in ('open','done')", name="status"),
        Index(
            "task_open_calls",
            "case_id",
            postgresql_where=text("kind = 'dunning_call' and status = 'open'"),
        ),
    )

    id: int | None = _key()
    key: str = Field(unique=True)
    kind: str
    title: str
    description: str
    assignee: str
    due: date
    status: str = "open"
    case_id: str | None = Field(default=None, index=True)
    context: Json = _json()
    created_at: datetime = _instant()
    done_at: datetime | None = _instant(nullable=True)
    done_by: str = ""
    outcome: str = ""


class CaseException(SQLModel, table=True):
    """Something that waits for a person before a case can go on, with context and owner."""

    __tablename__: ClassVar[str] = "case_exception"
    __table_args__ = (
        Index(
            "case_exception_once",
            "case_id",
            "kind",
            "field",
            unique=True,
            postgresql_where=text("resolved_at is null"),
        ),
    )

    id: int | None = _key()
    case_id: str = Field(index=True)
    kind: str
    field: str
    expected: str
    found: str
    owner: str
    raised_at: datetime = _instant()
    resolved_at: datetime | None = _instant(nullable=True)
    resolved_by: str = ""


class Approval(SQLModel, table=True):
    """A decision that a person has to take before a case goes on (Freigabe)."""

    __tablename__: ClassVar[str] = "approval"
    __table_args__ = (
        CheckConstraint("status in ('pending','approved','rejected')", name="status"),
    )

    id: int | None = _key()
    key: str = Field(unique=True)
    case_id: str = Field(index=True)
    customer_id: int | None = _reference("customer.id", nullable=True, index=False)
    step: str
    amount: Decimal = _money()
    currency: str
    why: str
    rule: str = ""
    proposed_by: str = ""
    status: str = "pending"
    requested_at: datetime = _instant()
    decided_at: datetime | None = _instant(nullable=True)
    decided_by: str = ""
    reason: str = ""


class DueDateChange(SQLModel, table=True):
    """A due date that a person moved (F3); the customer is told of each."""

    __tablename__: ClassVar[str] = "due_date_change"

    id: int | None = _key()
    case_id: str = Field(index=True)
    invoice_id: int = _reference("invoice.id", index=False)
    previous: date
    due_date: date
    changed_by: str
    changed_at: datetime = _instant()


class Outbox(SQLModel, table=True):
    """What a workflow still has to be told: ids only. The dispatcher delivers it as a signal."""

    __tablename__: ClassVar[str] = "outbox"
    __table_args__ = (
        Index("outbox_pending", "due_at", postgresql_where=text("delivered_at is null")),
    )

    id: int | None = _key()
    case_id: str = Field(index=True)
    signal: str
    payload: Json = _json()
    created_at: datetime = _instant()
    due_at: datetime = _instant()
    delivered_at: datetime | None = _instant(nullable=True)
    attempts: int = 0
    last_error: str = ""


class OrderFetch(SQLModel, table=True):
    """An order or deal that an event only named, and that is fetched from its system."""

    __tablename__: ClassVar[str] = "order_fetch"
    __table_args__ = (
        CheckConstraint("state in ('waiting','running','done','ignored','failed')", name="state"),
        Index(
            "order_fetch_waiting",
            "channel",
            "external_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("order_fetch_open", "requested_at", postgresql_where=text("done_at is null")),
    )

    id: int | None = _key()
    channel: str
    external_id: str
    event: str
    state: str = "waiting"
    outcome: str = ""
    case_id: str | None = None
    requested_at: datetime = _instant()
    done_at: datetime | None = _instant(nullable=True)


class DealUpdate(SQLModel, table=True):
    """What a CRM was to be told of its deal: intent, pause, outcome. ``said`` is the state."""

    __tablename__: ClassVar[str] = "deal_update"
    __table_args__ = (
        CheckConstraint(
            "state in ('intended','postponed','done','superseded','failed')", name="state"
        ),
    )

    id: int | None = _key()
    key: str = Field(unique=True)
    case_id: str = Field(index=True)
    said: str
    state: str = "intended"
    attempts: int = 0
    intended_at: datetime = _instant()
    retry_at: datetime | None = _instant(nullable=True)
    done_at: datetime | None = _instant(nullable=True)
    outcome: str = ""


class RoutingVersion(SQLModel, table=True):
    """The routing rules as they were set, every version: the last one holds. Append-only."""

    __tablename__: ClassVar[str] = "routing_version"

    id: int | None = _key()
    rules: Json = _json()
    set_at: datetime = _instant()
    set_by: str


class History(SQLModel, table=True):
    """What happened in a case, when, and who did it. Append-only; no personal data in it."""

    __tablename__: ClassVar[str] = "history"

    id: int | None = _key()
    case_id: str = Field(index=True)
    at: datetime = _instant()
    actor: str
    event: str
    text: str
    detail: Json = _json()
