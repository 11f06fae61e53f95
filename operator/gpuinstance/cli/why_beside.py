"""The part of `kubectl gpu why` about what an instance brings with it: its end, its Secret and Service, its webhooks.

Shown only where the spec asks for it. Called by `why`; pure but for the screen.
"""

from __future__ import annotations

from datetime import datetime

from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.screen import Row, Screen, Style, Text, ago, span


def show_beside(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    """Print what is there to tell."""
    _expiry(instance, screen, now)
    _connection(instance, screen)
    _notifications(instance, screen, now)


def _expiry(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    wanted, shown = instance.spec.expiry, instance.status.expiry
    if wanted is None or shown is None:
        return
    notes = []
    if shown.expires_at is not None:
        left = shown.expires_at - now
        notes.append(f"{span(left)} left" if shown.expires_at > now else f"over for {ago(shown.expires_at, now)}")
    if shown.idle_at is not None:
        notes.append(f"idle for {ago(shown.idle_at, now)}")
    if notes or shown.warning:
        screen.heading("EXPIRY", f"{'; '.join(notes)}; then {wanted.action}" if notes else "")
    if shown.warning:
        screen.paragraph(Text(shown.warning, Style.WAITING), indent=2)


def _connection(instance: GPUInstance, screen: Screen) -> None:
    shown = instance.status.connection
    if shown is None:
        return
    names = [
        f"{kind} {name}" for kind, name in (("Secret", shown.secret_name), ("Service", shown.service_name)) if name
    ]
    screen.heading("CONNECTION", ", ".join(names) or "nothing is published")
    if shown.message:
        screen.paragraph(Text(f"{shown.reason}: {shown.message}", Style.BAD), indent=2)


def _notifications(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    pending, troubles = instance.status.pending_notifications or (), instance.status.notification_troubles or ()
    if not pending and not troubles:
        return
    screen.heading("NOTIFICATIONS", f"{len(pending)} on their way" if pending else "")
    rows: list[Row] = []
    for it in troubles:
        words = [
            it.message or "",
            "it is gone (HTTP 410)" if it.gone else "",
            f"{it.missed} given up" if it.missed else "",
        ]
        rows.append((it.name, ago(it.since, now), Text("; ".join(word for word in words if word), Style.BAD)))
    if rows:
        screen.table(rows, indent=2)
