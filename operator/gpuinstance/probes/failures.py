"""What can be wrong with an endpoint: a closed list of categories, and which of them an error means.

The category and the message land in the status, so neither may change while nothing changes: no durations,
no addresses that a name server chose, no text of an exception, and never a body or a header.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

import httpx

from gpuinstance.guard import NameNotResolved, TargetNotAllowed


class Category(StrEnum):
    """Why an endpoint is unhealthy; a label of metrics and a field of the status."""

    TIMEOUT = "timeout"
    """No complete answer in time: the machine hangs, is overloaded, or drops packets."""
    CONNECTION_REFUSED = "connectionRefused"
    """Nothing listens on the port."""
    CONNECTION_RESET = "connectionReset"
    """The connection was accepted and then closed, before the answer was complete."""
    DNS_FAILURE = "dnsFailure"
    """The published host name has no address, or no name server answered."""
    NETWORK_UNREACHABLE = "networkUnreachable"
    """No route to the address, or a firewall or network policy forbids it."""
    BAD_GATEWAY = "badGateway"
    """A proxy answered because it got no answer from the application: 502, 504, or their error page."""
    SERVICE_UNAVAILABLE = "serviceUnavailable"
    """The application, or a proxy before it, asks to come back later: 503, or its error page."""
    SERVER_ERROR = "serverError"
    """The application failed: any other 5xx, its error page, or a pattern of the health check."""
    CLIENT_ERROR = "clientError"
    """The application answers, but not as `expectedStatuses` asks: a 4xx, or a 1xx to 3xx left out there."""
    TLS_ERROR = "tlsError"
    """No trusted encrypted connection: the certificate is not valid for the name, or the handshake failed."""
    INVALID_RESPONSE = "invalidResponse"
    """What came back is no HTTP."""
    TARGET_NOT_ALLOWED = "targetNotAllowed"
    """The operator refuses to connect there: the address is not public, or is no plain http address."""
    UNKNOWN = "unknown"
    """Anything else, such as a port that the provider does not publish; the message says what."""

    @property
    def retryable(self) -> bool:
        """True where asking again within seconds may help, so that one round of checks tries again."""
        return self in _RETRYABLE

    @property
    def critical(self) -> bool:
        """True where waiting hardly ever helps: the way to the application is set up wrongly."""
        return self in _CRITICAL


_RETRYABLE = frozenset(
    {
        Category.TIMEOUT,
        Category.CONNECTION_REFUSED,
        Category.CONNECTION_RESET,
        Category.NETWORK_UNREACHABLE,
        Category.BAD_GATEWAY,
        Category.SERVICE_UNAVAILABLE,
        Category.SERVER_ERROR,
    }
)
_CRITICAL = frozenset({Category.TLS_ERROR, Category.INVALID_RESPONSE, Category.TARGET_NOT_ALLOWED})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one endpoint is unhealthy."""

    category: Category
    message: str
    status_code: int | None = None


_BY_STATUS = {
    HTTPStatus.BAD_GATEWAY: Category.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT: Category.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE: Category.SERVICE_UNAVAILABLE,
}


def unexpected_status(status: int) -> Failure:
    """Return what an HTTP status means that is not among the expected ones, e.g. `HTTP 502 (bad gateway)`."""
    otherwise = Category.SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Category.CLIENT_ERROR
    category = _BY_STATUS.get(HTTPStatus(status), otherwise) if status in _STATUSES else otherwise
    words = HTTPStatus(status).phrase.lower() if status in _STATUSES else "not a standard status"
    if status < HTTPStatus.BAD_REQUEST:
        words += ", not an expected status"
    return Failure(category, f"HTTP {status} ({words})", status)


_STATUSES = frozenset(int(status) for status in HTTPStatus)

_UNREACHABLE = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,  # an IPv6 address where the operator has none
        errno.EACCES,  # forbidden by a local firewall
        errno.EPERM,
    }
)


def failure_of(error: BaseException) -> Failure:
    """Return what an exception means that a check ended with.

    The libraries wrap the system's error several times; the chain is read from the outside to the inside
    and the first link that means something decides.
    """
    for link in _chain(error):
        failure = _meaning(link)
        if failure is not None:
            return failure
    return _by_stage(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        # httpcore raises "from None" and so hides the cause, which stays the context.
        link = link.__cause__ or link.__context__


def _meaning(error: BaseException) -> Failure | None:
    match error:
        case TargetNotAllowed():
            return Failure(Category.TARGET_NOT_ALLOWED, f"not connected: {error}")
        case NameNotResolved():
            return Failure(Category.DNS_FAILURE, "the host name cannot be resolved")
        case ssl.SSLError():
            return _meaning_of_tls(error)
        case TimeoutError() | httpx.TimeoutException():
            return Failure(Category.TIMEOUT, "no answer in time")
        case ConnectionRefusedError():
            return Failure(Category.CONNECTION_REFUSED, "connection refused")
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return _CLOSED
        case OSError() if error.errno in _UNREACHABLE:
            return Failure(Category.NETWORK_UNREACHABLE, "network unreachable")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return Failure(Category.TARGET_NOT_ALLOWED, "not connected: no usable address")
        case _:
            return None


def _meaning_of_tls(error: ssl.SSLError) -> Failure:
    match error:
        case ssl.SSLCertVerificationError():
            return Failure(Category.TLS_ERROR, f"TLS certificate not accepted ({error.verify_message})")
        case ssl.SSLEOFError():  # closed in the middle of the handshake: nothing was said about trust
            return _CLOSED
        case _:
            return Failure(Category.TLS_ERROR, "TLS handshake failed")


_CLOSED = Failure(Category.CONNECTION_RESET, "connection closed before the answer was complete")

_CLOSED_EARLY = ("without sending a response", "peer closed connection")
"""httpcore's words for a connection that ended before the answer did; anything else of its class is an
answer that is no HTTP. There is no other way to tell them apart."""


def _by_stage(error: BaseException) -> Failure:
    """Judge by where it went wrong, for errors that carry no cause."""
    match error:
        case httpx.RemoteProtocolError() if not any(words in str(error) for words in _CLOSED_EARLY):
            return Failure(Category.INVALID_RESPONSE, "the answer is not valid HTTP")
        case httpx.RemoteProtocolError() | httpx.NetworkError():
            return _CLOSED
        case _:
            return Failure(Category.UNKNOWN, f"the check could not be made ({type(error).__name__})")
