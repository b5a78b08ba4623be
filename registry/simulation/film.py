"""Synthetic radiographs of a lower leg, for the demo and for tests.

Nothing here stems from a patient, and nothing may be measured on it. X-rays are weakened by the
thickness that they cross, so that each part is drawn as the chord through a cylinder.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 1000, 1600
PATTERNS = ("punctate", "reticular", "", "trabecular")  # "" is a leg without calcification

SOFT, CORTEX, MARROW = 0.9, 1.5, 0.55  # how much a part weakens, relative to one another


def draw_film(*, seed: int, limb: str = "right", pattern: str = "") -> bytes:
    """An AP film as an 8-bit PNG of 1000 × 1600 pixels, the same for the same arguments.

    ``pattern`` is that of the calcification in the skin of the distal third (see
    :data:`PATTERNS`). The fibula lies on the left of a right leg, as a viewer faces it.
    """
    draw = np.random.default_rng([seed, PATTERNS.index(pattern)])
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    down = y[:, :1] / HEIGHT  # 0 at the knee, 1 at the ankle
    sway = 12 * np.sin(2.2 * down + draw.uniform(0, 3))

    calf = 175 + 105 * np.exp(-(((down - 0.3) / 0.26) ** 2)) * draw.uniform(0.85, 1.15)
    calf += 30 * np.exp(-(((down - 1.0) / 0.1) ** 2))  # the malleoli
    middle = 500 + sway
    shade = SOFT * _chord(x, middle, calf) ** 0.8

    flare = np.exp(-((down / 0.13) ** 2)) + 0.75 * np.exp(-(((down - 1.0) / 0.11) ** 2))
    shade += _bone(x, middle + 22, 46 + 72 * flare, cortex=0.30 - 0.16 * np.minimum(flare, 1))
    thin = np.exp(-(((down - 0.1) / 0.05) ** 2)) + np.exp(-(((down - 0.97) / 0.07) ** 2))
    shade += 0.55 * _bone(x, middle - 108 + 14 * down, 17 + 15 * thin, cortex=0.42)

    shade += _calcification(draw, pattern, float(calf[int(HEIGHT * 0.8), 0]))
    film = 1 - np.exp(-0.85 * shade)
    film += 0.012 * draw.standard_normal(film.shape, dtype=np.float32)
    grey = np.clip(20 + 225 * film, 0, 255).astype(np.uint8)
    if limb == "left":
        grey = grey[:, ::-1]
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _chord(x: Any, middle: Any, radius: Any) -> Any:
    """The way through a cylinder as a share of its diameter; 0 beside it."""
    return np.sqrt(np.clip(1 - ((x - middle) / radius) ** 2, 0, None))


def _bone(x: Any, middle: Any, radius: Any, *, cortex: Any) -> Any:
    """A tube of cortex, ``cortex`` of the radius thick, filled with marrow."""
    inner = radius * (1 - cortex)
    hollow = _chord(x, middle, inner) * (1 - cortex)
    return CORTEX * (_chord(x, middle, radius) - hollow) + MARROW * hollow


def _calcification(draw: Any, pattern: str, half_width: float) -> Any:
    """Deposits in the skin and below it, in the distal third of the medial side."""
    layer = Image.new("L", (WIDTH, HEIGHT))
    if not pattern:
        return np.zeros((HEIGHT, WIDTH), np.float32)
    pen = ImageDraw.Draw(layer)
    left, right = 500 + 0.45 * half_width, 500 + 0.9 * half_width
    top, bottom = 0.66 * HEIGHT, 0.93 * HEIGHT
    if pattern == "punctate":
        for x, y, size in zip(
            draw.uniform(left, right, 45),
            draw.uniform(top, bottom, 45),
            draw.uniform(1.5, 5, 45),
            strict=True,
        ):
            pen.ellipse([x - size, y - size, x + size, y + size], fill=230)
    elif pattern == "trabecular":
        for x, y in zip(draw.uniform(left, right, 26), draw.uniform(top, bottom, 26), strict=True):
            length, lean = draw.uniform(25, 80), draw.uniform(-9, 9)
            pen.line([x - lean, y - length, x + lean, y + length], fill=190, width=5)
    else:
        # A net: crossing points on a shaken grid, joined to their neighbours.
        columns, rows = 5, 12
        xs = np.linspace(left, right, columns)[None, :] + draw.normal(0, 7, (rows, columns))
        ys = np.linspace(top, bottom, rows)[:, None] + draw.normal(0, 9, (rows, columns))
        for row in range(rows):
            for column in range(columns):
                here = (xs[row, column], ys[row, column])
                for r, c in ((row, column + 1), (row + 1, column)):
                    if r < rows and c < columns and draw.random() < 0.85:
                        pen.line([here, (xs[r, c], ys[r, c])], fill=190, width=5)
    blurred = layer.filter(ImageFilter.GaussianBlur(1.6))
    return np.asarray(blurred, np.float32) / 255 * 0.9
