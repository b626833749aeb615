"""Two customers in arrears for the crash tests: one is dunned by a rule, one waits for a yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from connectors.mailbox import list_mails
from models.settings import Settings
from tests.api.open_items import csv_file, row
from tests.workflows.arrears import REMINDER
from tests.workflows.house import eventually

PATIENCE = 60.0
REMINDED, WAITING = "L-1", "L-2"
CASES = {f"dunning-{REMINDED}", f"dunning-{WAITING}"}


class Arrears:
    """The customers, through the product's HTTP API."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        token = settings.api_token.get_secret_value()
        self._http = httpx.AsyncClient(
            base_url=f"{settings.api_base_url}/api",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def begin(self) -> None:
        """Import what they owe, remind the first, and let the second's notice wait for a yes."""
        due = datetime.now(UTC).date() - timedelta(days=10)
        items = csv_file(*(_item(number, due.isoformat()) for number in (REMINDED, WAITING)))
        await self._post("/imports/open-items", content=items)
        await self._post("/notices", user="anna", json={"customer_no": WAITING})
        await self._post("/rules", json=REMINDER)
        await self._post(f"/rules/{REMINDER['name']}/run")
        await self.sees("sent", "proposed")

    async def approve(self) -> None:
        """Say the yes that the second one's notice waits for; it goes out."""
        waiting = await self._get("/approvals")
        (approval,) = [one for one in waiting if one["case_id"] == f"dunning-{WAITING}"]
        await self._post(f"/approvals/{approval['id']}/approve")
        await self.sees("sent", "sent")

    async def pay(self) -> None:
        """Let both pay, and wait until their cases are closed."""
        for number in (REMINDED, WAITING):
            paid = {"invoice_no": f"ALT-{number}", "amount": "119.00", "currency": "EUR"}
            await self._post("/payments", json={**paid, "reference": f"paid-{number}"})

        async def closed() -> bool | None:
            found = {case["id"]: case["status"] for case in await self._get("/cases")}
            return True if {found[case_id] for case_id in CASES} == {"closed"} else None

        await eventually(closed, PATIENCE)

    async def sees(self, *statuses: str) -> None:
        """Wait until the notices have these statuses, by customer."""
        await eventually(partial(self._has, list(statuses)), PATIENCE)

    def mails(self) -> list[str]:
        """The cases of the notices that arrived."""
        assert self._settings.mailbox_dir
        found = list_mails(self._settings.mailbox_dir)
        return sorted(mail.case_id for mail in found if mail.case_id in CASES)

    async def _has(self, statuses: list[str]) -> bool | None:
        found = {one["customer_no"]: one["status"] for one in await self._get("/notices")}
        return True if [found.get(REMINDED), found.get(WAITING)] == statuses else None

    async def _get(self, path: str) -> Any:
        answer = await self._http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    async def _post(self, path: str, *, user: str = "admin", **body: Any) -> None:
        answer = await self._http.post(path, headers={"X-Zahltag-User": user}, **body)
        assert answer.is_success, f"{path}: {answer.text}"


def _item(number: str, due: str) -> dict[str, Any]:
    return row(
        customer_no=number,
        name=f"Firma {number}",
        email=f"{number.lower()}@schuldner.example",
        invoice_no=f"ALT-{number}",
        due_date=due,
    )
