#include "gort/platforms/linux/cgroup_parse.h"

#include <climits>

#include "gort/base/godebug.h"

namespace gort::rt {
namespace {

// Cuts the part before the first `separator` (or everything) off the front of *rest.
std::string_view Cut(std::string_view* rest, char separator) {
  size_t n = rest->find(separator);
  std::string_view part = rest->substr(0, n);
  *rest = n == std::string_view::npos ? std::string_view() : rest->substr(n + 1);
  return part;
}

bool ListContains(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (Cut(&list, ',') == word) return true;
  }
  return false;
}

std::string_view TrimEnd(std::string_view s) {
  while (!s.empty() && (s.back() == '\n' || s.back() == ' ')) s.remove_suffix(1);
  return s;
}

int CeilDivide(std::string_view quota_text, std::string_view period_text) {
  int64_t quota = 0, period = 0;
  if (!ParseInt64(quota_text.data(), quota_text.size(), &quota) || quota <= 0) return 0;
  if (!ParseInt64(period_text.data(), period_text.size(), &period) || period <= 0) return 0;
  int64_t cpus = quota / period + (quota % period != 0 ? 1 : 0);
  return cpus < INT_MAX ? static_cast<int>(cpus) : INT_MAX;
}

}  // namespace

CgroupMembership ParseCgroupLine(std::string_view line, std::string_view controller) {
  std::string_view hierarchy = Cut(&line, ':');
  std::string_view controllers = Cut(&line, ':');
  // The rest is the path, colons and all.
  if (line.empty() || line.front() != '/') return {};
  if (hierarchy == "0" && controllers.empty()) return {CgroupVersion::kV2, line};
  if (ListContains(controllers, controller)) return {CgroupVersion::kV1, line};
  return {};
}

CgroupMount ParseMountinfoLine(std::string_view line, std::string_view controller) {
  // 36 35 98:0 /root /mount/point rw,noatime [optional fields…] - type source super,options
  for (int i = 0; i < 3; ++i) Cut(&line, ' ');
  CgroupMount mount;
  mount.root = Cut(&line, ' ');
  mount.mount_point = Cut(&line, ' ');
  Cut(&line, ' ');  // options
  while (!line.empty() && Cut(&line, ' ') != "-") {
  }
  std::string_view type = Cut(&line, ' ');
  Cut(&line, ' ');  // source
  if (mount.root.empty() || mount.mount_point.empty()) return {};
  if (type == "cgroup2") {
    mount.version = CgroupVersion::kV2;
  } else if (type == "cgroup" && ListContains(line, controller)) {
    mount.version = CgroupVersion::kV1;
  } else {
    return {};
  }
  return mount;
}

bool CgroupBelow(std::string_view path, std::string_view root, std::string_view* below) {
  if (root == "/") root = "";
  if (path == "/") path = "";
  if (path.substr(0, root.size()) != root) return false;
  path.remove_prefix(root.size());
  if (!path.empty() && path.front() != '/') return false;  // /ab is not inside /a
  // "/../x": the process is outside of what its cgroup namespace shows.
  if (path == "/.." || path.substr(0, 4) == "/../") return false;
  *below = path;
  return true;
}

size_t UnescapeOctal(std::string_view text, char* out, size_t cap) {
  auto octal = [](char c) { return c >= '0' && c <= '7'; };
  size_t n = 0;
  for (size_t i = 0; i < text.size(); ++i, ++n) {
    char c = text[i];
    if (c == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      c = static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    }
    if (n < cap) out[n] = c;
  }
  return n;
}

int CpusFromCpuMax(std::string_view text) {
  text = TrimEnd(text);
  std::string_view quota = Cut(&text, ' ');
  return CeilDivide(quota, text);  // "max" is no number: no limit
}

int CpusFromCfs(std::string_view quota, std::string_view period) {
  return CeilDivide(TrimEnd(quota), TrimEnd(period));
}

int64_t CountFromText(std::string_view text) {
  text = TrimEnd(text);
  int64_t n = 0;
  return ParseInt64(text.data(), text.size(), &n) && n >= 0 ? n : -1;
}

}  // namespace gort::rt
