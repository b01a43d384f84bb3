"""The text of the spec on a page, with undo and redo."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """Texts of a spec: the present one, those before it and those that were undone."""

    text: str
    past: list[str] = field(default_factory=list)
    future: list[str] = field(default_factory=list)

    def put(self, text: str, *, merge: bool = False) -> None:
        """Make `text` the present one; with `merge` it replaces the present (a slider that is still moving)."""
        if text == self.text:
            return
        if not merge:
            self.past.append(self.text)
        self.text = text
        self.future.clear()

    def undo(self) -> str:
        """Go back to the text before, if any; gives the present text."""
        if self.past:
            self.future.append(self.text)
            self.text = self.past.pop()
        return self.text

    def redo(self) -> str:
        """Go forward to the text undone last, if any; gives the present text."""
        if self.future:
            self.past.append(self.text)
            self.text = self.future.pop()
        return self.text
