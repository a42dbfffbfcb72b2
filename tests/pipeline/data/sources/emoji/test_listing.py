"""Unicode's table of emoji: what of Unicode's file stands in it."""

from __future__ import annotations

from collections import Counter

from pipeline.data.sources.emoji.listing import Emoji, emoji, listed

UNICODE_FILE = """\
# emoji-test.txt
# Date: 2025-08-04, 20:55:31 GMT
# Version: 17.0

# group: Smileys & Emotion

# subgroup: face-affection
263A FE0F                                              ; fully-qualified     # ☺️ E0.6 smiling face
263A                                                   ; unqualified         # ☺ E0.6 smiling face
# Smileys & Emotion subtotal:\t\t2

# group: Component
# subgroup: skin-tone
1F3FB                                             ; component           # 🏻 E1.0 light skin tone
"""


def test_fully_qualified_emoji_and_components_are_listed_with_their_groups():
    assert list(listed(UNICODE_FILE.splitlines())) == [
        "# Date: 2025-08-04, 20:55:31 GMT",
        "# Version: 17.0",
        "263A FE0F\tsmiling face\tSmileys & Emotion\tface-affection",
        "1F3FB\tlight skin tone\tComponent\tskin-tone",
    ]


def test_the_table_is_that_of_emoji_17():
    signs = list(emoji())
    assert signs[0] == Emoji("1F600", "grinning face", "Smileys & Emotion", "face-smiling")
    assert len({sign.points for sign in signs}) == len(signs) == 3953
    groups = Counter(sign.group for sign in signs)
    assert groups["Flags"] == 270
    assert groups["Component"] == 9
