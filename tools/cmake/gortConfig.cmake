# find_package(gort): the targets of docs/public.txt, gort::gort first.
include(CMakeFindDependencyMacro)
find_dependency(absl)
find_dependency(Threads)
include("${CMAKE_CURRENT_LIST_DIR}/gortTargets.cmake")
