"""The proof that the books are whole: each check lists the rows that break it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

SHOWN = 20  # findings per check; one is enough to know that it failed

CHECKS = {
    "every entry of the journal sums to zero": """
        select 'entry ' || entry_id || ': ' || sum(amount) || ' ' || currency from posting
        group by entry_id, currency having sum(amount) <> 0""",
    "every entry of the journal has its postings": """
        select 'entry ' || e.id || ' (' || e.key || ')' from journal_entry e
        where not exists (select from posting p where p.entry_id = e.id)""",
    "open items agree with the journal": """
        select t.invoice_no || ': open ' || t.open_amount || ', journal ' ||
               coalesce(sum(p.amount), 0)
        from open_item t left join posting p
          on p.invoice_id = t.invoice_id and p.account = 'receivables'
        group by t.invoice_no, t.open_amount
        having t.open_amount <> coalesce(sum(p.amount), 0)""",
    "every invoice has its open item": """
        select i.invoice_no from invoice i
        where i.type in ('380', 'imported')
          and not exists (select from open_item t where t.invoice_id = i.id)""",
    "every imported invoice was booked once, as it was imported": r"""
        select i.invoice_no from invoice i
        left join imported_item m on m.invoice_id = i.id
        left join journal_entry e on e.key = 'invoice-' || i.id || '\:imported'
        where i.type = 'imported' and (m.invoice_id is null or e.id is null or i.charged <> (
          select sum(p.amount) from posting p
          where p.entry_id = e.id and p.account = 'receivables'))""",
    "payments agree with the journal": """
        select 'payment ' || y.id || ': left ' || y.unallocated || ', journal ' ||
               -coalesce(sum(p.amount), 0)
        from payment y left join posting p
          on p.payment_id = y.id and p.account = 'unallocated'
        group by y.id, y.unallocated having y.unallocated <> -coalesce(sum(p.amount), 0)""",
    "every payment was received once and is settled or left over": """
        select 'payment ' || y.id || ': ' || y.amount || ' received, ' || y.unallocated || ' left, '
               || coalesce(sum(a.amount), 0) || ' settled'
        from payment y left join allocation a on a.payment_id = y.id
        group by y.id having y.amount <> y.unallocated + coalesce(sum(a.amount), 0)""",
    "invoice numbers have no gap, per series and year": """
        select series || '-' || year || ': ' || count(*) || ' invoices from number ' || min(number)
               || ' to ' || max(number)
        from invoice group by series, year
        having count(*) <> max(number) - min(number) + 1""",
    "the counters stand at the last numbers given": """
        select c.series || '-' || c.year || ': counter ' || c.last || ', last number ' ||
               coalesce(max(i.number)::text, 'none')
        from invoice_counter c left join invoice i on i.series = c.series and i.year = c.year
        group by c.series, c.year, c.last having c.last is distinct from max(i.number)""",
    "every order has one invoice at most": """
        select 'order ' || order_id || ': ' || count(*) || ' invoices' from invoice
        where type = '380' group by order_id having count(*) > 1""",
    "every document is byte for byte what was stored": """
        select 'document ' || id || ' (' || filename || ')' from document
        where sha256 <> encode(sha256(content), 'hex')""",
    "every message is byte for byte what arrived": """
        select 'message ' || id || ' of ' || channel from inbox
        where sha256 <> encode(sha256(body), 'hex')""",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its promise, and what breaks it."""

    name: str
    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the promise holds."""
        return not self.findings


async def verify(session: AsyncSession) -> list[Check]:
    """Run every check."""
    return [Check(name, await _findings(session, query)) for name, query in CHECKS.items()]


async def _findings(session: AsyncSession, query: str) -> tuple[str, ...]:
    rows = await session.execute(text(f"{query} limit {SHOWN}"))
    return tuple(str(row[0]) for row in rows)
