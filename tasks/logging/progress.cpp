#include "tasks/logging/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace sesame {

namespace {

constexpr double kTerminalSeconds = 0.2;
constexpr double kPlainSeconds = 10;
constexpr int kBarCells = 24;

int terminal_columns(std::FILE* out) {
  winsize size{};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool is_terminal(std::FILE* out) {
  const char* term = std::getenv("TERM");
  return ::isatty(::fileno(out)) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

std::string bar(double share) {
  const int full = static_cast<int>(share * kBarCells);
  std::string cells;
  for (int i = 0; i < kBarCells; ++i) cells += i < full ? "█" : "·";
  return cells;
}

std::string rate_text(double rate) {
  return rate >= 100 ? fmt::format("{:.0f}", rate) : fmt::format("{:.3g}", rate);
}

// Cuts to `columns` code points so that the line never wraps (the bar's cells are one column each).
void cut_columns(std::string& line, int columns) {
  int count = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
    if (starts && count++ == columns) {
      line.resize(i);
      return;
    }
  }
}

}  // namespace

std::string format_duration(double seconds) {
  const auto all = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  const int64_t hours = all / 3600, minutes = all / 60 % 60, rest = all % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, rest)
                   : fmt::format("{}:{:02}", minutes, rest);
}

Progress::Progress(std::string label, int64_t total, std::string unit, std::FILE* out)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      out_(out),
      terminal_(is_terminal(out)),
      begin_(Clock::now()),
      last_(begin_) {}

Progress::~Progress() { finish(); }

void Progress::start_at(int64_t done) {
  first_ = done_ = done;
  begin_ = last_ = Clock::now();
}

void Progress::update(int64_t done, const std::string& note) {
  done_ = done;
  note_ = note;
  const auto now = Clock::now();
  const double wait = terminal_ ? kTerminalSeconds : kPlainSeconds;
  if (std::chrono::duration<double>(now - last_).count() >= wait) draw(now);
}

void Progress::draw(Clock::time_point now) {
  last_ = now;
  drawn_done_ = done_;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_ - first_) / seconds : 0;
  std::string line = label_ + "  ";
  if (total_ > 0) {
    const double share = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
    line += terminal_ ? fmt::format("{} {:3.0f}%  {}/{}", bar(share), 100 * share, done_, total_)
                      : fmt::format("{}/{} ({:.0f}%)", done_, total_, 100 * share);
  } else {
    line += fmt::format("{}", done_);
  }
  line += fmt::format("  {} {}/s  {}", rate_text(rate), unit_, format_duration(seconds));
  if (total_ > done_ && rate > 0) {
    line += fmt::format(", {} left", format_duration(static_cast<double>(total_ - done_) / rate));
  }
  if (!note_.empty()) line += "  " + note_;
  if (terminal_) {
    cut_columns(line, terminal_columns(out_) - 1);
    line = "\r" + line + "\x1b[K";
  } else {
    line += "\n";
  }
  // Not fmt::print, which throws when stderr is closed: progress is not worth a run.
  std::fputs(line.c_str(), out_);
  drawn_ = true;
  std::fflush(out_);
}

void Progress::message(const std::string& line) {
  std::fputs(((terminal_ ? "\r\x1b[K" : "") + line + "\n").c_str(), out_);
  std::fflush(out_);
  if (terminal_ && drawn_ && !finished_) draw(Clock::now());
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (terminal_ || drawn_done_ != done_) draw(Clock::now());
  if (terminal_) std::fputc('\n', out_);
  std::fflush(out_);
}

}  // namespace sesame
