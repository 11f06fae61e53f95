"""Objects as the API server would give them, at several moments of a life."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
Object = dict[str, Any]


def condition(kind: str, status: str, reason: str, message: str, since: str = "11:58:00") -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 2,
        "lastTransitionTime": f"2026-01-01T{since}Z",
    }


def instance(name: str = "trainer", namespace: str = "team-a", **status: Any) -> Object:
    """Return an object with this status; without one, as it is right after `kubectl apply`."""
    return {
        "apiVersion": "gpuinstance.dev/v1alpha1",
        "kind": "GPUInstance",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": "943a2f83-0c5e-4d6a-9b7e-1f2a3b4c5d6e",
            "generation": 2,
            "creationTimestamp": "2026-01-01T11:55:00Z",
        },
        "spec": {
            "provider": "novita",
            "product": {"name": "RTX 4090 24GB"},
            "gpuCount": 2,
            "image": "docker.io/library/nginx:1.27",
            "ports": [{"port": 80, "protocol": "http"}, {"port": 22, "protocol": "tcp"}],
        },
        "status": {"observedGeneration": 2, **status} if status else {"observedGeneration": -1},
    }


MACHINE = {
    "id": "5f1c",
    "name": "gpui-team-a-trainer-943a2f83-1",
    "productName": "RTX 4090 24GB",
    "region": "US-CA-06",
    "hourlyPrice": "1.4",
    "billingMode": "OnDemand",
    "state": "running",
}
ENDPOINTS = [
    {"port": 80, "protocol": "http", "url": "https://5f1c-80.proxy.example"},
    {"port": 22, "protocol": "tcp", "url": "tcp://proxy.example:30022"},
]
_STARTING = "port 80: HTTP 502 (bad gateway)"


def starting() -> Object:
    """Running, and the application does not answer yet."""
    return instance(
        phase="HealthChecking",
        conditions=[
            condition("Ready", "False", "HealthChecking", _STARTING),
            condition("Reconciling", "True", "HealthChecking", _STARTING),
            condition("Synced", "True", "Synced", "the provider was observed and the spec is applied"),
            condition("Healthy", "False", "HealthCheckFailed", _STARTING),
        ],
        operation={
            "id": "create-1",
            "type": "Create",
            "attempt": 1,
            "phase": "healthChecking",
            "generation": 2,
            "startedAt": "2026-01-01T11:55:01Z",
            "deadline": "2026-01-01T12:25:01Z",
            "phases": {
                "initiatedAt": "2026-01-01T11:55:01Z",
                "monitoringAt": "2026-01-01T11:55:03Z",
                "runningAt": "2026-01-01T11:58:00Z",
                "healthCheckingAt": "2026-01-01T11:58:00Z",
            },
        },
        instance=MACHINE,
        endpoints=ENDPOINTS,
        healthCheck={
            "overall": "Partial",
            "endpoints": [
                {
                    "port": 80,
                    "healthy": False,
                    "errorType": "badGateway",
                    "statusCode": 502,
                    "message": "HTTP 502 (bad gateway)",
                },
                {"port": 22, "healthy": True},
            ],
            "startedAt": "2026-01-01T11:58:00Z",
        },
    )


def ready() -> Object:
    """As wanted."""
    return instance(
        phase="Ready",
        outcome="Ready",
        conditions=[
            condition("Ready", "True", "Ready", "machine 5f1c runs and every required endpoint answers", "11:59:00"),
            condition("Synced", "True", "Synced", "the provider was observed and the spec is applied"),
            condition("Healthy", "True", "Healthy", "every required endpoint answers", "11:59:00"),
        ],
        lastOperation={
            "id": "create-1",
            "type": "Create",
            "attempt": 1,
            "phase": "completed",
            "generation": 2,
            "startedAt": "2026-01-01T11:55:01Z",
            "deadline": "2026-01-01T12:25:01Z",
            "phases": {"completedAt": "2026-01-01T11:59:00Z"},
        },
        instance=MACHINE,
        endpoints=ENDPOINTS,
        healthCheck={
            "overall": "Healthy",
            "endpoints": [{"port": 80, "healthy": True}, {"port": 22, "healthy": True}],
            "startedAt": "2026-01-01T11:58:00Z",
            "completedAt": "2026-01-01T11:59:00Z",
        },
    )


_NO_STOCK = "the provider has no RTX 4090 24GB free in US-CA-06"


def refused() -> Object:
    """Nothing could be bought; it is tried again."""
    return instance(
        phase="Pending",
        conditions=[
            condition("Ready", "False", "InsufficientResource", _NO_STOCK),
            condition("Reconciling", "True", "InsufficientResource", _NO_STOCK),
            condition("Synced", "False", "InsufficientResource", _NO_STOCK),
            condition("Healthy", "Unknown", "NotChecked", "health is checked while the machine runs"),
        ],
        operation={
            "id": "create-1",
            "type": "Create",
            "attempt": 1,
            "phase": "failed",
            "generation": 2,
            "startedAt": "2026-01-01T11:55:01Z",
            "deadline": "2026-01-01T12:25:01Z",
            "phases": {"initiatedAt": "2026-01-01T11:55:01Z", "failedAt": "2026-01-01T11:59:30Z"},
            "failures": 3,
            "retryAt": "2026-01-01T12:00:40Z",
            "error": {
                "code": "InsufficientResource",
                "category": "Retryable",
                "retryable": True,
                "message": _NO_STOCK,
            },
        },
    )


def stuck() -> Object:
    """Only a person helps."""
    message = "Secret team-a/novita-credentials does not exist"
    return instance(
        phase="Failed",
        outcome="Failed",
        conditions=[
            condition("Ready", "False", "CredentialsUnavailable", message),
            condition("Stalled", "True", "CredentialsUnavailable", message),
            condition("Synced", "False", "CredentialsUnavailable", message),
            condition("Healthy", "Unknown", "NotChecked", "health is checked while the machine runs"),
        ],
    )


def upgrade(name: str = "bigger", **status: Any) -> Object:
    """Return an upgrade of `web` with this status; without one, as it is right after `kubectl apply`."""
    return {
        "apiVersion": "gpuinstance.dev/v1alpha1",
        "kind": "InstanceUpgrade",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": "5f0c7d1e-2a3b-4c5d-8e6f-7a8b9c0d1e2f",
            "generation": 2,
            "creationTimestamp": "2026-01-01T11:55:00Z",
        },
        "spec": {"instanceRef": {"name": "web"}, "target": {"plan": {"id": "403"}}},
        "status": {"observedGeneration": 2, **status} if status else {"observedGeneration": -1},
    }


_ACCEPTED: Object = {
    "instance": {"uid": "943a2f83-0c5e-4d6a-9b7e-1f2a3b4c5d6e", "machineID": "100185"},
    "before": {"productID": "402", "productName": "VPS 1 CPU 2 GB 50 GB", "image": "Ubuntu 22.04"},
    "target": {"productID": "403", "productName": "VPS 2 CPU 2 GB 50 GB"},
    "acceptedAt": "2026-01-01T11:55:01Z",
    "orderedAt": "2026-01-01T11:55:03Z",
    "order": {"id": "98", "orderID": "550", "invoiceID": "416", "total": "4.00", "dueDate": "2026-01-08"},
    "paymentDeadline": "2026-01-04T11:55:01Z",
}


def awaiting_payment() -> Object:
    """Ordered, and somebody has to pay."""
    message = "pay invoice 416 of 4.00 USD"
    return upgrade(
        phase="AwaitingPayment",
        conditions=[
            condition("Ready", "False", "AwaitingPayment", message),
            condition("Reconciling", "True", "AwaitingPayment", message),
            condition("ActionRequired", "True", "AwaitingPayment", message),
            condition("Accepted", "True", "Completed", "the instance and the target were validated"),
            condition("Applied", "False", "Pending", "not yet"),
        ],
        **_ACCEPTED,
    )


def rejected() -> Object:
    """Said to be paid, which the provider denies."""
    message = "Hostwinds refused apply upgrade: The upgrade invoice has not been paid."
    return upgrade(
        phase="Applying",
        conditions=[
            condition("Ready", "False", "RequestRejected", message),
            condition("Stalled", "True", "RequestRejected", message),
            condition("ActionRequired", "True", "RequestRejected", message),
        ],
        call={
            "id": "apply-1",
            "type": "Apply",
            "phase": "refused",
            "attempt": 0,
            "startedAt": "2026-01-01T11:59:00Z",
            "retryAt": "2026-01-01T12:09:00Z",
            "failures": 1,
            "error": {"code": "RequestRejected", "category": "NeedsPerson", "retryable": False, "message": message},
        },
        paidAt="2026-01-01T11:58:00Z",
        **_ACCEPTED,
    )


def finished(outcome: str, reason: str) -> Object:
    """Ended, one way or another."""
    ready = "True" if outcome == "Succeeded" else "False"
    return upgrade(
        phase="Completed" if outcome == "Succeeded" else outcome,
        outcome=outcome,
        conditions=[condition("Ready", ready, reason, "that is how it ended")],
        completedAt="2026-01-01T11:59:00Z",
        **_ACCEPTED,
    )
