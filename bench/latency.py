"""From order accepted to invoice mailed, at an arrival rate that leaves the machine room."""

from __future__ import annotations

from statistics import quantiles

from bench.chain import Chain, case_id
from bench.cpu import Meter
from bench.load import drive
from bench.report import Result, figure
from bench.stack import Stack
from connectors.mailbox import list_mails, received_us

PER_SECOND = 1.0


async def accepted_to_mailed(stack: Stack, chain: Chain, orders: int) -> list[Result]:
    """Take orders in at a steady rate; the mailbox's file names say when each mail was stored."""
    run = await drive(chain, [f"L-{n}" for n in range(orders)], Meter({}), per_second=PER_SECOND)
    folder = stack.settings.mailbox_dir
    assert folder
    mailed = {m.case_id: received_us(m.id) for m in list_mails(folder) if m.kind == "invoice"}
    waits = [
        mailed[case_id(number)] / 1000 - accepted * 1000
        for number, accepted in run.accepted.items()
    ]
    cuts = quantiles(waits, n=100, method="inclusive")
    return [
        figure("accepted_to_mailed_p50", cuts[49], "ms"),
        figure("accepted_to_mailed_p99", cuts[98], "ms"),
    ]
