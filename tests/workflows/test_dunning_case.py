"""Dunning cases on a real Temporal server: proposals, approvals, payments in between, the end."""

from __future__ import annotations

import pytest

from domain.dunning.case import Status
from tests.workflows.arrears import Arrears
from tests.workflows.house import House, eventually
from tests.workflows.opening import CACHED_OR_NOT


@pytest.fixture
def arrears(house: House) -> Arrears:
    """Customers in arrears in a house."""
    return Arrears(house)


async def test_a_notice_that_needs_no_approval_goes_out_once(arrears: Arrears) -> None:
    """The level rises when it was sent; a second run on the same day takes nobody."""
    await arrears.owes(arrears.who)
    name = await arrears.rule()
    assert await arrears.run(name) == [arrears.who]
    file = await arrears.rests(arrears.who, Status.DUNNING)
    assert await arrears.house.mails(file.id) == ["notice"]
    assert await arrears.ladder(arrears.who) == (1, 1)
    assert await arrears.run(name) == []
    (notice,) = await arrears.notices(arrears.who)
    assert (notice.status, notice.channel, notice.level) == ("sent", "email", 1)
    assert notice.rendered_amount == notice.amount


async def test_a_payment_before_the_approval_stops_the_notice(arrears: Arrears) -> None:
    """What was proposed is dropped, its approval withdrawn, and the case ends."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(approval_required=True))
    file = await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
    await arrears.pays(arrears.who, "119.00")
    assert await arrears.house.ends(file.id) == "closed"
    (notice,) = await arrears.notices(arrears.who)
    assert notice.status == "dropped"
    assert await arrears.house.mails(file.id) == []


async def test_a_part_payment_lowers_what_goes_out(arrears: Arrears) -> None:
    """What was approved is an upper bound (X13)."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(approval_required=True))
    file = await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
    await arrears.pays(arrears.who, "19.00")
    await arrears.decides(arrears.who, "approve")
    (notice,) = await arrears.sees(arrears.who, "sent")
    assert (notice.amount, notice.rendered_amount) == (119, 100)
    assert await arrears.house.mails(file.id) == ["notice"]


async def test_more_is_due_than_was_proposed(arrears: Arrears) -> None:
    """A higher sum is proposed anew, also after the approval was asked for."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(approval_required=True))
    await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
    await arrears.owes(arrears.who, invoice_no=f"{arrears.who}-X")
    _, second = await arrears.sees(arrears.who, "dropped", "proposed")
    assert second.amount == 238


async def test_a_rejection_is_kept(arrears: Arrears) -> None:
    """The rule does not propose it again before the date (X13)."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(approval_required=True))
    await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
    await arrears.decides(arrears.who, "reject")
    (notice,) = await arrears.sees(arrears.who, "dropped")
    await arrears.rests(arrears.who, Status.DUNNING)
    assert notice.not_before is not None
    assert await arrears.ladder(arrears.who) == (0, 0)


async def test_a_letter_where_there_is_no_address(arrears: Arrears) -> None:
    """It is in the spool once, with a line of the manifest."""
    await arrears.owes(arrears.who, email="")
    await arrears.run(await arrears.rule())
    await arrears.rests(arrears.who, Status.DUNNING)
    (notice,) = await arrears.notices(arrears.who)
    assert (notice.status, notice.channel) == ("sent", "letter")
    assert [line["reference"] for line in arrears.letters()] == [f"notice-{notice.id}"]
    assert await arrears.ladder(arrears.who) == (1, 1)


@CACHED_OR_NOT
async def test_a_refused_address_gets_a_letter(arrears: Arrears) -> None:
    """K8: the mail is refused for good, so the notice goes by letter; it counts once."""
    await arrears.owes(arrears.who, email="refused@brandt-soehne.example")
    await arrears.run(await arrears.rule())
    await arrears.rests(arrears.who, Status.DUNNING)
    (notice,) = await arrears.notices(arrears.who)
    assert (notice.status, notice.channel) == ("sent", "letter")
    assert await arrears.ladder(arrears.who) == (1, 1)


async def test_a_call_task(arrears: Arrears) -> None:
    """A call changes neither level nor counters; the task closes when the debt is paid."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(action="call_task", title="Anrufen"))
    file = await arrears.rests(arrears.who, Status.DUNNING)
    (task,) = await arrears.house.tasks(file.id)
    assert (task.kind, task.title, task.status) == ("dunning_call", "Anrufen", "open")
    await arrears.pays(arrears.who, "119.00")
    assert await arrears.house.ends(file.id) == "closed"
    (task,) = await arrears.house.tasks(file.id)
    assert task.status == "done"


async def test_the_ladder_begins_anew(arrears: Arrears) -> None:
    """A customer who paid and is late again starts at the bottom (X11)."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule())
    file = await arrears.rests(arrears.who, Status.DUNNING)
    await arrears.pays(arrears.who, "119.00")
    assert await arrears.house.ends(file.id) == "closed"
    await arrears.owes(arrears.who, invoice_no=f"{arrears.who}-2")
    assert await arrears.ladder(arrears.who) == (0, 0)


async def test_a_change_of_the_rules_is_seen_in_the_case(arrears: Arrears) -> None:
    """What Temporal shows follows the rules: an operator does not read what holds no longer."""

    async def says(words: str) -> bool | None:
        told = await arrears.house.workflow(file.id).query("progress")
        return True if words in told["plan"]["next_step"] else None

    await arrears.owes(arrears.who)
    name = await arrears.rule()
    await arrears.run(name)
    file = await arrears.rests(arrears.who, Status.DUNNING)
    await arrears.pauses(name)
    await eventually(lambda: says("nothing that a rule does"))
    await arrears.pauses(name, paused=False)
    await eventually(lambda: says(f"by rule {name!r}"))
