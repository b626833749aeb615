"""What an operator sees of a case in the Temporal Web UI: current details and search attributes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from models import search_keys as key
    from models.messages import DunningProgress, Progress


class _Shown:
    """Tells the server only what has changed since the last time."""

    def __init__(self) -> None:
        self._shown: dict[str, Any] = {}

    def _show(self, text: str, found: list[SearchAttributeUpdate[Any]]) -> None:
        workflow.set_current_details(text)
        changes = [u for u in found if self._shown.get(u.key.name) != u.value]
        if changes:
            workflow.upsert_search_attributes(changes)
            self._shown.update({u.key.name: u.value for u in changes})


class Display(_Shown):
    """Shows the progress of an order's case."""

    def show(self, progress: Progress) -> None:
        """Set the details, and the search attributes that changed."""
        self._show(details(progress), attributes(progress))


class DunningDisplay(_Shown):
    """Shows the progress of a dunning case."""

    def show(self, progress: DunningProgress) -> None:
        """Set the details, and the search attributes that changed."""
        self._show(dunning_details(progress), dunning_attributes(progress))


def attributes(progress: Progress) -> list[SearchAttributeUpdate[Any]]:
    """Return the search attributes of a case that say something."""
    found = _of_every_case(progress)
    if progress.customer_no:
        found.append(key.CUSTOMER_NO.value_set(progress.customer_no))
    if progress.invoice_no:
        found.append(key.INVOICE_NO.value_set(progress.invoice_no))
    if progress.due_date:
        found.append(key.DUE_DATE.value_set(_midnight(progress.due_date)))
    return found


def details(progress: Progress) -> str:
    """Say in Markdown where the case stands, what comes next, when and why."""
    plan = progress.plan
    when = f" (at the latest {plan.until})" if plan.until else ""
    rows = [
        f"**{_words(plan.status)}**",
        "",
        f"- **Next:** {plan.next_step}{when}",
        f"- **Why:** {plan.why}",
        f"- **Waits for:** {plan.waiting_for}",
        f"- **Open amount:** {progress.amount_due} {progress.currency}",
        f"- **Due:** {progress.due_date or 'not set yet'}",
        f"- **Invoice:** {progress.invoice_no or 'none yet'}",
        f"- **Customer:** {progress.customer_no or 'not assigned yet'}",
        f"- **Payment** {_words(progress.payment_status)}"
        f" · **fulfilment** {_words(progress.fulfilment_status)}"
        f" · **return** {_words(progress.return_status)}"
        f" · **accounting** {_words(progress.accounting_status)}",
    ]
    return "\n".join(rows)


def dunning_attributes(progress: DunningProgress) -> list[SearchAttributeUpdate[Any]]:
    """Return the search attributes of a dunning case that say something."""
    found = [*_of_every_case(progress), key.DUNNING_LEVEL.value_set(progress.level)]
    if progress.oldest_due:
        found.append(key.DUE_DATE.value_set(_midnight(progress.oldest_due)))
    return found


def dunning_details(progress: DunningProgress) -> str:
    """Say in Markdown where a dunning case stands, what comes next, when and why."""
    plan = progress.plan
    when = f" (looked at again on {plan.until})" if plan.until else ""
    rows = [
        f"**{_words(plan.status)}**",
        "",
        f"- **Next:** {plan.next_step}{when}",
        f"- **Why:** {plan.why}",
        f"- **Waits for:** {plan.waiting_for}",
        f"- **Overdue:** {progress.amount_due} {progress.currency}",
        f"- **Oldest due date:** {progress.oldest_due or 'nothing is overdue'}",
        f"- **Dunning level:** {progress.level}",
        f"- **Customer:** {progress.customer_no}",
    ]
    return "\n".join(rows)


def _of_every_case(progress: Progress | DunningProgress) -> list[SearchAttributeUpdate[Any]]:
    plan = progress.plan
    return [
        key.CASE_STATUS.value_set(plan.status.value),
        key.WAITING_FOR.value_set(plan.waiting_for.value),
        key.NEEDS_ATTENTION.value_set(plan.attention),
        key.AMOUNT_DUE.value_set(float(progress.amount_due)),
    ]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _words(name: str) -> str:
    return name.replace("_", " ")
