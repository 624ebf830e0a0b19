# libflowgap from the layers, the command, and what `cmake --install` puts where.
include(CMakePackageConfigHelpers)
get_property(FG_LAYERS GLOBAL PROPERTY FG_LAYERS)

file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.c "extern int fg_translation_unit;\n")
add_library(flowgap SHARED ${CMAKE_CURRENT_BINARY_DIR}/empty.c)
add_library(flowgap::flowgap ALIAS flowgap)
foreach(layer IN LISTS FG_LAYERS)
  list(APPEND FG_ARCHIVES $<TARGET_FILE:${layer}>)
  add_dependencies(flowgap ${layer})
  target_link_libraries(flowgap PRIVATE ${layer})
endforeach()
target_link_options(flowgap PRIVATE -Wl,--whole-archive ${FG_ARCHIVES} -Wl,--no-whole-archive
  -Wl,--exclude-libs,libsundials_cvode.a)
set_target_properties(flowgap PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C
  BUILD_RPATH "$ORIGIN" INSTALL_RPATH "$ORIGIN") # where it looks for libflowgap_cuda.so
target_include_directories(flowgap INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

file(GLOB FG_CLI_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
if(FG_CLI_SOURCES)
  add_executable(flowgap_command ${FG_CLI_SOURCES})
  set_target_properties(flowgap_command PROPERTIES OUTPUT_NAME flowgap
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  target_link_libraries(flowgap_command PRIVATE fg_options flowgap PkgConfig::JANSSON m)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/cli/info.c PROPERTIES COMPILE_DEFINITIONS
    "FG_LIBRARIES=\"GSL ${GSL_VERSION}, HDF5 ${HDF5_VERSION}, SUNDIALS ${SUNDIALS_VERSION}, libyaml ${YAML_VERSION}, jansson ${JANSSON_VERSION}\"")
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/cli/target.c PROPERTIES COMPILE_DEFINITIONS
    "FG_INCLUDE_FOLDERS=\"${CMAKE_INSTALL_FULL_INCLUDEDIR}:${PROJECT_SOURCE_DIR}/include\"")
  install(TARGETS flowgap_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  add_custom_command(TARGET flowgap_command POST_BUILD BYPRODUCTS ${CMAKE_CURRENT_BINARY_DIR}/flowgap.1
    COMMAND flowgap_command help --man > ${CMAKE_CURRENT_BINARY_DIR}/flowgap.1)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/flowgap.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

install(TARGETS flowgap EXPORT flowgapTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/flowgap DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT flowgapTargets NAMESPACE flowgap:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/flowgap)
configure_package_config_file(cmake/flowgapConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/flowgapConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/flowgap)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/flowgapConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/flowgapConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/flowgapConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/flowgap)
file(RELATIVE_PATH FG_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/flowgap.pc.in ${CMAKE_CURRENT_BINARY_DIR}/flowgap.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/flowgap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
