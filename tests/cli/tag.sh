#!/usr/bin/env bash
# The programs from outside, with a class for each word: formats, exit codes, one-line errors.
. "$(dirname "$0")/common.sh"

printf 'the O\ngood B-A\ndog I-A\nis O\nbad O\n\nnot O\na O\ncat B-A\n\ncat B-A\n! O\n' >train.conll
cp train.conll dev.conll
train() { echo "$tools/train" --task tag --model "$model" --train "${1:-train.conll}" --dev "${2:-dev.conll}" --out run --max-length 16 --epochs 1 --threads 1; }

printf 'the O\ngood\n' >step.conll;                                   refuses "step.conll:2" $(train step.conll)
printf 'the x O\ngood O\n' >mixed.conll;                              refuses "mixed.conll:2" $(train mixed.conll)
printf 'the O\ngood B-ODD\n' >odd.conll;                              refuses "odd.conll:2" $(train train.conll odd.conll)
printf 'a O\n\xff O\n' >bytes.conll;                                  refuses "bytes.conll:2" $(train bytes.conll)
printf '\n\n' >none.conll;                                            refuses "none.conll" $(train none.conll)
printf 'a O\nb O\n' >one.conll;                                       refuses "at least 2" $(train one.conll)
printf '{"words": ["a", "b"], "tags": ["O"]}\n' >step.jsonl;          refuses "step.jsonl:1] 1 tags for 2 words" $(train step.jsonl)
printf '{"words": [], "tags": []}\n' >empty.jsonl;                    refuses "empty.jsonl:1" $(train empty.jsonl)
printf '1\tthe\tDET\n' >short.conllu;                                 refuses "short.conllu:1" $(train short.conllu)
refuses "missing.conll" $(train missing.conll)
refuses "--decode" $(train) --decode best
refuses "--stride" $(train) --stride 15
refuses "--columns" $(train) --columns label=ner
refuses "--format" $(train) --format tsv
printf 'a X\nb Y\n' >pos.conll;                                       refuses "legal" $(train pos.conll) --decode legal

accepts $(train);  says '"entity_f1"'
accepts "$tools/predict" --model run --input train.conll --output lines.jsonl
accepts "$tools/evaluate" --model run --data dev.conll;               says '"f1_A"'
accepts "$tools/evaluate" --predictions lines.jsonl --data dev.conll; says '"entity_f1"'
accepts "$tools/evaluate" --task tag --predictions lines.jsonl --data dev.conll --limit 2
printf 'good dog\n\nthe cat\x01 is bad\n' >in.txt
accepts "$tools/predict" --model run --input in.txt --logits;         says '"tokens":["good","dog"],"tags":['
says '"tokens":[],"tags":[]'
checks=$((checks + 1)); [ "$(wc -l <out.txt)" -eq 3 ] || { echo "FAILED: 3 lines in, $(wc -l <out.txt) out"; failures=$((failures + 1)); }
# A sentence of more words than positions: one tag for each.
for _ in $(seq 60); do printf 'the good dog is not bad '; done >long.txt
accepts "$tools/predict" --model run --input long.txt
checks=$((checks + 1)); tags=$(sed 's/.*"tags":\[//; s/\].*//' out.txt | tr ',' '\n' | wc -l)
[ "$tags" -eq 360 ] || { echo "FAILED: 360 words in, $tags tags out"; failures=$((failures + 1)); }
accepts "$tools/predict" --model run --model run --input long.txt;    says '"scores":['
head -n 1 lines.jsonl >fewer.jsonl
refuses_score() { checks=$((checks + 1)); "$@" >out.txt 2>err.txt && { echo "FAILED: ${*##*/}: accepted"; failures=$((failures + 1)); }; }
refuses_score "$tools/evaluate" --predictions fewer.jsonl --data dev.conll
mv run done

for decode in legal crf; do accepts $(train) --decode $decode --overwrite; says '"entity_f1"'; done
accepts "$tools/predict" --model run --input train.conll;             says '"scores"'
accepts $(train) --head mlp --overwrite
accepts $(train) --dry-run --overwrite;                               says '"tags"'
printf '{"words": ["the", "cat"], "tags": ["O", "X"], "text2": "is it a cat?"}\n{"words": ["no", "dog"], "tags": ["O", "Y"], "text2": "good dog"}\n' >pairs.jsonl
accepts $(train pairs.jsonl pairs.jsonl) --overwrite;                 says '"word_accuracy"'
printf 'the dog\tis it good?\n' >pairs.txt
accepts "$tools/predict" --model run --input pairs.txt;               says '"tokens":["the","dog"]'
mv run pairs
printf 'the dog\n' >single.txt;                                       refuses "single.txt:1" "$tools/predict" --model pairs --input single.txt
