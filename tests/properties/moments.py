"""Moments to draw from: around the settle window, the fast poll and the deadlines, to the second on both sides."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st

from tests.builders import NOW

_SPANS = (0, 1, 3, 29, 31, 59, 60, 61, 299, 301, 599, 600, 601, 1800, 1801, 7200)
moments: st.SearchStrategy[datetime] = st.sampled_from([NOW - timedelta(seconds=span) for span in _SPANS])
any_moments = st.one_of(moments, st.sampled_from([NOW + timedelta(seconds=span) for span in (1, 15, 600, 1800)]))
maybe_moments = st.none() | moments
