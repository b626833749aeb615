"""Mail server and Temporal away for long: time passes in the workflows' own clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from temporalio.service import RPCError

from domain.order_case import Step
from tests.workflows.house import House, eventually
from workflows.policies import MAIL, POLICIES, EffectPolicy

pytestmark = pytest.mark.parametrize("cached_workflows", [1000], indirect=True)


async def test_the_mail_server_refuses_for_an_hour(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing counts as sent, and it is tried as often as in an hour; then the mail goes out once."""
    shorten(monkeypatch, 1800)
    house.post.leave()
    case_id = await house.submit("zahltag-paid")

    failure = await tried(house, case_id, times=13)
    assert "mail server" in failure
    assert "cannot be used" in failure
    assert (await house.case(case_id)).next_step == "mail the invoice"
    house.post.heal()

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]


async def test_after_a_day_a_person_is_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception says what the mail server said; after `case retry` the mail goes out once."""
    shorten(monkeypatch, 30_000)
    house.post.leave()
    case_id = await house.submit("zahltag-paid")

    case = await house.reaches(case_id, "needs_retry")
    (problem,) = await house.problems(case_id)
    assert "mail server" in problem.found, problem.found
    assert "zahltag case retry" in problem.expected
    assert "send_email" in case.why, case.why
    house.post.heal()
    await house.decide(case_id, "retry")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]


def shorten(monkeypatch: pytest.MonkeyPatch, factor: int) -> None:
    """Shrink every pause and deadline of mails alike: as many tries, in less time.

    Not shown so: what a real hour does to idle connections. They are not kept over a failed try.
    """
    retry = replace(
        MAIL.retry,
        initial_interval=MAIL.retry.initial_interval / factor,
        maximum_interval=(MAIL.retry.maximum_interval or timedelta()) / factor,
    )
    assert MAIL.give_up_after
    short = replace(MAIL, retry=retry, give_up_after=MAIL.give_up_after / factor)
    monkeypatch.setitem(cast("dict[str, EffectPolicy]", POLICIES), Step.SEND_EMAIL, short)


async def tried(house: House, case_id: str, times: int) -> str:
    """Wait until the step was tried so often in vain; return why."""

    async def failed() -> str | None:
        try:
            described = await house.workflow(case_id).describe()
        except RPCError:  # it is not started yet
            return None
        waiting = described.raw_description.pending_activities
        return waiting[0].last_failure.message if waiting and waiting[0].attempt > times else None

    return await eventually(failed, 60)
