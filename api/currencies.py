"""Currencies and their minor units: how an amount is written, and how a written one is read.

The ledger knows whole minor units alone. How many of them make one unit of a currency is said by
ISO 4217 (list one, kept by its maintenance agency, SIX), and by nothing else in this package.
"""

import re
from dataclasses import dataclass
from functools import cached_property

_NO_MINOR_UNIT = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_THREE_PLACES = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_FOUR_PLACES = ("CLF", "UYW")
_EXPONENTS = {
    **dict.fromkeys(_NO_MINOR_UNIT, 0),
    **dict.fromkeys(_THREE_PLACES, 3),
    **dict.fromkeys(_FOUR_PLACES, 4),
}
_USUAL_EXPONENT = 2
#: Digits of an amount that anybody could mean: more than the ledger takes, and quickly read.
_DIGITS_MAX = 30


def exponent(currency: str) -> int:
    """Decimal places of a currency: 2 for USD, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, _USUAL_EXPONENT)


def money(minor: int, currency: str) -> str:
    """An amount of minor units for people: 1234567 → `12,345.67 USD` or `1,234,567 JPY`."""
    return f"{figure(minor, currency)} {currency}"


def figure(minor: int, currency: str) -> str:
    """The same without the currency's name, for a table that names it elsewhere."""
    places = exponent(currency)
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**places)
    decimals = f".{rest:0{places}}" if places else ""
    return f"{sign}{whole:,}{decimals}"


class NotAnAmount(Exception):
    """A text is no amount; the message says what was seen and what to do about it."""


@dataclass(frozen=True)
class Notation:
    """How a file writes numbers.

    `negative`: `minus` (-5), `trailing` (5-) or `parentheses` for (5).
    """

    decimal: str = "."
    thousands: str = ""
    negative: str = "minus"

    @cached_property
    def _number(self) -> "re.Pattern[str]":
        plain, grouped = r"[0-9]+", ""
        if self.thousands:
            grouped = rf"[0-9]{{1,3}}(?:{re.escape(self.thousands)}[0-9]{{3}})+|"
        return re.compile(
            rf"(?P<sign>[+-]?)(?P<whole>{grouped}{plain})"
            rf"(?:{re.escape(self.decimal)}(?P<part>[0-9]+))?",
            re.ASCII,
        )

    def units(self, text: str, places: int, *, of: str) -> int:
        """Whole units of 10^-`places`, exactly; raises NotAnAmount, never rounds."""
        written = text.strip()
        found = self._number.fullmatch(self._signed(written))
        if found is None or len(written) > _DIGITS_MAX:
            raise NotAnAmount(self._why_not(text))
        part = (found["part"] or "").rstrip("0")
        if len(part) > places:
            allowed = "no decimals" if not places else f"at most {places} decimals"
            raise NotAnAmount(f"{text!r} has {len(part)} decimals; {of} has {allowed}")
        whole = found["whole"].replace(self.thousands, "") if self.thousands else found["whole"]
        units = int(whole + part.ljust(places, "0"))
        return -units if found["sign"] == "-" else units

    def _signed(self, written: str) -> str:
        """With the sign in front, whichever way the file writes it."""
        if self.negative == "parentheses" and written.startswith("(") and written.endswith(")"):
            return "-" + written[1:-1].lstrip("+-")
        if self.negative == "trailing" and written.endswith("-"):
            return "-" + written[:-1].lstrip("+-")
        return written

    def _why_not(self, text: str) -> str:
        shown = text[:40]
        other = {".": ",", ",": "."}.get(self.decimal, ".")
        if not text.strip():
            return "is empty; an amount belongs here"
        if len(text.strip()) > _DIGITS_MAX:
            return f"{shown!r}… is not an amount: it has over {_DIGITS_MAX} characters"
        if Notation(other, "").fits(text) and other != self.thousands:
            return (
                f"{shown!r} is written with {other!r} before its decimals, not {self.decimal!r}; "
                f"if all are, say --decimal {other!r}, or --thousands {other!r} if it groups digits"
            )
        for mark in (",", ".", " ", "\u00a0", "'", "’"):
            if mark != self.thousands and Notation(self.decimal, mark).fits(text):
                return f"{shown!r} groups its digits by {mark!r}; say --thousands {mark!r}"
            if Notation(other, mark).fits(text):
                return (
                    f"{shown!r} has {other!r} before its decimals and groups by {mark!r}; say "
                    f"--decimal {other!r} --thousands {mark!r}"
                )
        for negative, example in (("parentheses", "(5.00)"), ("trailing", "5.00-")):
            if Notation(self.decimal, self.thousands, negative).fits(text):
                return (
                    f"{shown!r} writes its sign like {example}; say negative = {negative!r} in the "
                    "map's [numbers]"
                )
        return f"{shown!r} is not an amount like 1234{self.decimal}56"

    def fits(self, text: str) -> bool:
        """Whether a text is a number in this notation."""
        return self._number.fullmatch(self._signed(text.strip())) is not None
