"""The form fields of a call: parsed as leniently as PHP would, refused where they make no sense.

Refusals are CloudError BAD_REQUEST, for the service id NO_SUCH_MACHINE, as the API says it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds.shop import CYCLES, Sizes

LARGEST_QUANTITY = 10
"""Assumption: how many servers one call may create is not documented."""


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent, files left out."""

    fields: tuple[tuple[str, str], ...] = ()

    def text(self, name: str) -> str:
        """A field without blanks around it; empty if it is absent. The last one counts, as in PHP."""
        return next((value.strip() for key, value in reversed(self.fields) if key == name), "")

    def needed(self, name: str) -> str:
        """A field that must not be empty."""
        text = self.text(name)
        if not text:
            raise CloudError(Refusal.BAD_REQUEST, f"{name} is missing")
        return text

    def number(self, name: str) -> int | None:
        """A whole number that is not negative; None if the field is absent or empty."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit()):
            raise CloudError(Refusal.BAD_REQUEST, f"{name} is no number")
        return int(text)

    def array(self, name: str) -> tuple[str, ...]:
        """All values of a field in PHP's bracket syntax."""
        return tuple(value for key, value in self.fields if key == f"{name}[]")

    @property
    def service_id(self) -> str:
        """The server that the call is about, whether or not it exists."""
        return self.text("serviceid")

    @property
    def months(self) -> int:
        """The length of the wanted billing cycle; 0 for hourly."""
        name = self.text("billingcycle") or "monthly"
        if name not in CYCLES:
            raise CloudError(Refusal.BAD_REQUEST, f"unknown billing cycle {name}")
        return CYCLES[name]

    @property
    def sizes(self) -> Sizes:
        """The sizes for a custom plan, as far as the call names them."""
        return Sizes(*(self.number(name) for name in ("ram", "cpu", "disk", "bandwidth")))

    @property
    def quantity(self) -> int:
        """How many servers are wanted."""
        quantity = self.number("qty")
        if quantity is None:
            return 1
        if not 1 <= quantity <= LARGEST_QUANTITY:
            raise CloudError(Refusal.BAD_REQUEST, "qty is out of range")
        return quantity
