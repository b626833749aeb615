"""Won deals: channels with settings and a token, fetches, updates of deals, routing rules.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = postgresql.JSONB()
    op.add_column(
        "channel",
        sa.Column("settings", json, nullable=False, server_default=sa.text("'{}'")),
    )
    op.add_column(
        "channel", sa.Column("api_token", sa.String(), nullable=False, server_default="")
    )
    op.add_column(
        "sales_order",
        sa.Column("routed", json, nullable=False, server_default=sa.text("'{}'")),
    )
    op.create_table(
        "order_fetch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('waiting','running','done','ignored','failed')", name="state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "order_fetch_waiting",
        "order_fetch",
        ["channel", "external_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "order_fetch_open",
        "order_fetch",
        ["requested_at"],
        postgresql_where=sa.text("done_at is null"),
    )
    op.create_table(
        "deal_update",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.CheckConstraint("state in ('intended','postponed','done','superseded','failed')", name="state"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_deal_update_case_id"), "deal_update", ["case_id"], unique=False)
    op.create_table(
        "routing_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("rules", json, nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute(
        "create trigger append_only before update or delete on routing_version"
        " for each row execute function refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("What a CRM was told cannot be taken back: restore a backup.")
