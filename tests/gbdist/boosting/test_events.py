"""Events reach every listener."""

from gbdist.boosting.events import Event, RunFinished, tell


class Hears:
    """A listener that remembers what it heard, and answers always the same."""

    def __init__(self, answer: bool) -> None:
        self.heard: list[Event] = []
        self._answer = answer

    def hear(self, event: Event) -> bool:
        self.heard.append(event)
        return self._answer


def test_listeners_behind_one_who_wants_to_stop_hear_too() -> None:
    listeners = [Hears(False), Hears(True), Hears(False)]
    event = RunFinished(3, "callback")
    assert tell(listeners, event)
    assert [one.heard for one in listeners] == [[event]] * 3
    assert not tell(listeners[::2], event)
