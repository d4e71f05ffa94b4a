"""Marked events as plain sets: what either library is compared with."""

import collections
import datetime

UTC = datetime.timezone.utc
EVENTS = ["active", "song:play", "task_done"]


class Model:
    """Sets of ids by event and period."""

    def __init__(self):
        self.sets = collections.defaultdict(set)

    @staticmethod
    def periods(event, when, hourly, unique):
        year, week, _ = when.isocalendar()
        yield event, "month", (when.year, when.month)
        yield event, "week", (year, week)
        yield event, "day", (when.year, when.month, when.day)
        if hourly:
            yield event, "hour", (when.year, when.month, when.day, when.hour)
        if unique:
            yield event, "unique", ()

    def mark(self, event, user, when, hourly=False, unique=False):
        for period in self.periods(event, when, hourly, unique):
            self.sets[period].add(user)

    def unmark(self, event, user, when, hourly=False, unique=False):
        for period in self.periods(event, when, hourly, unique):
            self.sets[period].discard(user)

    def of(self, event, kind, *when):
        return self.sets[event, kind, when]

    def year(self, event, year):
        return set().union(*(self.of(event, "month", year, month) for month in range(1, 13)))

    def kinds(self, kind):
        """Every set of this kind: (event, when, ids)."""
        found = [(k[0], k[2], ids) for k, ids in self.sets.items() if k[1] == kind]
        return sorted(found, key=lambda each: each[:2])


def moment(random):
    """A time in the three months around a new year whose weeks belong to another year than their days."""
    start = datetime.datetime(2026, 11, 20, tzinfo=UTC)
    return start + datetime.timedelta(hours=random.randrange(24 * 60))


def user(random):
    return random.randrange(300) if random.random() < 0.7 else random.randrange(100_000)


def complement(ids):
    """What NOT makes of ids: the others, up to the end of the last byte that was ever written."""
    return set(range((max(ids) // 8 + 1) * 8)) - ids if ids else set()
