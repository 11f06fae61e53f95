"""Signatures as Standard Webhooks specifies: HMAC-SHA256 over `id.timestamp.body`, one for each secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, by the specification."""


class SecretMalformed(Exception):
    """The text holds no usable secret; the message says why, without quoting it."""


def secrets_in(text: str) -> tuple[bytes, ...]:
    """Return the secrets in a text, which are separated by spaces. Raises SecretMalformed."""
    found = tuple(_decoded(word) for word in text.split())
    if not found:
        raise SecretMalformed("it is empty")
    return found


def _decoded(word: str) -> bytes:
    encoded = word.removeprefix(PREFIX)
    try:
        # Some tools leave the padding out.
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise SecretMalformed(f"it is not {PREFIX} and base64") from None
    if not SHORTEST <= len(secret) <= LONGEST:
        raise SecretMalformed(f"a secret has {SHORTEST} to {LONGEST} bytes, and one of these has {len(secret)}")
    return secret


def signatures(message_id: str, timestamp: int, body: bytes, secrets: Sequence[bytes]) -> str:
    """Return the value of the header `webhook-signature`; `timestamp` is in seconds since 1970."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in made)


def fingerprint(secrets: Sequence[bytes], url: str) -> str:
    """Return what tells one address with these secrets from another, and reveals neither."""
    return hmac.new(b"".join(secrets), url.encode(), hashlib.sha256).hexdigest()[:12]
