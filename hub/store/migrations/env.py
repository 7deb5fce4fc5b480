"""Run by Alembic inside the transaction that `hub.store.schema.upgrade` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
