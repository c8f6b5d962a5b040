# SPDX-License-Identifier: MIT
# Flags of everything that is built here, on the interface target dream_flags.
add_library(dream_flags INTERFACE)
target_compile_definitions(dream_flags INTERFACE _GNU_SOURCE)
target_compile_options(dream_flags INTERFACE
	-Wall -Wextra -Wpointer-arith -Wvla -Wundef -Wformat=2 -Wno-unused-parameter
	$<$<COMPILE_LANGUAGE:C>:-Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition>
	-fno-omit-frame-pointer -fstack-protector-strong -fstack-clash-protection -fno-common -g)
if(DREAM_WERROR)
	target_compile_options(dream_flags INTERFACE -Werror)
endif()
target_link_options(dream_flags INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT DREAM_SANITIZE)
	# At -O3 gcc 12 takes results that a callee sets on success for unset; the sanitized build finds real ones.
	target_compile_options(dream_flags INTERFACE -Wno-maybe-uninitialized)
	target_compile_options(dream_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
	# Several parts are optimised at once only where make is installed; elsewhere gcc warns. The node is small: one part.
	target_link_options(dream_flags INTERFACE -flto-partition=one)
endif()
if(DREAM_VALGRIND)
	target_compile_definitions(dream_flags INTERFACE DREAM_VALGRIND)
endif()
if(DREAM_SANITIZE)
	target_compile_options(dream_flags INTERFACE -fsanitize=${DREAM_SANITIZE} -fno-sanitize-recover=all)
	target_link_options(dream_flags INTERFACE -fsanitize=${DREAM_SANITIZE})
endif()
