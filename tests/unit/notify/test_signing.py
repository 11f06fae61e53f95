"""Signatures: the vector of the specification, the reference library, several secrets, and secrets that are none."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gpuinstance.notify.signing import SecretMalformed, fingerprint, secrets_in, signatures
from tests.webhooks import secret

ID, BODY = "msg_1", b'{"type":"instance.ready"}'


def test_it_signs_as_the_specification_shows() -> None:
    """The example of the reference libraries."""
    text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signatures("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secrets_in(text))
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_library_accepts_each_of_several_secrets() -> None:
    """So a receiver may change to the new one at any time, and knows neither of the others."""
    now = int(datetime.now(UTC).timestamp())
    signed = signatures(ID, now, BODY, secrets_in(f"{secret(1)} {secret(2)}\n"))
    headers = {"webhook-id": ID, "webhook-timestamp": str(now), "webhook-signature": signed}
    for number in (1, 2):
        assert Webhook(secret(number)).verify(BODY, headers) == {"type": "instance.ready"}
    for wrong in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(now - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret(1)).verify(BODY, headers | wrong)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(3)).verify(BODY, headers)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("whsec_p@ssword", "it is not whsec_ and base64"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "a secret has 24 to 64 bytes, and one of these has 23"),
        (f"{secret()} " + base64.b64encode(b"x" * 65).decode(), "a secret has 24 to 64 bytes, and one of these has 65"),
        ("whsec_ümläut", "it is not whsec_ and base64"),
    ],
)
def test_what_is_no_secret_is_refused_in_words(text: str, why: str) -> None:
    """Without quoting it."""
    with pytest.raises(SecretMalformed) as refused:
        secrets_in(text)
    assert str(refused.value) == why


def test_prefix_and_padding_may_be_missing() -> None:
    """As some tools write them."""
    assert secrets_in(secret().removeprefix("whsec_").rstrip("=")) == secrets_in(secret())


def test_a_fingerprint_changes_with_address_and_secrets() -> None:
    """And is the same for the same."""
    one, two = secrets_in(secret(1)), secrets_in(secret(2))
    prints = [
        fingerprint(one, "https://a.example"),
        fingerprint(two, "https://a.example"),
        fingerprint(one, "https://b"),
    ]
    assert len(set(prints)) == 3
    assert prints[0] == fingerprint(one, "https://a.example")
    assert len(prints[0]) == 12
