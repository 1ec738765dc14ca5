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

# Compiles the files of each folder as one unit: a fresh build takes half the time, because the headers' templates
# (fmt, nlohmann/json, CLI11) are read and instantiated once. Names in the anonymous namespaces of one folder must
# therefore differ. -DSESAME_UNITY=OFF compiles file by file, for work on one of them.
function(sesame_unity target)
  if(NOT SESAME_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(source ${sources})
    file(RELATIVE_PATH group ${PROJECT_SOURCE_DIR} ${source})
    get_filename_component(group ${group} DIRECTORY)
    string(MAKE_C_IDENTIFIER ${group} group)
    set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# sesame_library(<folder> DEPENDS <public libraries> PRIVATE <private libraries>)
function(sesame_library folder)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/backend/(cpu|cuda|no_cuda)/|/comm/(mpi|no_mpi)/")
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
  sesame_unity(sesame_${folder})
endfunction()
