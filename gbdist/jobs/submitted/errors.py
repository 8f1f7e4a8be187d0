"""What is wrong with a job, or with what was asked of it."""

from gbdist.errors import GbdistError


class JobError(GbdistError):
    """A job cannot be found, or not be submitted, cancelled or resumed as it is."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        problem, fix = self.args
        return f"{problem}. {fix}"


class JobNotReady(JobError):
    """A job has no result yet."""


class JobFailed(JobError):
    """A job ended with an error."""


class JobCancelled(JobError):
    """A job was cancelled before it had a result."""


class JobLost(JobError):
    """A job's cluster is gone, or does not know the job any more."""


class StillRunning(KeyboardInterrupt):
    """Ctrl-C while a job was watched: the job goes on."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)

    def __str__(self) -> str:
        return f"stopped watching with Ctrl-C; job {self.args[0]} goes on"
