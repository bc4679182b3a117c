"""The one table that every bench prints rows of: what was measured, ours, what stands beside it, and the ratio."""


def head() -> None:
    print("| | ours | beside | ours / beside |", flush=True)
    print("| --- | ---: | ---: | ---: |", flush=True)


def row(what: str, ours: float, beside: float | None = None, unit: str = "", digits: int = 0) -> None:
    """Prints one row; `digits` are those after the point of the two values."""

    def shown(value: float) -> str:
        return f"{value:,.{digits}f} {unit}".rstrip()

    ratio = "" if beside is None else f"{ours / beside:.2f}" if beside else "-"
    print(f"| {what} | {shown(ours)} | {'' if beside is None else shown(beside)} | {ratio} |", flush=True)
