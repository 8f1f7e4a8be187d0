"""A run's matrix products use as many threads as it says, and as many as before when it is over."""

from threadpoolctl import threadpool_info, threadpool_limits

from gbdist.neural.training.threads import blas_threads


def used() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_threads_are_those_of_the_first_run_until_the_last_one_ends() -> None:
    with threadpool_limits(3, user_api="blas"):
        before = used()
        first, second = blas_threads(1), blas_threads(2)
        first.__enter__()
        assert used() == {1}
        second.__enter__()
        first.__exit__(None, None, None)
        assert used() == {1}
        second.__exit__(None, None, None)
        assert used() == before
        with blas_threads(2):
            assert used() == {2}
        assert used() == before
