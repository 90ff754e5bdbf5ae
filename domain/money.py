"""Integer money arithmetic: every division says how it rounds and where the remainder goes.

All amounts are integers in minor units (or whole tokens), all rates are basis points
(1 bps = 1/10,000). No float enters or leaves this module.
"""

from collections.abc import Sequence

BPS = 10_000
AMOUNT_MAX = 10**12


def split(total: int, bps: int) -> tuple[int, int]:
    """Split `total` into (creator, platform) at `bps` by largest remainder; a tie goes to the
    creator. The two parts always add up to `total`, and neither ever falls as `total` grows.
    """
    creator = (2 * total * bps + BPS) // (2 * BPS)
    return creator, total - creator


def split_by_weight(total: int, first: int, second: int) -> tuple[int, int]:
    """Split `total` in the proportion first : second by largest remainder, tie to the first.

    Raises ZeroDivisionError when both weights are zero: nothing says where `total` belongs.
    """
    whole = first + second
    part = (2 * total * first + whole) // (2 * whole)
    return part, total - part


def split_among(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `total` in proportion to `weights` by successive two-way splits, in their order.

    No part ever falls as `total` grows. Without any weight nobody gets anything.
    """
    parts = []
    rest = sum(weights)
    for weight in weights:
        rest -= weight
        part = split_by_weight(total, weight, rest)[0] if weight or rest else 0
        parts.append(part)
        total -= part
    return tuple(parts)


def half_up(amount: int, bps: int) -> int:
    """`amount` × `bps`, rounded half up: fees and withholding."""
    return (2 * amount * bps + BPS) // (2 * BPS)


def vat_included(gross: int, bps: int) -> int:
    """The VAT contained in a gross amount at an inclusive rate of `bps`, rounded half up."""
    return (2 * gross * bps + BPS + bps) // (2 * (BPS + bps))


def portion(price: int, consumed: int, whole: int) -> int:
    """What of `price` belongs to the first `consumed` of `whole` units, rounded down.

    Taken cumulatively (`portion(after) - portion(before)`) the parts add up to exactly `price`.
    """
    return price * consumed // whole


def block_cost(rate_per_minute: int, seconds: int) -> int:
    """Tokens for one block of `seconds` at `rate_per_minute`, rounded up, in integers."""
    return -(-rate_per_minute * seconds // 60)
