"""The four activities of the floor: hand-written SQL, and the documents that the chain makes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

import asyncpg
from temporalio import activity

from bench import floor_sql as sql
from connectors.mail import SmtpMailer
from documents.invoice import render_invoice
from documents.mails import (
    Attachment,
    InvoiceMail,
    MailContext,
    PaymentConfirmationMail,
    Reader,
    build_message,
    render_mail,
)
from domain.calendar import due_date, local_date
from domain.company import Company
from domain.invoicing import build_invoice
from models.codec import dump_invoice, load_company, load_invoice, load_order


@dataclass(frozen=True, slots=True)
class Effects:
    """What it takes to have an effect; the company is read once, when the worker starts."""

    pool: asyncpg.Pool
    mailer: SmtpMailer
    domain: str
    firm: Company

    @classmethod
    async def load(cls, pool: asyncpg.Pool, mailer: SmtpMailer, domain: str) -> Effects:
        """Read the company."""
        profile = await pool.fetchval("select profile from company")
        return cls(pool, mailer, domain, load_company(json.loads(profile)))

    @activity.defn(name="check")
    async def check(self, case_id: str) -> None:
        """Make the customer (1 statement, 1 commit)."""
        await self.pool.execute(sql.CHECK, case_id, _now())

    @activity.defn(name="invoice")
    async def invoice(self, case_id: str) -> None:
        """Number, render, book and mail the invoice (3 statements, 2 commits)."""
        at, firm = _now(), self.firm
        today = local_date(at, firm.time_zone)
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                sql.NUMBER, case_id, at, firm.invoice_series, today.year
            )
            if row is None:
                raise RuntimeError("a second try: the floor of a bench has nothing for it")
            order = load_order(json.loads(row["content"]))
            due = due_date(today, firm.terms_b2b)
            number = f"{firm.invoice_series}-{today.year}-{row['last']:05d}"
            made = build_invoice(
                order,
                firm,
                customer_no=row["customer_no"],
                number=number,
                issue_date=today,
                due_date=due,
                terms=firm.terms_b2b,
            )
            pdf = await asyncio.to_thread(render_invoice, made)
            mail = self._mail(
                InvoiceMail(firm, made),
                case_id,
                row["email"],
                at,
                (Attachment(f"{number}.pdf", pdf, "application/pdf"),),
            )
            await connection.execute(
                sql.INVOICE,
                *(case_id, at, row["order_id"], row["customer_id"], number, firm.invoice_series),
                *(today.year, row["last"], today, due, made.totals.net, made.totals.tax),
                *(json.dumps(dump_invoice(made)), hashlib.sha256(pdf).hexdigest(), pdf),
                *(row["email"], str(mail["Subject"]), str(mail["Message-ID"])),
            )
        await self.mailer.send(mail)
        await self.pool.execute(sql.MAILED, case_id, _now(), due, number)

    @activity.defn(name="reconcile")
    async def reconcile(self, case_id: str, payment_id: int) -> None:
        """Settle the invoice with the payment (1 statement, 1 commit)."""
        await self.pool.execute(sql.RECONCILE, case_id, payment_id, _now())

    @activity.defn(name="confirm")
    async def confirm(self, case_id: str) -> None:
        """Confirm the payment by mail and close (3 statements, 2 commits)."""
        at = _now()
        row = await self.pool.fetchrow(sql.PAID, case_id)
        invoice = load_invoice(json.loads(row["content"]))
        context = PaymentConfirmationMail(
            company=self.firm,
            reader=Reader.of_invoice(invoice),
            invoice_no=invoice.number,
            order_no=invoice.order_reference,
            amount=row["amount"],
            currency=row["currency"],
            received_on=row["valid_on"],
            reference=row["transaction_id"],
        )
        mail = self._mail(context, case_id, row["email"], at)
        subject, message_id = str(mail["Subject"]), str(mail["Message-ID"])
        await self.pool.execute(sql.CONFIRM, case_id, at, row["email"], subject, message_id)
        await self.mailer.send(mail)
        await self.pool.execute(sql.CLOSE, case_id, _now())

    def _mail(
        self,
        context: MailContext,
        case_id: str,
        to: str,
        at: datetime,
        attachments: tuple[Attachment, ...] = (),
    ) -> EmailMessage:
        key = hashlib.sha256(f"{case_id}:{context.KIND}".encode()).hexdigest()[:32]
        return build_message(
            render_mail(context),
            sender=self.firm.email,
            sender_name=self.firm.name,
            to=to,
            message_id=f"<{key}@{self.domain}>",
            case_id=case_id,
            date=at,
            attachments=attachments,
        )


def _now() -> datetime:
    return datetime.now(UTC)
