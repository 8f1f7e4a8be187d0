"""Passwords in URLs are not shown, whatever signs they have; what is no password stays."""

import pytest

from gbdist.passwords import without_password, without_passwords


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:p@s:s/w rd@host/db", "postgresql://u:***@host/db"),
        ("redis://:p@host:6379/0", "redis://:***@host:6379/0"),
        ("--storage=mysql+pymysql://u:p@host/db", "--storage=mysql+pymysql://u:***@host/db"),
        (
            "postgresql://host/db?user=u&password=p&sslmode=require",
            "postgresql://host/db?user=u&password=***&sslmode=require",
        ),
        ("postgresql://u@host:5432/db", "postgresql://u@host:5432/db"),
        ("sqlite:///C:/studies@home.db", "sqlite:///C:/studies@home.db"),
        ("tcp://10.0.0.1:8786", "tcp://10.0.0.1:8786"),
        ("best.study", "best.study"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_urls_in_a_text() -> None:
    text = "it is at 'postgresql://u:p@host/db', mail me: a:b@c"
    assert without_passwords(text) == "it is at 'postgresql://u:***@host/db', mail me: a:b@c"
