"""What runs do, for whoever looks: the board on the scheduler, the reports that fill it, the page and the metrics made of it."""
