# cmake --install gives headers (<sesame/...>), static libraries and find_package(Sesame) with the targets
# Sesame::autograd, Sesame::nn, Sesame::models and Sesame::tasks. Programs are installed by tools/CMakeLists.txt.
include(CMakePackageConfigHelpers)

set(SESAME_CONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Sesame)
set(SESAME_LAYERS autograd nn models tasks)

# Headers of the backends' insides and those that speak of a library used privately stay here.
foreach(layer ${SESAME_LAYERS})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${layer} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sesame
    FILES_MATCHING PATTERN "*.h"
    PATTERN "kernels" EXCLUDE PATTERN "cuda" EXCLUDE PATTERN "no_cuda" EXCLUDE PATTERN "mpi" EXCLUDE PATTERN "no_mpi" EXCLUDE
    PATTERN "strict_json.h" EXCLUDE PATTERN "json_reader.h" EXCLUDE)
endforeach()

set(targets ${SESAME_LAYERS})
list(TRANSFORM targets PREPEND sesame_)
install(TARGETS ${targets} EXPORT SesameTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT SesameTargets NAMESPACE Sesame:: DESTINATION ${SESAME_CONFIG_DIR})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/SesameConfig.cmake.in
  ${PROJECT_BINARY_DIR}/SesameConfig.cmake INSTALL_DESTINATION ${SESAME_CONFIG_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/SesameConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/SesameConfig.cmake ${PROJECT_BINARY_DIR}/SesameConfigVersion.cmake
  DESTINATION ${SESAME_CONFIG_DIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
