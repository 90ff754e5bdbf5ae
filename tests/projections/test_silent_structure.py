"""Silent changes of tables, rights, triggers and functions: verification names each.

Nothing lists what there should be: what a book consists of is compared with one just made.
"""

import pytest

from ledger.postgres import embedded
from ledger.verification.log import verify_log
from ledger.verification.structure import Structure
from projections.catalogue import PROJECTIONS
from projections.verify import fresh_structure, verify, verify_structure
from tests.conftest import FreshBook
from tests.projections.sound_book import copied, told, undone

PART = "events_000000"

#: The statement, the kind of the finding, a part of what it says.
STRUCTURE = {
    "a trigger is gone": (
        f"DROP TRIGGER append_only ON {PART}", "trigger", f"{PART}: append_only"),
    "a trigger is off": (
        "ALTER TABLE events DISABLE TRIGGER append_only", "trigger", "events: append_only"),
    "a trigger is not for replicas": (
        "ALTER TABLE receipts ENABLE TRIGGER append_only", "trigger", "enabled A"),
    "one more trigger": (
        "CREATE TRIGGER more BEFORE UPDATE ON wallets FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()", "trigger", "wallets: more"),
    "a right to change the log": (
        "GRANT UPDATE ON events TO tokenledger_app", "rights on", "UPDATE"),
    "the check of what is appended is off": (
        "ALTER TABLE events DISABLE TRIGGER append", "trigger", "events: append"),
    "a right to write the head": (
        "GRANT UPDATE (position) ON head TO tokenledger_app", "rights on the column", "position"),
    "a right to read what opens": (
        "GRANT SELECT ON tokenledger.api_keys TO tokenledger_app", "rights on", "api_keys"),
    "a right for everybody": (
        "GRANT SELECT ON texts TO public", "rights on", "everybody: SELECT"),
    "a right on one column": (
        "GRANT UPDATE (data) ON events TO tokenledger_app", "rights on the column", "data"),
    "a right to create in the control schema": (
        "GRANT CREATE ON SCHEMA tokenledger TO tokenledger_app", "rights on the schema",
        "CREATE"),
    "another owner": (
        "ALTER TABLE receipts OWNER TO tokenledger_app", "rights on",
        "owned by tokenledger_app"),
    "a function does something else": (
        "CREATE OR REPLACE FUNCTION tokenledger.refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$", "function", "refuse_change"),
    "one more function": (
        "CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()'",
        "function", "now()"),
    "a view shows something else": (
        "CREATE OR REPLACE VIEW events_json AS SELECT position, event_id, type, tags, occurred_at,"
        " recorded_at, '{}'::jsonb AS entry, leaf_hash FROM events", "rule", "events_json"),
    "a rule swallows what is written": (
        "CREATE RULE nothing AS ON INSERT TO receipts DO INSTEAD NOTHING", "rule", "nothing"),
    "a constraint is gone": (
        "ALTER TABLE receipts DROP CONSTRAINT receipts_key_check", "constraint", "length(key)"),
    "a key is gone": (
        "ALTER TABLE event_tags DROP CONSTRAINT event_tags_pkey", "constraint", "PRIMARY KEY"),
    "an index is gone": ("DROP INDEX agenda_due", "index", "due_at"),
    "a column's default": (
        "ALTER TABLE head ALTER COLUMN commits SET DEFAULT 5", "column", "commits"),
    "one more column": ("ALTER TABLE texts ADD COLUMN more text", "column", "more"),
    "rows that a role does not see": (
        "ALTER TABLE receipts ENABLE ROW LEVEL SECURITY", "relation", "row security"),
    "one more table": ("CREATE TABLE more (n integer)", "relation", "more"),
    "a table is gone": ("DROP TABLE fact_revisions", "relation", "fact_revisions"),
    "a partition is detached": (
        "ALTER TABLE events DETACH PARTITION events_000001", "partition", "events_000001"),
    "a partition is gone": ("DROP TABLE events_000001", "partition", "events_000001"),
    "the service is a member of the owner": (
        "GRANT tokenledger_owner TO tokenledger_app", "role", "member of tokenledger_owner"),
    "the auditor passes over row security": (
        "ALTER ROLE tokenledger_auditor BYPASSRLS", "role", "BYPASSRLS"),
}  # fmt: skip


@pytest.fixture(scope="module")
def fresh(sound: FreshBook) -> Structure:
    """What a book of that name consists of."""
    found = fresh_structure(sound.admin_url, sound.book)
    assert found is not None
    return found


@pytest.mark.parametrize("name", STRUCTURE)
def test_a_silent_change_of_structure_is_found(
    sound: FreshBook, fresh: Structure, name: str
) -> None:
    statement, what, where = STRUCTURE[name]
    installed = [kind.name for kind in PROJECTIONS]
    with undone(sound) as connection:
        connection.execute(statement.encode())
        found = [
            *verify_structure(connection, fresh, installed),
            *(verify_log(connection, sound.book) if what == "partition" else ()),
        ]
    assert told(found, what, where), found


def test_a_role_that_may_make_no_database_is_told_so(
    server: embedded.Server, sound: FreshBook
) -> None:
    with copied(server, sound) as fresh:
        report = verify(fresh.service_url, fresh.book, admin_url=fresh.service_url)
        assert (report.sound, report.structure) == (True, False)
