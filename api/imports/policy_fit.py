"""Whether a book's policy lets a kind of file be imported as it is meant."""

from domain.policy import Policy


def policy_misfits(policy: Policy | None) -> list[str]:
    """Why tips cannot be imported one unit for one token under this policy; empty if they can."""
    if policy is None:
        return ["no policy is in force: publish one"]
    misfits = []
    if "TOKEN" not in policy.funding:
        misfits.append("funding must allow TOKEN")
    if "tip" not in policy.products_enabled:
        misfits.append("products_enabled must hold tip")
    if policy.unit_value != 1:
        misfits.append(f"unit_value must be 1 (a unit is a token); it is {policy.unit_value}")
    if policy.revenue_share.of("tip") != 10_000:
        share = policy.revenue_share.of("tip")
        misfits.append(f"revenue_share of a tip must be 10000 bps (all of it); it is {share}")
    if (policy.tip_minimum or 0) > 1:
        misfits.append(f"tip_minimum must not be set; it is {policy.tip_minimum}")
    if "tip" in policy.price_bounds:
        misfits.append("price_bounds must not bound tips")
    if policy.promo_expiry_days is not None:
        misfits.append("promo_expiry_days must not be set: what a tip needs must not expire")
    return misfits
