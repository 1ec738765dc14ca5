// study.html: pictures and numbers from all results in a folder.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tasks/study/findings.h"

namespace sesame {

using StudyResults = std::vector<nlohmann::ordered_json>;

struct StudySection {
  std::string title, html;
  std::vector<Finding> findings;
};

// One for each subcommand, from the lines of its results; empty html without any.
StudySection curves_section(const StudyResults& curves);
StudySection landscape_section(const StudyResults& landscape);
// The path is drawn over the plane of landscape.
StudySection path_section(const StudyResults& path, const StudyResults& landscape);
StudySection rollback_section(const StudyResults& rollback);
StudySection modes_section(const StudyResults& modes);
StudySection layers_section(const StudyResults& layers);
StudySection table_section(const StudyResults& table);

// The numbers of a list; null (a loss that was no number) comes back as infinity.
std::vector<double> numbers_in(const nlohmann::ordered_json& list);

// What the marks on the plane through two solutions mean.
std::string plane_marks_legend();

// Writes OUT/study.html from the results that are there and returns its path.
std::string write_study_page(const std::string& out, const std::string& model);

// Mean place of such weights, from 0 for the embeddings up ("center of gravity", Tenney et al. 2019).
double mean_layer(const std::vector<double>& weights);

// Names of the sets in the order of their first result.
std::vector<std::string> sets_in(const StudyResults& results);
// Those of one set and one start ("" for any).
StudyResults results_of(const StudyResults& results, const std::string& set, const std::string& start);

}  // namespace sesame
