#!/usr/bin/env bash
# The programs from outside, with a text written for each input: bad input, both generators, decoding, ensembles.
. "$(dirname "$0")/common.sh"

printf 'text\ttarget\na b c\tc b a\nd e\te d\nf g h\th g f\na d\td a\n' >train.tsv
cp train.tsv dev.tsv
train() {  # train <generator> <training data>
  echo "$tools/train" --task generate --generator "${1:-decoder}" --model "$model" --train "${2:-train.tsv}" --dev dev.tsv \
    --out run --max-length 16 --max-target-length 16 --decoder-layers 1 --epochs 1 --threads 1
}

# Data.
printf 'text\ttarget\na\tb\nc\t \n' >empty.tsv;            refuses "empty.tsv:3" $(train decoder empty.tsv)
printf 'text\tanswer\na\tb\n' >nameless.tsv;               refuses '"target"' $(train decoder nameless.tsv)
printf '{"text": "a", "target": []}\n' >none.jsonl;        refuses "none.jsonl:1" $(train decoder none.jsonl)
printf '{"text": "a", "target": ["b", ""]}\n' >one.jsonl;  refuses "one.jsonl:1" $(train decoder one.jsonl)
printf 'a b\nc d\ne f\n' >three.src; printf 'b a\nd c\n' >two.tgt
refuses "three.src has 3 lines, two.tgt has 2" $(train decoder three.src:two.tgt)
printf 'b a\n\nf e\n' >gap.tgt;                            refuses "gap.tgt:2" $(train decoder three.src:gap.tgt)
refuses "missing.tgt" $(train decoder three.src:missing.tgt)
printf 'text\ttext2\ttarget\na\tb\tc\n' >pairs.tsv;        refuses "has 2 texts per row" $(train) --dev pairs.tsv

# Options.
refuses "--generator" $(train encoder)
refuses "--target-vocab" $(train self) --target-vocab 100
refuses "vocab" $(train) --target-vocab 5
refuses "--max-length" $(train) --max-length 100
refuses "--max-target-length" $(train) --max-target-length 100
refuses "--max-target-length" $(train self) --max-length 30
refuses "--max-target-length" $(train) --max-target-length 1
refuses "--decoder-layers" $(train) --decoder-layers 0
refuses "--metric" $(train) --metric accuracy

# Both versions, pretrained and random, one text and two, tables and parallel text.
for generator in decoder self; do
  accepts $(train $generator) --label-smoothing 0.1;       says '"bleu"'
  mv run $generator
  accepts $(train $generator pairs.tsv) --dev pairs.tsv --init random;  says '"exact_match"'
  [ -e run/report.html ] || { echo "FAILED: no report"; failures=$((failures + 1)); }
  rm -rf run
done
gzip -c three.src >three.src.gz; printf 'b a\nd c\nf e\n' >three.tgt
accepts $(train decoder three.src.gz:three.tgt) --target-vocab 40 --max-target-length 3
mv run own
[ -e own/target_tokenizer/vocab.txt ] && [ -e own/surface.json ] || { echo "FAILED: a part of the folder is missing"; failures=$((failures + 1)); }
grep -q '3 cut after 2 tokens' err.txt && { echo "FAILED: nothing was to be cut"; failures=$((failures + 1)); }
accepts $(train) --dry-run;                                says '"target":["c","b","a","[SEP]"]'
accepts $(train) --max-target-length 3
grep -q '2 cut after 2 tokens' err.txt || { echo "FAILED: cut targets are not counted: $(grep targets err.txt)"; failures=$((failures + 1)); }
rm -rf run
cp -r own run
accepts $(train) --overwrite
[ -e run/target_tokenizer ] && { echo "FAILED: the vocabulary of an overwritten run is left"; failures=$((failures + 1)); }
rm -rf run

# Predicting and scoring.
printf 'a b\nc\n' >lines.txt
accepts "$tools/predict" --model decoder --input lines.txt;  says '"score"'
accepts "$tools/predict" --model self --input train.tsv --beam 3 --n-best 2 --length-penalty 0.6 --no-repeat-ngram 2
says '"n_best"'
accepts "$tools/predict" --model own --input lines.txt --sample --temperature 0.7 --top-k 5 --top-p 0.9 --max-new-tokens 2
accepts "$tools/predict" --model decoder --model self --input train.tsv --output lines.jsonl
accepts "$tools/evaluate" --model decoder --data three.src:three.tgt --beam 2;   says '"rougeL"'
accepts "$tools/evaluate" --predictions lines.jsonl --data train.tsv;            says '"chrf"'
cp three.tgt guesses.txt
accepts "$tools/evaluate" --task generate --predictions guesses.txt --data three.src:three.tgt;  says '"exact_match": 1'
printf '{"text": "a", "target": ["x", "b a"]}\n' >two.jsonl; printf '{"text": "b  a"}\n' >guess.jsonl
accepts "$tools/evaluate" --predictions guess.jsonl --data two.jsonl;            says '"exact_match": 1'
refuses "--beam" "$tools/predict" --model decoder --input lines.txt --beam 0
refuses "--sample" "$tools/predict" --model decoder --input lines.txt --beam 2 --sample
refuses "--n-best" "$tools/predict" --model decoder --input lines.txt --beam 2 --n-best 3
refuses "--max-new-tokens" "$tools/predict" --model self --input lines.txt --max-new-tokens 30
refuses "vocabular" "$tools/predict" --model decoder --model own --input lines.txt
refuses "has 4 predictions, three.src:three.tgt has 3" "$tools/evaluate" --predictions lines.jsonl --data three.src:three.tgt
refuses "the model reads 1" "$tools/predict" --model decoder --input pairs.tsv --columns text=text,text2=text2
rm own/surface.json; refuses "surface.json" "$tools/predict" --model own --input lines.txt
