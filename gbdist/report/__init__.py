"""A page about one model: how it was trained, what it uses, how far to trust it. Pure: model, record and rows → HTML."""
