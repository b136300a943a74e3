"""Alembic runs this for each upgrade, on the connection that the storage hands over."""

from alembic import context

from parentauth.storage._sqlalchemy_tables import Tables, make_tables

connection = context.config.attributes["connection"]
prefix = context.config.attributes["prefix"]
tables: Tables = make_tables(prefix)
context.configure(
    connection=connection,
    target_metadata=tables.metadata,
    version_table=tables.version.name,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
