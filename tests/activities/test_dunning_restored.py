"""A backup is brought back: what went out after it was taken is not sent again on its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.mailbox import list_mails
from domain.dunning.case import Step
from models.store.dunning import rules
from models.store.dunning.aftermath import APART, REASON
from starter.backup.create import create
from starter.backup.restore import Restored
from tests.activities.debtor import REMINDER, Debtor
from tests.activities.driver import Driver
from tests.activities.dunning_scenarios import bounced, proposed
from tests.stack.test_backup_files import bring_back, quiet


async def backed_up(driver: Driver, folder: Path) -> None:
    """Take a backup while nobody is connected."""
    await driver.services.database.close()
    await create(driver.services.settings, folder, quiet)


async def restored(driver: Driver, folder: Path) -> Restored:
    """Replace the facts by those of the backup."""
    await driver.services.database.close()
    return await bring_back(driver.services.settings, folder, replace=True)


def went_out(driver: Driver) -> int:
    """Count the mails that lie in the mailbox."""
    assert driver.mailbox
    return len(list_mails(driver.mailbox))


async def test_a_notice_that_went_out_after_the_backup(driver: Driver, tmp_path: Path) -> None:
    """It is dropped with a task, the rules wait, and the next notice has a number of its own."""
    debtor = Debtor(driver)
    await debtor.owes()
    await debtor.taken()
    send = await debtor.until(Step.SEND_NOTICE)
    await backed_up(driver, tmp_path / "b")
    await driver.attempt(send)
    assert went_out(driver) == 1
    assert driver.mailbox
    for mail in driver.mailbox.iterdir():  # its recipient fetches it
        mail.unlink()

    done = await restored(driver, tmp_path / "b")

    name = str(REMINDER["name"])
    assert (done.stilled.notices, done.stilled.rules, done.broken) == ((1,), (name,), ())
    assert await debtor.value("select status || reason from dunning_notice") == f"dropped{REASON}"
    assert (await debtor.look()).plan.step is Step.WAIT
    titles = await debtor.value("select string_agg(title, '; ' order by id) from task")
    assert titles.startswith("Find out which of 1 notices went out; Check who got notices since")
    said = await debtor.value("select string_agg(description, '' order by id) from task")
    assert "notice 1 to customer D-1" in said
    assert f"zahltag rule resume '{name}'" in said

    driver.later(1)
    async with driver.services.database.transaction() as session:
        await rules.set_paused(session, name, paused=False, at=driver.at, by="admin")
    await debtor.taken()
    await driver.attempt(await debtor.until(Step.SEND_NOTICE))
    assert await debtor.value("select max(id) from dunning_notice") == APART + 1
    assert went_out(driver) == 1


@pytest.mark.parametrize("state", ["claimed", "proposed", "bounced"])
async def test_what_was_on_its_way_to_a_notice(driver: Driver, tmp_path: Path, state: str) -> None:
    """A claim without an answer, a notice before its approval, a mail that came back."""
    if state == "claimed":
        await Debtor(driver).owes()
        await Debtor(driver).taken()
    elif state == "proposed":
        await proposed(driver)
    else:
        await bounced(driver, "email_or_letter")
    sent = went_out(driver)
    await backed_up(driver, tmp_path / "b")

    done = await restored(driver, tmp_path / "b")  # nothing happened since, and that is known
    assert (done.stilled.notices, done.stilled.rules) == ((), ())
    assert (await Debtor(driver).look()).plan.step is not Step.END
    other = await restored(driver, tmp_path / "b")  # what happened after the restore is not known

    assert other.stilled.rules == (REMINDER["name"],)
    assert len(other.stilled.notices) == (1 if state == "proposed" else 0)
    plan = (await Debtor(driver).look()).plan
    assert plan.step is Step.WAIT, plan
    assert went_out(driver) == sent == (1 if state == "bounced" else 0)
