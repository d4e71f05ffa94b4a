"""bitmapist4 against plain sets."""

import datetime
import unittest

import harness
from bitmapist4 import Bitmapist
from bitmapist4.cohort import get_cohort_table
from events_model import EVENTS, Model, complement, moment, user


def naive(when):
    """bitmapist4 knows no time zones."""
    return when.replace(tzinfo=None)


class Empty(unittest.TestCase):
    def setUp(self):
        self.redis = harness.empty_client()
        self.bitmapist = Bitmapist(self.redis)
        self.random = harness.numbers()

    def tearDown(self):
        self.redis.close()


class OneEvent(Empty):
    WHEN = datetime.datetime(2026, 11, 20, 14, 30)

    def test_a_marked_user_is_in_every_period(self):
        b = self.bitmapist
        b.mark_event("active", 123, timestamp=self.WHEN, track_hourly=True)
        for events in (
            b.MonthEvents("active", 2026, 11), b.WeekEvents("active", 2026, 47),
            b.DayEvents("active", 2026, 11, 20), b.HourEvents("active", 2026, 11, 20, 14),
            b.UniqueEvents("active"), b.YearEvents("active", 2026),
        ):
            self.assertIn(123, events)
            self.assertNotIn(122, events)
            self.assertEqual(list(events), [123])
            self.assertTrue(events.has_events_marked())

    def test_unmarking_leaves_the_others(self):
        b = self.bitmapist
        for each in (1, 2, 30_000):
            b.mark_event("active", each, timestamp=self.WHEN)
        b.unmark_event("active", 30_000, timestamp=self.WHEN)
        self.assertEqual(list(b.DayEvents("active", 2026, 11, 20)), [1, 2])
        b.unmark_unique("active", 2)
        self.assertEqual(list(b.UniqueEvents("active")), [1])

    def test_a_transaction_marks_all_or_nothing(self):
        b = self.bitmapist
        with b.transaction():
            for each in range(100):
                b.mark_event("active", each, timestamp=self.WHEN)
                b.mark_unique("premium", each)
            self.assertEqual(self.redis.dbsize(), 0)
        self.assertEqual(len(b.DayEvents("active", 2026, 11, 20)), 100)
        self.assertEqual(len(b.UniqueEvents("premium")), 100)
        with self.assertRaises(ZeroDivisionError), b.transaction():
            b.mark_event("active", 200, timestamp=self.WHEN)
            raise ZeroDivisionError
        self.assertNotIn(200, b.DayEvents("active", 2026, 11, 20))

    def test_results_of_operations_expire(self):
        b = self.bitmapist
        b.mark_event("active", 1, timestamp=datetime.datetime(2020, 1, 1))
        done = b.DayEvents("active", 2020, 1, 1) & b.MonthEvents("active", 2020, 1)
        self.assertEqual(list(done), [1])
        self.assertTrue(0 < self.redis.ttl(done.redis_key) <= 3600 * 24)
        today = b.UniqueEvents("active") | b.UniqueEvents("active")
        self.assertTrue(0 < self.redis.ttl(today.redis_key) <= 60)

    def test_everything_can_be_deleted(self):
        b = self.bitmapist
        b.mark_event("active", 1, timestamp=self.WHEN)
        self.redis.set("not ours", "stays")
        b.DayEvents("active", 2026, 11, 20) | b.UniqueEvents("active")
        self.assertEqual(len(self.redis.keys("bitmapist_bitop_*")), 1)
        b.delete_temporary_bitop_keys()
        self.assertEqual(self.redis.keys("bitmapist_bitop_*"), [])
        b.DayEvents("active", 2026, 11, 20).delete()
        self.assertFalse(b.DayEvents("active", 2026, 11, 20).has_events_marked())
        b.delete_all_events()
        self.assertEqual(self.redis.keys("*"), [b"not ours"])

    def test_names_of_events_are_found(self):
        for event in EVENTS:
            self.bitmapist.mark_event(event, 7, timestamp=self.WHEN)
        self.assertEqual(self.bitmapist.get_event_names(batch=3), sorted(EVENTS))
        self.assertEqual(self.bitmapist.get_event_names(prefix="song"), ["song:play"])


class ManyEvents(Empty):
    def setUp(self):
        super().setUp()
        self.model = Model()
        for _ in range(1000):
            event, who, when = self.random.choice(EVENTS), user(self.random), moment(self.random)
            hourly, unique = self.random.random() < 0.5, self.random.random() < 0.5
            options = {
                "timestamp": naive(when), "track_hourly": hourly, "track_unique": unique,
            }
            self.bitmapist.mark_event(event, who, **options)
            self.model.mark(event, who, when, hourly, unique)
            if self.random.random() < 0.2:
                self.bitmapist.unmark_event(event, who, **options)
                self.model.unmark(event, who, when, hourly, unique)

    def events(self, kind):
        b = self.bitmapist
        kinds = {
            "month": b.MonthEvents, "week": b.WeekEvents, "day": b.DayEvents, "hour": b.HourEvents,
        }
        return [(kinds[kind](event, *when), ids) for event, when, ids in self.model.kinds(kind)]

    def test_every_period_has_its_users(self):
        for kind in ("month", "week", "day", "hour"):
            for events, ids in self.events(kind):
                self.assertEqual(list(events), sorted(ids), events)
                self.assertEqual(len(events), len(ids))
        for event in EVENTS:
            unique = self.model.of(event, "unique")
            self.assertEqual(set(self.bitmapist.UniqueEvents(event)), unique)
            self.assertEqual(
                set(self.bitmapist.YearEvents(event, 2026)), self.model.year(event, 2026)
            )

    def test_operations_are_those_of_sets(self):
        b, sets = self.bitmapist, self.events("day") + self.events("week")
        for _ in range(40):
            (one, a), (two, b_ids), (three, c) = self.random.sample(sets, 3)
            self.assertEqual(set(one & two), a & b_ids)
            self.assertEqual(set(one | two), a | b_ids)
            self.assertEqual(set(one ^ two), a ^ b_ids)
            self.assertEqual(set(b.BitOpAnd(one, two, three)), a & b_ids & c)
            self.assertEqual(set(b.BitOpOr(one, b.BitOpXor(two, three))), a | (b_ids ^ c))

    def test_the_complement_ends_with_the_last_byte(self):
        ids = {0, 5, 64, 1001}
        for each in ids:
            self.bitmapist.mark_unique("fresh", each)
        self.assertEqual(set(~self.bitmapist.UniqueEvents("fresh")), complement(ids))

    def test_time_can_be_walked(self):
        for events, _ in self.events("day"):
            self.assertEqual(events.next().prev(), events)
            after = events.period_start() + datetime.timedelta(days=2)
            expected = self.model.of(events.event_name, "day", after.year, after.month, after.day)
            self.assertEqual(set(events.delta(2)), expected)
        for events, _ in self.events("week"):
            before = events.period_start() - datetime.timedelta(weeks=1)
            expected = self.model.of(events.event_name, "week", *before.isocalendar()[:2])
            self.assertEqual(set(events.prev()), expected)

    def test_cohorts_are_shares_of_sets(self):
        b, day = self.bitmapist, datetime.timedelta(days=1)
        # The library shows nothing that has not begun yet, so the past it is.
        start = datetime.datetime(2020, 5, 4)
        ids = [{1, 2, 3}, {2, 3}, {3, 9}, {1, 3}]
        for offset, users in enumerate(ids):
            for each in users:
                b.mark_event("active", each, timestamp=start + offset * day)
        last = b.DayEvents("active", 2020, 5, 7)
        table = get_cohort_table(last, last, rows=4, use_percent=False)
        self.assertEqual([row.size for row in table.rows], [3, 2, 2, 2])
        self.assertEqual(table.rows[0].cells, [3, 2, 1, 2])
        self.assertEqual(table.rows[2].cells, [2, 1, 0, 0])


if __name__ == "__main__":
    unittest.main()
