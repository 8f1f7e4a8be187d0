"""Rules of splitters: which rows train and which test; pure, so that any rank or partition can ask about its own rows."""
