"""The digest of an order is kept only where its content is no longer what the shop said.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("sales_order", "digest", nullable=True)


def downgrade() -> None:
    raise NotImplementedError("Older versions need every digest: restore a backup instead.")
