"""Prints rows of the table of all benches: the measurement, this project's figure, the baseline, and the ratio."""


def print_header() -> None:
    print("| | ours | baseline | ours / baseline |", flush=True)
    print("| --- | ---: | ---: | ---: |", flush=True)


def print_row(what: str, ours: float, baseline: float | None = None, unit: str = "", digits: int = 0) -> None:
    """Prints one row; `digits` is the number of decimals of the two values."""

    def format_value(value: float) -> str:
        return f"{value:,.{digits}f} {unit}".rstrip()

    ratio = "" if baseline is None else f"{ours / baseline:.2f}" if baseline else "-"
    print(f"| {what} | {format_value(ours)} | {'' if baseline is None else format_value(baseline)} | {ratio} |", flush=True)
