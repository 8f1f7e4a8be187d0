"""URLs as they may be shown: without the password that some have in them."""

import re
from typing import Final

#: From the colon behind the user to the last "@": a password may have any sign in it.
_OF_USER: Final = re.compile(r"(://[^:/@]*:).*@", re.DOTALL)
_OF_QUERY: Final = re.compile(r"([?&](?:password|passwd|pwd)=)[^&]*", re.IGNORECASE)
_URL: Final = re.compile(r"\S+://\S+")


def without_password(url: str) -> str:
    """A URL, or any other word, with ``***`` in place of a password."""
    return _OF_QUERY.sub(r"\1***", _OF_USER.sub(r"\1***@", url))


def without_passwords(text: str) -> str:
    """A text with ``***`` in place of the passwords of the URLs in it."""
    return _URL.sub(lambda found: without_password(found[0]), text)
