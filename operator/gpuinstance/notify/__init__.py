"""Notifications on their way: what the outbox of a status holds, delivered as Standard Webhooks specifies.

`postman` knows what waits for whom and when it is tried again, `pacing` how much any receiver may be asked at
once, `delivery` sends one of them, `signing` signs it. Nothing here decides what is told, reads an object or
writes one: what has become of a delivery is a report, which the next pass of the object takes up.
"""

from gpuinstance.notify.delivery import Deliverer, Outcome, Result
from gpuinstance.notify.letters import Letter, Mailing, ReadSecret, SecretUnreadable, Subject
from gpuinstance.notify.postman import Postman

__all__ = [
    "Deliverer",
    "Letter",
    "Mailing",
    "Outcome",
    "Postman",
    "ReadSecret",
    "Result",
    "SecretUnreadable",
    "Subject",
]
