"""bitmapist against plain sets."""

import datetime
import unittest

import bitmapist
import harness
from bitmapist import (
    BitOpAnd, BitOpNot, BitOpOr, BitOpXor, DayEvents, HourEvents, MonthEvents, UniqueEvents,
    WeekEvents, YearEvents, cohort,
)
from events_model import EVENTS, UTC, Model, complement, moment, user

KINDS = {"month": MonthEvents, "week": WeekEvents, "day": DayEvents, "hour": HourEvents}


class Empty(unittest.TestCase):
    def setUp(self):
        self.redis = harness.empty_client()
        host, port = harness.address
        bitmapist.setup_redis("default", host, port)
        bitmapist.setup_redis("other", host, port, db=1)
        self.random = harness.numbers()

    def tearDown(self):
        bitmapist.SYSTEMS["default"].close()
        bitmapist.SYSTEMS["other"].close()
        self.redis.close()


class OneEvent(Empty):
    WHEN = datetime.datetime(2026, 11, 20, 14, 30, tzinfo=UTC)

    def test_a_marked_user_is_in_the_month_the_week_and_the_day(self):
        bitmapist.mark_event("active", 123, now=self.WHEN)
        for events in (
            MonthEvents("active", 2026, 11), WeekEvents("active", 2026, 47),
            DayEvents("active", 2026, 11, 20),
        ):
            self.assertIn(123, events)
            self.assertNotIn(124, events)
            self.assertEqual(len(events), 1)
            self.assertTrue(events.has_events_marked())
        self.assertFalse(HourEvents("active", 2026, 11, 20, 14).has_events_marked())
        self.assertFalse(UniqueEvents("active").has_events_marked())

    def test_hours_and_uniqueness_are_tracked_on_demand(self):
        bitmapist.mark_event("active", 5, now=self.WHEN, track_hourly=True, track_unique=True)
        self.assertEqual(list(HourEvents("active", 2026, 11, 20, 14)), [5])
        self.assertEqual(list(UniqueEvents("active")), [5])

    def test_the_default_moment_is_now(self):
        bitmapist.mark_event("active", 9)
        now = datetime.datetime.now(tz=UTC)
        self.assertTrue(any(9 in DayEvents.from_date("active", now + datetime.timedelta(days=d))
                            for d in (0, -1)))

    def test_unmarking_leaves_the_others(self):
        for each in (1, 2, 3):
            bitmapist.mark_event("active", each, now=self.WHEN, track_unique=True)
        bitmapist.unmark_event("active", 3, now=self.WHEN, track_unique=True)
        self.assertEqual(list(DayEvents("active", 2026, 11, 20)), [1, 2])
        self.assertEqual(list(UniqueEvents("active")), [1, 2])

    def test_unique_events_are_marked_and_unmarked_by_themselves(self):
        bitmapist.mark_unique("premium", 42)
        bitmapist.mark_unique("premium", 4_000_000)
        self.assertEqual(list(UniqueEvents("premium")), [42, 4_000_000])
        bitmapist.unmark_unique("premium", 4_000_000)
        self.assertEqual(list(UniqueEvents("premium")), [42])
        self.assertNotIn(4_000_000, UniqueEvents("premium"))

    def test_a_pipeline_of_ones_own_marks_all_at_once(self):
        pipe = self.redis.pipeline()
        for each in range(50):
            bitmapist.mark_event("active", each, system=pipe, now=self.WHEN, use_pipeline=False)
        self.assertEqual(len(DayEvents("active", 2026, 11, 20)), 0)
        self.assertEqual(pipe.execute(), [0] * 150)
        self.assertEqual(len(DayEvents("active", 2026, 11, 20)), 50)

    def test_events_can_be_deleted_one_by_one_and_all_together(self):
        bitmapist.mark_event("active", 1, now=self.WHEN)
        bitmapist.mark_event("song:play", 1, now=self.WHEN)
        self.redis.set("not ours", "stays")
        DayEvents("active", 2026, 11, 20).delete()
        self.assertFalse(DayEvents("active", 2026, 11, 20).has_events_marked())
        self.assertTrue(DayEvents("song:play", 2026, 11, 20).has_events_marked())
        bitmapist.delete_all_events()
        self.assertEqual(self.redis.keys("*"), [b"not ours"])
        bitmapist.delete_all_events()

    def test_results_of_operations_can_be_deleted(self):
        bitmapist.mark_event("active", 1, now=self.WHEN)
        day = DayEvents("active", 2026, 11, 20)
        both = day & WeekEvents("active", 2026, 47)
        self.assertEqual(list(both), [1])
        self.assertEqual(len(self.redis.keys("trackist_bitop_*")), 1)
        bitmapist.delete_runtime_bitop_keys()
        self.assertEqual(self.redis.keys("trackist_bitop_*"), [])
        self.assertEqual(list(day | day), [1])
        bitmapist.delete_temporary_bitop_keys()
        self.assertEqual(self.redis.keys("trackist_bitop_*"), [])
        self.assertEqual(list(day), [1])

    def test_names_of_events_are_found(self):
        for event in EVENTS:
            bitmapist.mark_event(event, 7, now=self.WHEN)
        DayEvents("active", 2026, 11, 20) & DayEvents("song:play", 2026, 11, 20)
        self.assertEqual(sorted(bitmapist.get_event_names()), sorted(EVENTS))
        self.assertEqual(bitmapist.get_event_names(prefix="song", batch=2), ["song:play"])

    def test_systems_are_apart(self):
        bitmapist.mark_event("active", 1, now=self.WHEN)
        bitmapist.mark_event("active", 2, now=self.WHEN, system="other")
        self.assertEqual(list(DayEvents("active", 2026, 11, 20)), [1])
        self.assertEqual(list(DayEvents("active", 2026, 11, 20, system="other")), [2])

    def test_operations_on_what_was_never_marked_are_empty(self):
        day, none = DayEvents("active", 2026, 11, 20), DayEvents("never", 2026, 11, 20)
        bitmapist.mark_event("active", 8, now=self.WHEN)
        self.assertEqual(list(BitOpAnd(none, day)), [])
        self.assertEqual(list(BitOpAnd(day, none)), [])
        self.assertEqual(list(BitOpOr(none, day)), [8])
        self.assertEqual(list(BitOpXor(day, none)), [8])
        self.assertEqual(list(BitOpNot(none)), [])
        self.assertFalse(BitOpAnd(none, none).has_events_marked())


class ManyEvents(Empty):
    """Some thousand marks, and every question that can be asked about them."""

    def setUp(self):
        super().setUp()
        self.model = Model()
        for _ in range(1500):
            event, who, when = self.random.choice(EVENTS), user(self.random), moment(self.random)
            hourly, unique = self.random.random() < 0.5, self.random.random() < 0.5
            options = {"now": when, "track_hourly": hourly, "track_unique": unique}
            bitmapist.mark_event(event, who, **options)
            self.model.mark(event, who, when, hourly, unique)
            if self.random.random() < 0.2:
                bitmapist.unmark_event(event, who, **options)
                self.model.unmark(event, who, when, hourly, unique)

    def test_every_period_has_its_users(self):
        for kind, events in KINDS.items():
            for event, when, ids in self.model.kinds(kind):
                found = events(event, *when)
                self.assertEqual(list(found), sorted(ids), (event, when))
                self.assertEqual(len(found), len(ids))
                self.assertEqual(found.has_events_marked(), bool(ids))
                for who in self.random.sample(range(300), 10):
                    self.assertEqual(who in found, who in ids)
        for event in EVENTS:
            unique = self.model.of(event, "unique")
            self.assertEqual(set(UniqueEvents(event)), unique)

    def test_operations_are_those_of_sets(self):
        sets = [(DayEvents(event, *when), ids) for event, when, ids in self.model.kinds("day")]
        sets += [(WeekEvents(event, *when), ids) for event, when, ids in self.model.kinds("week")]
        for _ in range(60):
            (a, ids_a), (b, ids_b), (c, ids_c) = self.random.sample(sets, 3)
            self.assertEqual(set(a & b), ids_a & ids_b)
            self.assertEqual(set(a | b), ids_a | ids_b)
            self.assertEqual(set(a ^ b), ids_a ^ ids_b)
            self.assertEqual(len(BitOpAnd(a, b, c)), len(ids_a & ids_b & ids_c))
            self.assertEqual(len(BitOpOr(a, b, c)), len(ids_a | ids_b | ids_c))
            self.assertEqual(set(BitOpXor(a, b, c)), ids_a ^ ids_b ^ ids_c)
            self.assertEqual(set(BitOpAnd(BitOpOr(a, b), c)), (ids_a | ids_b) & ids_c)
            self.assertEqual(set(a & ~b), ids_a - ids_b - self.beyond(ids_a, b))

    def beyond(self, ids, other):
        """NOT ends where its source does: ids behind that are not in the complement."""
        end = self.redis.strlen(other.redis_key) * 8
        return {each for each in ids if each >= end}

    def test_the_complement_ends_with_the_last_byte(self):
        for event in EVENTS:
            for each in range(0, 80, 3):
                bitmapist.mark_unique(f"{event}:fresh", each)
            ids = set(range(0, 80, 3))
            self.assertEqual(set(~UniqueEvents(f"{event}:fresh")), complement(ids))

    def test_years_are_their_months(self):
        for event in EVENTS:
            for year in (2025, 2026, 2027):
                events = YearEvents(event, year)
                self.assertEqual(set(events), self.model.year(event, year))
                self.assertEqual(len(events.next()), len(self.model.year(event, year + 1)))

    def test_time_can_be_walked(self):
        for event, when, ids in self.model.kinds("day"):
            events = DayEvents(event, *when)
            self.assertEqual(events.next().prev(), events)
            after = datetime.date(*when) + datetime.timedelta(days=3)
            expected = self.model.of(event, "day", after.year, after.month, after.day)
            self.assertEqual(set(events.delta(3)), expected)
        for event, (year, week), ids in list(self.model.kinds("week")):
            events = WeekEvents(event, year, week)
            self.assertEqual(events.delta(-1).delta(1), events)
            before = datetime.date.fromisocalendar(year, week, 1) - datetime.timedelta(weeks=1)
            expected = self.model.of(event, "week", *before.isocalendar()[:2])
            self.assertEqual(set(events.prev()), expected)
        for event in EVENTS:
            december, january = MonthEvents(event, 2026, 12), MonthEvents(event, 2027, 1)
            self.assertEqual(december.next(), january)
            self.assertEqual(set(december.delta(1)), self.model.of(event, "month", 2027, 1))
            late = HourEvents(event, 2026, 12, 31, 23)
            self.assertEqual(late.next(), HourEvents(event, 2027, 1, 1, 0))
            self.assertEqual(set(late), self.model.of(event, "hour", 2026, 12, 31, 23))

    def test_cohorts_are_shares_of_sets(self):
        days, rows = 6, 4
        table = cohort.get_dates_data(
            "active", "song:play", time_group="days", as_percent=False, num_results=days,
            num_of_rows=rows, start_date="2026-11-22",
        )
        self.assertEqual(len(table), days)
        for offset, row in enumerate(table):
            first = datetime.date(2026, 11, 22) + datetime.timedelta(days=offset)
            started = self.day("active", first)
            self.assertEqual(row[1], len(started))
            for later, cell in enumerate(row[2:]):
                again = self.day("song:play", first + datetime.timedelta(days=later))
                expected = len(started & again) if started and again else ""
                self.assertEqual(cell, expected, (first, later))
        self.assertEqual(self.redis.keys("trackist_bitop_*"), [])

    def day(self, event, date):
        return self.model.of(event, "day", date.year, date.month, date.day)


if __name__ == "__main__":
    unittest.main()
