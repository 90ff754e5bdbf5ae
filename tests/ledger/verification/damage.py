"""Damage to a book's log, done as only a superuser can: with the triggers switched off."""

from collections.abc import Sequence

from tests.conftest import FreshBook

SWITCH = """
DO $$
DECLARE part regclass;
BEGIN
  FOR part IN SELECT t.tgrelid FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.tgname IN ('append_only', 'append') AND n.nspname = current_schema()
  LOOP
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', part);
  END LOOP;
END $$
"""


def damage(fresh: FreshBook, statement: str, parameters: Sequence[object] = ()) -> None:
    """Run a statement that every guard of the log forbids."""
    with fresh.connect_admin(autocommit=True) as admin:
        admin.execute(SWITCH)
        done = admin.execute(statement.encode(), parameters)
        assert done.rowcount, "nothing was damaged"
