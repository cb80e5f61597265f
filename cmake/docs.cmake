# SPDX-License-Identifier: MIT
# The target `docs`: the reference of the headers and the pages of docs/, as HTML in build/<preset>/docs/html.
find_package(Doxygen 1.9 QUIET)
find_program(AWK_PROGRAM awk)
if(NOT DOXYGEN_FOUND OR NOT AWK_PROGRAM)
  message(STATUS "weft: no target docs, as there is no Doxygen")
  return()
endif()

set(DOXYGEN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/docs)
set(DOXYGEN_FULL_PATH_NAMES YES)
set(DOXYGEN_STRIP_FROM_PATH ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
set(DOXYGEN_STRIP_FROM_INC_PATH ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_FILE_PATTERNS *.hpp *.h *.md *.dox)
# weft::One would be taken for the first word of sentences.
set(DOXYGEN_EXCLUDE_SYMBOLS detail "detail::*" "*::detail" "*::detail::*" "std::*" "fmt::*" weft::One)
set(DOXYGEN_INPUT_FILTER "${AWK_PROGRAM} -f ${CMAKE_CURRENT_LIST_DIR}/docs.awk")
set(DOXYGEN_USE_MDFILE_AS_MAINPAGE ${PROJECT_SOURCE_DIR}/docs/README.md)

set(DOXYGEN_MACRO_EXPANSION YES)
set(DOXYGEN_EXPAND_ONLY_PREDEF YES)
set(DOXYGEN_SEARCH_INCLUDES NO)
set(DOXYGEN_PREDEFINED WEFT_ALWAYS_INLINE=inline WEFT_NOINLINE= WEFT_DETAIL_POSIX=1 WEFT_C_FUNCTION=inline)

set(DOXYGEN_EXTRACT_STATIC YES)
set(DOXYGEN_HIDE_FRIEND_COMPOUNDS YES)
set(DOXYGEN_SORT_MEMBER_DOCS NO)
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_SHOW_USED_FILES NO)
set(DOXYGEN_SHOW_INCLUDE_FILES NO)
set(DOXYGEN_CLASS_GRAPH NO)
set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_GENERATE_TREEVIEW YES)
set(DOXYGEN_HTML_TIMESTAMP NO)
set(DOXYGEN_HTML_EXTRA_STYLESHEET ${CMAKE_CURRENT_LIST_DIR}/docs.css)
set(DOXYGEN_VERBATIM_HEADERS NO)

# What is not documented is found by tests/docs/documented.py, in the XML.
set(DOXYGEN_GENERATE_XML YES)
set(DOXYGEN_XML_PROGRAMLISTING NO)
set(DOXYGEN_QUIET YES)
set(DOXYGEN_WARN_IF_UNDOCUMENTED NO)
set(DOXYGEN_WARN_LOGFILE ${PROJECT_BINARY_DIR}/docs/warnings.txt)

doxygen_add_docs(docs include docs cmake/namespaces.dox README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md
                 WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} COMMENT "Documentation")
