#!/usr/bin/env bash
# Guess: a short Japanese or Chinese text is recognised, or the library says that it is not sure.
# Seen with charset-normalizer 3.5.2, on 2026-12-01: four of six get another script's encoding, with chaos
# 0.0; coherence is 0.0 for right and wrong ones alike.
# Here: test_an_encoding_that_is_not_sure_is_refused_with_its_guesses.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check charset-normalizer==3.5.2
"$here/env/bin/python" -W ignore - <<'END'
import charset_normalizer
seen = []
for text, encoding in (("日本語", "shift_jis"), ("日本語のテスト", "shift_jis"), ("日本語のテスト", "euc_jp"), ("你好,世界", "gb18030"), ("한국어 시험", "euc_kr"), ("測試文件", "big5")):
    best = charset_normalizer.from_bytes(text.encode(encoding)).best()
    row = (text, encoding, best and best.encoding, best and str(best), best and best.chaos, best and best.coherence)
    print(charset_normalizer.__version__, row); seen.append(row)
wrong = [row for row in seen if row[2] and row[3] != row[0] and row[4] == 0]
print("wrong, with no doubt (chaos 0):", [(row[0], row[1], row[2], row[3]) for row in wrong])
assert len(wrong) == 4
END
