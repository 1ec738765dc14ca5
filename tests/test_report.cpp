// report.html: everything there, everything escaped, nothing fetched.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tasks/report/report.h"
#include "tasks/report/svg.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;

namespace {

const std::string kEvil = "<script>alert('x')</script>\"&\x01";

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// A report in which every text is hostile.
Report evil_report() {
  Report report;
  report.title = report.subtitle = kEvil;
  Metrics scores;
  scores.set(kEvil, 0.75);
  report.scores = {{kEvil, scores}};
  Curve curve;
  curve.title = curve.x_label = curve.y_label = kEvil;
  curve.smooth = true;
  curve.series = {{kEvil, {}}};
  for (int i = 0; i < 3000; ++i)
    curve.series[0].points.emplace_back(i, std::exp(-i / 900.0) + 0.1 * std::sin(i));
  report.curves = {curve};
  report.labels = {kEvil, "b"};
  report.confusion = {{3, 1}, {2, 4}};
  report.scatter = {{1, 2}, {3, 3}};
  report.mistakes = {{{kEvil, "second text"}, kEvil, kEvil, 0.5, 17},
                     {{"sure and wrong"}, "a", "b", 0.99, 4}};
  report.layer_weights = {{kEvil, 0.2}};
  report.data = {{kEvil, kEvil, {{kEvil, kEvil}}, {{kEvil, 5}}, {3, 4, 4, 90}}};
  report.speed = report.options = {{kEvil, kEvil}};
  return report;
}

}  // namespace

TEST_CASE("everything is escaped") {
  const std::string html = report_html(evil_report());
  CHECK(!contains(html, "<script"));
  CHECK(!contains(html, "alert('x')"));
  CHECK(!contains(html, "\x01"));
  CHECK(count(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;") >= 18);
  CHECK(escape_html("a<b>&\"'\n") == "a&lt;b&gt;&amp;&quot;&#39;\n");
}

TEST_CASE("one page, no network, no script") {
  const std::string html = report_html(evil_report());
  for (const char* bad :
       {"http:", "https:", "src=", "url(", "@import", "<script", "<link rel=\"stylesheet"}) {
    CAPTURE(bad);
    CHECK(!contains(html, bad));
  }
  CHECK(contains(html, "default-src 'none'"));
  CHECK(contains(html, "prefers-color-scheme: dark"));
}

TEST_CASE("curves, matrix, mistakes and data are there") {
  Report report = evil_report();
  keep_most_telling(report.mistakes, 50);
  CHECK(report.mistakes[0].texts[0] == "sure and wrong");
  const std::string html = report_html(report);
  CHECK(count(html, "<svg ") == 3);  // curve, scatter, histogram
  CHECK(count(html, "class=\"c0 raw\"") == 1);
  CHECK(count(html, "class=\"c0 line\"") == 1);
  CHECK(count(html, "class=\"strip\"") > 100);
  CHECK(contains(html, "<b>0.7500</b>"));
  CHECK(contains(html, "<small>66.7 %</small>"));
  CHECK(html.find("sure and wrong") < html.find("second text"));
  CHECK(contains(html, "shortest 3, median 4, 95 % up to 4, longest 90"));
  CHECK(html.size() < 200000);  // 3,000 steps are thinned
}

TEST_CASE("odd input makes a page all the same") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK(contains(report_html({}), "</html>"));
  Curve curve;
  CHECK(contains(line_chart(curve), "no values"));
  curve.series = {{"a", {{1, nan}, {2, inf}}}, {"b", {}}};
  CHECK(contains(line_chart(curve), "no values"));
  curve.series[0].points = {{5, 0.0}};
  CHECK(contains(line_chart(curve), "<circle"));
  for (const double value : {0.0, 1e-30, 1e30, -5.0, 0.1}) {
    curve.series[0].points = {{1, value}, {2, nan}, {3, value}};
    const std::string chart = line_chart(curve);
    CHECK(!contains(chart, "nan"));
    CHECK(!contains(chart, "inf"));
  }
  curve.series[0].points = {{1, 1e16}, {2, 1e16 + 2}, {3, -1e308}, {4, 1e308}};
  CHECK(contains(line_chart(curve), "</svg>"));  // steps below the rounding of the values
  CHECK(contains(scatter_chart({{nan, 1}}), "no values"));
  CHECK(histogram({}, "x").empty());
  CHECK(contains(histogram({7, 7, 7}, "x"), "7: 3 examples"));
  CHECK(format_value(nan) == "-");
  CHECK(format_count(-1234567) == "-1,234,567");
}

TEST_CASE("many classes: the largest confusions instead of a matrix") {
  Report report;
  report.confusion.assign(40, std::vector<int64_t>(40));
  report.confusion[7][9] = 12;
  const std::string html = report_html(report);
  CHECK(contains(html, "7 taken for 9"));
  CHECK(!contains(html, "class=\"confusion\""));
}

TEST_CASE("long texts are cut between code points") {
  Report report;
  std::string text = "x";
  for (int i = 0; i < 2000; ++i) text += "\xC3\xA9";
  report.mistakes = {{{text}, "a", "b", 1, 1}};
  const std::string html = report_html(report);
  CHECK(contains(html, "\xC3\xA9 …</p>"));
  testing::TemporaryFolder folder;
  write_report(folder.path("report.html"), report);
  CHECK(testing::read_file(folder.path("report.html")) == html);
}
