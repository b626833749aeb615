"""What a run of chaos shows at its end."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator

from sqlalchemy import text

from models.store.database import Database
from tests.chaos.monkey import Monkey
from tests.chaos.shop import ChaosShop
from tests.chaos.tally import Tally


async def effects(database: Database) -> Counter[str]:
    """Count the effects by step: those with a key, and the mails that were sent."""
    async with database.engine.connect() as connection:
        keyed = await connection.execute(text("select step, count(*) from effect group by step"))
        found = Counter(dict(keyed.tuples().all()))
        sent = "select count(*) from outgoing_mail where state = 'sent'"
        found["send_email"] = await connection.scalar(text(sent)) or 0
    return found


def report(shop: ChaosShop, monkey: Monkey, told: Tally, done: Counter[str]) -> Iterator[str]:
    """Yield the lines of the report; the last one is for machines."""
    kinds = Counter(order.kind for order in shop.orders)
    yield f"Orders: {len(shop.orders)} ({_list(kinds)})"
    requests = len(shop.acknowledged)
    yield f"Acknowledged: {requests}; repeated because nobody answered: {shop.retries}"
    yield f"Steps that failed for good and were repeated by the operator: {shop.mended}"
    yield f"Kills: {monkey.kills.total()} ({_list(monkey.kills)})"
    yield f"Stops and faults: {monkey.faults.total()} ({_list(monkey.faults)})"
    yield "Healthy again after a kill, in seconds:"
    away: dict[str, list[float]] = defaultdict(list)
    for name, seconds in monkey.recoveries:
        away[name].append(seconds)
    for name, times in sorted(away.items()):
        half, most = statistics.median(times), max(times)
        yield f"  {name:<12} {len(times):3} times   p50 {half:5.1f}   max {most:5.1f}"
    yield f"Histories: {told.runs} runs, {told.events} events; activities: {_list(told.activities)}"
    yield f"Effects: {done.total()} ({_list(done)})"
    yield (
        f"Attempts that the histories know: {told.attempts}. Steps without a key of their own (a"
        " look at the case, a decision) are attempts without an effect."
    )


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
