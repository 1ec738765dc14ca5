#!/usr/bin/env bash
# The study from outside: what it refuses, what it leaves behind, that it does not repeat what is there.
. "$(dirname "$0")/common.sh"

mkdir toy
printf 'text\tlabel\nthe good\t1\nnot a\t0\nis good b\t1\nnot\t0\n' >toy/train.tsv
cp toy/train.tsv toy/dev.tsv
study() { echo "$tools/study" "$1" --model "$model" --data toy=toy,max-length=16 --no-examples --out found --seeds 1 --steps 2 --batch-size 2 --evaluations 1 --threads 1; }

refuses "bogus" $(study bogus)
refuses "--model" "$tools/study" curves --data toy=toy --out found
refuses "nowhere" $(study curves) --model nowhere
refuses "--out" "$tools/study" curves --model "$model"
refuses "toy/train.tsv" $(study curves) --out toy/train.tsv
refuses "NAME=DIR" $(study curves) --data toy
refuses "no data" "$tools/study" curves --model "$model" --out found --no-examples
refuses "colour" $(study curves) --data a=toy,colour=red
refuses "--grid" $(study landscape) --grid 6
refuses "--lr" $(study curves) --lr 0
printf '{"study":"curves","format":99}\n' >found/curves.jsonl
refuses "format 99" $(study curves)
rm found/curves.jsonl

accepts $(study curves);  says '"page":"found/study.html"'
cp found/curves.jsonl before.jsonl
accepts $(study curves)
checks=$((checks + 1))
cmp -s before.jsonl found/curves.jsonl || { echo "FAILED: a finished run was made again"; failures=$((failures + 1)); }
accepts $(study rollback)
accepts $(study table) --preset sst2=toy,label=label,text=text,max-length=16
refuses "studies=curve" $(study curves) --data a=toy,studies=curve
accepts $(study modes) --steps 1;                       says '"study":"modes"'
accepts $(study layers) --data words=toy,max-length=16,studies=table
checks=$((checks + 1))
[ "$(grep -c '"set":"toy"' found/layers.jsonl)" = "$(grep -c '"layer_weights"' found/layers.jsonl)" ] || { echo "FAILED: layers took a set that is for table"; failures=$((failures + 1)); }
accepts "$tools/study" page --out found
checks=$((checks + 1))
grep -q 'BERT-large' found/study.html || { echo "FAILED: no published scores on the page"; failures=$((failures + 1)); }
checks=$((checks + 1))
grep -q '"start":"frozen"' found/table.jsonl || { echo "FAILED: the table has no frozen column"; failures=$((failures + 1)); }
