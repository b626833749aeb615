"""The worked examples O1 to O5 as stories, on the real calendar of the spring of 2026.

O1 runs on Tuesdays at 16:00, O2 on Fridays at 12:00, O3 on Mondays at 09:00. The clocks change on
29 March; 6 April is Easter Monday. The same calendar with a year of rules stands at the end.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.store import company, customers, tasks
from models.store.dunning import calls, debtors
from models.store.dunning.calls import Call, Noted
from starter.rule_files import shipped_rules
from tests.domain.dunning.rules import O1, O2, O3

from .driver import Driver

D0 = date(2026, 3, 3)
DUE = date(2026, 2, 20)
FIRST_MONDAY, EASTER_MONDAY = date(2026, 3, 30), date(2026, 4, 6)


async def reminded(driver: Driver, *numbers: str, second: dict[str, Any] = O2, **sums: str) -> None:
    """Let customers owe 1,190.00 or so, and all rules be there; O1 is approved at once."""
    if not sums:
        sums = dict.fromkeys(numbers or ("D-1",), "1190.00")
    for number, amount in sums.items():
        await driver.owes(amount, DUE, number)
    for document in (O1, second, O3):
        await driver.rule(document)
    await driver.until(D0, 16)
    for number in sums:
        await driver.decides("approve", number)


async def called(driver: Driver) -> set[str]:
    """Return whom a rule wants to be called."""
    query = "select context ->> 'customer_no' from task where kind = 'dunning_call'"
    return {number for (number,) in await driver.rows(query)}


async def test_o1_waits_for_its_approval(driver: Driver) -> None:
    """Level and counter rise when it goes out, not when it is proposed (X2); by mail (K8)."""
    await driver.owes("119.00", DUE)
    await driver.rule(O1)
    await driver.until(D0, 15, 59)
    assert await driver.ladder() is None
    await driver.until(D0, 16)
    assert await driver.ladder() == (0, 0, 0)
    await driver.until(D0 + timedelta(days=2))
    assert await driver.story() == []
    await driver.decides("approve")
    assert await driver.story() == ["2026-03-05 09:00 payment_reminder 1 by email: 119.00"]
    assert await driver.ladder() == (1, 1, 0)


async def test_o1_by_letter_where_there_is_no_address(driver: Driver) -> None:
    """K8, and K9: without registered mail."""
    await driver.owes("119.00", DUE, email="")
    await driver.rule(O1)
    await driver.until(D0, 16)
    await driver.decides("approve")
    assert await driver.story() == ["2026-03-03 16:00 payment_reminder 1 by letter: 119.00"]
    assert await driver.rows("select registered_mail from dunning_notice") == [(False,)]
    assert driver.letters() == ["notice-1"]


async def test_o1_at_its_boundary(driver: Driver) -> None:
    """Six days overdue: no. Seven: yes. Two weeks later everybody is due."""
    await driver.owes("119.00", D0 - timedelta(days=6), "SIX")
    await driver.owes("119.00", D0 - timedelta(days=7), "SEVEN")
    await driver.rule(O1, approval_required=False)
    await driver.until(D0, 16)
    assert (await driver.ladder("SIX"), await driver.ladder("SEVEN")) == (None, (1, 1, 0))
    await driver.until(D0 + timedelta(days=14), 16)
    assert (await driver.ladder("SIX"), await driver.ladder("SEVEN")) == ((1, 1, 0), (1, 1, 0))


async def test_o2_at_its_boundary(driver: Driver) -> None:
    """Seven days after the last notice: not this Friday but the next. Eight: this one."""
    friday = date(2026, 3, 13)
    for number in ("EIGHT", "SEVEN"):
        await driver.owes("119.00", DUE, number)
    await driver.rule(O1)
    await driver.rule(O2)
    for days, number in ((8, "EIGHT"), (7, "SEVEN")):
        await driver.until(friday - timedelta(days=days), 17)
        await driver.decides("approve", number)  # the days count from when it went out
    await driver.until(friday, 12)
    assert (await driver.ladder("SEVEN"), await driver.ladder("EIGHT")) == ((1, 1, 0), (2, 2, 0))
    await driver.until(friday + timedelta(days=7), 12)
    assert (await driver.story("SEVEN"))[-1] == "2026-03-20 12:00 first_notice 2 by email: 119.00"


@pytest.mark.parametrize(
    ("starts", "on"),
    [("2026-03-02", FIRST_MONDAY), ("2026-03-09", EASTER_MONDAY)],
    ids=["D+27, the day after the clocks change", "D+34, Easter Monday"],
)
async def test_o4_the_chain_in_both_parities(driver: Driver, starts: str, on: date) -> None:
    """O4: reminder on D0, first notice on D+10, the call on the first Monday of its own weeks."""
    await driver.owes("1190.00", DUE)
    await driver.rule(O1)
    await driver.rule(O2)
    await driver.rule(O3, start_date=starts)
    await driver.until(D0, 16)
    await driver.decides("approve")
    await driver.until(date(2026, 4, 12))
    assert await driver.story() == [
        "2026-03-03 16:00 payment_reminder 1 by email: 1190.00",
        "2026-03-13 12:00 first_notice 2 by email: 1190.00",
        f"{on} 09:00 dunning_call",
    ]
    assert await driver.ladder() == (2, 2, 0)  # a call changes neither (O3)


async def test_o4_a_part_payment_before_the_call(driver: Driver) -> None:
    """What drops the debt below 300 keeps the call away; the case stays open."""
    paid = {"LEFT-300.00": "890.00", "LEFT-299.99": "890.01"}
    await reminded(driver, *paid)
    await driver.until(date(2026, 3, 28))
    for number, amount in paid.items():
        await driver.pays(amount, DUE, number)
        assert await driver.ladder(number) == (2, 2, 0)
    await driver.until(FIRST_MONDAY, 10)
    assert await called(driver) == {"LEFT-300.00"}


async def test_o3_sums_at_their_boundaries(driver: Driver) -> None:
    """X3: exact decimals; 4,000.01 is more than 4,000."""
    sums = ("299.99", "300.00", "300.50", "4000.00", "4000.01", "4001.00")
    await reminded(driver, **{amount: amount for amount in sums})
    await driver.until(FIRST_MONDAY, 10)
    assert await called(driver) == {"300.00", "300.50", "4000.00"}


async def test_o3_days_at_their_boundary(driver: Driver) -> None:
    """Thirteen days after the first notice: not yet. Fourteen: now."""
    await reminded(driver, "THIRTEEN", "FOURTEEN", second={**O2, "approval_required": True})
    for days, number in ((14, "FOURTEEN"), (13, "THIRTEEN")):
        await driver.until(FIRST_MONDAY - timedelta(days=days), 17)
        await driver.decides("approve", number)
    await driver.until(FIRST_MONDAY, 9)
    assert await called(driver) == {"FOURTEEN"}
    await driver.until(FIRST_MONDAY + timedelta(days=14), 9)
    assert await called(driver) == {"THIRTEEN", "FOURTEEN"}


async def test_o4_a_late_payment_ends_it(driver: Driver) -> None:
    """The money comes between the first notice and the call: nothing more, and the ladder ends."""
    await reminded(driver)
    await driver.until(date(2026, 3, 29), 12)
    await driver.pays("1190.00", DUE)
    assert await driver.ladder() is None
    await driver.until(date(2026, 4, 30))
    assert (await driver.story())[2:] == ["2026-03-29 12:00 dunning_ended"]


async def test_a_payment_that_comes_after_the_call_closes_its_task(driver: Driver) -> None:
    """And who is late again begins at the bottom (X11), in the rhythm of O1."""
    await reminded(driver)
    await driver.until(FIRST_MONDAY, 10)
    await driver.pays("1190.00", DUE)
    assert await driver.rows("select status, outcome from task") == [
        ("done", "nothing is overdue any more")
    ]
    await driver.owes("50.00", date(2026, 4, 1))
    await driver.until(date(2026, 4, 14), 16)
    await driver.decides("approve")
    assert (await driver.story())[-1] == "2026-04-14 16:00 payment_reminder 1 by email: 50.00"
    assert await driver.ladder() == (1, 1, 0)


async def test_an_approval_that_nobody_gives(driver: Driver) -> None:
    """The substitute is asked after 3 days, it is dropped after 7 and free for the next run."""
    await driver.owes("119.00", DUE)
    await driver.rule(O1)
    await driver.until(date(2026, 3, 12))
    assert await driver.story() == [
        "2026-03-06 00:01 approval_waits",
        "2026-03-10 00:01 notice_dropped",
    ]
    await driver.until(date(2026, 3, 17), 16)
    await driver.decides("approve")
    assert await driver.ladder() == (1, 1, 0)


async def test_a_rejection_holds_for_its_rule(driver: Driver) -> None:
    """X13: until the date that the rejecter sets; the next run after it proposes again."""
    await driver.owes("119.00", DUE)
    await driver.rule({**O1, "interval": "weekly"})
    await driver.until(D0, 16)
    await driver.decides("reject", not_before="2026-03-18")
    await driver.until(date(2026, 3, 24), 15)
    assert await driver.rows("select count(*) from dunning_notice") == [(1,)]
    await driver.until(date(2026, 3, 24), 16)
    await driver.decides("approve")
    assert (await driver.story())[-1] == "2026-03-24 16:00 payment_reminder 1 by email: 119.00"


async def test_two_rules_of_one_slot_keep_their_order(driver: Driver) -> None:
    """J12, X6: the first one takes the day, the second finds it taken; run now doubles nothing."""
    await driver.owes("119.00", DUE)
    first = {**O1, "approval_required": False, "priority": 1}
    await driver.rule({**first, "name": "second", "priority": 2, "template": "final_notice"})
    await driver.rule(first)
    await driver.until(D0, 16)
    await driver.run_now("second")
    assert await driver.story() == ["2026-03-03 16:00 payment_reminder 1 by email: 119.00"]


async def test_o5_the_whole_chain_as_it_ships(driver: Driver) -> None:
    """J12: reminder, first notice, call, last notice, lawyer; each approved the same afternoon."""
    await driver.owes("1190.00", DUE)
    for document in shipped_rules():
        await driver.rule(document)
    day = D0
    while day < date(2026, 6, 30):
        await driver.until(day, 18)
        if await driver.rows("select id from approval where status = 'pending'"):
            await driver.decides("approve")
        day += timedelta(days=1)
    assert await driver.story() == [
        "2026-03-03 18:00 payment_reminder 1 by email: 1190.00",
        "2026-03-13 18:00 first_notice 2 by email: 1190.00",
        "2026-03-30 09:00 dunning_call",
        "2026-04-03 18:00 final_notice 3 by email: 1190.00",
        "2026-05-06 10:00 lawyer_handover",
        "2026-06-03 10:00 lawyer_handover",
    ]
    assert await driver.ladder() == (3, 3, 0)


async def test_o5_a_call_that_ends_in_a_promise(driver: Driver) -> None:
    """The call before the last notice: a date is agreed, so nothing more until it is broken."""
    await driver.owes("1190.00", DUE)
    for document in shipped_rules():
        await driver.rule(document, approval_required=False)
    await driver.until(FIRST_MONDAY, 10)
    async with driver.services.database.transaction() as session:
        (task,) = await tasks.list_tasks(session)
        noted = Noted(await company.get(session), FIRST_MONDAY, driver.at, "anna")
        call = Call("promised", day=date(2026, 4, 20))
        await calls.finish_task(session, task.id or 0, call, noted)
    await driver.hear()
    await driver.until(date(2026, 4, 21))
    assert len(await driver.story()) == 3
    await driver.until(date(2026, 4, 24), 12)
    assert (await driver.story())[-1] == "2026-04-24 12:00 final_notice 3 by email: 1190.00"


async def test_a_year_of_six_customers(driver: Driver) -> None:
    """All rules as they ship, without approvals; some pay, some in part: every invariant holds."""
    for document in shipped_rules():
        await driver.rule(document, approval_required=False)
    debts = {f"Y-{n}": (Decimal(200 * (n + 1)), DUE + timedelta(days=15 * n)) for n in range(6)}
    for number, (amount, due) in debts.items():
        changes = {"email": ""} if number in {"Y-1", "Y-2"} else {}
        await driver.owes(str(amount), due, number, invoice_date="2026-02-02", **changes)
    async with driver.services.database.transaction() as session:
        problematic = (await customers.get(session, "Y-5")).id or 0
        await debtors.put(session, problematic, {"problematic": True}, driver.at)
    for month, (number, (amount, due)) in zip((4, 5, 7, 9, 12), debts.items(), strict=False):
        await driver.until(date(2026, month, 1))
        await driver.all_is_well()
        paid = amount if month % 2 else amount / 2
        await driver.pays(f"{paid:.2f}", due, number)
    await driver.until(date(2027, 3, 2))
    assert await driver.ladder("Y-5") is None  # problematic: no rule takes this one
    assert await driver.story("Y-5") == []
    for number in ("Y-1", "Y-2", "Y-3"):  # paid in May, July and September
        assert await driver.ladder(number) is None
    for number in ("Y-0", "Y-4"):  # paid a half
        assert await driver.ladder(number) == (3, 3, 0)
    sent = await driver.rows("select count(*) from dunning_notice where status = 'sent'")
    assert sent[0][0] >= 12
