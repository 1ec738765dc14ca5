// Lines of a text file, plain or gzipped, or of standard input ("-"), one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace sesame {

// CRLF is accepted, a byte-order mark is removed at the very start and nowhere else, the last line may lack
// its newline. Malformed UTF-8, NUL, a damaged .gz and unreadable files throw Error with file and line.
class LineReader {
 public:
  explicit LineReader(const std::string& path);
  ~LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;

  // The next line without its terminator; false at the end.
  bool next(std::string& line);
  // Gives the same line out once more.
  void unread() { again_ = true; }

  size_t line() const { return line_; }  // number of the line given out last, from 1
  const std::string& name() const { return name_; }
  std::string where() const;  // "train.tsv:17"

 private:
  struct Stream;
  bool fill();

  std::unique_ptr<Stream> stream_;
  std::string name_, last_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0, line_ = 0;
  bool at_end_ = false, again_ = false;
};

}  // namespace sesame
