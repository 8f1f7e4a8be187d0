"""The latest results stay; which ones depends on the calls alone."""

from gbdist.categories.cache import Latest


def test_the_one_that_was_asked_for_longest_ago_goes() -> None:
    latest: Latest[str, int] = Latest(2)
    latest.put("a", 1)
    latest.put("b", 2)
    assert latest.get("a") == 1
    latest.put("c", 3)
    assert [latest.get(key) for key in "abc"] == [1, None, 3]


def test_one_that_is_not_there_does_not_push_others_out() -> None:
    latest: Latest[str, int] = Latest(1)
    latest.put("a", 1)
    assert latest.get("b") is None
    assert latest.get("a") == 1


def test_there_may_be_no_room() -> None:
    latest: Latest[str, int] = Latest(0)
    latest.put("a", 1)
    assert latest.get("a") is None
