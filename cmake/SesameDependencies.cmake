# Everything that Sesame takes from elsewhere. Each missing package is named with the line that installs it.

macro(sesame_need package debian)
  find_package(${package} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "Sesame needs ${package}: apt-get install ${debian} (or run tools/setup.sh)")
  endif()
endmacro()

function(sesame_need_header header debian)
  string(MAKE_C_IDENTIFIER "SESAME_${header}" variable)
  find_path(${variable} ${header})
  if(NOT ${variable})
    message(FATAL_ERROR "Sesame needs <${header}>: apt-get install ${debian} (or run tools/setup.sh)")
  endif()
endfunction()

sesame_need(fmt libfmt-dev)
sesame_need(ZLIB zlib1g-dev)
sesame_need(OpenMP g++)
sesame_need_header(nlohmann/json.hpp nlohmann-json3-dev)
if(SESAME_TOOLS)
  sesame_need_header(CLI/CLI.hpp libcli11-dev)
  sesame_need_header(toml++/toml.h libtomlplusplus-dev)
endif()
if(SESAME_TESTS)
  sesame_need_header(doctest/doctest.h doctest-dev)
endif()

# OpenBLAS in its OpenMP build, so that one thread pool serves GEMM and our own loops. It is opened at run time by this
# path (autograd/backend/cpu/blas.cpp says why), so nothing links it.
find_library(SESAME_OPENBLAS openblas PATH_SUFFIXES openblas-openmp)
find_path(SESAME_CBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas-openmp ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp)
if(NOT SESAME_OPENBLAS OR NOT SESAME_CBLAS_INCLUDE)
  message(FATAL_ERROR "Sesame needs OpenBLAS: apt-get install libopenblas-openmp-dev (or run tools/setup.sh)")
endif()

find_program(SESAME_CCACHE ccache)
if(SESAME_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SESAME_CCACHE})
endif()
