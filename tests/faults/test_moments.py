"""Every moment of the table is there, and a small run comes to each of them."""

import pytest
from distributed import Client

from .conftest import Small
from .injection import inject
from .moments import MOMENTS, OF_NETWORKS, SCENES
from .plan import Fault
from .wrapping import Wrappings, owner_of

#: Moments that an undisturbed run does not come to.
AFTER_A_LOSS = ["replay"]
OF_TREES = [name for name in MOMENTS if name not in OF_NETWORKS]
PLACES = {**{name: moment.where for name, moment in MOMENTS.items()}, **SCENES}


@pytest.mark.parametrize("name", PLACES)
def test_what_a_moment_wraps_is_still_there(name: str) -> None:
    owner, attribute = owner_of(PLACES[name])
    assert callable(getattr(owner, attribute))


def test_a_run_comes_to_every_moment_and_leaves_nothing_wrapped(fragile: Client, small: Small) -> None:
    # The first fit lets the workers know all functions before any is wrapped.
    assert small.fit(fragile) == small.model
    with inject(fragile) as injected:
        assert small.fit(fragile) == small.model
        assert [moment for moment in OF_TREES if not injected.count(moment)] == AFTER_A_LOSS
    with inject(fragile, Fault("kill", "tree grown", rank=1, tree=2)) as injected:
        assert small.fit(fragile) == small.model
        assert [moment for moment in AFTER_A_LOSS if not injected.count(moment)] == []

    def wrapped() -> list[str]:
        places = [owner_of(where) for where in PLACES.values()]
        return [name for owner, name in places if hasattr(getattr(owner, name), "__wrapped__")]

    assert set(map(tuple, fragile.run(wrapped).values())) == {()}
    assert wrapped() == []


class Parent:
    def plain(self) -> str:
        return "plain"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @staticmethod
    def static() -> str:
        return "static"


class Child(Parent):
    pass


@pytest.mark.parametrize("method", ["plain", "of_class", "static"])
@pytest.mark.parametrize("owner", ["Parent", "Child"])
def test_methods_of_every_kind_are_wrapped_and_restored(owner: str, method: str) -> None:
    owners = {"Parent": Parent, "Child": Child}
    before = dict(vars(owners[owner]))
    expected = getattr(owners[owner](), method)()
    wrappings = Wrappings()
    wrappings.wrap(f"{__name__}:{owner}.{method}", lambda original, *args: f"around {original(*args)}")
    assert getattr(owners[owner](), method)() == f"around {expected}"
    wrappings.restore()
    assert getattr(owners[owner](), method)() == expected
    assert dict(vars(owners[owner])) == before
