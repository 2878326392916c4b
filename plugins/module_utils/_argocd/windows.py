# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sync windows of an AppProject keep automated sync from beginning. Pure functions.

Argo CD v3.6.1 decides it in CanSync and Matches (pkg/apis/application/v1alpha1/types.go), with the schedules of
robfig/cron: these know `?`, names and 0 to 6 as days of the week, and `*/2` is not a star to them. The libraries of
Python follow other crons.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application

Window = dict[str, Any]
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# The lowest and the highest value of each field of a schedule, and the names of values, from the lowest on.
FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, MONTHS),
    (0, 6, DAYS),
)
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
DURATION = re.compile(rf"([+-]?)((?:{PART.pattern})+|0)")
ZONE = re.compile(r"(?:CRON_)?TZ=(\S*) (.*)")
MOST_SECONDS = 2**63 / 10**9  # Go counts nanoseconds
# So far robfig/cron looks for the next time of a schedule.
YEARS = 5
BRACES = re.compile(r"\{([^{}]*)\}")


class UnknownZoneError(Exception):
    """The machine has no database of time zones."""


@dataclass(frozen=True)
class Schedule:
    """When a window begins: the minutes of hours, on days by their dates and weekdays."""

    minutes: list[int]
    hours: list[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool  # whether date and weekday must fit; else one of them does
    zone: tzinfo

    def is_on(self, day: datetime) -> bool:
        """Return whether there is a beginning on a day."""
        date, weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (date and weekday if self.both else date or weekday)

    def next(self, after: datetime) -> datetime | None:
        """Return the next beginning; None when there is none within some years."""
        day = datetime.combine(after, time(), after.tzinfo)
        while day.year <= after.year + YEARS:
            if self.is_on(day):
                moments = (
                    day + timedelta(hours=hour, minutes=minute) for hour in self.hours for minute in self.minutes
                )
                if found := next((moment for moment in moments if moment > after), None):
                    return found
            day += timedelta(days=1)
        return None


def closing(windows: list[Window], application: Application, now: datetime) -> str:
    """Return which windows keep the automated sync of an Application from beginning now; nothing when none does."""
    about = [window for window in windows if is_about(window, application)]
    invalid = [window for window in about if _is_active(window, now) is None]
    if invalid:
        return f"{_texts(invalid)}: schedule or duration is not valid"
    active = [window for window in about if _is_active(window, now)]
    found = [window for window in active if window.get("kind") == "deny"]
    if not found and any(window.get("kind") == "allow" for window in active):
        return ""
    found = found or [window for window in about if window.get("kind") == "allow"]
    by_hand = bool(found) and all(window.get("manualSync") for window in found)
    return _texts(found) + ("; a sync by hand may begin" if by_hand else "")


def is_about(window: Window, application: Application) -> bool:
    """Return whether a sync window is about an Application."""
    destination = (application.get("spec") or {}).get("destination") or {}
    values = {
        "applications": [application["metadata"]["name"]],
        "clusters": [value for key in ("name", "server") if (value := destination.get(key))],
        "namespaces": [destination.get("namespace") or ""],
    }
    found = [
        any(fnmatchcase(value, glob) for value in values[key] for each in window[key] for glob in _alternatives(each))
        for key in values
        if window.get(key)
    ]
    return bool(found) and (all(found) if window.get("andOperator") else any(found))


def _alternatives(glob: str) -> Iterator[str]:
    """Yield what `{a,b}` in a pattern stands for."""
    found = BRACES.search(glob)
    if not found:
        yield glob
        return
    for part in found[1].split(","):
        yield from _alternatives(glob[: found.start()] + part + glob[found.end() :])


def _texts(windows: list[Window]) -> str:
    return ", ".join(
        f"{window.get('kind')} {window.get('schedule')} for {window.get('duration')}, {window.get('timeZone') or 'UTC'}"
        for window in windows
    )


def _is_active(window: Window, now: datetime) -> bool | None:
    """Return whether a window has begun and not ended; None when nobody can tell when it begins."""
    try:
        schedule, duration = _schedule(window.get("schedule") or ""), _duration(window.get("duration") or "")
    except ValueError:
        return None
    # A day of the time zone is compared as if it were one of UTC.
    moved = now.astimezone(UTC) + _offset(window.get("timeZone") or "", now)
    begins = schedule.next((moved - duration).astimezone(schedule.zone))
    return begins is None or begins < moved


def _offset(name: str, now: datetime) -> timedelta:
    """Return how far the time of a zone is from UTC; Argo CD takes UTC for a zone that there is not."""
    return _zone(name).utcoffset(now) or timedelta()


def _zone(name: str, fallback: tzinfo | None = UTC) -> tzinfo:
    if name in ("", "UTC"):  # these need no database
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        if not available_timezones():
            raise UnknownZoneError(name) from error
        if fallback is None:
            raise ValueError(f"unknown time zone {name}") from error
        return fallback


def _schedule(text: str) -> Schedule:
    zone = ZONE.fullmatch(text)
    fields = (zone[2] if zone else text).split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"{text} does not have {len(FIELDS)} fields")
    found = [_field(field, *bounds) for field, bounds in zip(fields, FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = (values for values, _star in found)
    return Schedule(
        minutes=sorted(minutes),
        hours=sorted(hours),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(weekdays),
        both=found[2][1] or found[4][1],
        zone=_zone(zone[1], None) if zone else UTC,
    )


def _field(text: str, lowest: int, highest: int, names: tuple[str, ...]) -> tuple[set[int], bool]:
    """Return the values of a field, and whether it is a star."""
    values, star = set[int](), False
    for part in filter(None, text.split(",")):
        limits, slash, step = part.partition("/")
        first, hyphen, last = limits.partition("-")
        is_star = first in ("*", "?")
        begin = lowest if is_star else _value(first, lowest, names)
        end = highest if is_star or (slash and not hyphen) else _value(last, lowest, names) if hyphen else begin
        every = _value(step, lowest, ()) if slash else 1
        if not (lowest <= begin <= end <= highest and every > 0):
            raise ValueError(f"{part} is not between {lowest} and {highest}")
        values.update(range(begin, end + 1, every))
        star = star or (is_star and every == 1)
    return values, star


def _value(text: str, lowest: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return lowest + names.index(text.lower())
    if not text.isascii() or not text.removeprefix("+").isdigit():
        raise ValueError(f"{text} is not a number")
    return int(text)


def _duration(text: str) -> timedelta:
    found = DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{text} is not a duration")
    seconds = sum(float(number) * UNITS[unit] for number, unit in PART.findall(found[2]))
    if seconds >= MOST_SECONDS:
        raise ValueError(f"{text} is too long")
    return timedelta(seconds=-seconds if found[1] == "-" else seconds)
