"""Task queues that keep their tasks in Redis: Celery and RQ, each with a worker in this process."""

import operator
import unittest

import harness
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from rq import Queue, SimpleWorker

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

    def test_rq_works_off_its_queue(self):
        host, port = harness.address
        connection = redis.Redis(host=host, port=port)
        queue = Queue(connection=connection)
        jobs = [queue.enqueue(operator.mul, number, number) for number in range(200)]
        failing = queue.enqueue(operator.truediv, 1, 0)
        self.assertEqual(len(queue), 201)
        SimpleWorker([queue], connection=connection).work(burst=True, logging_level="WARNING")
        answers = [job.return_value() for job in jobs]
        self.assertEqual(answers, [number * number for number in range(200)])
        self.assertTrue(failing.is_failed)
        self.assertEqual(len(queue), 0)
        connection.close()
