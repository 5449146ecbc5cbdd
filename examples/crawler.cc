// examples/crawler.cc: follows the links of a web site, some pages at once, until the time is up.
//
// Level by level: the pages of a level are fetched by a TaskGroup with a limit, each into a place of
// its own, so there is no lock; when all have ended, their links are the next level. The time limit
// is a context that each wait for the network has.
#include <http_parser.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/gort.h"

DEFINE_int32(limit, 8, "pages that are fetched at once");
DEFINE_int32(pages, 1000, "pages after which to stop");
DEFINE_double(seconds, 30, "how long it may take altogether");
DEFINE_double(page_seconds, 5, "how long a page may take");

namespace {

bool Positive(const char*, int32_t n) { return n > 0; }
DEFINE_validator(limit, &Positive);
DEFINE_validator(pages, &Positive);

constexpr size_t kMaxPage = 4 << 20;
constexpr std::string_view kScheme = "http://";

struct Page {
  unsigned status = 0;
  std::string body = {};
  bool complete = false;
};

// A site and the path of a page on it.
struct Url {
  std::string host;
  std::string path;
};

Url ParseUrl(std::string_view text) {
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  const size_t slash = std::min(text.find('/'), text.size());
  const std::string path(text.substr(slash));
  return {std::string(text.substr(0, slash)), path.empty() ? "/" : path};
}

std::string HostWithPort(const std::string& host) {
  return host.find(':') == std::string::npos ? host + ":80" : host;
}

// What http-parser finds goes into the page.
const http_parser_settings& IntoPage() {
  static const http_parser_settings settings = [] {
    http_parser_settings s;
    http_parser_settings_init(&s);
    s.on_body = [](http_parser* p, const char* at, size_t n) {
      auto* page = static_cast<Page*>(p->data);
      page->body.append(at, n);
      return page->body.size() <= kMaxPage ? 0 : 1;
    };
    s.on_message_complete = [](http_parser* p) {
      auto* page = static_cast<Page*>(p->data);
      page->status = p->status_code;
      page->complete = true;
      return 0;
    };
    return s;
  }();
  return settings;
}

absl::StatusOr<Page> Fetch(const gort::Context& ctx, const Url& url) {
  const gort::CancelScope in_time(ctx, absl::Seconds(FLAGS_page_seconds));
  auto conn = gort::Dial(in_time.context(), "tcp", HostWithPort(url.host));
  if (!conn.ok()) return conn.status();
  const std::string request = "GET " + url.path + " HTTP/1.1\r\nHost: " + url.host +
                              "\r\nUser-Agent: gort-crawler\r\nConnection: close\r\n\r\n";
  if (auto n = conn->Write(in_time.context(), request); !n.ok()) return n.status();
  Page page;
  http_parser parser;
  http_parser_init(&parser, HTTP_RESPONSE);
  parser.data = &page;
  while (!page.complete) {
    char buf[16 << 10];
    const auto n = conn->Read(in_time.context(), absl::MakeSpan(buf));
    if (!n.ok()) return n.status();
    if (http_parser_execute(&parser, &IntoPage(), buf, *n) != *n || (*n == 0 && !page.complete)) {
      return absl::DataLossError("no answer of HTTP, or too long a one");
    }
  }
  return page;
}

// The paths on `from`'s site that its page links to: of href="PATH", with what stands before it.
std::vector<std::string> Links(const Url& from, std::string_view html) {
  constexpr std::string_view kHref = "href=\"";
  std::vector<std::string> paths;
  for (size_t at = html.find(kHref); at != html.npos; at = html.find(kHref, at)) {
    at += kHref.size();
    std::string_view link = html.substr(at, html.find('"', at) - at);
    link = link.substr(0, link.find('#'));
    if (link.starts_with(kScheme)) {
      Url to = ParseUrl(link);
      if (to.host == from.host) paths.push_back(std::move(to.path));
    } else if (link.starts_with('/') && !link.starts_with("//")) {
      paths.emplace_back(link);
    } else if (!link.empty() && link.find(':') == link.npos && !link.starts_with('/')) {
      paths.push_back(from.path.substr(0, from.path.rfind('/') + 1) + std::string(link));
    }
  }
  return paths;
}

struct Result {
  int fetched = 0;
  int failed = 0;
  absl::Status status;
};

Result Crawl(const gort::Context& ctx, const Url& start) {
  Result result;
  std::set<std::string> seen = {start.path};
  for (std::vector<std::string> level = {start.path}; !level.empty();) {
    std::vector<absl::StatusOr<Page>> pages(level.size());
    gort::TaskGroup fetches(ctx);
    fetches.SetLimit(FLAGS_limit);
    for (size_t i = 0; i < level.size(); ++i) {
      // A page that fails is a result and not a failure of the group.
      fetches.Go([&, i] { pages[i] = Fetch(ctx, {start.host, level[i]}); });
    }
    result.status = fetches.Wait();
    std::vector<std::string> next;
    for (size_t i = 0; i < level.size(); ++i) {
      const bool ok = pages[i].ok() && pages[i]->status == 200;
      ++(ok ? result.fetched : result.failed);
      const std::string what = !pages[i].ok() ? pages[i].status().ToString()
                                              : "status " + std::to_string(pages[i]->status);
      std::printf("%s: %s\n", level[i].c_str(), what.c_str());
      if (!ok) continue;
      for (std::string& link : Links({start.host, level[i]}, pages[i]->body)) {
        if (seen.size() < static_cast<size_t>(FLAGS_pages) && seen.insert(link).second) {
          next.push_back(std::move(link));
        }
      }
    }
    if (!ctx.Err().ok()) result.status = ctx.Err();
    if (!result.status.ok()) return result;
    level = std::move(next);
  }
  return result;
}

}  // namespace

int gort_main(int argc, char** argv) {
  const auto words = apps::ParseFlags(argc, argv, "usage: crawler [flags] http://HOST/", __FILE__);
  if (words.size() != 1 || !words[0].starts_with(kScheme)) apps::BadUsage("one http:// is wanted");
  const gort::CancelScope in_time(gort::Background(), absl::Seconds(FLAGS_seconds));
  const Result result = Crawl(in_time.context(), ParseUrl(words[0]));
  std::printf("%d pages, %d failed, %s\n", result.fetched, result.failed,
              result.status.ToString().c_str());
  return result.status.ok() && std::fflush(stdout) == 0 ? 0 : 3;
}
