# SPDX-License-Identifier: MIT
# dream_add_module(TARGET NAME name VERSION vsn SOURCES file… [OUTPUT_DIRECTORY dir])
#
# Builds the module file <name>-<vsn>.so with the flags a hot-loaded module needs: nothing exported but its
# descriptor, no lazy binding, no symbol that another version could take over. See docs/modules.md.
function(dream_add_module target)
	cmake_parse_arguments(ARG "" "NAME;VERSION;OUTPUT_DIRECTORY" "SOURCES" ${ARGN})
	if(NOT ARG_OUTPUT_DIRECTORY)
		set(ARG_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/modules)
	endif()
	add_library(${target} MODULE ${ARG_SOURCES})
	target_link_libraries(${target} PRIVATE dream_sdk)
	set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" C_STANDARD 17 C_VISIBILITY_PRESET hidden
		CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
		OUTPUT_NAME "${ARG_NAME}-${ARG_VERSION}" LIBRARY_OUTPUT_DIRECTORY ${ARG_OUTPUT_DIRECTORY})
	target_compile_options(${target} PRIVATE -fPIC -fstack-clash-protection -fno-optimize-sibling-calls -g
		$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
	target_link_options(${target} PRIVATE -Wl,-Bsymbolic -Wl,-z,now -Wl,-z,relro)
	if(NOT DREAM_SANITIZE) # a sanitizer's run-time is resolved in the executable
		target_link_options(${target} PRIVATE -Wl,-z,defs)
	endif()
endfunction()
