#!/usr/bin/env bash
# The programs from outside, with one class for each text: exit codes, one-line errors, files left behind.
. "$(dirname "$0")/common.sh"

printf 'text\tlabel\nthe good\tyes\nnot a\tno\nis good b\tyes\nnot\tno\n' >train.tsv
cp train.tsv dev.tsv
train() { echo "$tools/train" --model "$model" --train "${1:-train.tsv}" --dev "${2:-dev.tsv}" --out run --max-length 16 --epochs 1 --threads 1; }

refuses "unknown-option" $(train) --unknown-option
refuses "column" $(train) --columns text=sentence
: >empty.tsv;                                        refuses "empty.tsv" $(train empty.tsv)
printf 'text\tlabel\n' >header.tsv;                  refuses "header.tsv" $(train header.tsv)
printf 'text\tlabel\ngood\tmaybe\n' >odd.tsv;        refuses "odd.tsv:2" $(train train.tsv odd.tsv)
printf 'text\tlabel\ngo\xffod\tyes\nb\tno\n' >bad.tsv; refuses "bad.tsv:2" $(train bad.tsv)
printf 'text\tlabel\ngo\0od\tyes\nb\tno\n' >nul.tsv;   refuses "nul.tsv:2" $(train nul.tsv)
printf 'text\tlabel\ngood\n' >short.tsv;             refuses "short.tsv:2" $(train short.tsv)
refuses "missing.tsv" $(train missing.tsv)
refuses "is not known" $(train) --task unknown
refuses "lr" $(train) --lr fast
refuses "CUDA" $(train) --device cuda:99

cp -r "$model" broken && truncate -s 5000 broken/model.safetensors
refuses "broken/model.safetensors" $(train) --model broken
rm -rf broken; cp -r "$model" broken && sed -i 's/"hidden_size": 32/"hidden_size": 64/' broken/config.json
refuses "mismatched" $(train) --model broken
rm -rf broken; cp -r "$model" broken && rm broken/vocab.txt broken/tokenizer.json
refuses "vocab.txt" $(train) --model broken
rm -rf broken; cp -r "$model" broken && rm broken/model.safetensors && : >broken/pytorch_model.bin
refuses "pytorch_model.bin" $(train) --model broken

accepts $(train);                    says '"task":"classify"'
refuses_again() { checks=$((checks + 1)); "$@" >out.txt 2>err.txt && { echo "FAILED: a folder that is not empty was taken"; failures=$((failures + 1)); }; }
refuses_again $(train)
accepts $(train) --resume;           says '"task":"classify"'
accepts $(train) --overwrite
accepts "$tools/train" --config run/run.toml --overwrite;   warns 0 "changes nothing"
accepts $(train) --overwrite --task classify --decode crf --adapter-size 8 --features-norm --pool mean
warns 3 "changes nothing here"
warns 1 "[--adapter-size] changes nothing here: it is for --tune adapter"
accepts "$tools/predict" --model run --input train.tsv --beam 4;   warns 1 "[--beam] changes nothing here: it is for --task generate"
accepts $(train) --overwrite
accepts "$tools/predict" --model run --input train.tsv;   says '"label"'
accepts "$tools/predict" --model run --model run --input train.tsv --output lines.jsonl
accepts "$tools/evaluate" --model run --data dev.tsv;     says '"accuracy"'
accepts "$tools/evaluate" --predictions lines.jsonl --data dev.tsv;  says '"accuracy"'
accepts "$tools/tokenize" --model "$model" --input train.tsv;        says '"offsets"'
accepts "$tools/train" --version;    says 'OpenBLAS'
mv run done
refuses "bf16 is not available on cpu" "$tools/predict" --model done --input train.tsv --dtype bf16
rm -rf "m #1" && cp train.tsv 'm #1.tsv'
accepts "$tools/train" --model "$model" --train 'm #1.tsv' --dev dev.tsv --out hash --max-length 16 --epochs 1 --label-separator '#'
accepts "$tools/train" --config hash/run.toml --overwrite   # a '#' in a value survives
accepts "$tools/train" --model "$model" --train train.tsv --dev dev.tsv --out seeds --max-length 16 --epochs 1 --seeds 2
says '"dev_std":{"accuracy":'
accepts "$tools/train" --config seeds/seed-43/run.toml --dry-run
says '"first_batch"'
printf 'text\tlabel\ngood\t1.5\nnot a\t0\nis b\t2\n' >numbers.tsv
printf 'text\tlabel\ngood\t1\nnot a\t1\n' >constant.tsv   # correlations with a constant do not exist
numbers=("$tools/train" --model "$model" --train numbers.tsv --dev constant.tsv --labels number --out numbers --max-length 16 --epochs 1)
accepts "${numbers[@]}"
rm numbers/result.json
accepts "${numbers[@]}" --resume;    says '"pearson":null'
accepts "$tools/predict" --model numbers --input numbers.tsv --output numbers.jsonl
accepts "$tools/evaluate" --predictions numbers.jsonl --data numbers.tsv --labels number;  says '"mse"'
printf 'bogus = 1\n' >bad.toml
refuses "bogus" $(train) --config bad.toml
refuses "--metric" $(train) --metric foo
refuses "--keep" $(train) --keep 0
refuses "--steps" $(train) --steps -5
refuses "--label-separator" $(train) --labels multi --label-separator ""
refuses "is the folder of --model" "$tools/train" --model "$model" --train train.tsv --out "$model" --overwrite --max-length 16
head -n 4 train.tsv >fewer.tsv
refuses "lines.jsonl" "$tools/evaluate" --predictions lines.jsonl --data fewer.tsv
refuses "task.json" "$tools/predict" --model "$model" --input train.tsv

# A full disk: a clear word, and nothing that looks finished. Needs root for a small file system.
mkdir small
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=150k tmpfs small 2>/dev/null; then
  mounted=yes
  checks=$((checks + 1))
  "$tools/train" --model "$model" --train train.tsv --out small/run --max-length 16 --epochs 1 >out.txt 2>err.txt </dev/null
  code=$?
  if [ $code -ne 2 ] || ! tail -n 1 err.txt | grep -qi 'space'; then
    echo "FAILED: full disk: exit code $code: $(tail -n 1 err.txt)"; failures=$((failures + 1))
  fi
  [ -e small/run/task.json ] && { echo "FAILED: full disk: left a task.json"; failures=$((failures + 1)); }
else
  echo "skipped: the full disk (needs root and tmpfs)"
fi
