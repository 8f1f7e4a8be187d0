"""Jobs that run on a cluster by themselves: submitted, watched, cancelled and taken up again from any client.

What happens to a job, in the order of the files: its ``spec`` is checked by its kind (``kinds``), written to the jobs folder
(``store``) and claimed on the scheduler (``submit``); a ``driver`` on a worker runs it, and keeps its state (``state``) and its
log (``recorder``) there. ``views`` and ``follow`` look at it, with the cluster or without. ``Where`` says where all that is.
"""
