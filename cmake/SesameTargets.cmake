# One static library per layer, made from every source file of its folder. CONFIGURE_DEPENDS lets a new op, layer or
# model be a new file and nothing else.

function(sesame_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -fno-math-errno
    -Wno-missing-field-initializers)  # designated initialisers leave the rest at their defaults on purpose
  target_compile_definitions(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:NDEBUG>)
  # With sanitizers g++ warns of values that cannot be uninitialised (GCC's documentation says so): no errors there.
  if(NOT SESAME_SANITIZE)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(SESAME_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

# sesame_library(<folder> DEPENDS <public libraries> PRIVATE <private libraries> PRECOMPILE <headers>)
# PRECOMPILE names slow headers that many of the folder's files include: nlohmann/json takes a second of each file.
function(sesame_library folder)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRIVATE;PRECOMPILE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/backend/(cpu|cuda|no_cuda)/")
  add_library(sesame_${folder} STATIC ${sources})
  add_library(Sesame::${folder} ALIAS sesame_${folder})
  set_target_properties(sesame_${folder} PROPERTIES EXPORT_NAME ${folder} POSITION_INDEPENDENT_CODE ON)
  target_include_directories(sesame_${folder} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/sesame>)
  target_compile_features(sesame_${folder} PUBLIC cxx_std_20)
  target_link_libraries(sesame_${folder} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
  sesame_compile_options(sesame_${folder})
  if(ARG_PRECOMPILE)
    target_precompile_headers(sesame_${folder} PRIVATE ${ARG_PRECOMPILE})
    target_compile_options(sesame_${folder} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)  # for ccache
  endif()
endfunction()
