# SPDX-License-Identifier: MIT
# find_package(Dream) gives dream_add_module(); see DreamModule.cmake beside this file.
@PACKAGE_INIT@
if(NOT TARGET dream_sdk)
	add_library(dream_sdk INTERFACE IMPORTED)
	set_target_properties(dream_sdk PROPERTIES
		INTERFACE_INCLUDE_DIRECTORIES "@PACKAGE_CMAKE_INSTALL_INCLUDEDIR@")
endif()
include(${CMAKE_CURRENT_LIST_DIR}/DreamModule.cmake)
