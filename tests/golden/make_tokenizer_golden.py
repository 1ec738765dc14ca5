#!/usr/bin/env python3
"""Writes tests/golden/tokenizer/ (a small tokenizer) and tests/golden/tokenizer_golden.json (what Hugging Face tokenizers make
of texts with it).

    python tests/golden/make_tokenizer_golden.py [MINILM_DIRECTORY]

With a directory the texts are also encoded by that tokenizer. Needs `pip install tokenizers`; takes two minutes.
"""

import json
import pathlib
import struct
import sys
import zlib

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).parent
DIRECTORY = HERE / "tokenizer"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the a an of and to in is it was he she they you we not on with as for that this film movie good bad un ##aff
##able ##ably play ##ing ##ed ##s ##er ##est run ##ning token ##ization ##ize ##izer who won game super bowl hello
world straße naive café resume don t it's new york paris in 1999 2024 10 ##0 ##00 ##1 ##9 ##99 mask sep wow ##ow
über ##ü ##é ##ß ##ё ##ы ##日 日本 ##本 中 文 한국 ##한""".split()
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789éüßñøıαβγδεςσавгдеёжийы\u0301\u0307\u302e\u1b44"
SINGLES = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~…—“”’·、。€№😀🏽漢字日本語文中"
JAMO = [chr(c) for first, count in ((0x1100, 19), (0x1161, 21), (0x11A8, 27)) for c in range(first, first + count)]

# fmt: off
TEXTS = [
    "", " ", "hello world", "  Hello,   WORLD!  ", "unaffable unaffably unaffected", "the film was not bad.",
    "Café naïve résumé Ångström Über straße ẞ İstanbul ısı ΣΊΣΥΦΟΣ Ёжик йод", "cafe\u0301 e\u0301\u0323 n\u0303",
    "漢字とかな 日本語 中文abc中", "豈 \uf900 \U0002f800", "한국어 각 가 힣 \u1112\u1161\u11ab", "👩‍👩‍👧‍👦 😀🏽 a😀b ❤️",
    "a\u200db zero\u200bwidth soft\u00adhyphen \ufeffbom", "tab\there new\u0085line line\u2028sep \u00a0nbsp\u3000wide",
    "bell\x07 esc\x1b[0m del\x7f vt\x0b ff\x0c cr\rend", "\ufffd a\ufffdb", "private \ue000 \U000f0000 unassigned \u0378",
    "x" * 100, "x" * 101, "é" * 100, "é" * 101, "e\u0301" * 100, "word " + "ab" * 51 + " word",
    "[SEP]", "a [SEP] b", "a[SEP]b", "[CLS] [MASK] [PAD] [UNK]", "[sep] [Mask] [ SEP ] [[SEP]] [SEP", "[SEP][SEP]",
    "see <lmask>here", "see  <lmask> here", "\u3000<lmask>\u00a0", "see <rmask>  here <rmask>", "<rmask> <lmask>",
    "wholetoken", "a wholetoken b", "awholetoken wholetokens wholetoken, _wholetoken é.wholetoken日",
    "NewTok newtok NEWTOK néwtok newtokens", "a[ENT]b [ent]", "newtok[SEP]NEWTOK", "newtoknewtok 漢newtok字",
    "don't it's 1,000.50 $10 50% a/b c&d e@f.g #hash ##ing _under_ ~tilde`", "“quotes” ’tis — dash … ·dot· €10 №5",
    "ﬁ ﬀ Ω \u2126 \u212b \u1e9b\u0323 \u037e \u0387 \u1fef \u2000en", "\u0344 \u0f73 \u0f75 \u0f81",
    "b\u1b44\u0301a c\u0301\u1b44 d\u302e\u0301\u1b44", "\U0001d15e\u1b44 \U0001d160\U0001d165", "h\u0302e\u032dl\u0327lo",
    "q\u0303\u0323\u302e\u0316w \u1b44\u1b44 \u0301abc", "हिन्दी עִברִית العَرَبِيَّة ภาษาไทย বাংলা", "ΑΒΓ αβγ ς σ", "АВГ абв Ы",
    "ǅ ǈ Ǆ ﬃ Ａｂｃ ① Ⅷ ª º", "\U00010400 \U0001e900 \u1c89 \ua7cb", "a\u0000b".replace("\u0000", "\u0001"),
]
PAIRS = [("who won the game?", "The Super Bowl of 1999 was won in Paris."), ("", "a"), ("a", ""), ("", ""),
         ("a b c d e f g h", "i j k"), ("i j k", "a b c d e f g h"), ("a b c d e", "f g h i j"), ("a [SEP] b", "c")]
WORD_LISTS = [["hello", "world"], ["unaffable", "", "New York", "don't", "漢字x", "[SEP]", "\u200b", "İs", "é"], [],
              ["x" * 101, "a [MASK] b", "newtok", " "]]
# fmt: on


def build():
    vocab = list(dict.fromkeys(SPECIAL + WORDS + list(LETTERS) + list(SINGLES) + JAMO))
    vocab += [f"##{c}" for c in list(LETTERS) + JAMO if f"##{c}" not in vocab]
    t = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocab)}, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pair = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
    ids = [(name, vocab.index(name)) for name in ("[CLS]", "[SEP]")]
    t.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair=pair, special_tokens=ids)
    t.add_special_tokens(SPECIAL)
    t.save(str(HERE / "plain.json"))
    plain = Tokenizer.from_file(str(HERE / "plain.json"))  # without the tokens that follow
    (HERE / "plain.json").unlink()
    t.add_special_tokens([AddedToken("<lmask>", lstrip=True), AddedToken("<rmask>", rstrip=True)])
    t.add_tokens([AddedToken("wholetoken", single_word=True), AddedToken("NewTok"), AddedToken("[ENT]", normalized=False)])
    DIRECTORY.mkdir(exist_ok=True)
    t.save(str(DIRECTORY / "tokenizer.json"), pretty=False)
    (DIRECTORY / "vocab.txt").write_text("".join(w + "\n" for w in vocab))
    (DIRECTORY / "tokenizer_config.json").write_text('{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}\n')
    return t, plain


def fields(e):
    def numbers(values):
        return [-1 if v is None else v for v in values]

    return {"ids": e.ids, "type_ids": e.type_ids, "offsets": e.offsets, "sequences": numbers(e.sequence_ids),
            "words": numbers(e.word_ids), "special_mask": e.special_tokens_mask}


def windows(e):
    return [fields(w) for w in [e, *e.overflowing]]


def encodings(t):
    cases = {"texts": [{"text": text, **fields(t.encode(text))} for text in TEXTS]}
    t.encode_special_tokens = True
    cases["plain_special"] = [{"text": text, **fields(t.encode(text))} for text in TEXTS if "[" in text or "<" in text]
    t.encode_special_tokens = False
    cases["pairs"] = [{"texts": pair, **fields(t.encode(*pair))} for pair in PAIRS]
    cases["words"] = [{"list": words, **fields(t.encode(words, is_pretokenized=True))} for words in WORD_LISTS]
    return cases


def truncations(t):
    cases = {"truncated": [], "windows": []}
    for texts in [(text,) for text in (TEXTS[4], TEXTS[8])] + PAIRS:
        for max_length in range(len(texts) + 1, 16):
            t.enable_truncation(max_length, strategy="longest_first")
            cases["truncated"].append({"texts": texts, "max_length": max_length, **fields(t.encode(*texts))})
    for pair in PAIRS:
        for max_length in (4, 6, 9, 12, 15):
            for stride in (0, 1, 3):
                try:
                    t.enable_truncation(max_length, stride=stride, strategy="only_second")
                except ValueError:  # refused before the texts are seen
                    continue
                try:
                    found = windows(t.encode(*pair))
                except BaseException:  # the first text is too long (an error), or the stride is (a panic)
                    found = None
                cases["windows"].append({"texts": pair, "max_length": max_length, "stride": stride, "windows": found})
    t.no_truncation()
    return cases


def blocks(make_bytes):
    """CRC-32 over each block of 4096 scalar values, NUL and surrogates left out."""
    sums = []
    for begin in range(0, 0x110000, 4096):
        crc = 0
        for c in range(max(begin, 1), begin + 4096):
            if not 0xD800 <= c < 0xE000:
                crc = zlib.crc32(make_bytes(f"a{chr(c)}b"), crc)
        sums.append(f"{crc:08x}")
    return sums


def encoded_bytes(t):
    def make(text):
        e = t.encode(text)
        numbers = [n for i, (b, f) in zip(e.ids, e.offsets) for n in (i, b, f)]
        return struct.pack(f"<{len(numbers)}i", *numbers)

    return make


def unicode_sums(t):
    sums = {}
    for name, lowercase in (("uncased", True), ("cased", False)):
        t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        sums[name] = blocks(encoded_bytes(t))
    for options in ((1, 1, 1, 1), (1, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
        names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
        normalizer = normalizers.BertNormalizer(**dict(zip(names, map(bool, options))))
        sums["normalized " + "".join(map(str, options))] = blocks(lambda s, n=normalizer: n.normalize_str(s).encode())
    return sums


def main():
    tokenizer, plain = build()
    golden = {"uncased": encodings(tokenizer), **truncations(tokenizer)}
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    # Read anew: added tokens keep the form that the old normaliser gave them.
    golden["cased"] = encodings(Tokenizer.from_str(tokenizer.to_str()))
    golden["vocab.txt"] = encodings(plain)
    golden["unicode"] = unicode_sums(plain)
    if len(sys.argv) > 1:
        minilm = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
        minilm.no_truncation()
        minilm.no_padding()
        golden["minilm"] = encodings(minilm)
    with open(HERE / "tokenizer_golden.json", "w") as out:
        out.write(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")


main()
