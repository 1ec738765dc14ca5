// tokenize: one JSON object {"ids", "tokens", "offsets"} for each line of text.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "autograd/check.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/data/source.h"
#include "tasks/metrics/metrics.h"
#include "tools/common/program.h"

namespace {

using sesame::Encoding;
using sesame::Tokenizer;

struct Options {
  std::string model;
  std::string input = "-";
  bool plain_special = false;
  bool ids_only = false;
};

// Stdout through a buffer of its own; a failed write throws.
class Output {
 public:
  void append(std::string_view text) { buffer_ += text; }
  void append(int32_t number) {
    const fmt::format_int digits(number);
    buffer_.append(digits.data(), digits.size());
  }
  void end_line() {
    buffer_ += '\n';
    if (buffer_.size() > kFull) flush();
  }
  void flush() {
    const size_t written = std::fwrite(buffer_.data(), 1, buffer_.size(), stdout);
    SESAME_CHECK(written == buffer_.size() && std::fflush(stdout) == 0, "stdout",
                 "cannot be written: is the disk full?");
    buffer_.clear();
  }

 private:
  static constexpr size_t kFull = 1 << 20;
  std::string buffer_;
};

// "name": [item, item, ...]
template <class Items, class Write>
void append_array(std::string_view name, const Items& items, Output& out, Write write) {
  out.append(name);
  out.append(": [");
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(", ");
    write(items[i]);
  }
  out.append("]");
}

class LineTokenizer {
 public:
  LineTokenizer(const Options& options, Output& out)
      : options_(options), out_(out), tokenizer_(Tokenizer::load(options.model)) {
    for (size_t id = 0; id < tokenizer_.vocab_size(); ++id) {
      quoted_.push_back(sesame::json_string(tokenizer_.token(static_cast<int32_t>(id))));
    }
  }

  void write(std::string_view line) {
    options_.ids_only ? write_ids(line) : write_all(line);
    out_.end_line();
  }

 private:
  void write_ids(std::string_view line) {
    ids_.assign(1, tokenizer_.cls_id());
    tokenizer_.encode_ids(line, ids_, options_.plain_special);
    ids_.push_back(tokenizer_.sep_id());
    append_array("{\"ids\"", ids_, out_, [this](int32_t id) { out_.append(id); });
    out_.append("}");
  }

  void write_all(std::string_view line) {
    const Encoding encoding = tokenizer_.encode(line, {.plain_special = options_.plain_special});
    append_array("{\"ids\"", encoding.ids, out_, [this](int32_t id) { out_.append(id); });
    append_array(", \"tokens\"", encoding.ids, out_,
                 [this](int32_t id) { out_.append(quoted_[static_cast<size_t>(id)]); });
    append_array(", \"offsets\"", encoding.offsets, out_, [this](const sesame::TokenSpan& span) {
      out_.append("[");
      out_.append(span.begin);
      out_.append(", ");
      out_.append(span.end);
      out_.append("]");
    });
    out_.append("}");
  }

  const Options& options_;
  Output& out_;
  Tokenizer tokenizer_;
  std::vector<std::string> quoted_;  // tokens by id, as JSON strings
  std::vector<int32_t> ids_;
};

int run(const Options& options) {
  Output out;
  LineTokenizer tokenizer(options, out);
  sesame::LineReader lines(options.input);
  try {
    for (std::string line; lines.next(line);) tokenizer.write(line);
  } catch (const sesame::Error&) {
    out.flush();  // the lines before the one at fault are good
    throw;
  }
  out.flush();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Writes the tokens of each line of a text as one JSON object {\"ids\", \"tokens\", \"offsets\"}, [CLS] "
      "and [SEP] "
      "included; offsets count code points of the line.",
      "tokenize");
  sesame::CommonOptions common;
  sesame::add_common_options(app, common);
  Options options;
  app.add_option("--model", options.model, "Directory with tokenizer.json or vocab.txt")->required();
  app.add_option("--input", options.input, "Text, one input a line, .gz read as it is; - for stdin");
  app.add_flag("--plain-special", options.plain_special,
               "[SEP], [MASK] ... spelled out in the text are ordinary text");
  app.add_flag("--ids-only", options.ids_only, "Write {\"ids\"} alone");
  app.footer(
      "Examples:\n"
      "  tokenize --model build/models/minilm --input text.txt\n"
      "  echo 'One line.' | tokenize --model build/models/minilm");
  return sesame::run_program(app, argc, argv, common, [&] { return run(options); });
}
