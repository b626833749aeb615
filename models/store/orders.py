"""Orders as cases need them."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.messages import CaseStart
from models.tables import SalesOrder


async def case_starts(session: AsyncSession, case_ids: Collection[str]) -> dict[str, CaseStart]:
    """Return what the workflows of these cases are started with."""
    query = select(
        SalesOrder.case_id, SalesOrder.channel, SalesOrder.order_no, SalesOrder.revision
    ).where(col(SalesOrder.case_id).in_(case_ids))
    return {
        case_id: CaseStart(case_id=case_id, channel=channel, order_no=number, revision=revision)
        for case_id, channel, number, revision in await session.exec(query)
    }
