// Options that were given and change nothing in this run: said, so that nobody takes them for being in force.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sesame {

// Writes a line on stderr for each such option. What an option is for stands at the beginning of its help:
// tasks, "tag, extract: ...", or values of another option, "--tune adapter, lora: ...". Values that are the
// default, as a run.toml is full of, are passed over.
void say_unused_options(const CLI::App& app, const std::string& task);

}  // namespace sesame
