"""Dunning cases: how runs and Schedules stand, bounces, account managers.

The database itself tells a dunning case of everything that changes what its customer owes: no way
of posting can forget it.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A row of its own for every statement: one that waits already may be delivered before this commit.
TELL_CASES = """
create function tell_dunning_cases() returns trigger language plpgsql as $$
begin
  insert into outbox (case_id, signal, payload, created_at, due_at, attempts, last_error)
  select f.id, 'look_again', jsonb_build_object('outbox_id', 'facts-' || txid_current()),
         now(), now(), 0, ''
  from case_file f
  where f.kind = 'dunning' and f.closed_at is null
    and f.customer_id in (select customer_id from changed where customer_id is not null);
  if found then perform pg_notify('zahltag_outbox', ''); end if;
  return null;
end $$
"""
TOLD_BY = (
    ("open_item", "insert"),
    ("open_item", "update"),
    ("payment", "insert"),
    ("payment", "update"),
)


def upgrade() -> None:
    op.add_column(
        "dunning_rule", sa.Column("scheduled_in", sa.String(), nullable=False, server_default="")
    )
    op.add_column(
        "dunning_rule",
        sa.Column("schedule_paused", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("dunning_rule", sa.Column("watched_from", sa.DateTime(timezone=True)))
    op.add_column(
        "dunning_run", sa.Column("handed_over", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("dunning_run", sa.Column("finished_at", sa.DateTime(timezone=True)))
    op.add_column(
        "dunning_notice",
        sa.Column("approval_id", sa.BigInteger(), sa.ForeignKey("approval.id"), unique=True),
    )
    op.create_table(
        "mail_bounce",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("mail_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("action in ('failed','delayed','complained')", name="action"),
        sa.ForeignKeyConstraint(["mail_id"], ["outgoing_mail.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("ix_mail_bounce_mail_id", "mail_bounce", ["mail_id"])
    op.execute(
        "create trigger append_only before update or delete on mail_bounce"
        " for each row execute function refuse_change()"
    )
    op.execute(
        "create trigger no_truncate before truncate on mail_bounce"
        " for each statement execute function refuse_change()"
    )
    op.create_table(
        "account_manager",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index(
        "case_file_dunning",
        "case_file",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'dunning'"),
    )
    op.execute(TELL_CASES)
    for table, event in TOLD_BY:
        op.execute(
            f"create trigger {table}_{event}_tells_dunning after {event} on {table}"
            " referencing new table as changed"
            " for each statement execute function tell_dunning_cases()"
        )


def downgrade() -> None:
    raise NotImplementedError("What was dunned is history: restore a backup instead.")
