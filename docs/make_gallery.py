"""Makes docs/gallery/*.png by running every block of docs/gallery.md: python docs/make_gallery.py [NAME ...]."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "gallery.md"
WIDE = 1100  # pixels; sharp enough for a screen, small enough for a repository
COLOURS = 128
GREY = 20  # levels between the channels of what still counts as grey
MAP_FROM = 0.2  # share of coloured pixels above which a figure holds a map


def blocks(text: str) -> list[str]:
    """The Python blocks of the page."""
    return re.findall(r"```python\n(.*?)```", text, flags=re.S)


def names(block: str) -> list[str]:
    """The figures that a block saves."""
    return re.findall(r"save_figure\(.*\"([\w-]+)\"\)$", block, flags=re.M)


def shrink(source: Path, target: Path) -> None:
    """A figure for the page: at most WIDE pixels, a palette; maps keep the steps of their colour scale."""
    from PIL import Image

    image = Image.open(source).convert("RGB")
    if image.width > WIDE:
        image = image.resize((WIDE, round(image.height * WIDE / image.width)), Image.Resampling.LANCZOS)
    pixels = np.asarray(image, int)
    coloured = float((pixels.max(axis=-1) - pixels.min(axis=-1) > GREY).mean())
    palette = scale() if coloured > MAP_FROM else None
    image.quantize(COLOURS, palette=palette, dither=Image.Dither.NONE).save(target, optimize=True)


def scale() -> Any:
    """A palette of the maps' colour scale, greys, and the red of fits."""
    import matplotlib as mpl
    from PIL import Image

    shades = mpl.colormaps["viridis"](np.linspace(0, 1, 200))[:, :3]
    greys = np.linspace(0, 1, 40)[:, None] * np.ones(3)
    reds = 1 - np.linspace(0, 1, 16)[:, None] * (1 - np.array([0.82, 0, 0]))
    image = Image.new("P", (1, 1))
    image.putpalette((255 * np.concatenate([shades, greys, reds])).astype("uint8").tobytes())
    return image


SHEET = "contact_sheet"
COLUMNS, CELL, NAME = 5, 256, 14  # of the contact sheet; pixels


def contact_sheet() -> None:
    """Every figure of the gallery, small, with its name: what a look over all of them needs."""
    from PIL import Image, ImageDraw

    small = []
    for path in sorted(p for p in (DOCS / "gallery").glob("*.png") if p.stem != SHEET):
        image = Image.open(path).convert("RGB")
        image.thumbnail((CELL, CELL))
        small.append((path.stem, image))
    rows = [small[i : i + COLUMNS] for i in range(0, len(small), COLUMNS)]
    heights = [max(image.height for _, image in row) + NAME for row in rows]
    sheet = Image.new("RGB", (COLUMNS * (CELL + 8), sum(heights)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, row in enumerate(rows):
        for j, (name, image) in enumerate(row):
            draw.text((j * (CELL + 8) + 4, sum(heights[:i]) + 2), name, fill="black")
            sheet.paste(image, (j * (CELL + 8), sum(heights[:i]) + NAME))
    sheet.quantize(COLOURS).save(DOCS / "gallery" / f"{SHEET}.png", optimize=True)


def main(chosen: list[str]) -> None:
    """Run the blocks, or those that save one of the names."""
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        made = names(block)
        if not made or (chosen and not set(chosen) & set(made)):
            continue
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            home = Path.cwd()
            os.chdir(folder)
            try:
                exec(compile(block, made[0], "exec"), {"__name__": made[0]})
            finally:
                os.chdir(home)
            for name in made:
                target = DOCS / "gallery" / f"{name}.png"
                shrink(Path(folder, f"{name}.png"), target)
                sys.stdout.write(
                    f"{name}: {target.stat().st_size / 1e3:.0f} kB, {time.perf_counter() - begun:.1f} s\n"
                )
    contact_sheet()


if __name__ == "__main__":
    main(sys.argv[1:])
