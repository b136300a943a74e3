import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from parentauth.testing.machine import ParentAuthMachine


def test_memory():
    t = time.time()
    ParentAuthMachine.steps = 0
    try:
        run_state_machine_as_test(
            ParentAuthMachine,
            settings=settings(
                max_examples=100,
                stateful_step_count=50,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
    finally:
        print(ParentAuthMachine.steps, ParentAuthMachine.steps / (time.time() - t))
