"""Makes the small copies of models and data that bench/cuda_pack.sh carries to another machine. Python's library only.

    bench/pack_data.py half MODEL TO          a Hugging Face model with its weights as float16
    bench/pack_data.py table FILE TO ROWS     the first rows of a TSV, header included
    bench/pack_data.py squad FILE TO ROWS     the first questions of a SQuAD file, .gz or not
"""
import gzip
import json
import os
import shutil
import struct
import sys

CHUNK = 1 << 20  # numbers converted at a time


def half_weights(source, target):
    with open(source, "rb") as file, open(target, "wb") as out:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        base = file.tell()
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__" and entry["dtype"] == "F32"}
        made, offset = {"__metadata__": {"format": "pt"}}, 0
        for name, entry in tensors.items():
            size = (entry["data_offsets"][1] - entry["data_offsets"][0]) // 2
            made[name] = {"dtype": "F16", "shape": entry["shape"], "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(made, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        out.write(struct.pack("<Q", len(text)) + text)
        for entry in tensors.values():
            begin, end = entry["data_offsets"]
            file.seek(base + begin)
            left = (end - begin) // 4
            while left:
                count = min(left, CHUNK)
                out.write(struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", file.read(4 * count))))
                left -= count


def half(model, target):
    os.makedirs(target, exist_ok=True)
    for name in ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(os.path.join(model, name), target)
    half_weights(os.path.join(model, "model.safetensors"), os.path.join(target, "model.safetensors"))


def table(source, target, rows):
    with open(source, encoding="utf-8", newline="") as file, open(target, "w", encoding="utf-8", newline="") as out:
        for number, line in enumerate(file):
            if number > rows:
                break
            out.write(line)


def squad(source, target, rows):
    with (gzip.open if source.endswith(".gz") else open)(source, "rt", encoding="utf-8") as file:
        whole = json.load(file)
    articles = []
    for article in whole["data"]:
        paragraphs = []
        for paragraph in article["paragraphs"]:
            questions = paragraph["qas"][:rows]
            rows -= len(questions)
            if questions:
                paragraphs.append({"context": paragraph["context"], "qas": questions})
        if paragraphs:
            articles.append({"title": article["title"], "paragraphs": paragraphs})
    with open(target, "w", encoding="utf-8") as out:
        json.dump({"version": whole["version"], "data": articles}, out, ensure_ascii=False)


if __name__ == "__main__":
    what, source, target = sys.argv[1:4]
    if what == "half":
        half(source, target)
    else:
        {"table": table, "squad": squad}[what](source, target, int(sys.argv[4]))
