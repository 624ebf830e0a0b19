# Every library comes from Debian packages (scripts/packages.txt); SUNDIALS is unpacked into .deps
# by scripts/setup.sh, since its package would pull MPI and PETSc.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(GSL REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)

add_library(fg_hdf5 INTERFACE)
target_include_directories(fg_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(fg_hdf5 INTERFACE ${HDF5_C_LIBRARIES} ZLIB::ZLIB)
target_compile_definitions(fg_hdf5 INTERFACE H5_USE_110_API)

find_path(SUNDIALS_INCLUDE_DIR cvode/cvode.h
  HINTS ${PROJECT_SOURCE_DIR}/.deps/usr/include)
find_library(SUNDIALS_CVODE_LIBRARY NAMES libsundials_cvode.a sundials_cvode
  HINTS ${PROJECT_SOURCE_DIR}/.deps/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}
        ${PROJECT_SOURCE_DIR}/.deps/usr/lib/${CMAKE_C_LIBRARY_ARCHITECTURE})
find_library(SUNDIALS_CORE_LIBRARY NAMES sundials_core) # 7.x splits it off
if(NOT SUNDIALS_INCLUDE_DIR OR NOT SUNDIALS_CVODE_LIBRARY)
  message(FATAL_ERROR "SUNDIALS CVODE was not found: run scripts/setup.sh (it unpacks it into .deps)")
endif()
file(STRINGS ${SUNDIALS_INCLUDE_DIR}/sundials/sundials_config.h SUNDIALS_VERSION
  REGEX "#define SUNDIALS_VERSION \"")
string(REGEX REPLACE ".*\"(.*)\".*" "\\1" SUNDIALS_VERSION "${SUNDIALS_VERSION}")
add_library(fg_sundials INTERFACE)
target_include_directories(fg_sundials SYSTEM INTERFACE ${SUNDIALS_INCLUDE_DIR})
target_link_libraries(fg_sundials INTERFACE ${SUNDIALS_CVODE_LIBRARY})
if(SUNDIALS_CORE_LIBRARY)
  target_link_libraries(fg_sundials INTERFACE ${SUNDIALS_CORE_LIBRARY})
endif()
