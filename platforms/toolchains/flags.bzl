"""Flags for GNU compilers; close to what Bazel gives the machine's own, so that configurations differ in the CPU alone."""

COMPILE_FLAGS = [
    "-U_FORTIFY_SOURCE",
    "-fstack-protector",
    "-Wall",
    "-Wno-free-nonheap-object",
]

OPT_COMPILE_FLAGS = [
    "-O2",
    "-DNDEBUG",
    "-ffunction-sections",
    "-fdata-sections",
]

# Not gold: its work-around for erratum 843419 of the Cortex-A53 ends in an internal error on our programs.
LINK_FLAGS = [
    "-fuse-ld=bfd",
    "-Wl,-no-as-needed",
    "-Wl,-z,relro,-z,now",
    "-pass-exit-codes",
]

# The dates would make two builds of one source differ.
UNFILTERED_COMPILE_FLAGS = [
    "-fno-canonical-system-headers",
    "-Wno-builtin-macro-redefined",
    "-D__DATE__=\"redacted\"",
    "-D__TIMESTAMP__=\"redacted\"",
    "-D__TIME__=\"redacted\"",
]

_TOOLS = {
    "ar": "ar",
    "cpp": "cpp",
    "dwp": "dwp",
    "gcc": "gcc",
    "gcov": "gcov",
    "ld": "ld",
    "nm": "nm",
    "objcopy": "objcopy",
    "objdump": "objdump",
    "strip": "strip",
}

def gnu_tools(prefix):
    """tool_paths for the tools that begin with `prefix`."""
    paths = {tool: prefix + name for tool, name in _TOOLS.items()}

    # Bazel insists on the entry; coverage of a cross build is gcov's.
    paths["llvm-cov"] = "/bin/false"
    return paths
