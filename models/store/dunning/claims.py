"""A claim that a run laid on a customer's day, with the rule as it was then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning import wording
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

    def why(self, level: int) -> str:
        """Say what made the rule take the customer at that level, and which version of it."""
        values = {
            name: Decimal(value) if name == "debt" else value
            for name, value in self.matched.items()
        }
        said = wording.because(self.rule, values, level)
        return f"{said} (version {self.version} of the rule)".lstrip()


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
