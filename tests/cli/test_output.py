"""What is printed is whole, however narrow the terminal is."""

import io

from rich.console import Console

from gbdist_cli.output import table_of


def test_a_table_in_a_narrow_terminal_cuts_no_word() -> None:
    rows = [{"id": "churn-2024", "state": "cancelled", "scheduler": "tcp://10.0.0.1:8786", "seconds": 1_234}]
    written = io.StringIO()
    Console(file=written, width=40).print(table_of("jobs", rows))
    lines = [line[1:-1].split("│") for line in written.getvalue().splitlines() if line.startswith("│")]
    columns = ["".join(line[place].strip() for line in lines) for place in range(4)]
    assert columns == ["churn-2024", "cancelled", "tcp://10.0.0.1:8786", "1,234"]
