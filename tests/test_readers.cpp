// Readers: lines, tables, examples, labels; above all what they say about bad input.
#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>

#include "models/io/utf8.h"
#include "tasks/data/examples.h"
#include "tasks/data/labels.h"
#include "tasks/data/source.h"
#include "tasks/data/table.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::TemporaryFolder;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  LineReader reader(path);
  std::vector<std::string> lines;
  std::string line;
  while (reader.next(line)) lines.push_back(line);
  return lines;
}

std::string gzip(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  return path;
}

std::vector<std::vector<std::string>> rows_of(const std::string& path, Format format) {
  TableReader table(path, format);
  table.select(table.columns());
  std::vector<std::vector<std::string>> rows{table.columns()};
  std::vector<Cell> cells;
  while (table.next(cells)) {
    rows.emplace_back();
    for (const Cell& cell : cells) rows.back().push_back(cell.text);
  }
  return rows;
}

std::string read_error(const std::string& path, const ReadOptions& options = {}) {
  return error_of([&] { read_examples(path, options); });
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("UTF-8 is checked strictly") {
  const auto npos = std::string_view::npos;
  CHECK(find_invalid_utf8("plain, longer than eight bytes") == npos);
  CHECK(find_invalid_utf8("\xC3\xA9 \xE4\xB8\xAD \xF0\x9F\x98\x80 \xED\x9F\xBF \xF4\x8F\xBF\xBF") == npos);
  CHECK(find_invalid_utf8("12345678\xFF") == 8);
  CHECK(find_invalid_utf8("a\xC0\xAF") == 1);          // overlong
  CHECK(find_invalid_utf8("a\xE0\x9F\xBF") == 1);      // overlong
  CHECK(find_invalid_utf8("a\xED\xA0\x80") == 1);      // surrogate
  CHECK(find_invalid_utf8("a\xF4\x90\x80\x80") == 1);  // above U+10FFFF
  CHECK(find_invalid_utf8("ab\xE4\xB8") == 2);         // cut short
  CHECK(find_invalid_utf8("\x80") == 0);
  CHECK(count_code_points("a\xC3\xA9\xF0\x9F\x98\x80") == 3);
}

TEST_CASE("lines: CRLF, byte-order mark, last line, gzip") {
  TemporaryFolder folder;
  CHECK(lines_of(folder.write("a", "one\r\ntwo\n\nfour")) == Strings{"one", "two", "", "four"});
  CHECK(lines_of(folder.write("b", "\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n")) ==
        Strings{"one", "\xEF\xBB\xBFtwo"});
  CHECK(lines_of(folder.write("c", "")).empty());
  CHECK(lines_of(folder.write("d", "\n")) == Strings{""});
  CHECK(lines_of(gzip(folder.path("e.gz"), "\xEF\xBB\xBFone\ntwo")) == Strings{"one", "two"});
  // Longer than the reader's buffer.
  const std::string longest(1 << 20, 'x');
  CHECK(lines_of(folder.write("f", longest + "\nend")) == Strings{longest, "end"});
}

TEST_CASE("standard input") {
  TemporaryFolder folder;
  folder.write("in", "\xEF\xBB\xBFone\r\ntwo");
  const int saved = ::dup(STDIN_FILENO);
  REQUIRE(std::freopen(folder.path("in").c_str(), "rb", stdin) != nullptr);
  CHECK(lines_of("-") == Strings{"one", "two"});
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
}

TEST_CASE("lines: errors name file, line and byte") {
  TemporaryFolder folder;
  const auto error = [](const std::string& path) { return error_of([&] { lines_of(path); }); };
  CHECK(contains(error(folder.write("bad", "fine\nab\xFFz\n")),
                 "bad:2] invalid UTF-8 at byte 3 of the line (0xFF)"));
  CHECK(contains(error(folder.write("nul", std::string("a\0b\n", 4))), "nul:1] NUL byte at byte 2"));
  CHECK(contains(error(folder.path("none")), "none] cannot be opened: No such file"));
  CHECK(contains(error(folder.path()), "is a directory"));
  CHECK(contains(error(folder.write("x.gz", "plain")), "holds no gzip data"));
  std::string packed = testing::read_file(gzip(folder.path("y.gz"), std::string(5000, 'a') + "\nb"));
  packed.resize(packed.size() - 9);
  CHECK(contains(error(folder.write("y.gz", packed)), "the gzip data ends too early"));
}

TEST_CASE("TSV is never quoted") {
  TemporaryFolder folder;
  const auto rows = rows_of(folder.write("a.tsv", "text\tlabel\n\"quoted\ta\"b\n\t0\n"), Format::automatic);
  CHECK(rows == std::vector<Strings>{{"text", "label"}, {"\"quoted", "a\"b"}, {"", "0"}});
  const std::string path = folder.write("b.tsv", "text\tlabel\nonly\n");
  CHECK(contains(error_of([&] { rows_of(path, Format::tsv); }),
                 "b.tsv:2] 1 columns, the header has 2 (\"text\", \"label\")"));
  CHECK(contains(error_of([&] { rows_of(folder.write("c.tsv", "a\ta\n"), Format::tsv); }),
                 "column \"a\" twice"));
}

TEST_CASE("CSV follows RFC 4180") {
  TemporaryFolder folder;
  const std::string content =
      "text,label\r\n\"a, b\",1\r\n\"say \"\"hi\"\"\",0\r\n\"two\r\nlines\n\nfour\",1\r\nplain \"inner\" "
      "quote,0\r\n,\"\"\r\n";
  const auto rows = rows_of(folder.write("a.csv", content), Format::automatic);
  CHECK(rows == std::vector<Strings>{{"text", "label"},
                                     {"a, b", "1"},
                                     {"say \"hi\"", "0"},
                                     {"two\nlines\n\nfour", "1"},
                                     {"plain \"inner\" quote", "0"},
                                     {"", ""}});
  const auto error = [&](const std::string& text) {
    return error_of([&] { rows_of(folder.write("b.csv", text), Format::csv); });
  };
  CHECK(contains(error("text,label\nx,1\n\"open,1\nmore\n"),
                 "b.csv:3] the quote opened in this row is never closed"));
  CHECK(contains(error("text,label\n\"a\"b,1\n"), "b.csv:2] text after a closing quote at byte 4"));
  CHECK(contains(error("text,label\na,b,c\n"), "b.csv:2] 3 columns, the header has 2"));
}

TEST_CASE("CSV errors name the line on which a row begins") {
  TemporaryFolder folder;
  const std::string path = folder.write("a.csv", "text,label\n\"one\ntwo\",x\n\"three\nfour\",y\n");
  const Dataset data = read_examples(path, {});
  CHECK(data.examples[1].line == 4);
  CHECK(data.where(data.examples[1]) == path + ":4");
}

TEST_CASE("JSONL") {
  TemporaryFolder folder;
  const std::string content =
      "{\"text\": \"a\\tb\", \"label\": 1}\n\n{\"label\": true, \"text\": 2.5, \"more\": {}}\n";
  const Dataset data = read_examples(folder.write("a.jsonl", content), {});
  REQUIRE(data.examples.size() == 2);
  CHECK(data.examples[0].texts[0] == "a\tb");
  CHECK(data.examples[0].label == "1");
  CHECK(data.examples[1].texts[0] == "2.5");
  CHECK(data.examples[1].label == "true");
  CHECK(data.dropped.at(0).reason == "blank line");
  const auto error = [&](const std::string& text) { return read_error(folder.write("b.jsonl", text)); };
  CHECK(contains(error("{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}\n"),
                 "b.jsonl:2] no key \"label\"; found: \"text\""));
  CHECK(contains(error("{\"text\": \"a\", \"label\": 1}\n{\"text\": \n"),
                 "b.jsonl:2] not a JSON object on one line"));
  CHECK(contains(error("[1, 2]\n"), "b.jsonl:1] not a JSON object on one line: found array"));
  CHECK(contains(error("{\"text\": \"a\", \"text\": \"b\", \"label\": 1}\n"),
                 "b.jsonl:1] key \"text\" appears twice in one JSON object"));
  CHECK(contains(error("{\"text\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}\n"),
                 "b.jsonl:1] JSON is nested deeper than 64 levels"));
  CHECK(contains(error("{\"text\": null, \"label\": 1}\n"), "\"text\" is null, a text is wanted"));
  CHECK(contains(error("{\"text\": {}, \"label\": 1}\n"), "\"text\" is an object"));
  CHECK(contains(error("{\"text\": \"\\u0000\", \"label\": 1}\n"), "holds a NUL character"));
  CHECK(contains(error("{\"text\": \"\\ud800\", \"label\": 1}\n"), "b.jsonl:1] not a JSON object"));
}

TEST_CASE("formats") {
  CHECK(format_of("a.tsv.gz") == Format::tsv);
  CHECK(format_of("a.csv") == Format::csv);
  CHECK(format_of("dir.tsv/a.json") == Format::jsonl);
  CHECK(format_of("a.txt") == Format::lines);
  CHECK(format_of("-") == Format::lines);
  CHECK(contains(error_of([] { format_of("a.dat"); }), "a.dat] the extension does not tell the format"));
  CHECK(contains(error_of([] { parse_format("xml"); }),
                 "unknown format \"xml\"; known: auto, tsv, csv, jsonl, lines"));
}

TEST_CASE("columns") {
  const ColumnSpec spec = parse_columns("text=premise,text2=hypothesis,label=gold");
  CHECK(spec.texts == Strings{"premise", "hypothesis"});
  CHECK(spec.label == "gold");
  CHECK(parse_columns("label=x", spec).texts == spec.texts);
  CHECK(contains(error_of([] { parse_columns("text"); }), "\"text\" is not of the form name=column"));
  CHECK(contains(error_of([] { parse_columns("txt=a"); }), "unknown name \"txt\""));
  CHECK(contains(error_of([] { parse_columns("text=a,text3=c"); }), "text2 is missing, text3 is given"));

  TemporaryFolder folder;
  const std::string path = folder.write("a.tsv", "a\ttext\ttext2\ttext3\tlabel\n0\tx\ty\tz\tl\n");
  CHECK(read_examples(path, {}).examples[0].texts == Strings{"x", "y", "z"});
  ReadOptions options;
  options.columns = parse_columns("text=a,label=text2");
  const Example example = read_examples(path, options).examples[0];
  CHECK(example.texts == Strings{"0"});
  CHECK(example.label == "y");
  options.columns = parse_columns("text=sentence");
  CHECK(contains(read_error(path, options),
                 "a.tsv:1] no column \"sentence\"; found: \"a\", \"text\", \"text2\", \"text3\", \"label\""));
  CHECK(read_examples(folder.write("b.tsv", "text\ttarget\nq\tanswer\n"), {}).examples[0].label == "answer");
}

TEST_CASE("files without examples") {
  TemporaryFolder folder;
  CHECK(contains(read_error(folder.write("a.tsv", "")),
                 "a.tsv] is empty, a header with the column names is wanted"));
  CHECK(contains(read_error(folder.write("a.jsonl", "")), "a.jsonl] is empty"));
  CHECK(contains(read_error(folder.write("b.tsv", "text\tlabel\n")),
                 "b.tsv] holds no example: the file ends after its header"));
  CHECK(contains(read_error(folder.write("c.tsv", "text\tlabel\n\n\n")),
                 "rows dropped: blank line: 2, first at line 2"));
  CHECK(contains(read_error(folder.write("d.txt", "a line\n")), "plain lines carry no label"));
}

TEST_CASE("what is left out or odd is counted") {
  TemporaryFolder folder;
  const Dataset data = read_examples(folder.write("a.tsv", "text\tlabel\na\t1\n\n \t0\n"), {});
  CHECK(describe(data) == "2 examples, 1 row dropped (blank line: 1, first at line 3), 1 with an empty text");
  ReadOptions options;
  options.limit = 1;
  CHECK(describe(read_examples(folder.path("a.tsv"), options)) == "the first 1 example");
}

TEST_CASE("plain lines for predict") {
  TemporaryFolder folder;
  ReadOptions options;
  options.need_label = false;
  options.text_count = 2;
  const std::string path = folder.write("a.txt", "one\ttwo\n\t\n");
  CHECK(read_examples(path, options).examples[0].texts == Strings{"one", "two"});
  CHECK(read_examples(path, options).empty_texts == 1);
  options.text_count = 1;
  CHECK(contains(read_error(path, options), "a.txt:1] 2 texts separated by tabs, 1 wanted"));
  // A blank line is an input of its own: predict answers every line.
  CHECK(read_examples(folder.write("b.txt", "a\n\nc\n"), options).examples.size() == 3);
}

TEST_CASE("label kinds") {
  TemporaryFolder folder;
  ReadOptions options;
  options.kind = LabelKind::number;
  const std::string numbers = folder.write("n.tsv", "text\tlabel\na\t2.5\nb\t -1e3 \n");
  CHECK(label_values(read_examples(numbers, options)) == std::vector<double>{2.5, -1000});
  for (const char* bad : {"x", "", "1.5x", "nan", "inf", "1,5"}) {
    CAPTURE(bad);
    CHECK(contains(read_error(folder.write("m.tsv", fmt::format("text\tlabel\na\t{}\n", bad)), options),
                   "m.tsv:2] column \"label\" holds"));
  }
  CHECK(contains(read_error(folder.write("e.tsv", "text\tlabel\na\t\n")),
                 "e.tsv:2] the label (column \"label\") is empty"));

  options.kind = LabelKind::multi_label;
  const Dataset tags = read_examples(folder.write("t.tsv", "text\tlabel\na\tx|y\nb\t\nc\tz\n"), options);
  const LabelMap map = LabelMap::of(tags);
  CHECK(map.names() == Strings{"x", "y", "z"});
  CHECK(label_matrix(tags, map) == std::vector<uint8_t>{1, 1, 0, 0, 0, 0, 0, 0, 1});
  CHECK(contains(read_error(folder.write("u.tsv", "text\tlabel\na\tx||y\n"), options), "one of the labels"));
  const Dataset arrays =
      read_examples(folder.write("a.jsonl", "{\"text\": \"a\", \"label\": [\"x\", 3]}\n"), {});
  CHECK(arrays.kind == LabelKind::multi_label);
  CHECK(arrays.examples[0].labels == Strings{"x", "3"});
  const std::string mixed =
      folder.write("b.jsonl", "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"a\", \"label\": [\"x\"]}\n");
  CHECK(contains(read_error(mixed), "b.jsonl:2] \"label\" is an array, a single label"));
}

TEST_CASE("label map") {
  TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    return read_examples(folder.write("a.tsv", "text\tlabel\n" + text), {});
  };
  CHECK(LabelMap::of(read("a\t10\nb\t2\nc\t-1\n")).names() == Strings{"-1", "2", "10"});
  CHECK(LabelMap::of(read("a\t10\nb\t2\nc\tx\n")).names() == Strings{"10", "2", "x"});
  CHECK(contains(error_of([&] { LabelMap::of(read("a\t1\nb\t1\n")); }),
                 "1 different label (\"1\"), at least 2 wanted"));
  CHECK(contains(error_of([] { LabelMap({"a", "b", "a"}); }), "label \"a\" is given twice"));
  const LabelMap map({"neg", "pos"});
  CHECK(class_ids(read("a\tpos\nb\tneg\n"), map) == std::vector<int64_t>{1, 0});
  const Dataset dev = read("a\tpos\nb\tmixed\n");
  CHECK(contains(error_of([&] { class_ids(dev, map); }),
                 "a.tsv:3] unknown label \"mixed\"; known: \"neg\", \"pos\""));
}
