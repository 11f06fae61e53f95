"""Alerts, dashboard and runbooks, held against the real Prometheus engine."""
