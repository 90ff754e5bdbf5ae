"""The commands of clients under load: number n is always the same."""

from typing import Any


def command(number: int) -> tuple[str, dict[str, Any], str]:
    """Command, fields and key number `number`."""
    user, creator = f"fan-{number % 7}", f"creator-{number % 3}"
    match number % 5:
        case 0:
            paid = {"processor": "stripe", "processor_ref": f"paid-{number}"}
            return "record-purchase", {"user": user, "package": "small", "price": 999, **paid}, "-"
        case 1:
            item = {"item": f"item-{number}", "price": 99, "funding": "TOKEN"}
            return "unlock", {"user": user, "creator": creator, **item}, f"key-{number}"
        case 2:
            tip = {"user": user, "creator": creator, "funding": "TOKEN", "amount": 10**9}
            return "send-tip", tip, f"key-{number}"
    tip = {"user": user, "creator": creator, "funding": "TOKEN", "amount": 1 + number % 90}
    return "send-tip", tip, f"key-{number}"
