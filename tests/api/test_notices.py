"""Notices and their approvals on the command line: four eyes, one sentence, nothing twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activities.services import Services
from domain.dunning.case import Step
from tests.activities.debtor import Debtor
from tests.activities.driver import Driver

from .conftest import Api, Cli, FakeMailer, one_sentence

APPROVED = {"approval_required": True}


@pytest.fixture
def debtor(api: Api) -> Debtor:
    """The customer D-1; the steps of its case are run here, on the day that it is at the company."""
    services = Services(api.database, FakeMailer(), api.settings)
    return Debtor(Driver(services, at=datetime.now(ZoneInfo("Europe/Berlin"))))


async def test_a_person_asks_for_a_notice(zahltag: Cli, debtor: Debtor) -> None:
    """Somebody else has to approve it; asked for again it is the same one."""
    await debtor.owes()
    asked = await zahltag("notice", "send", "D-1", "--as", "anna")
    assert asked.out == (
        "Notice 1 over 119.00 EUR is proposed; it goes out when somebody else has approved it:"
        " zahltag approval approve 1\n"
    )
    again = await zahltag("notice", "send", "D-1", "--as", "anna", "--json")
    assert (again.json["id"], again.json["known"], again.json["raises_level"]) == (1, True, False)
    (await zahltag("notice", "send", "D-1", "--raise-level", "--as", "anna")).refused(
        "Notice 1 to customer D-1 is under way already"
    )
    (await zahltag("notice", "send", "D-1")).refused("is under way already")

    (await zahltag("approval", "approve", "1", "--as", "anna")).refused(
        "was proposed by anna: somebody else has to approve it"
    )
    assert (await zahltag("notice", "show", "1", "--json")).json["status"] == "proposed"
    for said in ("Stored", "This was known"):
        done = await zahltag("approval", "approve", "1")
        assert (done.code, said in done.out) == (0, True)
    await debtor.driver.attempt(await debtor.until(Step.SEND_NOTICE))

    (shown,) = (await zahltag("notice", "list", "--customer", "D-1", "--json")).json
    assert (shown["status"], shown["level"], shown["decided_by"]) == ("sent", 0, "admin")
    assert await debtor.value("select level from dunning_case") == 0


async def test_the_notices_of_a_rule(zahltag: Cli, debtor: Debtor, tmp_path: Path) -> None:
    """All of them are approved at once; the document comes out as it went out."""
    await debtor.owes()
    await debtor.taken(**APPROVED)
    await debtor.until(Step.WAIT)
    (await zahltag("notice", "export", "1", "--to", tmp_path)).refused("it has not gone out")
    listed = await zahltag("approval", "list")
    assert "dunning-D-1" in listed.out
    assert max(map(len, listed.out.splitlines())) <= 100

    of_rule = ("approval", "approve", "--rule", "Zahlungserinnerung")
    assert (await zahltag(*of_rule)).out == "1 approved; they go out if they still hold then.\n"
    known = await zahltag(*of_rule)
    assert (known.code, known.out) == (0, "Nothing of this rule waits for an approval.\n")
    await debtor.driver.attempt(await debtor.until(Step.SEND_NOTICE))

    file = tmp_path / "out" / "M-1.pdf"
    assert (await zahltag("notice", "export", "1", "--to", file.parent)).out == f"{file}\n"
    assert file.read_bytes().startswith(b"%PDF")
    shown = await zahltag("notice", "show", "1")
    assert "document:         M-1.pdf" in shown.out
    assert shown.out.splitlines()[-1].split() == [
        *("ALT-1", str(debtor.driver.at.date() - timedelta(days=10))),
        *("119.00", "119.00", "EUR", "0"),
    ]
    line = (await zahltag("notice", "list")).out.splitlines()[-1]
    assert line.split()[:5] == ["1", "D-1", "sent", "1", "email"]
    assert len(line) <= 100


async def test_a_rejection_keeps_the_rule_away(zahltag: Cli, debtor: Debtor) -> None:
    """Until a day that the person names; days that cannot be are refused."""
    await debtor.owes()
    await debtor.taken(**APPROVED)
    await debtor.until(Step.WAIT)
    reject = ("approval", "reject", "1", "--reason", "pays in cash", "--not-before")
    today = debtor.driver.at.date()
    for wrong in ("tomorrow", "24.12.2026", "2026-02-30", "2026-11", "", today.isoformat()):
        (await zahltag(*reject, wrong)).refused("date")
    (await zahltag(*reject, (today + timedelta(days=400)).isoformat())).refused("within a year")
    assert await debtor.value("select status from dunning_notice") == "proposed"

    later = today + timedelta(days=30)
    assert "Stored" in (await zahltag(*reject, later.isoformat())).out
    assert "was known" in (await zahltag(*reject, later.isoformat())).out
    (await zahltag(*reject, (later + timedelta(days=1)).isoformat())).refused("rejected before")
    other = ("approval", "reject", "1", "--reason", "pays tomorrow")
    (await zahltag(*other)).refused("for another reason: pays in cash")

    shown = (await zahltag("notice", "show", "1", "--json")).json
    assert (shown["status"], shown["not_before"]) == ("dropped", later.isoformat())
    assert "pays in cash" in shown["reason"]
    debtor.driver.later(29)
    with pytest.raises(AssertionError):
        await debtor.taken(**APPROVED)
    debtor.driver.later(1)
    await debtor.taken(**APPROVED)


async def test_what_cannot_be_is_refused_in_one_sentence(
    api: Api, zahltag: Cli, debtor: Debtor, tmp_path: Path
) -> None:
    """Unknown numbers, wrong roles, nothing due: exit 1, and nothing was changed."""
    await debtor.owes(days=-10)
    before = await api.counts()
    for words, said in (
        (("notice", "send", "D-99"), "There is no customer D-99"),
        (("notice", "send", "D-1"), "Nothing of customer D-1 is overdue"),
        (("notice", "send", "D-1", "--as", "viktor"), "needs the role finance"),
        (("notice", "show", "99"), "There is no notice 99"),
        (("notice", "show", "abc"), "expected a whole number"),
        (("notice", "show", "9" * 30), "notice_id"),
        (("notice", "export", "99", "--to", tmp_path), "There is no notice 99"),
        (("notice", "list", "--customer", "D-99"), "There is no customer D-99"),
        (("approval", "approve", "99"), "There is no approval 99"),
        (("approval", "approve", "--rule", "None"), "There is no rule 'None'"),
        (("approval", "approve", "1", "--as", "viktor"), "needs the role finance"),
        (("approval", "reject", "99", "--reason", "x"), "There is no approval 99"),
    ):
        (await zahltag(*words)).refused(said)
    assert (await zahltag("approval", "approve")).code == 2
    assert (await zahltag("approval", "approve", "1", "--rule", "x")).code == 2
    assert (await zahltag("notice", "list")).out == "There is no notice.\n"

    for user, status in (("viktor", 403), ("nobody", 403)):
        answer = await api.post("/api/notices", {"customer_no": "D-1"}, user)
        assert answer.status_code == status
        assert one_sentence(answer)
    for body in ({}, {"customer_no": 1}, {"customer_no": "D-1", "level": 3}, []):
        answer = await api.post("/api/notices", body)
        assert answer.status_code == 422
        assert one_sentence(answer)
    assert await api.counts() == before
