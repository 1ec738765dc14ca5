"""Writes text_metrics_golden.json: BLEU and chrF of sacreBLEU and ROUGE of rouge_score on texts of our own.

    python3 make_text_metrics_golden.py

Needs sacrebleu and rouge_score.
"""
import json
import os
import random

from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

REFERENCES = [
    "The ferry to the island leaves at 9.30, and again at noon.",
    "Mrs. O'Neill paid $1,250.75 for two second-hand bicycles!",
    "Why did nobody close the window before the storm came?",
    "Übermorgen fährt der Zug nach Köln über Düsseldorf.",
    "Das Mädchen sagte: „Ich komme später“ - und ging.",
    "Le café «Chez Zoé» n'ouvre qu'à 18 h 30…",
    "In 2019-2020 the price rose by 3.5%, from 1,000 to 1,035 pounds.",
    "猫は窓のそばで静かに眠っている。",
    "她把书放回了书架上，然后关灯。",
    "Rock&roll; AT&amp;T &lt;tag&gt; &quot;quoted&quot; [x] {y} ~z^",
    "Скорый поезд прибывает на пятую платформу.",
    "\u212Aelvin and \u0130stanbul, 5\u00a0km away",
    "one",
    "two words",
    "A very, very, very, very long way to go - and the-same-again.",
    "  spaces   everywhere\there ",
]
ODD = ["", " ", ".", "...", "1.2.3", "a.b", "1,000.", ".5", "5-6", "a-5-b", "x -5", "don't", "\"Hi,\" he said.",
       "<skipped>gone", "line-\nbreak", "line\nbreak", "5-\n", "&amp;quot;", "ü.ß,1,é", "5.ü", "\u3000wide\u2003space\x1cseparated",
       "a&b;c", "(a)[b]{c}", "$5.00", "€5,00", "A.B.C.", "--", "1--2", "#1@x/y\\z|w", "`tick´"]


def noisy(text, rng, level):
    words = text.split(" ")
    out = []
    for word in words:
        draw = rng.random()
        if draw < level / 3:
            continue
        if draw < level * 2 / 3:
            out.append(rng.choice(words))
        out.append(word.upper() if rng.random() < level / 4 else word)
    if rng.random() < level and len(out) > 2:
        i = rng.randrange(len(out) - 1)
        out[i], out[i + 1] = out[i + 1], out[i]
    return " ".join(out)


def score(hypotheses, references):
    count = max(len(r) for r in references)
    streams = [[r[i] if i < len(r) else None for r in references] for i in range(count)]
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    rouge = [scorer.score_multi(r, h) for h, r in zip(hypotheses, references)]
    case = {"hypotheses": hypotheses, "references": references,
            "bleu": BLEU().corpus_score(hypotheses, streams).score,
            "chrf": CHRF().corpus_score(hypotheses, streams).score}
    for name in ("rouge1", "rouge2", "rougeL"):
        case[name] = sum(r[name].fmeasure for r in rouge) / len(rouge)
    return case


def main():
    rng = random.Random(4)
    single = [[r] for r in REFERENCES]
    cases = [score(list(REFERENCES), single), score([""] * len(REFERENCES), single),
             score(["completely different"] * len(REFERENCES), single),
             score(["two words"], [["two words"]]), score(["three short words"], [["three short words"]]),
             score([""], [["x"]]), score(["the the the the"], [["the cat"]]), score(["a b c d e"], [["a b d c e"]])]
    for level in (0.1, 0.3, 0.7):
        cases.append(score([noisy(r, rng, level) for r in REFERENCES], single))
    many = [[noisy(r, rng, 0.2) for _ in range(rng.randint(1, 4))] for r in REFERENCES]
    cases.append(score([noisy(r, rng, 0.2) for r in REFERENCES], many))
    cases.append(score([noisy(r, rng, 0.5) for r in REFERENCES], [r + [""] for r in many]))
    cut = [r[:rng.randint(0, len(r))] for r in REFERENCES]
    cases.append(score(cut, many))
    tokenizer = Tokenizer13a()
    texts = ODD + REFERENCES
    tokens = [{"text": t, "tokens": tokenizer(t.rstrip()).split()} for t in texts]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "text_metrics_golden.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"cases": cases, "tokens_13a": tokens}, file, ensure_ascii=False)
        file.write("\n")


main()
