#include "tasks/extract/question_set.h"

#include <fmt/core.h>

#include "autograd/check.h"
#include "models/io/utf8.h"
#include "tasks/metrics/python_text.h"
#include "tasks/report/svg.h"

namespace sesame {
namespace {

bool is_blank(const std::string& text) { return python_split(to_code_points(text)).empty(); }

// The beginning of a text for an error message.
std::string shown(const std::string& text) {
  const std::string start = cut_text(text, 0, 60);
  return start.size() < text.size() ? start + "..." : start;
}

std::string plural(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", format_count(static_cast<std::int64_t>(count)), noun, count == 1 ? "" : "s");
}

}  // namespace

std::size_t byte_offset(std::string_view text, std::int64_t position, std::size_t from) {
  std::size_t at = from;
  for (; position > 0 && at < text.size(); --position) {
    do ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  }
  return at;
}

std::string cut_text(std::string_view text, std::int64_t start, std::int64_t end) {
  const std::size_t begin = byte_offset(text, start);
  return std::string(text.substr(begin, byte_offset(text, end - start, begin) - begin));
}

AnswerSpan place_answer(const QuestionExample& example, const std::string& text, std::int64_t start,
                        AnswerPlaces& places) {
  const std::string& document = *example.document;
  SESAME_CHECK(!is_blank(text), example.where,
               "an answer is empty; a question without an answer has an empty list of answers");
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  ++places.answers;
  if (start >= 0) {
    const std::size_t at = byte_offset(document, start);
    if (document.compare(at, text.size(), text) == 0) return {text, start, start + length};
  }
  const std::size_t found = document.find(text);
  SESAME_CHECK(found != std::string::npos, example.where,
               "the answer \"{}\" does not occur in its document; answers are copied letter by letter: mend "
               "the row or leave it out",
               shown(text));
  const bool again = document.find(text, found + 1) != std::string::npos;
  SESAME_CHECK(start < 0 || !again, example.where,
               "the answer \"{}\" is not at character {} of its document and occurs there several times; "
               "give the right start (code points from 0)",
               shown(text), start);
  if (start >= 0 && places.moved++ == 0) places.first_moved = example.where;
  if (start < 0 && again && places.ambiguous++ == 0) places.first_ambiguous = example.where;
  const auto begin =
      static_cast<std::int64_t>(count_code_points(std::string_view(document).substr(0, found)));
  return {text, begin, begin + length};
}

std::string describe(const QuestionSet& data) {
  std::string text = plural(data.examples.size(), "question");
  if (data.limited) text = "the first " + text;
  if (data.unanswered > 0)
    text += fmt::format(", {} without an answer", format_count(static_cast<std::int64_t>(data.unanswered)));
  if (data.places.moved > 0) {
    text += fmt::format(", {} not at the place given and found elsewhere (first: {})",
                        plural(data.places.moved, "answer"), data.places.first_moved);
  }
  if (data.places.ambiguous > 0) {
    text += fmt::format(", {} without a place that occur several times: the first is taken (first: {})",
                        plural(data.places.ambiguous, "answer"), data.places.first_ambiguous);
  }
  for (const Dropped& d : data.dropped) {
    text +=
        fmt::format(", {} left out ({}, first at line {})", plural(d.count, "row"), d.reason, d.first_line);
  }
  return text;
}

}  // namespace sesame
