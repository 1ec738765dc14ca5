// Charts of the report as inline SVG. Colours come from the page's style sheet, so that both themes serve.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tasks/report/report.h"

namespace sesame {

constexpr std::size_t kColours = 6;  // c0 .. c5 and b0 .. b5 of the style sheet

// For text and quoted attributes; control characters that HTML forbids are left out.
std::string escape_html(std::string_view text);

// "12,345".
std::string format_count(int64_t number);
// Four significant digits, "-" where there is no number.
std::string format_value(double value);

// Lines over steps with axes, a legend and hover titles. Points that are no finite numbers leave gaps.
std::string line_chart(const Curve& curve);
// How often which length occurs.
std::string histogram(const std::vector<int64_t>& values, const std::string& x_label);
// One dot per pair, with the diagonal on which all would lie.
std::string scatter_chart(const std::vector<std::pair<double, double>>& points);
// Horizontal bars with names and values.
std::string bar_list(const std::vector<std::pair<std::string, double>>& bars, bool counts);

}  // namespace sesame
