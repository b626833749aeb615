"""A claim that a run laid on a customer's day, with the rule as it was then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.rule import Rule
from domain.dunning.rule_file import read_rule
from models.codec import Json
from models.store.sql import Statement

_GET = Statement("""
select x.id, x.customer_id, x.day, x.matched, v.content, v.id as version_id, v.version, v.rule_id
from dunning_claim x join dunning_run r on r.id = x.run_id
join dunning_rule_version v on v.id = r.rule_version_id where x.id = :id
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed: by which version of which rule, for which day, and what matched."""

    id: int
    customer_id: int
    day: date
    matched: Json
    rule: Rule
    rule_id: int
    version_id: int
    version: int

    @property
    def why(self) -> str:
        """Say what made the rule take the customer, its version included."""
        values = ", ".join(f"{name} is {_said(value)}" for name, value in self.matched.items())
        return f"{values} (rule {self.rule.name!r}, version {self.version})"


async def get(session: AsyncSession, claim_id: int) -> Claim:
    """Return a run's claim; LookupError if there is none."""
    row = dict(await _GET.one(session, id=claim_id))
    return Claim(
        id=row["id"],
        customer_id=row["customer_id"],
        day=row["day"],
        matched=row["matched"],
        rule=read_rule(row["content"]),
        rule_id=row["rule_id"],
        version_id=row["version_id"],
        version=row["version"],
    )


def _said(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return str(value).lower() if isinstance(value, bool) else str(value)
