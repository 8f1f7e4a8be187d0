"""How rows are chosen for one fit or another; pure, so that any rank can choose its own."""
