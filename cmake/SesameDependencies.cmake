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

# CUDA: AUTO takes it where the toolkit is found. EMULATED runs the kernels on the CPU, for tests
# (tests/cuda/emulator).
set(SESAME_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "Compute capabilities to build for; the last one as PTX too")
set(SESAME_CUDA_FOUND OFF)
if(SESAME_CUDA STREQUAL "EMULATED")
  find_package(CUDAToolkit QUIET)
  if(NOT CUDAToolkit_FOUND)
    message(FATAL_ERROR "SESAME_CUDA=EMULATED needs the headers of the CUDA toolkit (CUDA_PATH or PATH name it)")
  endif()
  set(SESAME_CUDA_FOUND ON)
elseif(NOT SESAME_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit QUIET)
  if(CUDAToolkit_FOUND AND CUDAToolkit_NVCC_EXECUTABLE AND CUDA_cublasLt_LIBRARY)
    if(NOT CMAKE_CUDA_COMPILER)
      set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
    endif()
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES ${SESAME_CUDA_ARCHITECTURES})
    endif()
    enable_language(CUDA)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know yet that nvcc has C++20
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    if(SESAME_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
      set(CMAKE_CUDA_COMPILER_LAUNCHER ${SESAME_CCACHE})
    endif()
    set(SESAME_CUDA_FOUND ON)
  elseif(SESAME_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SESAME_CUDA=ON needs the CUDA toolkit with nvcc and cuBLAS (CUDA_PATH or PATH name it); "
      "without it configure with -DSESAME_CUDA=OFF")
  endif()
endif()

# MPI, for mpirun: AUTO takes it where it is found.
set(SESAME_MPI_FOUND OFF)
if(NOT SESAME_MPI STREQUAL "OFF")
  set(MPI_CXX_SKIP_MPICXX ON)  # the C functions are called, not the bindings that MPI has dropped
  find_package(MPI QUIET COMPONENTS CXX)
  if(MPI_CXX_FOUND)
    set(SESAME_MPI_FOUND ON)
  elseif(SESAME_MPI STREQUAL "ON")
    message(FATAL_ERROR "SESAME_MPI=ON needs MPI: apt-get install libopenmpi-dev openmpi-bin (or run tools/setup.sh); "
      "without it configure with -DSESAME_MPI=OFF")
  endif()
endif()
