"""A task queue that keeps its tasks in Redis: Celery, with a worker in this process."""

import unittest

import harness
from celery import Celery
from celery.contrib.testing.worker import start_worker

TASKS = 1000


class Tasks(unittest.TestCase):
    def setUp(self):
        harness.empty_client().close()

    def test_celery_passes_a_thousand_tasks(self):
        host, port = harness.address
        url = f"redis://{host}:{port}"
        app = Celery("tasks", broker=f"{url}/1", backend=f"{url}/2")

        @app.task
        def square(number):
            return number * number

        with start_worker(app, pool="solo", loglevel="WARNING", perform_ping_check=False):
            results = [square.delay(number) for number in range(TASKS)]
            answers = [result.get(timeout=300) for result in results]
        self.assertEqual(answers, [number * number for number in range(TASKS)])
