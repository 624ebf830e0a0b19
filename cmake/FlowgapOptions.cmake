# Warnings, sanitizers, and the interface targets that carry them.
add_library(fg_options INTERFACE)
target_include_directories(fg_options INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/kernels
  ${PROJECT_SOURCE_DIR})
target_compile_definitions(fg_options INTERFACE _POSIX_C_SOURCE=200809L
  FG_VERSION_TEXT="${PROJECT_VERSION}")
target_compile_options(fg_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wvla
  -Wpointer-arith $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>)
if(FG_WERROR)
  target_compile_options(fg_options INTERFACE -Werror)
endif()
if(FG_SANITIZE)
  string(REPLACE ";" "," FG_SANITIZE_LIST "${FG_SANITIZE}")
  target_compile_options(fg_options INTERFACE -fsanitize=${FG_SANITIZE_LIST} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(fg_options INTERFACE -fsanitize=${FG_SANITIZE_LIST})
endif()

# One static library per folder; the shared library is made of them. Files are found by name:
# a new file in a folder needs no edit here.
function(fg_layer name)
  cmake_parse_arguments(arg "" "" "NEEDS;LIBRARIES;SOURCES" ${ARGN})
  if(NOT arg_SOURCES)
    return()
  endif()
  add_library(fg_${name} STATIC ${arg_SOURCES})
  target_link_libraries(fg_${name} PUBLIC fg_options)
  foreach(need IN LISTS arg_NEEDS)
    target_link_libraries(fg_${name} PUBLIC fg_${need})
  endforeach()
  target_link_libraries(fg_${name} PUBLIC ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY FG_LAYERS fg_${name})
endfunction()
