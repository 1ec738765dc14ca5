# The CUDA backend as plain C++ on a device in software (README.md). Included by autograd/backend/CMakeLists.txt.
set(emulator ${PROJECT_SOURCE_DIR}/tests/cuda/emulator)
foreach(source ${cuda_sources})
  if(source MATCHES "/nccl\\.cpp$")
    set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY ON)
  endif()
  if(source MATCHES "\\.cu$")
    set_source_files_properties(${source} PROPERTIES LANGUAGE CXX
      COMPILE_OPTIONS "-x;c++;-include;${emulator}/device_language.h")
  endif()
endforeach()
target_sources(sesame_cuda PRIVATE ${emulator}/block.cpp ${emulator}/runtime.cpp ${emulator}/no_nccl.cpp)
target_include_directories(sesame_cuda BEFORE PRIVATE ${emulator}/include)
target_compile_options(sesame_cuda PRIVATE -O2 -Wall -Wextra -fno-strict-aliasing -Wno-missing-field-initializers -Wno-unknown-pragmas)

add_library(emulated_cublaslt MODULE ${emulator}/cublaslt.cpp)
target_include_directories(emulated_cublaslt PRIVATE ${PROJECT_SOURCE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
target_compile_options(emulated_cublaslt PRIVATE -O3)
add_dependencies(sesame_cuda emulated_cublaslt)
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/cuda/gemm.cpp PROPERTIES COMPILE_DEFINITIONS
  "SESAME_CUDA_MAJOR=\"emulated\";SESAME_CUBLASLT=\"$<TARGET_FILE:emulated_cublaslt>\"")
