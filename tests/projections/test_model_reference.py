"""The page of read models says what the read models say."""

from domain.event import EVENTS
from ledger.log.entry import decode
from projections.catalogue import PROJECTIONS
from projections.model_reference import PAGE, page
from tests.golden.stored import STORED, stored

WRITTEN = PAGE.read_text()


def test_the_page_is_what_the_read_models_say() -> None:
    # Compared as a truth, not as two texts: what differs is best seen in the diff of the page.
    same = page() == WRITTEN
    assert same, "docs/read_models.md is behind: python -m projections.model_reference"


def test_every_event_has_a_row_and_every_read_model_a_section() -> None:
    for name in EVENTS:
        assert WRITTEN.count(f"| `{name}` |") == 1
    for model in PROJECTIONS:
        assert WRITTEN.count(f"\n## {model.name}\n") == 1


def test_an_event_that_posts_is_shown_in_the_journal() -> None:
    column = 1 + [model.name for model in PROJECTIONS].index("journal")
    rows = {row.split(" | ")[0]: row for row in WRITTEN.splitlines() if row.startswith("| `")}
    for name in STORED:
        entry = decode(stored(name))
        if entry.postings:
            assert rows[f"| `{entry.type}`"].split(" | ")[column].strip(" |") == "postings"
