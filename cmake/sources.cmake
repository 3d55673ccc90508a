# Reads sources.json, the one list of native sources, which binding.gyp reads too.
file(READ ${CMAKE_CURRENT_SOURCE_DIR}/sources.json HEDDLE_SOURCES)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS sources.json)

# heddle_list(<variable> <key>…): the list of strings at this place of sources.json.
function(heddle_list variable)
  string(JSON count LENGTH ${HEDDLE_SOURCES} ${ARGN})
  set(result)
  if(count GREATER 0)
    math(EXPR last "${count} - 1")
    foreach(i RANGE ${last})
      string(JSON entry GET ${HEDDLE_SOURCES} ${ARGN} ${i})
      list(APPEND result ${entry})
    endforeach()
  endif()
  set(${variable} ${result} PARENT_SCOPE)
endfunction()
