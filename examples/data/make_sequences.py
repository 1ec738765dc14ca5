"""Writes the two sets with texts as targets: notes/ (a jotted note to a sentence) and rewrite/ (a sentence and
what to do with it to the rewritten sentence). Every word is this project's own; the same rows come out every time.

    python3 examples/data/make_sequences.py
"""
import pathlib
import random
import re

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("Ada Ben Cleo Dan Eva Finn Grace Hugo Ida Jon Kim Leo Mia Nora Omar Pia Quentin Rosa Sam Tara Uwe Vera Will "
         "Yara Zoe Ali Berta Carl Dora Emil").split()

# ---- notes: days and times in words, shorthand written out, what to do as a polite sentence ----
DAYS = {"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday", "sat": "Saturday",
        "sun": "Sunday"}
NUMBERS = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
DOCTORS = ["dentist", "doctor", "hairdresser", "plumber", "lawyer", "vet", "tailor", "landlord", "painter"]
MEETINGS = {"team mtg": "team meeting", "choir": "choir practice", "yoga": "yoga class", "board mtg": "board meeting",
            "guitar": "guitar lesson", "book club": "book club", "swimming": "swimming lesson", "chess": "chess evening"}
PLACES = ["library", "station", "town hall", "museum", "bakery", "harbour", "school", "cinema", "market", "park gate"]
THINGS = [("egg", "eggs"), ("apple", "apples"), ("lemon", "lemons"), ("candle", "candles"), ("cup", "cups"),
          ("lamp", "lamps"), ("towel", "towels"), ("notebook", "notebooks"), ("chair", "chairs"), ("onion", "onions")]
STUFF = ["milk", "bread", "rice", "soap", "butter", "tea", "flour", "paper"]


def time_in_words(hour, minute):
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    this, following = NUMBERS[(hour - 1) % 12 + 1], NUMBERS[hour % 12 + 1]
    if minute == 0:
        return f"{this} {part}"
    return {15: f"a quarter past {this} {part}", 30: f"half past {this} {part}",
            45: f"a quarter to {following} {part}"}[minute]


def note(rng):
    hour, minute = rng.randint(7, 21), rng.choice([0, 15, 30, 45])
    clock, words = f"{hour}:{minute:02d}", time_in_words(hour, minute)
    day, other = rng.sample(sorted(DAYS), 2)
    name, place = rng.choice(NAMES), rng.choice(PLACES)
    count, (one, many), stuff = rng.randint(1, 12), rng.choice(THINGS), rng.choice(STUFF)
    things = f"{NUMBERS[count]} {one if count == 1 else many}"
    short, full = rng.choice(sorted(MEETINGS.items()))
    return rng.choice([
        lambda: (f"{(d := rng.choice(DOCTORS))} {day} {clock}",
                 f"The appointment with the {d} is on {DAYS[day]} at {words}."),
        lambda: (f"call {name} {day} {clock}", f"Please call {name} on {DAYS[day]} at {words}."),
        lambda: (f"meet {name} {place} {clock}", f"Please meet {name} in front of the {place} at {words}."),
        lambda: (f"{short} {day} -> {other} {clock}",
                 f"The {full} has been moved from {DAYS[day]} to {DAYS[other]} at {words}."),
        lambda: (f"no {short} {day}", f"There is no {full} on {DAYS[day]}."),
        lambda: (f"{short} {clock} w/ {name}", f"The {full} with {name} begins at {words}."),
        lambda: (f"buy {count} {one if count == 1 else many}, {stuff}", f"Please buy {things} and some {stuff}."),
        lambda: (f"bring {count} {one if count == 1 else many} {day}", f"Please bring {things} on {DAYS[day]}."),
        lambda: (f"train {clock} pl {count}", f"The train leaves at {words} from platform {NUMBERS[count]}."),
        lambda: (f"{name} late, {clock}", f"{name} will be late and arrives at {words}."),
    ])()


# ---- rewrite: a sentence and what to do with it ----
FIRST_NAMES = (
    "Ada Alan Albert Alice Amy Andrew Anna Arthur Barbara Ben Betty Bob Carl Carol Charles Chris Clara Colin Daniel David "
    "Diana Donald Dora Edith Edward Ellen Emily Emma Eric Eva Felix Frank Fred George Grace Hannah Harry Helen Henry Hugo "
    "Ida Ivan Jack James Jane Jason Jean Jim John Julia Karen Karl Kate Kevin Kim Larry Laura Leo Lily Linda Lisa Lucy "
    "Maria Mary Max Michael Nina Nora Oliver Oscar Otto Pamela Paul Peter Philip Rachel Ralph Robert Roger Rosa Ruth Sam "
    "Sarah Simon Sofia Stella Steve Susan Thomas Tim Tina Tom Vera Victor Walter").split()
PEOPLE = FIRST_NAMES + [f"{whose} {who}" for whose in ("my", "our", "the") for who in (
    "sister", "uncle", "neighbour", "nurse", "farmer", "brother", "teacher", "driver", "aunt", "cook")]
# What things are, and verbs that go with them: verb, third person, past, participle.
SMALL = "bag book bottle box basket candle clock coat cup doll flag glove hammer hat key knife lamp map ring rope stone ticket toy umbrella"
LARGE = "bench bike boat bridge carpet car door engine fence gate house kitchen ladder oven piano roof stable table tower truck wagon wall window"
PAPER = "diary letter list menu note novel paper poem report song speech story"
ANIMALS = "cat cow dog duck goat hen horse parrot pony rabbit sheep turtle"
VERBS = {
    "paint paints painted painted": LARGE, "wash washes washed washed": f"{LARGE} {ANIMALS}",
    "sell sells sold sold": f"{SMALL} {LARGE} {ANIMALS}", "buy buys bought bought": f"{SMALL} {LARGE} {ANIMALS}",
    "repair repairs repaired repaired": LARGE, "clean cleans cleaned cleaned": LARGE,
    "carry carries carried carried": f"{SMALL} {ANIMALS}", "bring brings brought brought": f"{SMALL} {PAPER}",
    "write writes wrote written": PAPER, "read reads read read": PAPER, "forget forgets forgot forgotten": f"{SMALL} {PAPER}",
    "find finds found found": f"{SMALL} {PAPER} {ANIMALS}", "lose loses lost lost": f"{SMALL} {PAPER}",
    "build builds built built": LARGE, "choose chooses chose chosen": f"{SMALL} {PAPER}",
    "feed feeds fed fed": ANIMALS, "draw draws drew drawn": f"{SMALL} {LARGE} {ANIMALS}",
    "hide hides hid hidden": f"{SMALL} {PAPER}",
}
ADJECTIVES = ["", ""] + ("old new small big red green white heavy strange broken cheap black blue yellow pretty dirty ugly "
                         "simple famous tiny").split()
TAILS = ["", "", "in the garden", "in the morning", "after lunch", "at school", "on Sunday", "before breakfast",
         "with a friend", "for the party", "in the rain", "at night", "without help", "at home", "on the island",
         "in the village", "during the holidays", "after work", "on Monday", "near the river", "for the children"]
# How it is asked for; the wish names the function in `rewrite`.
WISHES = {
    "question": ["as a question", "ask whether it is so"],
    "past": ["in the past", "as if it were over"],
    "denial": ["deny it", "say that it is not so"],
    "future": ["in the future", "as a plan"],
    "passive": ["in the passive", "begin with the thing"],
    "who": ["ask who does it", "ask for the person"],
    "polite": ["more politely", "as a kind request"],
    "ban": ["forbid it", "as a ban"],
}
# Only in dev and predict.txt.
NEW_WORDS = frozenset("Amy Carl Clara Felix Henry Hugo Lucy Nora Peter Rachel Simon Tom uncle piano ladder umbrella goat poem "
                      "glove tower hammer diary pony strange cheap".split())


def rewrite(rng):
    who, (verb, nouns) = rng.choice(PEOPLE), rng.choice(sorted(VERBS.items()))
    do, does, did, done = verb.split()
    thing = " ".join(["the", rng.choice(ADJECTIVES), rng.choice(nouns.split())]).replace("  ", " ")
    tail = rng.choice(TAILS)
    kind = rng.choice(sorted(WISHES))
    words = {
        "question": ("does", who, do, thing, tail, "?"), "past": (who, did, thing, tail, "."),
        "denial": (who, "does not", do, thing, tail, "."), "future": (who, "will", do, thing, tail, "."),
        "passive": (thing, "is", done, "by", who, tail, "."), "who": ("who", does, thing, tail, "?"),
        "polite": ("could you please", do, thing, tail, "?"), "ban": ("you must not", do, thing, tail, "."),
    }[kind]
    source = (do, thing, tail, ".") if kind in ("polite", "ban") else (who, does, thing, tail, ".")
    return sentence(source), rng.choice(WISHES[kind]), sentence(words)


def sentence(parts):
    text = " ".join(part for part in parts[:-1] if part) + parts[-1]
    return text[0].upper() + text[1:]


# Rows whose source texts occur once; those of `new_words` are not in train.
def write(folder, columns, make, train, dev, predict, seed, new_words=frozenset()):
    rng = random.Random(seed)
    rows, sources = [], set()
    while len(rows) < train + dev + predict:
        row = make(rng)
        if row[0] in sources or len(rows) < train and new_words & set(re.findall(r"\w+", row[0])):
            continue
        rows.append(row)
        sources.add(row[0])
    (HERE / folder).mkdir(exist_ok=True)
    for name, part in (("train.tsv", rows[:train]), ("dev.tsv", rows[train:train + dev])):
        lines = ["\t".join(columns)] + ["\t".join(row) for row in part]
        (HERE / folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = ["\t".join(row[:-1]) for row in rows[train + dev:]]
    (HERE / folder / "predict.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


write("notes", ("text", "target"), note, 1200, 150, 8, 1)
write("rewrite", ("text", "text2", "target"), rewrite, 2000, 150, 6, 2, NEW_WORDS)
