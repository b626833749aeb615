"""How a dunning case hears that something about its customer has changed."""

from __future__ import annotations

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from models.store import outbox
from models.store.sql import Statement

LOOK_AGAIN = "look_again"
PREFIX = "dunning-"
# So many cases look again per second after a rule was changed; what is urgent overtakes them.
A_SECOND = 10

_IS_OPEN = Statement("""
select id from case_file where customer_id = :customer_id and kind = 'dunning'
  and closed_at is null
""")
# Whoever will look later than that will see the change anyway: it has committed by then.
_TELL_ALL = Statement(f"""
insert into outbox (case_id, signal, payload, created_at, due_at, attempts, last_error)
select id, '{LOOK_AGAIN}', jsonb_build_object('outbox_id', '{outbox.RULES}'), at,
  at + interval '1 second' * (row_number() over (order by id) - 1) / {A_SECOND}, 0, ''
from case_file f, cast(:at as timestamptz) at where kind = 'dunning' and closed_at is null
  and not exists (select from outbox o where o.case_id = f.id and o.signal = '{LOOK_AGAIN}'
    and o.delivered_at is null and o.attempts = 0 and o.due_at > at + interval '5 seconds')
""")  # noqa: S608 - only constants of ours are put in


def case_id_of(customer_no: str) -> str:
    """Return the id of a customer's dunning case and of its workflow."""
    return f"{PREFIX}{customer_no}"


def customer_no_of(case_id: str) -> str:
    """Return whose dunning case it is."""
    return case_id.removeprefix(PREFIX)


async def tell(session: AsyncSession, customer_id: int, at: datetime, cause: str) -> None:
    """Let the customer's dunning case, if one is open, look at the facts again.

    For what people agree or set; what is posted (invoices, payments) the database tells by itself.
    """
    case_id: str | None = await _IS_OPEN.value(session, customer_id=customer_id)
    if case_id is not None:
        await outbox.tell(session, case_id, LOOK_AGAIN, at, outbox_id=cause)


async def tell_all(session: AsyncSession, at: datetime) -> None:
    """Let every open dunning case look again, one after the other: a rule was changed.

    What they say comes next, and why, follows from the rules.
    """
    await _TELL_ALL.run(session, at=at)
    outbox.wake(session)
