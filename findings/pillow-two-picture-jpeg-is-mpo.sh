#!/usr/bin/env bash
# Guess: a photograph that is a JPEG (ends in .jpg, begins with FF D8) is opened with format "JPEG".
# Seen with Pillow 13.0.0, on 2026-12-01: a JPEG with a second picture behind it, as many telephones write,
# has format "MPO" and type image/mpo, even when opened with `formats=["JPEG"]`.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0
"$here/env/bin/python" -W ignore - <<'END'
import io, PIL
from PIL import Image
file = io.BytesIO()
first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
first.save(file, "MPO", save_all=True, append_images=[second])
data = file.getvalue()
opened = Image.open(io.BytesIO(data))
print(PIL.__version__, data[:3], opened.format, opened.get_format_mimetype(), opened.n_frames)
try:
    Image.open(io.BytesIO(data), formats=["JPEG"]); only = "opened"
except PIL.UnidentifiedImageError: only = "refused"
print("formats=['JPEG']:", only, Image.open(io.BytesIO(data), formats=["JPEG"]).format if only == "opened" else "")
assert opened.format == "MPO"
END
