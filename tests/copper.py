"""The spec of copper or its oxide that several tests fit: one path, of which each says what it is about."""

from __future__ import annotations


def copper_spec(
    data: str, params: str, *paths: str, title: str = "copper", top: str = "", k: str = "[3, 12]", r: str = "[1.6, 2.9]"
) -> str:  # fmt: skip
    """The text of a spec: the lines of its row, of [params] and of each [[path]]; `top` stands under the title."""
    tables = (
        f'xasuite = 2\ntitle = "{title}"\n{top}',
        f"[[data]]\n{data}",
        '[sample]\nelement = "Cu"',
        f"[fit]\nk = {k}\nr = {r}",
        f"[params]\n{params}",
        *(f"[[path]]\n{path}" for path in paths),
    )
    return "\n\n".join(table.strip() for table in tables) + "\n"
