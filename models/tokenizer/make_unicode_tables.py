#!/usr/bin/env python3
"""Writes unicode_data.inc: what BERT's normaliser and pre-tokeniser do to each Unicode scalar value.

    python models/tokenizer/make_unicode_tables.py > models/tokenizer/unicode_data.inc

The behaviour is read off the `tokenizers` package by feeding it every scalar value, because its tables are of
different Unicode versions (categories, decompositions and lower case each have their own) and match no library.
The output is frozen: run this again only to follow a change of that package, and look at the difference.
Needs `pip install tokenizers`; takes a minute.
"""

import functools
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

# Bits of the flags; the same as CharFlag in unicode_tables.h.
REMOVED, SPACE, CJK, PUNCTUATION, NONSPACING_MARK, WORD = (1 << i for i in range(6))
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic
SCALARS = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**options, **on}).normalize_str


def expect(condition, what, c):
    if not condition:
        sys.exit(f"U+{c:04X}: {what}: the form of the tables does not hold any more")


def probe_maps():
    nfd, lower = normalizers.NFD().normalize_str, bert(lowercase=True)
    decomposition, lowered = {}, {}
    for c in SCALARS:
        text = nfd(chr(c))
        if text != chr(c) and c not in HANGUL:
            decomposition[c] = [ord(x) for x in text]
        text = lower(chr(c))
        if text != chr(c):
            expect(len(text) == 1 or (c == 0x130 and text == "i\u0307"), "lower case of several characters", c)
            lowered[c] = ord(text[0])
    return decomposition, lowered


def probe_flags(decomposition):
    clean, cjk, strip = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    single = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    single.add_tokens([AddedToken("[X]", normalized=False, single_word=True)])
    flags = [0] * 0x110000
    for c in SCALARS:
        s = chr(c)
        pieces = tuple(p[0] for p in split(f"a{s}b"))
        kinds = {("a", "b"): SPACE, ("a", s, "b"): PUNCTUATION, (f"a{s}b",): 0}
        expect(pieces in kinds, f"pre-tokeniser gave {pieces}", c)
        flag = kinds[pieces]
        cleaned = {f"a{s}b": 0, "ab": REMOVED, "a b": SPACE}.get(clean(f"a{s}b"))
        expect(cleaned in (0, REMOVED) or flag == SPACE, "a space only for the cleaner", c)
        expect(flag != SPACE or cleaned != 0, "a space that the cleaner keeps", c)
        flag |= cleaned
        if cjk(f"a{s}b") == f"a {s} b":
            flag |= CJK
        if c not in decomposition and strip("a" + s) == "a":
            flag |= NONSPACING_MARK
        if single.encode(s + "[X]").ids[-1] == 0:
            flag |= WORD
        flags[c] = flag
    return flags


def probe_combining(decomposition):
    """Ranks of the canonical combining classes: only their order can be seen, and only the order matters."""
    nfd = normalizers.NFD().normalize_str

    def swaps(a, b):
        return nfd(chr(a) + chr(b)) != chr(a) + chr(b)

    last = 0x345  # the highest class
    marks = [c for c in SCALARS if c not in decomposition and c not in HANGUL and (c == last or swaps(last, c))]
    representatives, members = [], {}
    for c in marks:
        for r in representatives:
            if not swaps(r, c) and not swaps(c, r):
                members[r].append(c)
                break
        else:
            representatives.append(c)
            members[c] = [c]
    representatives.sort(key=functools.cmp_to_key(lambda a, b: 1 if swaps(a, b) else -1))
    return {c: rank for rank, r in enumerate(representatives, 1) for c in members[r]}


def runs(mapping, step_choices, payload):
    """Rows (first, count, step, payload) that cover the mapping in order."""
    left, rows = dict(sorted(mapping.items())), []
    while left:
        first = next(iter(left))
        best = (0, 1)
        for step in step_choices:
            count = 1
            while payload(left, first + count * step) == payload(left, first):
                count += 1
            best = max(best, (count, -step))
        count, step = best[0], -best[1]
        rows.append((first, count, step, payload(left, first)))
        for i in range(count):
            del left[first + i * step]
    return rows


def array(kind, name, values, comment):
    print(f"\n// {comment}\nconstexpr {kind} {name}[] = {{")
    line = "   "
    for value in values:
        text = f" {value},"
        if len(line) + len(text) > 110:
            print(line)
            line = "   "
        line += text
    print(line + "\n};")


def main():
    decomposition, lowered = probe_maps()
    flags = probe_flags(decomposition)
    ranks = probe_combining(decomposition)
    print(f"// Generated by make_unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit.")
    edges = [c for c in range(0x110000) if c == 0 or flags[c] != flags[c - 1]]
    array("uint32_t", "kFlagRanges", [c << 8 | flags[c] for c in edges],
          "First scalar value of a range << 8 | flags of all values up to the next range.")
    rows = runs(ranks, [1], lambda m, c: m.get(c))
    array("CombiningRun", "kCombiningRuns", ["{%d, %d, %d}" % (f, n, v) for f, n, _, v in rows],
          "First value, count, rank of the canonical combining class.")
    rows = runs(lowered, [1, 2], lambda m, c: m[c] - c if c in m else None)
    array("LowerRun", "kLowerRuns", ["{%d, %d, %d, %d}" % (f, n, s, d) for f, n, s, d in rows],
          "First value, count, step, distance to the lower-case letter (U+0130 also gets U+0307).")
    flat = [x for c, parts in sorted(decomposition.items()) for x in (c, len(parts), *parts)]
    array("uint32_t", "kDecompositions", flat, "Value, length, full canonical decomposition; again and again.")


main()
