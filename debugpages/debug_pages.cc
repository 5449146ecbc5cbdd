#include "gort/debugpages/debug_pages.h"

#include <algorithm>
#include <utility>

#include "gort/debugpages/internal/builtin.h"

namespace gort::debugpages {
namespace {

constexpr std::string_view kRoot = "/debug/";

void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    switch (c) {
      case '&':
        *out += "&amp;";
        break;
      case '<':
        *out += "&lt;";
        break;
      case '"':
        *out += "&quot;";
        break;
      default:
        *out += c;
    }
  }
}

// Links are absolute: the index answers to /debug, too.
void AppendRow(const Page& page, std::string* out) {
  *out += "<tr><td><a href=\"";
  *out += kRoot;
  AppendEscaped(page.name, out);
  *out += "\">";
  AppendEscaped(page.name, out);
  *out += "</a></td><td>";
  AppendEscaped(page.help, out);
  *out += "</td></tr>\n";
}

bool IsIndex(std::string_view path) { return path == kRoot || path == "/debug"; }

}  // namespace

DebugPages::DebugPages() : pages_(BuiltinPages()) {}

void DebugPages::Add(Page page) {
  const auto same = std::find_if(pages_.begin(), pages_.end(),
                                 [&page](const Page& p) { return p.name == page.name; });
  if (same != pages_.end()) {
    *same = std::move(page);
  } else {
    pages_.push_back(std::move(page));
  }
}

const Page* DebugPages::Find(std::string_view path) const {
  if (!path.starts_with(kRoot)) return nullptr;
  path.remove_prefix(kRoot.size());
  for (const Page& page : pages_) {
    if (page.name == path) return &page;
  }
  return nullptr;
}

bool DebugPages::Has(std::string_view path) const { return IsIndex(path) || Find(path) != nullptr; }

Response DebugPages::Serve(const Request& request) const {
  if (IsIndex(request.path)) return Index();
  const Page* page = Find(request.path);
  if (page == nullptr) return {404, Response{}.content_type, nullptr, "no such page\n"};
  return page->serve(request);
}

Response DebugPages::Index() const {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = "<!doctype html>\n<title>debug</title>\n<table>\n";
  for (const Page& page : pages_) AppendRow(page, &response.body);
  response.body += "</table>\n";
  return response;
}

}  // namespace gort::debugpages
