#!/usr/bin/env bash
# Guess: a 16-bit grey PNG converted to 8 bits is scaled, so that mid grey (32768) becomes 128.
# Seen with Pillow 13.0.0, on 2026-12-01: `convert("L")` and `convert("RGB")` clip at 255, so 100 stays 100 and
# all above 255 is white: [0, 100, 255, 255].
# Here: test_a_flat_grey_of_sixteen_bits_stays_that_grey.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0
"$here/env/bin/python" -W ignore - <<'END'
import io, PIL
from PIL import Image
png = io.BytesIO()
source = Image.new("I;16", (4, 1))
for x, value in enumerate((0, 100, 32768, 65535)): source.putpixel((x, 0), value)
source.save(png, "PNG")
opened = Image.open(io.BytesIO(png.getvalue()))
seen = {"mode": opened.mode}
for chain in (("L",), ("RGB",), ("I", "L"), ("F", "L")):
    try:
        image = opened
        for mode in chain: image = image.convert(mode)
        seen[chain] = [image.getpixel((x, 0)) for x in range(4)]
    except ValueError as error: seen[chain] = str(error)
print(PIL.__version__, seen)
assert seen[("L",)] == [0, 100, 255, 255], seen
END
