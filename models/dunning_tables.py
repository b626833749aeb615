"""The tables of dunning: rules, runs, what they took, notices, and what is agreed with debtors.

What is history is append-only (triggers in ``migrations/versions/0004_dunning.py``). Personal data
lives in ``debtor`` only; the reasons that people give stand in ``dunning_block``,
``payment_agreement`` and ``dunning_notice``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Index, text
from sqlalchemy import UniqueConstraint as Unique
from sqlmodel import Field, SQLModel

from models.tables import Json, _instant, _json, _key, _money, _reference


class DunningRule(SQLModel, table=True):
    """A dunning rule. What it says is its current version; a removed one stays for its history.

    ``scheduled_in`` is the id of the Temporal namespace that has its Schedule, and
    ``schedule_paused`` how we left that: a difference to what is there now was made by somebody
    else. ``watched_from``: a slot after it without a run was missed.
    """

    __tablename__: ClassVar[str] = "dunning_rule"
    __table_args__ = (
        CheckConstraint("priority >= 1", name="priority"),
        Index(
            "dunning_rule_name", "name", unique=True, postgresql_where=text("removed_at is null")
        ),
    )

    id: int | None = _key()
    name: str
    priority: int
    paused: bool = False
    version: int = 1
    created_at: datetime = _instant()
    created_by: str
    removed_at: datetime | None = _instant(nullable=True)
    removed_by: str = ""
    scheduled_in: str = ""
    schedule_paused: bool = False
    watched_from: datetime | None = _instant(nullable=True)


class DunningRuleVersion(SQLModel, table=True):
    """What a rule said from ``made_at`` on. Append-only: a proposal names the one it acted by."""

    __tablename__: ClassVar[str] = "dunning_rule_version"
    __table_args__ = (Unique("rule_id", "version", name="dunning_rule_version_number"),)

    id: int | None = _key()
    rule_id: int = _reference("dunning_rule.id", index=False)
    version: int
    content: Json = _json()
    digest: str
    start_date: date
    made_at: datetime = _instant()
    made_by: str


class DunningRun(SQLModel, table=True):
    """One run of a rule: scheduled (once per rule and slot) or asked for by a person (now)."""

    __tablename__: ClassVar[str] = "dunning_run"
    __table_args__ = (
        CheckConstraint("kind in ('scheduled','now')", name="kind"),
        CheckConstraint("(kind = 'scheduled') = (slot is not null)", name="slot_of_kind"),
        Index("dunning_run_slot", "rule_id", "slot", unique=True),
    )

    id: int | None = _key()
    key: str = Field(unique=True)
    rule_id: int = _reference("dunning_rule.id", index=False)
    rule_version_id: int = _reference("dunning_rule_version.id", index=False)
    kind: str
    slot: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=False)))
    day: date
    asked_by: str = ""
    selected_at: datetime = _instant()
    matched: int = 0
    taken: int = 0
    handed_over: int = 0
    finished_at: datetime | None = _instant(nullable=True)


class DunningClaim(SQLModel, table=True):
    """A customer taken by a run on a local day, with the values that made the match.

    One per customer, day and lane: notices and legal steps share a lane (X6), call tasks and marks
    have one per rule (X15). A notice that a person writes takes the day without a run. Append-only:
    what was taken stays taken that day.
    """

    __tablename__: ClassVar[str] = "dunning_claim"
    __table_args__ = (
        Unique("customer_id", "day", "lane", name="dunning_claim_once"),
        Index("dunning_claim_run", "run_id", "id"),
    )

    id: int | None = _key()
    run_id: int | None = _reference("dunning_run.id", nullable=True, index=False)
    customer_id: int = _reference("customer.id", index=False)
    day: date
    lane: str
    matched: Json = _json()


class DunningSkip(SQLModel, table=True):
    """A customer whom a run's filters matched and who was not taken, and why."""

    __tablename__: ClassVar[str] = "dunning_skip"

    run_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("dunning_run.id"), primary_key=True)
    )
    customer_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("customer.id"), primary_key=True)
    )
    reason: str


class DunningCaseRow(SQLModel, table=True):
    """The ladder of a customer while something is overdue; at most one is current (X11).

    ``carried_level`` and ``carried_notices`` came with imported open items; the rest is ours.
    """

    __tablename__: ClassVar[str] = "dunning_case"
    __table_args__ = (
        CheckConstraint(
            "level >= carried_level and carried_level >= 0"
            " and notices_count >= carried_notices and carried_notices >= 0 and calls_count >= 0",
            name="counters",
        ),
        CheckConstraint("ended_at >= started_at", name="ended_at"),
        Index(
            "dunning_case_current",
            "customer_id",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
    )

    id: int | None = _key()
    customer_id: int = _reference("customer.id", index=False)
    level: int = 0
    notices_count: int = 0
    calls_count: int = 0
    last_notice_on: date | None = None
    carried_level: int = 0
    carried_notices: int = 0
    started_at: datetime = _instant()
    ended_at: datetime | None = _instant(nullable=True)


class DunningNotice(SQLModel, table=True):
    """A notice (Mahnschreiben) from its proposal on; at most one is under way per customer (X2).

    ``amount`` is what was proposed and approved, the upper bound of what goes out (X13);
    ``rendered_amount`` is what the document says. ``not_before``: after a rejection the rule does
    not propose it again before that day.
    """

    __tablename__: ClassVar[str] = "dunning_notice"
    __table_args__ = (
        CheckConstraint(
            "status in ('proposed','approved','sent','dropped','withdrawn','unknown')",
            name="status",
        ),
        CheckConstraint("channel in ('email','letter')", name="channel"),
        CheckConstraint("level >= 0 and amount > 0", name="level_and_amount"),
        CheckConstraint("rendered_amount between 0 and amount", name="rendered_amount"),
        CheckConstraint("(status in ('sent','withdrawn')) = (sent_at is not null)", name="sent_at"),
        Index(
            "dunning_notice_pending",
            "customer_id",
            unique=True,
            postgresql_where=text("status in ('proposed','approved')"),
        ),
        Index(
            "dunning_notice_not_before",
            "customer_id",
            "rule_id",
            postgresql_where=text("not_before is not null"),
        ),
        Index("dunning_notice_customer", "customer_id", "id"),
    )

    id: int | None = _key()
    customer_id: int = _reference("customer.id", index=False)
    dunning_case_id: int = _reference("dunning_case.id")
    claim_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("dunning_claim.id"), unique=True)
    )
    approval_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("approval.id"), unique=True)
    )
    rule_id: int | None = _reference("dunning_rule.id", nullable=True, index=False)
    rule_version_id: int | None = _reference("dunning_rule_version.id", nullable=True, index=False)
    status: str
    level: int
    raises_level: bool
    channel: str
    template: str
    registered_mail: bool = False
    amount: Decimal = _money()
    rendered_amount: Decimal | None = _money(nullable=True)
    currency: str
    why: str
    proposed_at: datetime = _instant()
    proposed_by: str = ""
    expires_at: datetime | None = _instant(nullable=True)
    decided_at: datetime | None = _instant(nullable=True)
    decided_by: str = ""
    reason: str = ""
    not_before: date | None = None
    sent_at: datetime | None = _instant(nullable=True)
    document_id: int | None = _reference("document.id", nullable=True, index=False)
    mail_id: int | None = _reference("outgoing_mail.id", nullable=True, index=False)


class DunningNoticeItem(SQLModel, table=True):
    """An invoice in a notice: what was proposed, what the document says, and its notices before."""

    __tablename__: ClassVar[str] = "dunning_notice_item"
    __table_args__ = (
        CheckConstraint("proposed_amount > 0", name="proposed_amount"),
        CheckConstraint("rendered_amount between 0 and proposed_amount", name="rendered_amount"),
        CheckConstraint("notices_before >= 0", name="notices_before"),
    )

    notice_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("dunning_notice.id"), primary_key=True)
    )
    invoice_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("invoice.id"), primary_key=True, index=True)
    )
    due_date: date
    proposed_amount: Decimal = _money()
    rendered_amount: Decimal | None = _money(nullable=True)
    currency: str
    notices_before: int = 0


class MailBounce(SQLModel, table=True):
    """What a mail server told about a mail of ours later: it was not delivered. Append-only."""

    __tablename__: ClassVar[str] = "mail_bounce"
    __table_args__ = (
        CheckConstraint("action in ('failed','delayed','complained')", name="action"),
    )

    id: int | None = _key()
    event_id: str = Field(unique=True)
    mail_id: int = _reference("outgoing_mail.id")
    action: str
    status: str = ""
    told_at: datetime = _instant()


class AccountManager(SQLModel, table=True):
    """An account manager (Kundenbetreuer) and where mails reach them; ``debtor`` names them."""

    __tablename__: ClassVar[str] = "account_manager"

    name: str = Field(primary_key=True)
    email: str
    updated_at: datetime = _instant()


class Debtor(SQLModel, table=True):
    """What dunning knows of a customer beside the address; a customer without a row has defaults.

    ``credit_limit`` is in the company's currency. Custom fields are texts of the company's own
    making; an empty one does not exist (X5).
    """

    __tablename__: ClassVar[str] = "debtor"
    __table_args__ = (
        CheckConstraint("preferred_contact in ('','phone','post','email','any')", name="contact"),
        CheckConstraint("credit_limit >= 0", name="credit_limit"),
    )

    customer_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("customer.id"), primary_key=True)
    )
    problematic: bool = False
    preferred_contact: str = ""
    credit_limit: Decimal | None = _money(nullable=True)
    manager: str = ""
    custom_field_1: str = ""
    custom_field_2: str = ""
    custom_field_3: str = ""
    custom_field_4: str = ""
    custom_field_5: str = ""
    custom_field_6: str = ""
    custom_field_7: str = ""
    updated_at: datetime = _instant()


class PaymentAgreement(SQLModel, table=True):
    """What was agreed about paying: one promise, or a plan of instalments; one open per customer.

    ``total`` is what is to be paid in all, None for all that is due. ``every`` is ``week`` or
    ``month`` for a plan. An agreement that has ended stays as it is.
    """

    __tablename__: ClassVar[str] = "payment_agreement"
    __table_args__ = (
        CheckConstraint("kind in ('promise','instalments')", name="kind"),
        CheckConstraint("total > 0", name="total"),
        CheckConstraint(
            "case kind when 'instalments' then total is not null and every in ('week','month')"
            " else every = '' end",
            name="plan",
        ),
        CheckConstraint("ended_as in ('','kept','withdrawn','replaced')", name="ended_as"),
        CheckConstraint("(ended_as = '') = (ended_at is null)", name="ended_at"),
        Index(
            "payment_agreement_open",
            "customer_id",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
        Index("payment_agreement_customer", "customer_id", "id"),
    )

    id: int | None = _key()
    customer_id: int = _reference("customer.id", index=False)
    kind: str
    total: Decimal | None = _money(nullable=True)
    currency: str
    every: str = ""
    agreed_at: datetime = _instant()
    agreed_by: str
    ended_at: datetime | None = _instant(nullable=True)
    ended_as: str = ""
    ended_by: str = ""
    reason: str = ""


class AgreedItem(SQLModel, table=True):
    """An invoice that an agreement is about, and what was owed on it then. Append-only."""

    __tablename__: ClassVar[str] = "agreed_item"
    __table_args__ = (CheckConstraint("owed > 0", name="owed"),)

    agreement_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("payment_agreement.id"), primary_key=True)
    )
    invoice_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("invoice.id"), primary_key=True)
    )
    owed: Decimal = _money()


class PaymentPromise(SQLModel, table=True):
    """A payment date agreed with a customer: a promise, or one instalment of a plan (X4).

    ``number`` is its place in the agreement; without an agreement nothing keeps it by itself.
    """

    __tablename__: ClassVar[str] = "payment_promise"
    __table_args__ = (
        CheckConstraint(
            "case when agreement_id is null then number is null and kind = 'promise'"
            " else number >= 1 end",
            name="agreement",
        ),
        CheckConstraint("kind <> 'instalment' or amount is not null", name="instalment"),
        Index("payment_promise_order", "agreement_id", "number", unique=True),
        CheckConstraint("kind in ('promise','instalment')", name="kind"),
        CheckConstraint("status in ('open','kept','withdrawn')", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        Index(
            "payment_promise_open",
            "customer_id",
            "due_date",
            postgresql_where=text("status = 'open'"),
        ),
    )

    id: int | None = _key()
    customer_id: int = _reference("customer.id", index=False)
    kind: str
    due_date: date
    amount: Decimal | None = _money(nullable=True)
    currency: str
    status: str = "open"
    agreed_at: datetime = _instant()
    agreed_by: str
    settled_at: datetime | None = _instant(nullable=True)
    agreement_id: int | None = _reference("payment_agreement.id", nullable=True, index=False)
    number: int | None = None


class DunningCall(SQLModel, table=True):
    """A call to a customer and what came of it: one per task. Append-only."""

    __tablename__: ClassVar[str] = "dunning_call"
    __table_args__ = (
        Index(
            "dunning_call_noted_once",
            "customer_id",
            "called_on",
            "outcome",
            unique=True,
            postgresql_where=text("task_id is null"),
        ),
        Index(
            "dunning_call_successful",
            "customer_id",
            "called_on",
            postgresql_where=text("successful"),
        ),
    )

    id: int | None = _key()
    customer_id: int = _reference("customer.id", index=False)
    dunning_case_id: int | None = _reference("dunning_case.id", nullable=True)
    task_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("task.id"), unique=True)
    )
    called_on: date
    successful: bool
    outcome: str
    noted_at: datetime = _instant()
    noted_by: str


class DunningBlock(SQLModel, table=True):
    """What keeps dunning away: of a whole customer (Mahnsperre, insolvency) or of one invoice.

    ``until`` is the last day it holds; without one it holds until it is lifted. ``outcome`` says
    how a dispute ended.
    """

    __tablename__: ClassVar[str] = "dunning_block"
    __table_args__ = (
        CheckConstraint("kind in ('block','dispute','insolvency')", name="kind"),
        CheckConstraint("kind <> 'dispute' or invoice_id is not null", name="dispute"),
        CheckConstraint("kind <> 'insolvency' or invoice_id is null", name="insolvency"),
        CheckConstraint("until >= since", name="until"),
        CheckConstraint("outcome = '' or lifted_at is not null", name="outcome"),
        Index(
            "dunning_block_once",
            "customer_id",
            "kind",
            text("coalesce(invoice_id, 0)"),
            unique=True,
            postgresql_where=text("lifted_at is null and until is null"),
        ),
        Index(
            "dunning_block_customer",
            "customer_id",
            postgresql_where=text("lifted_at is null and invoice_id is null"),
        ),
        Index(
            "dunning_block_invoice",
            "invoice_id",
            postgresql_where=text("lifted_at is null and invoice_id is not null"),
        ),
    )

    id: int | None = _key()
    customer_id: int = _reference("customer.id", index=False)
    invoice_id: int | None = _reference("invoice.id", nullable=True, index=False)
    kind: str
    since: date
    until: date | None = None
    reason: str
    set_at: datetime = _instant()
    set_by: str
    lifted_at: datetime | None = _instant(nullable=True)
    lifted_by: str = ""
    outcome: str = ""


class OpenItemImport(SQLModel, table=True):
    """A file of open items that was imported; the same file again is known by its hash."""

    __tablename__: ClassVar[str] = "open_item_import"

    id: int | None = _key()
    sha256: str
    lines: int
    new_invoices: int
    new_customers: int
    imported_at: datetime = _instant()
    imported_by: str


class ImportedItem(SQLModel, table=True):
    """Where an imported invoice came from, and its dunning history elsewhere. Append-only."""

    __tablename__: ClassVar[str] = "imported_item"
    __table_args__ = (CheckConstraint("notices_count >= 0 and dunning_level >= 0", name="history"),)

    invoice_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("invoice.id"), primary_key=True)
    )
    import_id: int = _reference("open_item_import.id")
    line: int
    notices_count: int = 0
    dunning_level: int = 0
    last_notice_on: date | None = None
