// Files and directories that appear whole or not at all.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "models/io/atomic_file.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::read_file;
using sesame::testing::TemporaryFolder;

namespace fs = std::filesystem;

namespace {

// Files of this process may have so many bytes until the end of the scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("a file appears at commit") {
  TemporaryFolder folder;
  const std::string path = folder.write("a", "old");
  {
    AtomicFile file(path);
    file.write("new ");
    file.write("content");
    CHECK(file.bytes() == 11);
    CHECK(read_file(path) == "old");
    file.commit();
    CHECK(read_file(path) == "new content");
    CHECK(contains(error_of([&] { file.write("more"); }), "after commit"));
  }
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file given up leaves nothing") {
  TemporaryFolder folder;
  const std::string path = folder.write("a", "old");
  { AtomicFile(path).write("half"); }
  CHECK(read_file(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a full disk is one clear error") {
  TemporaryFolder folder;
  const std::string path = folder.write("weights", "old");
  const std::string large(1 << 20, 'x');
  std::string error;
  {
    FileSizeLimit limit(1 << 16);
    error = error_of([&] { write_file_atomic(path, large); });
  }
  CHECK(contains(error, "[" + path + "] writing failed after "));
  CHECK(contains(error, "File too large; nothing was stored"));
  CHECK(read_file(path) == "old");
  CHECK(folder.entries() == 1);
  if (fs::exists("/dev/full")) {
    CHECK(contains(error_of([] { write_file_atomic("/dev/full", "x"); }),
                   "[/dev/full] writing failed after 1 bytes: No space left"));
    CHECK(fs::is_character_file("/dev/full"));
  }
}

TEST_CASE("a full disk, really") {
  TemporaryFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    MESSAGE("SKIPPED: no right to mount a small tmpfs");
    return;
  }
  const std::string path = folder.path("weights");
  CHECK(contains(error_of([&] { write_file_atomic(path, std::string(1 << 20, 'x')); }),
                 "No space left on device"));
  CHECK(folder.entries() == 0);
  ::umount(folder.path().c_str());
}

TEST_CASE("places that cannot be written") {
  TemporaryFolder folder;
  CHECK(contains(error_of([&] { AtomicFile file(folder.path("no/a")); }),
                 "no/a] cannot be created: No such file"));
  CHECK(contains(error_of([&] { AtomicFile file(folder.path()); }), "it is a directory"));
  CHECK(contains(error_of([] { AtomicFile file(""); }), "the output path is empty"));
  CHECK(contains(error_of([&] { AtomicDir dir(folder.path("no/a")); }), "no/a] cannot be created"));
  folder.write("file", "x");
  CHECK(contains(error_of([&] { AtomicDir dir(folder.path("file")); }), "a file of this name is in the way"));
}

TEST_CASE("links stay links, devices stay devices") {
  TemporaryFolder folder;
  folder.write("real", "old");
  fs::create_symlink("real", folder.path("link"));
  write_file_atomic(folder.path("link"), "new");
  CHECK(fs::is_symlink(folder.path("link")));
  CHECK(read_file(folder.path("real")) == "new");
  write_file_atomic("/dev/null", "x");
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("a directory appears at commit, in place of an old one") {
  TemporaryFolder folder;
  const std::string path = folder.path("checkpoint");
  for (const std::string content : {"first", "second"}) {
    AtomicDir dir(path);
    write_file_atomic(dir.folder() + "/" + content, content);
    CHECK(!fs::exists(path + "/" + content));
    dir.commit();
    CHECK(read_file(path + "/" + content) == content);
  }
  CHECK(!fs::exists(path + "/first"));
  { AtomicDir given_up(path + "/"); }
  CHECK(fs::exists(path + "/second"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a directory is removed whole, and under a name that counts as left behind") {
  TemporaryFolder folder;
  folder.write("step/weights", "old");
  folder.write("other/weights", "new");
  remove_directory(folder.path("step"));
  remove_directory(folder.path("step"));  // is not there any more
  CHECK(folder.entries() == 1);
  CHECK(fs::exists(folder.path("other/weights")));
}

TEST_CASE("what a killed process left is removed") {
  TemporaryFolder folder;
  folder.write(".weights.sesame-tmp-1", "half");
  folder.write(".checkpoint.sesame-tmp-1/weights", "half");
  folder.write("weights", "whole");
  remove_stale_temporaries(folder.path());
  CHECK(folder.entries() == 1);
  CHECK(fs::exists(folder.path("weights")));
  remove_stale_temporaries(folder.path("none"));
}
