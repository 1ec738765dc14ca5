#!/usr/bin/env bash
# The programs from outside, with answers copied from the input: formats, one-line errors, files left behind.
. "$(dirname "$0")/common.sh"

squad() {  # squad <context> <questions>: a file of one paragraph
  printf '{"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "%s", "qas": [%s]}]}]}' "$1" "$2"
}
question() {  # question <id> <question> <answer> <start>
  printf '{"id": "%s", "question": "%s", "answers": [{"text": "%s", "answer_start": %s}]}' "$1" "$2" "$3" "$4"
}
text="the cat is not good. a dog is."
squad "$text" "$(question a 'is it' cat 4), $(question b 'who' 'a dog' 21)" >train.json
cp train.json dev.json
train() {
  echo "$tools/train" --task extract --train "${1:-train.json}" --dev "${2:-dev.json}" --model "$model" --out run \
    --max-length 30 --stride 4 --epochs 1 --threads 1
}

# Answers and their places.
squad "$text" "$(question a 'is it' cow 4)" >cow.json;      refuses 'question a] the answer "cow" does not occur' $(train cow.json)
refuses "question a" $(train train.json cow.json)
squad "$text" "$(question a 'is it' is 0)" >is.json;        refuses "occurs there several times" $(train is.json)
squad "$text" "$(question a 'is it' '  ' 3)" >blank.json;   refuses "an answer is empty" $(train blank.json)
# Windows.
refuses "--max-length" $(train) --max-length 9
refuses "out of range" $(train) --max-length 2000
refuses "--stride" $(train) --stride 28
refuses "--max-answer" $(train) --max-answer 0
# Files that are no good.
head -c 150 train.json >cut.json;                           refuses "cut.json" $(train cut.json)
squad "" "$(question a 'is it' cat 4)" >empty.json;         refuses "the document is empty" $(train empty.json)
squad "$text" '{"id": "a", "answers": []}' >key.json;       refuses 'no key "question"' $(train key.json)
squad "$text" '{"id": "a", "question": 7, "answers": []}' >type.json; refuses '"question" is a number' $(train type.json)
squad "$text" '' >none.json;                                refuses "holds no question" $(train none.json)
echo '{"data": {}}' >data.json;                             refuses '"data" is an object' $(train data.json)
printf '{"text": "a cat", "answer": "cat"}\n{"text": "a cat"}\n' >key.jsonl; refuses 'key.jsonl:2] no key "answer"' $(train key.jsonl)
printf 'text\tanswer\na cat\tdog\n' >dog.tsv;               refuses "dog.tsv:2" $(train dog.tsv)
printf 'a cat\n' >plain.txt;                                refuses "plain lines carry no answers" $(train plain.txt)
refuses "has questions" $(train) --question who
refuses "--task" $(train) --preset sst2
: >nothing.json;                                            refuses "nothing.json" $(train nothing.json)

# A run, and what it leaves behind. (`refuses` wants no finished `run`: it is moved away.)
accepts $(train);                                           says '"task":"extract"'; says '"exact_match"'
mv run trained
accepts "$tools/predict" --model trained --input dev.json --n-best 2 --logits
says '"id":"b"'; says '"n_best"'; says '"logits"'
accepts "$tools/predict" --model trained --model trained --input dev.json --output lines.jsonl
accepts "$tools/evaluate" --model trained --data dev.json;  says '"f1"'
accepts "$tools/evaluate" --predictions lines.jsonl --data dev.json; says '"f1"'
echo '{"a": "cat", "b": "dog"}' >predictions.json
accepts "$tools/evaluate" --predictions predictions.json --data dev.json --preset squad; says '{"exact_match": 100, "f1": 100}'
printf 'who\t%s\n\t%s\nwho\t\n' "$text" "$text" >lines.txt
accepts "$tools/predict" --model trained --input lines.txt
says '{"answer":"","start":-1,"end":-1,"score":0.0}'
echo 'one text alone' >alone.txt
refuses "a question, a tab and its document" "$tools/predict" --model trained --input alone.txt

# Questions without an answer: the threshold is stored.
squad "$text" "$(question a 'is it' cat 4), {\"id\": \"c\", \"question\": \"big\", \"is_impossible\": true, \"answers\": []}" >two.json
accepts $(train two.json two.json) --overwrite;             says '"NoAns_f1"'; says '"best_f1_thresh"'
accepts grep '"null_threshold"' run/task.json;              says '"null_threshold": '
accepts "$tools/predict" --model run --input two.json;      says '"no_answer"'
rm -rf other; mv run other
refuses "cannot form an ensemble" "$tools/predict" --model trained --model other --input dev.json

# Documents alone, with a fixed question; two MLPs.
printf '{"text": "the cat is so good", "answer": "so good"}\n{"text": "not a good day", "answer": "not", "start": 0}\n' >alone.jsonl
accepts $(train alone.jsonl alone.jsonl) --question 'is it good' --head mlp
echo 'a very good dog' >alone.txt
accepts "$tools/predict" --model run --input alone.txt;     says '"answer"'
accepts "$tools/train" --config run/run.toml --overwrite;   says '"task":"extract"'
accepts $(train) --overwrite --dry-run;                     says '"windows"'
