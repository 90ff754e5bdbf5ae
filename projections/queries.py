"""The questions that the read models answer, in one place for the edges.

Each takes a connection with the book's schemas on its search path and answers plain dictionaries
with `as_of_position`, in the shapes of the API's contract; dates and times are still objects.
"""

from projections.catalogue import REGISTERS
from projections.engine.columns import Column, ColumnType
from projections.engine.ranks import RankPlace
from projections.engine.register import Register
from projections.engine.register_reading import RegisterPlace, Wanted, register_item, register_page
from projections.explain import ExplainedPart, UnknownFigure, explain, figure
from projections.explain import reached as explained_up_to
from projections.models.account_series import (
    INTERVALS_MAX,
    Interval,
    TooManyIntervals,
    legs,
    series,
)
from projections.models.account_statements import (
    AccountKey,
    LineFilter,
    StatementPlace,
    reached,
    restatement,
    statement,
)
from projections.models.account_tree import NodeFilter, TreePlace, below, top
from projections.models.call_figures import CallsAsked, call_statistics
from projections.models.class_balances import trial_balance_by_class
from projections.models.creator_list import CreatorOrder, creators, payable
from projections.models.daily_figures import Unit, analytics, daily
from projections.models.earnings import (
    EarningsByDay,
    earnings,
    earnings_of_days,
    top_creators,
)
from projections.models.entitlements import check_entitlements, entitlement, library
from projections.models.general_journal import JournalFilter, Span, general_journal, known
from projections.models.leader_lists import (
    Board,
    BoardAsked,
    Ranked,
    fans_of,
    favourites_of,
    leaderboard,
    spend_range,
)
from projections.models.liability_figures import JournalBehind, liability, lots_of
from projections.models.notice_list import (
    STATUSES,
    NoticeFilter,
    NoticePlace,
    SuspendedCount,
    notice,
    notices,
    place_of,
    suspended_count,
)
from projections.models.offers import STATUSES as OFFER_STATUSES
from projections.models.offers import OfferFilter, offer, offers
from projections.models.party_statements import (
    LinePlace,
    LinesAsked,
    PartyLines,
    creator_statement,
    journal_position,
    wallet_statement,
)
from projections.models.revenue_figures import OF_EVERYTHING, RevenueQuestion, TooLongAgo, revenue
from projections.models.risk import RiskFilter, risk
from projections.models.tier_list import TierFilter, tier, tiers
from projections.models.trial_balance import balance, lines, trial_balance
from projections.models.wallet_list import WalletOrder, wallets
from projections.models.wallets import wallet, wallet_totals
from projections.status import Status, status, wait_for
from projections.tie_outs import ReadModelsApart, TieOut, consistency, tie_outs
from projections.waiting import LISTED, waiting

__all__ = [
    "INTERVALS_MAX",
    "LISTED",
    "OFFER_STATUSES",
    "OF_EVERYTHING",
    "REGISTERS",
    "STATUSES",
    "AccountKey",
    "Board",
    "BoardAsked",
    "CallsAsked",
    "Column",
    "ColumnType",
    "CreatorOrder",
    "EarningsByDay",
    "ExplainedPart",
    "Interval",
    "JournalBehind",
    "JournalFilter",
    "LineFilter",
    "LinePlace",
    "LinesAsked",
    "NodeFilter",
    "NoticeFilter",
    "NoticePlace",
    "OfferFilter",
    "PartyLines",
    "RankPlace",
    "Ranked",
    "ReadModelsApart",
    "Register",
    "RegisterPlace",
    "RevenueQuestion",
    "RiskFilter",
    "Span",
    "StatementPlace",
    "Status",
    "SuspendedCount",
    "TieOut",
    "TierFilter",
    "TooLongAgo",
    "TooManyIntervals",
    "TreePlace",
    "Unit",
    "UnknownFigure",
    "WalletOrder",
    "Wanted",
    "analytics",
    "balance",
    "below",
    "call_statistics",
    "check_entitlements",
    "consistency",
    "creator_statement",
    "creators",
    "daily",
    "earnings",
    "earnings_of_days",
    "entitlement",
    "explain",
    "explained_up_to",
    "fans_of",
    "favourites_of",
    "figure",
    "general_journal",
    "journal_position",
    "known",
    "leaderboard",
    "legs",
    "liability",
    "library",
    "lines",
    "lots_of",
    "notice",
    "notices",
    "offer",
    "offers",
    "payable",
    "place_of",
    "reached",
    "register_item",
    "register_page",
    "restatement",
    "revenue",
    "risk",
    "series",
    "spend_range",
    "statement",
    "status",
    "suspended_count",
    "tie_outs",
    "tier",
    "tiers",
    "top",
    "top_creators",
    "trial_balance",
    "trial_balance_by_class",
    "wait_for",
    "waiting",
    "wallet",
    "wallet_statement",
    "wallet_totals",
    "wallets",
]
