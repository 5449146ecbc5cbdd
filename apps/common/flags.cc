#include "gort/apps/common/flags.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gflags/gflags.h"

namespace apps {
namespace {

std::string program = "gort";

[[noreturn]] void Help(const char* usage, const char* file) {
  std::printf("%s\nFlags:\n", usage);
  std::vector<gflags::CommandLineFlagInfo> flags;
  gflags::GetAllFlags(&flags);
  for (const gflags::CommandLineFlagInfo& flag : flags) {
    if (flag.filename != file) continue;
    std::printf("  --%s (%s; default: %s)\n      %s\n", flag.name.c_str(), flag.type.c_str(),
                flag.default_value.empty() ? "none" : flag.default_value.c_str(),
                flag.description.c_str());
  }
  std::exit(std::fflush(stdout) == 0 ? 0 : 1);
}

bool Find(const std::string& name, gflags::CommandLineFlagInfo* info) {
  return gflags::GetCommandLineFlagInfo(name.c_str(), info);
}

}  // namespace

void BadUsage(const std::string& message) {
  std::fprintf(stderr, "%s: %s; try --help\n", program.c_str(), message.c_str());
  std::exit(2);
}

std::vector<std::string> ParseFlags(int argc, char** argv, const char* usage, const char* file) {
  if (argc > 0) {
    const char* slash = std::strrchr(argv[0], '/');
    program = slash != nullptr ? slash + 1 : argv[0];
  }
  std::vector<std::string> rest;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--") {
      rest.insert(rest.end(), argv + i + 1, argv + argc);
      break;
    }
    if (arg.size() < 2 || arg[0] != '-') {
      rest.push_back(arg);
      continue;
    }
    std::string name = arg.substr(arg[1] == '-' ? 2 : 1);
    if (name == "help" || name == "h") Help(usage, file);
    const size_t equals = name.find('=');
    std::string value;
    bool has_value = equals != std::string::npos;
    if (has_value) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    gflags::CommandLineFlagInfo info;
    if (!Find(name, &info)) {
      if (has_value || name.compare(0, 2, "no") != 0 || !Find(name.substr(2), &info) ||
          info.type != "bool") {
        BadUsage("unknown flag '" + arg + "'");
      }
      name = name.substr(2);
      value = "false";
    } else if (!has_value && info.type == "bool") {
      value = "true";
    } else if (!has_value) {
      if (++i == argc) BadUsage("flag '" + arg + "' needs a value");
      value = argv[i];
    }
    if (gflags::SetCommandLineOption(name.c_str(), value.c_str()).empty()) {
      BadUsage(std::string("bad value '").append(value).append("' for flag '--").append(name) +
               "'");
    }
  }
  return rest;
}

}  // namespace apps
